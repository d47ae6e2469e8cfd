"""Checks of a scheme's arguments, declared beside the field they belong to.

A field carries its rule in its metadata, ``std: float = field(default=0.05, metadata=POSITIVE)``,
and `Scheme` applies the rules when a value is built. A rule returns the argument in its one
canonical form, so that equal schemes are equal values however they were written.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from numbers import Real
from typing import Any, cast

from fanin.calls import format_number
from fanin.errors import FaninError, nearest
from fanin.theory import activation, gain

Rule = Callable[[str, str, Any], Any]
"""Takes the scheme's name, the argument's name and its value; returns the value to keep."""

RULE = "rule"
"""Key of the rule in a field's metadata."""


def word(*choices: str) -> Mapping[str, Rule]:
    """Ask for one of a few words.

    Args:
        *choices: The words, two or more.

    Returns:
        Metadata for a dataclass field.
    """
    return {RULE: partial(_word, choices)}


def show(value: object) -> str:
    """Print an argument so that it reads back.

    Args:
        value: A number, a word or a scheme.

    Returns:
        Its text.

    Example:
        >>> show(2.0), show("tanh")
        ('2', 'tanh')
    """
    return format_number(value) if isinstance(value, float | int) else str(value)


def as_number(value: float | str) -> float:
    """Turn a gain as it is written into a number.

    Args:
        value: A number, or the name of an activation.

    Returns:
        The gain.

    Example:
        >>> as_number("relu") == 2**0.5
        True
    """
    return gain(value) if isinstance(value, str) else value


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)


def _number(
    wanted: str, allowed: Callable[[float], bool], scheme: str, argument: str, value: Any
) -> float:
    if _is_number(value) and allowed(value):
        return float(value)
    raise FaninError(f"{scheme}: {argument} must be {wanted}, got {value!r}")


def _count(scheme: str, argument: str, value: Any) -> int:
    if _is_number(value) and value >= 1 and value == int(value):
        return int(value)
    raise FaninError(f"{scheme}: {argument} must be a whole number, 1 or more, got {value!r}")


def _word(choices: tuple[str, ...], scheme: str, argument: str, value: Any) -> str:
    if value in choices:
        return value
    listed = ", ".join(choices[:-1]) + " or " + choices[-1]
    hint = nearest(value, choices) if isinstance(value, str) else ""
    raise FaninError(f"{scheme}: {argument} must be {listed}, got {value!r}{hint}")


def _gain(least: float, scheme: str, argument: str, value: Any) -> float | str:
    if isinstance(value, str):
        try:
            return str(activation(value))
        except FaninError as problem:
            raise FaninError(f"{scheme}: {argument}={value!r}: {problem}") from None
    if _is_number(value) and value >= least:
        return float(value)
    wanted = "a finite number" if least < 0 else "a finite number, 0 or more,"
    raise FaninError(
        f"{scheme}: {argument} must be {wanted} or the name of an activation, got {value!r}"
    )


def _numbers(scheme: str, argument: str, value: Any) -> tuple[float, ...]:
    numbers = _items(value)
    if not numbers or not all(map(_is_number, numbers)):
        raise FaninError(f"{scheme}: {argument} must be finite numbers, one or more, got {value!r}")
    return tuple(float(number) for number in numbers)


def _schemes(scheme: str, argument: str, value: Any) -> tuple[Any, ...]:
    # The list of all schemes has the ones in it that take schemes.
    from fanin.schemes.registry import as_scheme

    parts = _items(value)
    if len(parts) < 2:
        raise FaninError(f"{scheme}: {argument} must be two schemes or more, got {value!r}")
    try:
        return tuple(as_scheme(part) for part in parts)
    except FaninError as problem:
        raise FaninError(f"{scheme}: {problem}") from None


def _items(value: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return []
    return list(cast("Iterable[Any]", value))


FINITE = {RULE: partial(_number, "a finite number", math.isfinite)}
NOT_NEGATIVE = {RULE: partial(_number, "a finite number, 0 or more", lambda value: value >= 0)}
POSITIVE = {RULE: partial(_number, "a finite number above 0", lambda value: value > 0)}
SHARE = {RULE: partial(_number, "a number from 0 to 1", lambda value: 0 <= value <= 1)}
LONG = {RULE: partial(_number, "a finite number above 2", lambda value: value > 2)}
COUNT = {RULE: _count}
NUMBERS = {RULE: _numbers}
SCHEMES = {RULE: _schemes}
GAIN = {RULE: partial(_gain, 0.0)}
FACTOR = {RULE: partial(_gain, -math.inf)}
