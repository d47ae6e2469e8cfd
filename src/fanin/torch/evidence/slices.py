"""Slices of a weight that are equal: units, inputs, the matrices of a stack, rows of a table.

Slices are told apart by their product with a random vector, which costs one pass, and only those
that come out alike are compared number by number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.checks import Equal

Pile = NDArray[np.floating]
"""A weight as (matrices, outputs, inputs, taps)."""

GROUPS, MEMBERS = 8, 16
"""Groups that are listed, and members of each."""

ALIKE = 1e-5
"""Relative difference of two products that rounding may make of equal slices."""


@dataclass(frozen=True)
class Sliced:
    """A weight cut into slices.

    Attributes:
        what: What the slices are, as in `Equal`.
        rows: One slice in each row.
    """

    what: str
    rows: NDArray[np.floating]


def slices(pile: Pile, *, table: bool) -> Iterator[Sliced]:
    """Cut a weight in every way that makes slices of more than one number.

    Args:
        pile: The weight.
        table: Whether it is a table that is looked up: then its rows are what matters.

    Yields:
        Each way.
    """
    matrices, outputs, inputs, taps = pile.shape
    if table:
        yield Sliced("row", pile.transpose(2, 0, 1, 3).reshape(inputs, -1))
        return
    if outputs > 1 and inputs * taps > 1:
        yield Sliced("unit", pile.reshape(matrices * outputs, inputs * taps))
    if inputs > 1 and outputs * taps > 1 and matrices == 1:
        yield Sliced("input", pile[0].transpose(1, 0, 2).reshape(inputs, -1))
    if matrices > 1 and outputs * inputs * taps > 1:
        yield Sliced("block", pile.reshape(matrices, -1))


def groups(rows: NDArray[np.floating]) -> list[list[int]]:
    """Group rows that are bitwise equal.

    Args:
        rows: Shape (slices, numbers), of finite numbers.

    Returns:
        The groups of more than one, each ascending, the largest first.

    Example:
        >>> groups(np.array([[1.0, 2], [3, 4], [1, 2], [3, 4], [1, 2], [5, 6]]))
        [[0, 2, 4], [1, 3]]
    """
    width = rows.shape[1]
    source: Any = np.random.default_rng(width)
    direction: NDArray[np.floating] = source.standard_normal(width).astype(rows.dtype)
    told: NDArray[np.floating] = rows @ direction
    order = np.argsort(told, kind="stable")
    slack = ALIKE * float(np.abs(told).max(initial=0.0))
    found, current = list[list[int]](), list[int]()
    for place in order.tolist():
        if current and told[place] - told[current[0]] <= slack:
            if np.array_equal(rows[place], rows[current[0]]):
                current.append(place)
                continue
            twin = _twin(found, rows, told, place, slack)
            if twin is not None:
                twin.append(place)
                continue
        current = [place]
        found.append(current)
    return sorted((sorted(own) for own in found if len(own) > 1), key=lambda g: (-len(g), g[0]))


def _twin(
    found: list[list[int]],
    rows: NDArray[np.floating],
    told: NDArray[np.floating],
    place: int,
    slack: float,
) -> list[int] | None:
    """Find an earlier group of the same product that the row belongs to."""
    for group in reversed(found):
        if told[place] - told[group[0]] > slack:
            return None
        if np.array_equal(rows[place], rows[group[0]]):
            return group
    return None


def equal(sliced: Sliced) -> Equal:
    """Find the equal slices of one way to cut.

    Args:
        sliced: The slices.

    Returns:
        What is equal.
    """
    return described(sliced, groups(sliced.rows))


def described(sliced: Sliced, found: list[list[int]]) -> Equal:
    """Put groups into the form of the evidence.

    Args:
        sliced: The slices.
        found: Groups of equal ones.

    Returns:
        The largest groups, and the counts.
    """
    rows = sliced.rows
    alike = rows.max(axis=1) == rows.min(axis=1)
    return Equal(
        what=sliced.what,
        count=len(rows),
        distinct=len(rows) - sum(len(own) - 1 for own in found),
        groups=tuple(tuple(own[:MEMBERS]) for own in found[:GROUPS]),
        zero=int((alike & (rows[:, 0] == 0)).sum()),
        constant=int(alike.sum()),
    )
