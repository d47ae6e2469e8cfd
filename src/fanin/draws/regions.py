"""Which flat indices a region of a tensor holds.

A region is a tuple of slices of the whole logical tensor. Along the last axes it is made of
contiguous runs, and a run is what the fast kernel fills, so a region is described by where its runs
start and how long they are.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.draws.threefry import LARGEST
from fanin.errors import FaninError


@dataclass(frozen=True)
class Runs:
    """A region as equally long runs of flat indices.

    Attributes:
        shape: Shape of the region.
        starts: First flat index of each run, in C order, uint64.
        length: Elements in each run.
    """

    shape: tuple[int, ...]
    starts: NDArray[np.uint64]
    length: int


def runs_of(sizes: Sequence[int], region: tuple[slice, ...] | None) -> Runs:
    """Describe a region of a tensor.

    Args:
        sizes: Shape of the whole tensor.
        region: One slice per axis with a positive step; missing trailing axes are whole. None is
            the whole tensor.

    Returns:
        Its runs.

    Raises:
        FaninError: The shape or the region is not valid.

    Example:
        >>> runs_of((4, 6), (slice(1, 3), slice(2, 5)))
        Runs(shape=(2, 3), starts=array([ 8, 14], dtype=uint64), length=3)
    """
    shape = _checked(sizes)
    steps = [range(size)[part] for size, part in zip(shape, _slices(shape, region), strict=True)]
    inside = tuple(len(step) for step in steps)
    axis, length = len(shape), 1
    while axis > 0 and (steps[axis - 1].step == 1 or inside[axis - 1] == 1):
        axis -= 1
        length *= inside[axis]
        if inside[axis] != shape[axis]:
            break
    strides = [math.prod(shape[place + 1 :]) for place in range(len(shape))]
    offset = sum(
        steps[place].start * strides[place] for place in range(axis, len(shape)) if inside[place]
    )
    starts = np.full((1,) * axis, offset, np.uint64)
    for place in range(axis):
        places = np.asarray(steps[place], np.uint64) * np.uint64(strides[place])
        starts = starts + places.reshape([-1 if k == place else 1 for k in range(axis)])
    return Runs(inside, starts.reshape(-1), length)


def _checked(sizes: Any) -> tuple[int, ...]:
    try:
        shape = tuple(operator.index(size) for size in sizes)
    except TypeError:
        raise FaninError(f"shape must be a tuple of integers, got {sizes!r}") from None
    if any(size < 0 for size in shape):
        raise FaninError(f"shape must not have negative sizes, got {shape!r}")
    if math.prod(shape) > LARGEST:
        raise FaninError(
            f"shape {shape!r} has more than 2**49 elements, the most one name can draw"
        )
    return shape


def _slices(shape: tuple[int, ...], region: Any) -> tuple[slice, ...]:
    parts: tuple[slice, ...] = () if region is None else region
    slices = isinstance(region, tuple | None) and all(isinstance(part, slice) for part in parts)
    if not slices or len(parts) > len(shape):
        raise FaninError(
            f"region must be at most one slice for each axis of shape {shape}, got {region!r}"
        )
    if any(part.step is not None and part.step < 1 for part in parts):
        raise FaninError(f"region must have positive steps, got {region!r}")
    return parts + (slice(None),) * (len(shape) - len(parts))
