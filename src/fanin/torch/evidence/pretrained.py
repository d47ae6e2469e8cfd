"""The weights that a model was to start from, read like the model itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from fanin.checks import Values
from fanin.errors import FaninError
from fanin.torch.checkpoints import as_module, read_weights
from fanin.torch.evidence.values import read_values
from fanin.torch.layouts import survey


def read_pretrained(given: Any) -> dict[str, Values]:
    """Read a checkpoint.

    Args:
        given: A safetensors file, or names to tensors, as `state_dict` has them.

    Returns:
        Name to what the tensor holds.

    Raises:
        FaninError: It is neither, or the file cannot be read.

    Example:
        >>> read_pretrained({"0.weight": nn.Linear(4, 2).weight})["0.weight"].shape
        (2, 4)
    """
    if isinstance(given, str | Path):
        tensors = read_weights(Path(given))
    elif isinstance(given, Mapping):
        tensors = dict(cast("Mapping[str, Any]", given))
    else:
        raise FaninError(
            "pretrained is a safetensors file or a state_dict, names to tensors, got "
            f"{type(given).__name__}"
        )
    wrong = [name for name, tensor in tensors.items() if not isinstance(tensor, Tensor)]
    if wrong:
        raise FaninError(f"pretrained[{wrong[0]!r}] is no tensor; pass the state_dict alone")
    held: nn.Module = as_module(tensors)
    return read_values(held, survey(held))
