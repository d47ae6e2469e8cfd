"""Slices of a weight that are equal: units, inputs, the matrices of a stack, rows of a table.

Slices are told apart by a hash of how they begin, and those that begin alike by one of the whole.
That costs one pass at most, whatever they hold.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanin.checks import Equal

Pile = NDArray[np.floating]
"""A weight as (matrices, outputs, inputs, taps)."""

GROUPS, MEMBERS = 8, 16
"""Groups that are listed, and members of each."""

BEGINNING = 16
"""Numbers at the beginning of a slice, which tell all slices of a random draw apart."""


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
    begun = _alike(rows[:, :BEGINNING], range(len(rows)))
    found = (own for group in begun for own in _alike(rows, group))
    return sorted(found, key=lambda own: (-len(own), own[0]))


def _alike(rows: NDArray[np.floating], places: Iterable[int]) -> list[list[int]]:
    hashed = defaultdict[int, list[int]](list)
    for place in places:
        # A zero has two signs, which are equal; adding zero makes them one.
        hashed[hash((rows[place] + 0.0).tobytes())].append(place)
    return [own for own in hashed.values() if len(own) > 1]


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
