"""A plan as a file of TOML, one table per parameter.

The file says for each parameter what it gets and what has to be known of it to draw it, so a plan
is applied years later without the batch it was made with. It is meant to be edited by hand: a
scheme is replaced by writing another, and whatever is wrong is told by the parameter's name.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar, cast

from fanin.errors import FaninError, nearest
from fanin.recipes.network import around
from fanin.recipes.row import Row
from fanin.recipes.slots import Role, Slot
from fanin.recipes.tables import number
from fanin.schemes import Fans, Layout, Scheme, parse
from fanin.trace import Place, Surroundings

FORMAT = "fanin-plan-1"
"""Tag of the format; a text without it is no plan."""

HEADING = """\
# A plan of fanin: what every parameter of a model starts as. With a seed it is the start itself.
# To change one, write another scheme. A "name" says whose it is and which stream it is drawn from.
"""

Stored = Mapping[str, Any]

Word = TypeVar("Word", Role, Place)


def record(row: Row) -> dict[str, Any]:
    """Collect what a file says about a parameter.

    Args:
        row: A row of a plan.

    Returns:
        Key to numbers, texts, truth values, and lists or dictionaries of them; what a parameter
        does not have is left out, except for `fan_in` and `fan_out`, which are None.
    """
    slot = row.slot
    here = around(slot)
    stored = {
        "name": slot.name,
        "shape": list(slot.shape),
        "role": str(slot.role),
        "module": slot.module,
        "fan_in": slot.fans.fan_in if slot.fans else None,
        "fan_out": slot.fans.fan_out if slot.fans else None,
        "scheme": str(row.scheme),
        "reason": row.reason,
        "layout": _layout(slot.layout),
        "aliases": list(slot.aliases),
        "zero_row": slot.zero_row,
        "recurrent": slot.recurrent,
        "native": None if slot.native is None else str(slot.native),
        "frozen": slot.frozen,
        "used": slot.used,
        "one_plus": slot.one_plus,
        "fed_by": here.fed_by,
        "places": sorted(str(place) for place in here.places),
    }
    optional = {name for name in stored if name not in _ALWAYS}
    # 0 is a row, and False a thing worth saying of `used` alone.
    absent = {
        name
        for name in optional
        if stored[name] is None
        or stored[name] in ("", [])
        or (name in _FLAGS and stored[name] is False)
    }
    return {name: value for name, value in stored.items() if name not in absent}


def write_toml(recipe: str, rows: Iterable[Row], notes: Sequence[str]) -> str:
    """Write a plan.

    Args:
        recipe: The recipe it was made with.
        rows: The rows.
        notes: The notes.

    Returns:
        The text.
    """
    head = {"format": FORMAT, "recipe": recipe, **({"notes": list(notes)} if notes else {})}
    parts = [HEADING + _table(head)]
    for row in rows:
        stored = {name: value for name, value in record(row).items() if value is not None}
        lines = _table(stored).splitlines()
        place = list(stored).index("scheme")
        lines[place] += f"  # mean {number(row.mean)}, std {number(row.std)}"
        parts.append("\n".join(("[[parameter]]", *lines)) + "\n")
    return "\n".join(parts)


def read_toml(text: str) -> tuple[str, tuple[Row, ...], tuple[str, ...]]:
    """Read a plan.

    Args:
        text: TOML.

    Returns:
        The recipe, the rows and the notes.

    Raises:
        FaninError: It is no plan, or something in it is wrong.
    """
    try:
        stored = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise FaninError(f"this is no TOML: {problem}") from None
    if stored.get("format") != FORMAT:
        raise FaninError(
            f'this is no plan: it must say format = "{FORMAT}", and says {stored.get("format")!r}'
        )
    _know("the plan", stored, ("format", "recipe", "notes", "parameter"))
    recipe = _get("the plan", stored, "recipe", str)
    notes = _texts("the plan", stored, "notes")
    tables = stored.get("parameter", [])
    if not (
        isinstance(tables, list) and all(isinstance(one, dict) for one in cast("list[Any]", tables))
    ):
        raise FaninError("the parameters of a plan are tables, each headed [[parameter]]")
    rows = [_row(place, one) for place, one in enumerate(cast("list[Stored]", tables), start=1)]
    _refuse_twins(rows)
    return recipe, tuple(rows), notes


_ALWAYS = ("name", "shape", "role", "module", "fan_in", "fan_out", "scheme", "reason")
_FLAGS = ("recurrent", "frozen", "one_plus")
_KEYS = (
    *_ALWAYS,
    "layout",
    "aliases",
    "zero_row",
    *_FLAGS,
    "native",
    "used",
    "fed_by",
    "places",
)


def _layout(layout: Layout | None) -> dict[str, Any] | None:
    """Keep what differs from the default, so that the usual layouts are short."""
    if layout is None:
        return None
    return {
        field.name: list(cast("tuple[int, ...]", value)) if isinstance(value, tuple) else value
        for field in fields(layout)
        if (value := getattr(layout, field.name)) != field.default or field.default is MISSING
    }


def _table(stored: Stored) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in stored.items())


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list():
            return "[" + ", ".join(map(_value, cast("list[Any]", value))) + "]"
        case dict():
            inside = cast("dict[str, Any]", value).items()
            return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in inside) + " }"
        case _:
            # JSON's escapes are TOML's, but for the one control character that JSON lets pass.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _row(place: int, stored: Stored) -> Row:
    name = stored.get("name")
    who = f"parameter {name!r}" if isinstance(name, str) else f"parameter number {place}"
    _know(who, stored, _KEYS)
    fed_by = _get(who, stored, "fed_by", str, "")
    places = _texts(who, stored, "places")
    known = bool(fed_by or places)
    try:
        slot = Slot(
            name=_get(who, stored, "name", str),
            shape=_sizes(who, stored, "shape"),
            role=_word(who, stored.get("role"), "role", Role),
            layout=_read_layout(who, stored),
            fans=_read_fans(who, stored),
            module=_get(who, stored, "module", str),
            aliases=_texts(who, stored, "aliases"),
            zero_row=_get(who, stored, "zero_row", int, None),
            recurrent=_get(who, stored, "recurrent", bool, False),
            native=_read_scheme(who, stored, "native") if "native" in stored else None,
            frozen=_get(who, stored, "frozen", bool, False),
            around=Surroundings(
                fed_by, places=frozenset(_word(who, word, "places", Place) for word in places)
            )
            if known
            else None,
            used=_get(who, stored, "used", bool, None),
            one_plus=_get(who, stored, "one_plus", bool, False),
        )
        return Row(slot, _read_scheme(who, stored, "scheme"), _get(who, stored, "reason", str, ""))
    except FaninError as problem:
        text = str(problem)
        raise FaninError(text if text.startswith(who) else f"{who}: {text}") from None


def _read_scheme(who: str, stored: Stored, key: str) -> Scheme:
    text = _get(who, stored, key, str)
    try:
        return parse(text)
    except FaninError as problem:
        raise FaninError(f"{key}: {problem}") from None


def _read_layout(who: str, stored: Stored) -> Layout | None:
    if "layout" not in stored:
        return None
    given = _get(who, stored, "layout", dict)
    known = {field.name: field for field in fields(Layout)}
    _know(f"{who}: layout", given, known)
    for key in ("in_axes", "out_axes"):
        if key not in given:
            raise FaninError(f"{who}: layout needs {key}")
    read = dict[str, Any]()
    for key in given:
        if isinstance(known[key].default, bool):
            read[key] = _get(f"{who}: layout", given, key, bool)
        elif isinstance(known[key].default, int):
            read[key] = _get(f"{who}: layout", given, key, int)
        else:
            read[key] = _sizes(f"{who}: layout", given, key)
    return Layout(**read)


def _read_fans(who: str, stored: Stored) -> Fans | None:
    both = [_get(who, stored, key, float, None) for key in ("fan_in", "fan_out")]
    if both == [None, None]:
        return None
    if None in both:
        raise FaninError(f"{who}: fan_in and fan_out go together, and only one is there")
    return Fans(*cast("list[float]", both))


def _refuse_twins(rows: Sequence[Row]) -> None:
    seen = set[str]()
    for row in rows:
        for name in row.slot.names:
            if name in seen:
                raise FaninError(f"parameter {name!r} is there twice")
            seen.add(name)


def _know(who: str, stored: Stored, keys: Iterable[str]) -> None:
    known = list(keys)
    for key in stored:
        if key not in known:
            hint = nearest(key, known) or f"; there are {', '.join(known)}"
            raise FaninError(f"{who} has an unknown key {key!r}{hint}")


_NEEDED: Any = object()
_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


def _get(who: str, stored: Stored, key: str, kind: type, default: Any = _NEEDED) -> Any:
    if key not in stored:
        if default is _NEEDED:
            raise FaninError(f"{who} needs {key}")
        return default
    value = stored[key]
    fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise FaninError(f"{who}: {key} must be {_KINDS[kind]}, got {value!r}")
    return value


def _texts(who: str, stored: Stored, key: str) -> tuple[str, ...]:
    items = cast("list[Any]", _get(who, stored, key, list, []))
    if not all(isinstance(item, str) for item in items):
        raise FaninError(f"{who}: {key} must be a list of texts, got {items!r}")
    return tuple(items)


def _sizes(who: str, stored: Stored, key: str) -> tuple[int, ...]:
    items = cast("list[Any]", _get(who, stored, key, list))
    if not all(type(item) is int and item >= 0 for item in items):
        raise FaninError(f"{who}: {key} must be a list of whole numbers, got {items!r}")
    return tuple(items)


def _word(who: str, word: Any, key: str, kind: type[Word]) -> Word:
    words = [str(known) for known in kind]
    if word not in words:
        hint = nearest(str(word), words) or f"; they are {', '.join(words)}"
        raise FaninError(f"{who}: {key} knows no {word!r}{hint}")
    return kind(word)
