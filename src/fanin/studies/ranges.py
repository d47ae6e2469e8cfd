"""Axes of a sweep, written shortly: ``0.001..1`` for scales, ``1..32`` for counts, or a list.

A scale is a matter of factors and so is a depth: what lies between two ends is evenly spaced in the
logarithm, two numbers to a decade or each count the double of the one before.
"""

import math
import operator
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from fanin.calls import format_number
from fanin.errors import FaninError

PER_DECADE = 2
"""Numbers in a factor of ten, where it is not said how many there are to be."""

MOST = 1000
"""Numbers that an axis may have: more is a slip of the keyboard."""

Axis = str | int | float | Iterable[int | float]
"""An axis as a person writes it."""


def numbers(axis: Axis, name: str) -> tuple[float, ...]:
    """Read an axis of positive numbers.

    Args:
        axis: ``"0.001..1"``, with two numbers to a decade; ``"0.001..1:5"`` with five in all;
            ``"0.01, 0.1"``; or numbers.
        name: What it is called in a message.

    Returns:
        The numbers, rising.

    Raises:
        FaninError: It is no such axis.

    Example:
        >>> numbers("0.01..1", "values")
        (0.01, 0.0316, 0.1, 0.316, 1.0)
    """
    if not isinstance(axis, str):
        return _rising([_number(value, name) for value in _listed(axis)], name)
    ends, colon, count = axis.partition(":")
    low, dots, high = ends.partition("..")
    if not dots:
        return _rising([_number(part, name) for part in axis.split(",")], name)
    first, last = _number(low, name), _number(high, name)
    if not 0 < first < last:
        raise FaninError(
            f"{name} must go from a number above 0 to a larger one, such as 0.001..1, got {axis}"
        )
    decades = math.log10(last / first)
    parts = _count(count, name) - 1 if colon else max(1, round(PER_DECADE * decades))
    if parts < 1:
        raise FaninError(f"{name} needs at least the two ends of its range, got {axis}")
    steps = [first * (last / first) ** (part / parts) for part in range(parts + 1)]
    # Three digits are what a person would have written; the ends are as given.
    return _rising([first, *(float(f"{step:.3g}") for step in steps[1:-1]), last], name)


def counts(axis: Axis, name: str) -> tuple[int, ...]:
    """Read an axis of whole numbers.

    Args:
        axis: ``"1..32"``, each the double of the one before; ``"1, 2, 3"``; or whole numbers.
        name: What it is called in a message.

    Returns:
        The numbers, rising, all at least 1.

    Raises:
        FaninError: It is no such axis.

    Example:
        >>> counts("1..10", "depth"), counts(3, "depth")
        ((1, 2, 4, 8, 10), (3,))
    """
    if not isinstance(axis, str):
        found = [_count(value, name) for value in _listed(axis)]
        return tuple(int(number) for number in _rising(found, name))
    low, dots, high = axis.partition("..")
    if not dots:
        return counts([_count(part, name) for part in axis.split(",")], name)
    first, last = _count(low, name), _count(high, name)
    if first >= last:
        raise FaninError(f"{name} must go from a count to a larger one, such as 1..32, got {axis}")
    doubles = [first * 2**power for power in range(64) if first * 2**power < last]
    return (*doubles, last)


def _listed(axis: Axis) -> list[Any]:
    return [axis] if isinstance(axis, int | float) else list(axis)


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise FaninError(f"{name} must be numbers, such as 0.001..1 or 0.01,0.1, got {value!r}")
    return number


def _count(value: Any, name: str) -> int:
    try:
        number = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise FaninError(f"{name} must be whole numbers, at least 1, such as 1..32, got {value!r}")
    return number


def _rising(values: Iterable[float], name: str) -> tuple[float, ...]:
    rising = tuple(sorted(values))
    twice = next((a for a, b in pairwise(rising) if a == b), None)
    if twice is not None:
        raise FaninError(f"{name} has {format_number(float(twice))} twice")
    if not 1 <= len(rising) <= MOST:
        raise FaninError(f"{name} must have 1 to {MOST} numbers, got {len(rising)}")
    return rising
