"""Schemes by name: the list of them, and reading their printed form."""

from dataclasses import MISSING
from typing import Any

from fanin.calls import Call, Value, parse_call
from fanin.errors import FaninError, nearest
from fanin.schemes.arguments import RULE
from fanin.schemes.base import Scheme
from fanin.schemes.blocks import blocks
from fanin.schemes.constants import constant, ones, zeros
from fanin.schemes.deep import centred_orthogonal, mirrored
from fanin.schemes.defaults import jax_default, keras_default, torch_default
from fanin.schemes.distributions import normal, truncated_normal, uniform
from fanin.schemes.gates import chrono, forget_gate
from fanin.schemes.identity import dirac, eye, hadamard, identity_plus_noise
from fanin.schemes.keep import keep
from fanin.schemes.listed import listed
from fanin.schemes.orthogonality import (
    delta_orthogonal,
    looks_linear,
    orthogonal,
    scaled_orthogonal,
)
from fanin.schemes.scaling import (
    glorot_normal,
    glorot_truncated_normal,
    glorot_uniform,
    he_normal,
    he_truncated_normal,
    he_uniform,
    lecun_normal,
    lecun_truncated_normal,
    lecun_uniform,
    variance_scaling,
)
from fanin.schemes.sparsity import sparse

_SCHEMES: dict[str, type[Scheme]] = {
    scheme.name(): scheme
    for scheme in (
        zeros,
        ones,
        constant,
        uniform,
        normal,
        truncated_normal,
        variance_scaling,
        lecun_normal,
        lecun_truncated_normal,
        lecun_uniform,
        glorot_normal,
        glorot_truncated_normal,
        glorot_uniform,
        he_normal,
        he_truncated_normal,
        he_uniform,
        orthogonal,
        scaled_orthogonal,
        delta_orthogonal,
        looks_linear,
        mirrored,
        centred_orthogonal,
        sparse,
        eye,
        dirac,
        identity_plus_noise,
        hadamard,
        forget_gate,
        chrono,
        blocks,
        listed,
        keep,
        torch_default,
        keras_default,
        jax_default,
    )
}

_FAMILIES = {"xavier": "glorot", "kaiming": "he"}
"""First names of the authors, as PyTorch uses them."""


def names() -> tuple[str, ...]:
    """List the schemes, simple ones first.

    Returns:
        The names without their aliases: ``xavier_*`` is ``glorot_*``, ``kaiming_*`` is ``he_*``.

    Example:
        >>> names()[:3]
        ('zeros', 'ones', 'constant')
    """
    return tuple(_SCHEMES)


def find(name: str) -> type[Scheme]:
    """Look up a scheme by name; its docstring explains it.

    Args:
        name: A name or an alias, without arguments.

    Returns:
        The class to build it from.

    Raises:
        FaninError: There is no such scheme.

    Example:
        >>> find("kaiming_uniform").name()
        'he_uniform'
    """
    family, _, rest = name.partition("_")
    canonical = f"{_FAMILIES[family]}_{rest}" if family in _FAMILIES else name
    if canonical not in _SCHEMES:
        author = _FAMILIES.get(name.lower(), name.lower())
        normal_of = f'; did you mean "{author}_normal"?' if f"{author}_normal" in _SCHEMES else ""
        raise FaninError(
            f"there is no scheme {name!r}{normal_of or nearest(canonical, _SCHEMES) or '.'} "
            f"The schemes are {', '.join(_SCHEMES)}"
        )
    return _SCHEMES[canonical]


def parse(text: str) -> Scheme:
    """Read a scheme as it is written on the command line and printed by ``str``.

    Args:
        text: A name, with arguments in parentheses where they are needed.

    Returns:
        The scheme.

    Raises:
        FaninError: There is no such scheme, or an argument is wrong.

    Example:
        >>> str(parse("xavier_normal")), str(parse("normal(std=0.01)"))
        ('glorot_normal', 'normal(0, 0.01)')
        >>> parse("he_normal(gian=tanh)")
        Traceback (most recent call last):
        ...
        fanin.errors.FaninError: he_normal has no argument gian; did you mean "gain"? It takes gain
    """
    call = parse_call(text)
    scheme = find(call.name)
    return scheme(**_bind(scheme, call))


def as_scheme(given: str | Scheme) -> Scheme:
    """Take a scheme or its name.

    Args:
        given: Either of them.

    Returns:
        The scheme.

    Raises:
        FaninError: It is neither, or the text cannot be read.

    Example:
        >>> as_scheme("zeros") == as_scheme(zeros())
        True
    """
    match given:
        case Scheme():
            return given
        case str():
            return parse(given)
        case _:
            raise FaninError(
                f'a scheme is a name, such as "he_normal", or a value, such as he_normal(); '
                f"got {given!r}"
            )


def _bind(scheme: type[Scheme], call: Call) -> dict[str, Any]:
    """Match arguments to the fields of a scheme as a call in Python would, and check them."""
    name = scheme.name()
    known = {argument.name: argument for argument in scheme.arguments()}
    takes = f"It takes {', '.join(known)}" if known else "It takes no arguments"
    if scheme.style == "list" and not call.kwargs:
        (only,) = known.values()
        return {only.name: only.metadata[RULE](name, only.name, call.args)}
    if len(call.args) > len(known):
        raise FaninError(f"{name} has {len(known)} arguments, got {len(call.args)}. {takes}")
    bound: dict[str, Value] = dict(zip(known, call.args, strict=False))
    for keyword, value in call.kwargs:
        if keyword not in known:
            raise FaninError(
                f"{name} has no argument {keyword}{nearest(keyword, known) or '.'} {takes}"
            )
        if keyword in bound:
            raise FaninError(f"{name} was given {keyword} twice. {takes}")
        bound[keyword] = value
    for argument in known.values():
        if argument.name not in bound and argument.default is MISSING:
            raise FaninError(
                f"{name} needs its argument {argument.name}: {name}({argument.name}=...)"
            )
    return {key: known[key].metadata[RULE](name, key, value) for key, value in bound.items()}
