"""A batch of nothing in particular, for a model whose data are not at hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fanin.errors import FaninError


def drawn(
    shapes: Sequence[tuple[int, ...]], classes: int | None, tokens: int | None, seed: int
) -> tuple[Tensor, ...]:
    """Draw a batch: standard normal numbers or tokens, and classes as the target.

    Args:
        shapes: Shape of each input, the examples first.
        classes: Number of classes; None for no target. With `tokens` every position has a target.
        tokens: Number of tokens; None for numbers.
        seed: Seed.

    Returns:
        The inputs, then the target if there is one.

    Raises:
        FaninError: There is no class or no token.

    Example:
        >>> inputs, target = drawn([(8, 3)], classes=10, tokens=None, seed=0)
        >>> inputs.dtype, target.shape, int(target.max()) < 10
        (torch.float32, torch.Size([8]), True)
    """
    for name, number in (("--classes", classes), ("--tokens", tokens)):
        if number is not None and number < 1:
            raise FaninError(f"{name} must be at least 1, got {number}")
    source = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randn(shape, generator=source)
        if tokens is None
        else torch.randint(tokens, shape, generator=source)
        for shape in shapes
    ]
    if classes is None:
        return tuple(inputs)
    of = shapes[0][:1] if tokens is None else shapes[0]
    return (*inputs, torch.randint(classes, of, generator=source))


def beside(model: nn.Module, batch: Any) -> Any:
    """Bring a batch to where a model is.

    Args:
        model: The model.
        batch: Tensors, in mappings, lists and tuples of any depth.

    Returns:
        The same, on the device of the first parameter.

    Example:
        >>> beside(nn.Linear(2, 2), {"x": [torch.ones(2)]})["x"][0].device
        device(type='cpu')
    """
    place = next((own.device for own in model.parameters()), torch.device("cpu"))

    def moved(value: Any) -> Any:
        inside: Any = value
        if isinstance(value, Tensor):
            return value.to(place)
        if isinstance(value, Mapping):
            return {key: moved(item) for key, item in inside.items()}
        if isinstance(value, list | tuple):
            return [moved(item) for item in inside]
        return inside

    return moved(batch)
