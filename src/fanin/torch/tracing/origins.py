"""Where a tensor that is made from parameters came from, axis by axis.

A parameter often reaches the operation that sums over it as something else: transposed, reshaped,
cut into heads, cast, normalised. To know which *stored* axis is summed over, the coordinates of
every element travel along: one integer tensor per stored axis, expanded and so without memory, that
goes through the same views as the parameter does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fanin.schemes import Layout

IN, OUT, BATCH, KERNEL = "in", "out", "batch", "kernel"
"""What an axis of an operand is for."""

OPPOSITE = {IN: OUT, OUT: IN, BATCH: BATCH, KERNEL: KERNEL}
"""Of two matrices multiplied first, what one produces the other sums over."""

NOWHERE = -1
"""Coordinate of an element that belongs to another parameter, in a tensor joined from several."""


@dataclass(frozen=True)
class Origin:
    """A tensor as made from one parameter.

    Attributes:
        slot: Index of the parameter.
        stored: Shape of the stored tensor.
        coordinates: For each stored axis the index along it, in the shape of the tensor at hand.
        order: The stored axis at each axis of the tensor, while only their order has changed.
        through: What it passed through.
        joined: Whether elements of other parameters are in the same tensor.
        inner: Stored axes summed over in a product with another parameter, each with the stored
            axis that says what the sum is for: it is the opposite.
    """

    slot: int
    stored: tuple[int, ...]
    coordinates: tuple[Tensor, ...]
    order: tuple[int, ...] | None
    through: tuple[str, ...] = ()
    joined: bool = False
    inner: tuple[tuple[int, int], ...] = ()

    def passed(self, name: str) -> "Origin":
        """Note what it passed through without a change of place.

        Args:
            name: Name of the function.

        Returns:
            The same origin with one more step, unless it was the last already.
        """
        if self.through[-1:] == (name,):
            return self
        return replace(self, through=(*self.through, name))


def identity(slot: int, shape: Sequence[int], through: tuple[str, ...] = ()) -> Origin:
    """Describe a parameter that nothing has happened to.

    Args:
        slot: Index of the parameter.
        shape: Its shape.
        through: What it passed through on the way to that shape.

    Returns:
        The origin.
    """
    sizes = tuple(shape)
    coordinates = tuple(
        torch.arange(size, dtype=torch.int32)
        .view([-1 if axis == other else 1 for other in range(len(sizes))])
        .expand(sizes)
        for axis, size in enumerate(sizes)
    )
    return Origin(slot, sizes, coordinates, tuple(range(len(sizes))), through)


def moved(
    origin: Origin, name: str, apply: Callable[[Tensor], Any], count: int
) -> tuple[Origin, ...]:
    """Send the coordinates through a view.

    Args:
        origin: Where the tensor came from.
        name: Name of the view.
        apply: Does to any tensor of the same shape what was done to the tensor.
        count: How many tensors the view gives.

    Returns:
        One origin for each of them.
    """
    results = [_several(apply(own), count) for own in origin.coordinates]
    orders = _orders(origin, apply, count)
    return tuple(
        replace(
            origin.passed(name),
            coordinates=tuple(parts[index] for parts in results),
            order=orders[index],
        )
        for index in range(count)
    )


def joined(origin: Origin, name: str, apply: Callable[[Tensor], Any]) -> Origin:
    """Send the coordinates into a tensor that is joined from several.

    Args:
        origin: Where one of its parts came from.
        name: Name of the function that joins.
        apply: Joins a tensor of the part's shape with parts full of `NOWHERE`.

    Returns:
        The origin of that part within the whole.
    """
    coordinates = tuple(apply(own) for own in origin.coordinates)
    return replace(origin.passed(name), coordinates=coordinates, order=None, joined=True)


def _several(result: Any, count: int) -> Sequence[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)[:count]


def _orders(
    origin: Origin, apply: Callable[[Tensor], Any], count: int
) -> list[tuple[int, ...] | None]:
    """Find out whether a view only reorders axes, by a tensor of other sizes that has no memory."""
    if origin.order is None:
        return [None] * count
    probe = torch.empty([2 + axis for axis in range(len(origin.order))], device="meta")
    try:
        results = _several(apply(probe), count)
    except (RuntimeError, IndexError, TypeError, ValueError):
        return [None] * count
    orders = list[tuple[int, ...] | None]()
    for result in results:
        sizes = [size - 2 for size in result.shape]
        same = sorted(sizes) == list(range(len(origin.order)))
        orders.append(tuple(origin.order[size] for size in sizes) if same else None)
    return orders + [None] * (count - len(orders))


@dataclass(frozen=True)
class Stored:
    """What a use says of the stored tensor.

    Attributes:
        layout: What its axes are for.
        rows: The part of the first output axis that was taken; None for all of it.
    """

    layout: Layout
    rows: tuple[int, int] | None


def stored_layout(origin: Origin, roles: Sequence[str], **more: Any) -> Stored | None:
    """Carry what the axes of an operand are for back to the stored tensor.

    Args:
        origin: Where the operand came from.
        roles: What each axis of the operand is for.
        **more: Further fields of the layout: groups, stride, transposed, lookup.

    Returns:
        The layout of the stored tensor; None if one of its axes is used in two ways that no layout
        can tell.
    """
    spans = [varying(origin, axis) for axis in range(len(origin.stored))]
    found = dict[int, str]()
    blocks = 1
    for axis, span in enumerate(spans):
        kinds = {roles[other] for other in span}
        if kinds == {BATCH, OUT} and roles[span[0]] == BATCH:
            # One axis was cut in two, and its parts are matrices of their own.
            outer = [other for other in span if roles[other] == BATCH]
            for other in outer:
                blocks *= int(origin.coordinates[axis].shape[other])
            found[axis] = OUT
        elif len(kinds) == 1:
            found[axis] = kinds.pop()
        elif len(kinds) > 1:
            return None
    for axis, partner in origin.inner:
        if partner in found:
            found[axis] = OPPOSITE[found[partner]]
    for axis, size in enumerate(origin.stored):
        if axis not in found:
            found[axis] = _unmoved(origin, roles, axis) if size == 1 else BATCH
    axes = {kind: tuple(a for a, k in sorted(found.items()) if k == kind) for kind in OPPOSITE}
    fields: dict[str, Any] = {"blocks": blocks, **more}
    if not axes[OUT] and not axes[IN]:
        fields["groups"] = fields["blocks"] = 1
    layout = Layout(axes[IN], axes[OUT], axes[BATCH], axes[KERNEL], **fields)
    return Stored(layout, _rows(origin, axes[OUT][0], spans) if axes[OUT] else None)


def varying(origin: Origin, axis: int) -> list[int]:
    """List the axes of the tensor at hand along which a stored coordinate changes.

    Args:
        origin: Where the tensor came from.
        axis: The stored axis.

    Returns:
        The axes.
    """
    own = origin.coordinates[axis]
    return [
        other
        for other, (size, stride) in enumerate(zip(own.shape, own.stride(), strict=True))
        if size > 1 and stride != 0 and _differs(line(origin, axis, other))
    ]


def _differs(values: Tensor) -> bool:
    return len(values) > 1 and bool((values != values[0]).any())


def line(origin: Origin, axis: int, along: int) -> Tensor:
    """Take one stored coordinate along one axis of the tensor at hand.

    Args:
        origin: Where the tensor came from.
        axis: The stored axis.
        along: The axis of the tensor.

    Returns:
        A vector of indices, those of other parameters left out.
    """
    own = origin.coordinates[axis]
    start = [0] * own.ndim
    if origin.joined:
        first = (own.reshape(-1) != NOWHERE).nonzero()
        if len(first):
            start = [int(place) for place in torch.unravel_index(first[0, 0], own.shape)]
    index: list[Any] = [*start]
    index[along] = slice(None)
    vector = own[tuple(index)]
    return vector[vector != NOWHERE] if origin.joined else vector


def _unmoved(origin: Origin, roles: Sequence[str], axis: int) -> str:
    """Tell what an axis of size 1 is for: it cannot be seen to vary."""
    if origin.order is not None and axis in origin.order:
        return roles[origin.order.index(axis)]
    return BATCH


def _rows(origin: Origin, axis: int, spans: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    if len(spans[axis]) != 1:
        return None
    taken = line(origin, axis, spans[axis][0])
    first, last = int(taken.min()), int(taken.max()) + 1
    return None if last - first >= origin.stored[axis] else (first, last)
