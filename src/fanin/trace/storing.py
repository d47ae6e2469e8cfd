"""Plain data as JSON and back: frozen dataclasses of numbers, texts, tuples and each other.

The types of the fields say how a value is read, so there is one place where a field is described,
its dataclass. Fields that hold their default are left out. JSON has no nan and no infinity; they
are written as texts where a float is expected.
"""

import dataclasses
import enum
import json
import math
import types
from functools import lru_cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from fanin.errors import FaninError

T = TypeVar("T")

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def written(value: Any, tag: str) -> str:
    """Write a dataclass as JSON.

    Args:
        value: A dataclass of plain data.
        tag: Names the format and its version.

    Returns:
        One JSON object on one line.

    Example:
        >>> from fanin.schemes import Fans
        >>> written(Fans(9, 64), "fans 1")
        '{"format": "fans 1", "fan_in": 9.0, "fan_out": 64.0}'
    """
    return json.dumps({"format": tag, **_plain(value)}, allow_nan=False)


def read(kind: type[T], text: str, tag: str) -> T:
    """Read a dataclass from JSON.

    Args:
        kind: The dataclass.
        text: What `written` wrote.
        tag: The format it must be of.

    Returns:
        An equal value.

    Raises:
        FaninError: The text is no JSON, of another format, or a field is missing, unknown or of
            another type.

    Example:
        >>> from fanin.schemes import Fans
        >>> read(Fans, '{"format": "fans 1", "fan_in": 9.0, "fan_out": 64.0}', "fans 1")
        Fans(fan_in=9.0, fan_out=64.0)
    """
    try:
        found: Any = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise FaninError(f"this is no {tag!r}, it cannot be read as JSON: {problem}") from None
    given = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    stated = given.pop("format", None)
    if stated != tag:
        raise FaninError(
            f"this must be a JSON object with the format {tag!r}, and has {_shown(stated)}; what "
            "another version wrote is read by that version"
        )
    return _read(kind, given, kind.__name__)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(own)
            for field in dataclasses.fields(value)
            if not _is_default(own := getattr(value, field.name), field)
        }
    if isinstance(value, dict):
        return {key: _plain(own) for key, own in cast(dict[str, Any], value).items()}
    if isinstance(value, frozenset):
        return sorted(_plain(own) for own in cast(frozenset[Any], value))
    if isinstance(value, tuple):
        return [_plain(own) for own in cast(tuple[Any, ...], value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _is_default(value: Any, field: "dataclasses.Field[Any]") -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return value == field.default_factory()
    # 0 and False are equal, and written differently.
    return type(value) is type(field.default) and value == field.default


def _read(hint: Any, value: Any, where: str) -> Any:
    match get_origin(hint):
        case types.UnionType:
            (own,) = (choice for choice in get_args(hint) if choice is not types.NoneType)
            return None if value is None else _read(own, value, where)
        case origin if origin is tuple:
            return _read_tuple(get_args(hint), value, where)
        case origin if origin is frozenset:
            return frozenset(_read_tuple((*get_args(hint), ...), value, where))
        case origin if origin is dict:
            items = _expect(dict, value, "an object", where).items()
            return {key: _read(get_args(hint)[1], own, f"{where}, {key}") for key, own in items}
        case _:
            pass
    if dataclasses.is_dataclass(hint):
        return _read_dataclass(hint, value, where)
    if issubclass(hint, enum.Enum):
        return _read_choice(hint, value, where)
    if hint is float:
        return _read_float(value, where)
    return _expect(hint, value, _NAMES[hint], where)


_NAMES: dict[Any, str] = {int: "a whole number", str: "a text", bool: "true or false"}


def _read_dataclass(kind: Any, value: Any, where: str) -> Any:
    given = _expect(dict, value, "an object", where)
    hints = _hints(kind)
    unknown = [name for name in given if name not in hints]
    required = {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    missing = [name for name in hints if name in required and name not in given]
    if unknown or missing:
        what = f"no field {unknown[0]!r}" if unknown else f"a field {missing[0]!r}"
        raise FaninError(f"{where}: {kind.__name__} has {what}, got {_shown(value)}")
    return kind(
        **{name: _read(hints[name], own, f"{where}, {name}") for name, own in given.items()}
    )


def _read_tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    items = _expect(list, value, "a list", where)
    if hints[-1] is not ... and len(hints) != len(items):
        raise FaninError(f"{where}: expected {len(hints)} entries, got {_shown(value)}")
    own = [hints[0]] * len(items) if hints[-1] is ... else hints
    return tuple(
        _read(hint, item, f"{where}[{place}]")
        for place, (hint, item) in enumerate(zip(own, items, strict=True))
    )


def _read_choice(kind: type[enum.Enum], value: Any, where: str) -> enum.Enum:
    choices = [choice.value for choice in kind]
    if value not in choices:
        raise FaninError(f"{where}: expected one of {', '.join(choices)}, got {_shown(value)}")
    return kind(value)


def _read_float(value: Any, where: str) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FaninError(f"{where}: expected a number, got {_shown(value)}")
    return float(value)


def _expect(kind: type, value: Any, named: str, where: str) -> Any:
    if type(value) is not kind:
        raise FaninError(f"{where}: expected {named}, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
