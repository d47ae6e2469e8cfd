"""A recipe of one's own as a file of TOML: rules without a line of code.

A rule has the words of `Rule`: role, place, name and module choose, scheme and reason say what. A
file may build on another recipe, whose rules then follow its own. Formulas need Python: a package
offers its recipes to fanin by the entry point ``fanin.recipes``.
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from fanin.errors import FaninError, nearest
from fanin.recipes.rules import Recipe, Rule
from fanin.recipes.slots import Role
from fanin.schemes import parse
from fanin.trace import Place

FORMAT = "fanin-recipe-1"
"""Tag of the format; a text without it is no recipe."""

KEYS = ("format", "name", "source", "needs_trace", "base", "rule")
RULE_KEYS = ("scheme", "reason", "role", "place", "name", "module", "essential")

Word = TypeVar("Word", Role, Place)


def read_recipe(path: Path, find: Callable[[str], Recipe]) -> Recipe:
    """Read a recipe from a file.

    Args:
        path: A file of TOML.
        find: Looks up the recipe it builds on.

    Returns:
        The recipe.

    Raises:
        FaninError: The file cannot be read, is no recipe, or something in it is wrong.
    """
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise FaninError(f"cannot read {path}: {problem.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise FaninError(f"{path} is no TOML: {problem}") from None
    try:
        return _recipe(stored, path.stem, find)
    except FaninError as problem:
        raise FaninError(f"{path}: {problem}") from None


def _recipe(stored: Mapping[str, Any], name: str, find: Callable[[str], Recipe]) -> Recipe:
    if stored.get("format") != FORMAT:
        raise FaninError(
            f'this is no recipe: it must say format = "{FORMAT}", and says {stored.get("format")!r}'
        )
    _know("the recipe", stored, KEYS)
    tables = stored.get("rule", [])
    if not (
        isinstance(tables, list) and all(isinstance(one, dict) for one in cast("list[Any]", tables))
    ):
        raise FaninError("the rules of a recipe are tables, each headed [[rule]]")
    rules = [_rule(place, one) for place, one in enumerate(cast("list[Any]", tables), start=1)]
    base = stored.get("base")
    below = find(_text("the recipe", stored, "base")) if base is not None else None
    if not rules and below is None:
        raise FaninError("a recipe has rules, each headed [[rule]], or a base")
    own = any(rule.place is not None for rule in rules)
    return Recipe(
        _text("the recipe", stored, "name", name),
        (*rules, *(below.rules if below is not None else ())),
        _text("the recipe", stored, "source", below.source if below is not None else "a file"),
        needs_trace=_flag("the recipe", stored, "needs_trace", own)
        or (below is not None and below.needs_trace),
        **({"remarks": below.remarks} if below is not None else {}),
    )


def _rule(place: int, stored: Mapping[str, Any]) -> Rule:
    who = f"rule {place}"
    _know(who, stored, RULE_KEYS)
    text = _text(who, stored, "scheme")
    try:
        scheme = parse(text)
    except FaninError as problem:
        raise FaninError(f"{who}: {problem}") from None
    return Rule(
        scheme,
        _text(who, stored, "reason", f"{who} of the recipe"),
        role=_words(who, stored, "role", Role),
        place=_words(who, stored, "place", Place),
        name=_text(who, stored, "name") if "name" in stored else None,
        module=_text(who, stored, "module") if "module" in stored else None,
        essential=_flag(who, stored, "essential", default=False),
    )


def _know(who: str, stored: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in stored:
        if key not in keys:
            hint = nearest(key, keys) or f"; there are {', '.join(keys)}"
            raise FaninError(f"{who} has an unknown key {key!r}{hint}")


def _text(who: str, stored: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = stored.get(key, default)
    if not isinstance(value, str):
        wrong = f", got {value!r}" if key in stored else ""
        raise FaninError(f"{who} needs {key}, a text{wrong}")
    return value


def _flag(who: str, stored: Mapping[str, Any], key: str, default: bool) -> bool:
    value = stored.get(key, default)
    if not isinstance(value, bool):
        raise FaninError(f"{who}: {key} must be true or false, got {value!r}")
    return value


def _words(
    who: str, stored: Mapping[str, Any], key: str, kind: type[Word]
) -> tuple[Word, ...] | None:
    if key not in stored:
        return None
    given = stored[key]
    words = cast("list[Any]", given) if isinstance(given, list) else [given]
    known = [str(word) for word in kind]
    for word in words:
        if word not in known:
            hint = nearest(str(word), known) or f"; they are {', '.join(known)}"
            raise FaninError(f"{who}: {key} knows no {word!r}{hint}")
    return tuple(kind(word) for word in words)
