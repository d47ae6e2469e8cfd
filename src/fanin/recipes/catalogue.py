"""Recipes by name: those of the house, those of installed packages, those in files, and schemes."""

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from fanin.calls import Call, parse_call
from fanin.errors import FaninError, nearest
from fanin.recipes.auto import auto
from fanin.recipes.companion import recipe_of
from fanin.recipes.presets import others, residual, scaling, transformers
from fanin.recipes.recipe_files import read_recipe
from fanin.recipes.rules import Recipe
from fanin.schemes import Scheme, as_scheme
from fanin.schemes import names as scheme_names

GROUP = "fanin.recipes"
"""Entry points of packages that bring recipes."""

PRESETS: Mapping[str, Callable[..., Recipe]] = {
    build.__name__: build
    for build in (
        auto,
        scaling.he,
        scaling.glorot,
        scaling.lecun,
        scaling.selu,
        scaling.lecture,
        transformers.gpt2,
        transformers.llama,
        transformers.bert,
        transformers.vit,
        transformers.deepnet,
        transformers.t_fixup,
        residual.fixup,
        residual.rezero,
        others.zero,
        others.mup,
        others.siren,
    )
}

WRITTEN = {"lecture-0.01": "lecture"}
"""Names that are no words, as they are said."""


def recipe_names() -> tuple[str, ...]:
    """List the recipes by name, those of installed packages last.

    Returns:
        The names. Every scheme is a recipe too, for the kernels with its companions for the rest.

    Example:
        >>> "gpt2" in recipe_names()
        True
    """
    return (*PRESETS, *sorted(set(_installed()) - set(PRESETS)))


def recipe(text: str) -> Recipe:
    """Read a recipe as it is written on the command line.

    Args:
        text: A name, with arguments where they are wanted, such as ``"mup(base_width=64)"``; the
            path of a TOML file; or a scheme.

    Returns:
        The recipe.

    Raises:
        FaninError: There is no such recipe or scheme, or an argument is wrong.

    Example:
        >>> str(recipe("gpt2")), str(recipe("t-fixup")), str(recipe("he_normal"))
        ('gpt2(std=0.02)', 't_fixup', 'he_normal')
    """
    if text.endswith(".toml"):
        return read_recipe(Path(text), recipe)
    call = parse_name(text)
    if call.name in PRESETS:
        return _build(call, PRESETS[call.name])
    if call.name in scheme_names():
        return recipe_of(as_scheme(text))
    installed = _installed()
    if call.name in installed:
        return _load(call, installed[call.name])
    try:
        return recipe_of(as_scheme(text))
    except FaninError:
        known = recipe_names()
        raise FaninError(
            f"there is no recipe or scheme {call.name!r}"
            f"{nearest(call.name, [*known, *scheme_names()]) or '.'} The recipes are "
            f"{', '.join(known)}; the schemes are {', '.join(scheme_names())}"
        ) from None


def describe(name: str) -> str:
    """Tell what is written about a recipe.

    Args:
        name: One of `recipe_names`.

    Returns:
        Its docstring; for one that is no function, its source.

    Raises:
        FaninError: It belongs to a package and cannot be loaded.
    """
    if name in PRESETS:
        return inspect.cleandoc(PRESETS[name].__doc__ or "")
    found = _found(_installed()[name])
    return found.source if isinstance(found, Recipe) else inspect.cleandoc(found.__doc__ or "")


def as_recipe(given: str | Scheme | Recipe) -> Recipe:
    """Take a recipe, its name, or a scheme.

    Args:
        given: Any of them.

    Returns:
        The recipe.

    Raises:
        FaninError: It is none of them, or the text cannot be read.
    """
    match given:
        case Recipe():
            return given
        case Scheme():
            return recipe_of(given)
        case str():
            return recipe(given)
        case _:
            raise FaninError(
                f'a recipe is a name, such as "auto" or "gpt2", or a scheme; got {given!r}'
            )


def parse_name(text: str) -> Call:
    """Read a name with arguments, where a name may hold hyphens.

    Args:
        text: Such as ``"t-fixup"``.

    Returns:
        The parts of it.

    Raises:
        FaninError: The text is not a name with literal arguments.

    Example:
        >>> parse_name("lecture-0.01").name, parse_name("t-fixup").name
        ('lecture', 't_fixup')
    """
    name, bracket, rest = text.strip().partition("(")
    written = WRITTEN.get(name.strip(), name.replace("-", "_"))
    return parse_call(f"{written}{bracket}{rest}")


def _installed() -> dict[str, Any]:
    """Where the backport importlib_metadata was imported, the entry points are of its own class."""
    return {point.name: point for point in entry_points(group=GROUP)}


def _load(call: Call, point: Any) -> Recipe:
    found = _found(point)
    made = _build(call, found) if callable(found) else found
    if not isinstance(made, Recipe):
        raise FaninError(
            f"the recipe {call.name} of {_owner(point)} must be a fanin.recipes.Recipe or a "
            f"function that makes one, got {type(made).__name__}"
        )
    return made


def _found(point: Any) -> Any:
    try:
        return point.load()
    except Exception as problem:
        raise FaninError(
            f"the recipe {point.name} of {_owner(point)} cannot be loaded: {problem}"
        ) from problem


def _owner(point: Any) -> str:
    return point.dist.name if point.dist is not None else point.value


def _build(call: Call, build: Callable[..., Any]) -> Any:
    """Call a function with the numbers that were written, as Python would, and check them."""
    known = inspect.signature(build).parameters
    takes = f"It takes {', '.join(known)}" if known else "It takes no arguments"
    if len(call.args) > len(known):
        raise FaninError(f"{call.name} has {len(known)} arguments, got {len(call.args)}. {takes}")
    bound: dict[str, Any] = dict(zip(known, call.args, strict=False))
    for keyword, value in call.kwargs:
        if keyword not in known:
            hint = nearest(keyword, known) or "."
            raise FaninError(f"{call.name} has no argument {keyword}{hint} {takes}")
        if keyword in bound:
            raise FaninError(f"{call.name} was given {keyword} twice. {takes}")
        bound[keyword] = value
    for keyword, value in bound.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e308:
            raise FaninError(f"{call.name}: {keyword} must be a number above 0, got {value!r}")
    return build(**bound)
