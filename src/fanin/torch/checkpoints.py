"""A file of weights as a model without layers: enough to read its values, and nothing is guessed.

Modules are made along the dots of the names, so that the tensors keep the names they have in the
file; no layer tells what they are for.
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_model  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor, nn

from fanin.errors import FaninError


def as_module(tensors: Mapping[str, Tensor]) -> nn.Module:
    """Make a model without layers of tensors.

    Args:
        tensors: Name to tensor.

    Returns:
        A module that holds them: as parameters, and those of whole numbers as buffers.

    Raises:
        FaninError: A name is one that no module can hold.

    Example:
        >>> held = as_module({"block.0.weight": nn.Linear(4, 2).weight})
        >>> [name for name, _ in held.named_parameters()]
        ['block.0.weight']
    """
    root = nn.Module()
    for name, tensor in tensors.items():
        owner = root
        *parents, last = name.split(".")
        try:
            for part in parents:
                inner = dict(owner.named_children()).get(part)
                if inner is None:
                    inner = nn.Module()
                    owner.add_module(part, inner)
                owner = inner
            if tensor.is_floating_point() or tensor.is_complex():
                owner.register_parameter(last, nn.Parameter(tensor.detach()))
            else:
                owner.register_buffer(last, tensor)
        except KeyError as problem:
            raise FaninError(f"no module can hold a tensor called {name!r}") from problem
    return root


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file.

    Args:
        path: The file.

    Returns:
        Name to tensor.

    Raises:
        FaninError: The file is not there, or is no safetensors file.
    """
    if not path.is_file():
        raise FaninError(f"there is no file {path}")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as problem:
        raise FaninError(f"{path} is no safetensors file: {problem}") from problem


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of a model to a safetensors file.

    Args:
        model: The model; a tied weight is written once.
        path: The file.

    Raises:
        FaninError: The file cannot be written.
    """
    try:
        save_model(model, str(path))
    except (SafetensorError, OSError, RuntimeError) as problem:
        raise FaninError(f"{path} cannot be written: {problem}") from problem
