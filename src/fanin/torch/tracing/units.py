"""The units of a signal: which neuron or channel every element belongs to.

They travel through views as an integer tensor of the same shape, expanded and so without memory, as
the coordinates of parameters do. The axes along which it changes are where the units lie.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fanin.torch.tracing.wrapped import whole


def number(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """Number the units of a tensor.

    Args:
        tensor: The tensor.
        axes: Axes along which the units lie, the slowest first.

    Returns:
        The unit of each element, in the shape of the tensor and without memory.
    """
    sizes = [1] * tensor.ndim
    for axis in axes:
        sizes[axis] = tensor.shape[axis]
    order = sorted(axes)
    count = 1
    for axis in axes:
        count *= tensor.shape[axis]
    index = torch.arange(count, dtype=torch.int32)
    if order == list(axes):
        return index.view(sizes).expand(tensor.shape)
    moved = index.view([tensor.shape[axis] for axis in axes])
    moved = moved.permute([list(axes).index(axis) for axis in order])
    return moved.reshape(sizes).expand(tensor.shape)


def unit_axes(units: Tensor) -> tuple[int, ...]:
    """Find the axes along which the units of a tensor lie.

    Args:
        units: The unit of each element.

    Returns:
        The axes along which it changes.
    """
    return tuple(
        axis
        for axis, (size, stride) in enumerate(zip(units.shape, units.stride(), strict=True))
        if size > 1 and stride != 0 and units.numel() and _varies(units, axis)
    )


def _varies(units: Tensor, axis: int) -> bool:
    """Tell whether the unit changes along an axis; a copy has strides where nothing does."""
    index: list[int | slice] = [0] * units.ndim
    index[axis] = slice(None)
    line = units[tuple(index)]
    return bool((line != line[0]).any())


def numbers_in(values: Tensor) -> list[int]:
    """List the numbers that occur.

    Args:
        values: Integers, on the host.

    Returns:
        Each once, in order.

    Example:
        >>> numbers_in(torch.tensor([[2, 0], [2, 5]]))
        [0, 2, 5]
    """
    return np.unique(values.numpy()).tolist()


def distinct_units(units: Tensor) -> Tensor:
    """Drop the axes along which nothing changes.

    Args:
        units: The unit of each element.

    Returns:
        The units, each once if they do not repeat.
    """
    keep = unit_axes(units)
    index = tuple(slice(None) if axis in keep else 0 for axis in range(units.ndim))
    return units[index] if units.numel() else units


SAMPLE = 512
"""Elements by which a hand-written activation is recognised."""


def sample(tensor: Tensor) -> Tensor:
    """Take a few elements of a tensor, at places that depend on its shape alone.

    Args:
        tensor: The tensor.

    Returns:
        A vector in float64; empty for one without memory.
    """
    if tensor.is_meta or tensor.is_nested or not tensor.is_floating_point():
        return torch.empty(0, dtype=torch.float64)
    tensor = whole(tensor)
    left, index = SAMPLE, list[slice]()
    for size in reversed(tensor.shape):
        taken = min(size, max(1, left))
        index.append(slice(0, taken))
        left //= max(1, taken)
    return tensor.detach()[tuple(reversed(index))].double().flatten().cpu()
