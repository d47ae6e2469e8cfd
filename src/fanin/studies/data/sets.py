"""Data by name: the sets that scikit-learn ships, those it generates, and OpenML.

A generated set is written as a call, ``circles(n=300, noise=0.05)``, and is named in full, seed
included, so that its name is enough to make it again.
"""

import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fanin.calls import Call, Value, format_number, parse_call
from fanin.errors import FaninError, nearest
from fanin.studies.data.files import SUFFIXES
from fanin.studies.data.table import Table, from_frame
from fanin.studies.data.value import Kind


class _Shipped(NamedTuple):
    """A function of scikit-learn that loads a set, and what to call its target."""

    function: str
    kind: Kind
    target: str


class _Generated(NamedTuple):
    """A function that makes a set, of scikit-learn or ours, and its arguments with our defaults.

    The arguments have scikit-learn's names, but for `n` (n_samples) and `seed` (random_state).
    """

    function: str
    kind: Kind
    arguments: Mapping[str, Value]
    module: str = "sklearn.datasets"


def _generated(function: str, kind: Kind, **arguments: Value) -> _Generated:
    """300 examples unless asked otherwise, as in the lectures' exercise with the circles."""
    return _Generated(function, kind, {"n": 300, **arguments, "seed": 0})


_CLASSICS = "fanin.studies.data.classics"

_SHIPPED = {
    "iris": _Shipped("load_iris", "classification", "species"),
    "wine": _Shipped("load_wine", "classification", "cultivar"),
    "breast_cancer": _Shipped("load_breast_cancer", "classification", "diagnosis"),
    "digits": _Shipped("load_digits", "classification", "digit"),
    "diabetes": _Shipped("load_diabetes", "regression", "progression"),
}

_GENERATED = {
    "circles": _generated("make_circles", "classification", noise=0.05, factor=0.8),
    "moons": _generated("make_moons", "classification", noise=0.1),
    "blobs": _generated("make_blobs", "classification", n_features=2, centers=3, cluster_std=1.0),
    "quantiles": _generated("make_gaussian_quantiles", "classification", n_features=2, n_classes=3),
    "classification": _generated(
        "make_classification",
        "classification",
        n_features=20,
        n_informative=2,
        n_redundant=2,
        n_classes=2,
        class_sep=1.0,
        flip_y=0.01,
    ),
    "hastie": _generated("make_hastie_10_2", "classification"),
    "regression": _generated(
        "make_regression", "regression", n_features=10, n_informative=10, n_targets=1, noise=1.0
    ),
    "friedman1": _generated("make_friedman1", "regression", n_features=10, noise=1.0),
    "friedman2": _generated("make_friedman2", "regression", noise=1.0),
    "friedman3": _generated("make_friedman3", "regression", noise=0.1),
    "xor": _Generated(
        "make_xor", "classification", {"n": 4, "noise": 0.0, "seed": 0}, module=_CLASSICS
    ),
    "spirals": _Generated(
        "make_spirals", "classification", {"n": 194, "noise": 0.0, "seed": 0}, module=_CLASSICS
    ),
}


def names() -> tuple[str, ...]:
    """List the sets that need neither a file nor a network.

    Returns:
        The names, shipped sets first; a generated one takes arguments.

    Example:
        >>> names()[4:7]
        ('diabetes', 'circles', 'moons')
    """
    return (*_SHIPPED, *_GENERATED)


def from_name(text: str) -> Table:
    """Get a set that scikit-learn ships or generates.

    Args:
        text: A name, or a call such as ``"circles(n=300, noise=0.05, seed=1)"``.

    Returns:
        The table.

    Raises:
        FaninError: There is no such set, or it has no such argument or value.
    """
    name = text.partition("(")[0].strip()
    if name not in names():
        files = sorted(file.name for file in Path().iterdir() if file.suffix.lower() in SUFFIXES)
        raise FaninError(
            f'there is no data set "{name}"{nearest(name, [*names(), *files])} (choose from '
            f'{", ".join(names())}; "openml:NAME" for a set on OpenML; or a '
            f"{' or '.join(SUFFIXES)} file)"
        )
    call = parse_call(text)
    if name in _GENERATED:
        return _generate(call, _GENERATED[name])
    if call.args or call.kwargs:
        raise FaninError(f"{name} is as it is and takes no arguments, got {text!r}")
    return _load(name, _SHIPPED[name])


def from_openml(name: str, target: str | Sequence[str] | None) -> Table:
    """Get a set from OpenML; scikit-learn fetches it once and keeps it.

    Args:
        name: Its name on OpenML, or its number.
        target: The target column, if it is not the one that OpenML says.

    Returns:
        The table.

    Raises:
        FaninError: It cannot be fetched, or its columns cannot be used.
    """
    fetch: Callable[..., Any] = importlib.import_module("sklearn.datasets").fetch_openml
    which = {"data_id": int(name)} if name.isdecimal() else {"name": name}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            bunch = fetch(**which, as_frame=True)
    except (OSError, ValueError) as problem:
        raise FaninError(
            f'"{name}" cannot be fetched from OpenML ({problem}): check the network, and the name '
            "or number on openml.org, or pass a file that was downloaded before"
        ) from None
    standard = tuple(bunch.target_names or ())
    return from_frame(
        bunch.frame,
        target or standard or None,
        name=f"openml:{name}",
        notes=tuple(str(warning.message) for warning in caught),
    )


def _load(name: str, entry: _Shipped) -> Table:
    bunch = _function(entry.function)()
    return Table(
        name=name,
        features=bunch.data,
        feature_names=tuple(str(feature) for feature in bunch.feature_names),
        target=bunch.target,
        target_names=(entry.target,),
        kind=entry.kind,
        class_names=tuple(str(label) for label in bunch.get("target_names", ())),
    )


def _generate(call: Call, entry: _Generated) -> Table:
    arguments = dict(entry.arguments)
    given = [*(("n", value) for value in call.args), *call.kwargs]
    for key, value in given:
        if key not in arguments:
            raise FaninError(
                f'{call.name} has no argument "{key}"{nearest(key, arguments)} '
                f"(it has {', '.join(arguments)})"
            )
        arguments[key] = value
    if len(dict(given)) < len(given):
        raise FaninError(f"an argument of {call.name} is given twice: only n may go unnamed")
    printed = ", ".join(f"{key}={_print(value)}" for key, value in arguments.items())
    name = f"{call.name}({printed})"
    size, seed = arguments.pop("n"), arguments.pop("seed")
    try:
        make = _function(entry.function, entry.module)
        features, target = make(n_samples=size, random_state=seed, **arguments)
    except (TypeError, ValueError) as problem:
        raise FaninError(f"{name} cannot be made: {problem}") from None
    if not len(features):
        raise FaninError(f"{name} has no rows: n must be at least 1")
    target_name = "class" if entry.kind == "classification" else "y"
    many = target.ndim == 2
    return Table(
        name=name,
        features=features,
        feature_names=tuple(f"x{place}" for place in range(features.shape[1])),
        target=target,
        target_names=tuple(f"y{k}" for k in range(target.shape[1])) if many else (target_name,),
        kind=entry.kind,
        # Four points are all there is of XOR: to hold one out is to take the problem away.
        n_train=len(features) if call.name == "xor" and not arguments["noise"] else None,
    )


def _function(name: str, module: str = "sklearn.datasets") -> Callable[..., Any]:
    """Every set is a function of a module, called by name."""
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _print(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return format_number(value)
    return str(value)
