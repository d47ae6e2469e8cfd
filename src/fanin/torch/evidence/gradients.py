"""What the gradients of one pass tell about a start, most of all which units stay equal."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fanin.checks import Equal, Gradient, Values
from fanin.recipes import Role, Slot
from fanin.torch.evidence.slices import described, groups, slices
from fanin.torch.evidence.values import pile_of

ROUNDING = 1e-4
"""Difference of two gradients, relative to the larger, that rounding may make of equal ones."""


def read_gradient(slot: Slot, values: Values, weight: Tensor, gradient: Tensor) -> Gradient:
    """Read the gradient of one parameter.

    Args:
        slot: The parameter.
        values: What it holds.
        weight: The tensor that is trained.
        gradient: Its gradient, dense, of the same shape.

    Returns:
        Its figures; where units are equal, which of them have equal gradients too.
    """
    wide = torch.view_as_real(gradient) if gradient.is_complex() else gradient
    wide = wide if wide.dtype in (torch.float32, torch.float64) else wide.float()
    count = max(1, wide.numel())
    square = wide.reshape(-1).dot(wide.reshape(-1)).item() if wide.numel() else 0.0
    low, high = (bound.item() for bound in torch.aminmax(wide)) if wide.numel() else (0.0, 0.0)
    finite = bool(np.isfinite(square))
    return Gradient(
        name=slot.name,
        rms=(square / count) ** 0.5,
        largest=max(abs(low), abs(high)),
        finite=finite,
        zero=int((wide == 0).sum()) / count,
        units=_staying(slot, values, weight, gradient) if finite else (),
    )


def _staying(slot: Slot, values: Values, weight: Tensor, gradient: Tensor) -> tuple[Equal, ...]:
    """Find equal slices whose gradients are equal: no step can tell them apart."""
    repeated = {one.what for one in values.equal if one.distinct < one.count}
    own, back = pile_of(slot, weight), pile_of(slot, gradient)
    if not repeated or own is None or back is None or own.shape != back.shape:
        return ()
    table = slot.role is Role.EMBEDDING
    pairs = zip(slices(own, table=table), slices(back, table=table), strict=True)
    found = list[Equal]()
    for held, arrived in pairs:
        if held.what in repeated:
            parts = [parted(arrived.rows, group) for group in groups(held.rows)]
            found.append(described(held, [part for own in parts for part in own]))
    return tuple(found)


def parted(rows: NDArray[np.floating], group: list[int]) -> list[list[int]]:
    """Part a group of equal slices by their gradients, or by how they moved.

    Args:
        rows: One gradient, or movement, in each row.
        group: Indices of equal slices.

    Returns:
        The groups of more than one that are equal in this too, up to rounding.
    """
    parts = list[list[int]]()
    sizes = np.abs(rows).max(axis=1, initial=0.0)
    for place in group:
        for part in parts:
            size = max(float(sizes[place]), float(sizes[part[0]]))
            if float(np.abs(rows[place] - rows[part[0]]).max()) <= ROUNDING * size:
                part.append(place)
                break
        else:
            parts.append([place])
    return [part for part in parts if len(part) > 1]
