"""Which rows of a plan a batch may change, what each is to reach, and how that is told.

A recipe makes some layers small on purpose. They keep their share, so that a calibration repairs
what the batch shows to be off, and overrules nothing that was meant.
"""

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, cast

from fanin.errors import FaninError
from fanin.recipes import Role, Row
from fanin.schemes import Scheme, keep
from fanin.schemes.rescale import rescaled
from fanin.trace import Place

DIGITS = 5
"""Significant digits of the numbers in the plan: far inside the tolerance, and short to read."""

ON_PURPOSE = frozenset({Place.WRITER, Place.LAST})
"""Places that a recipe makes small on purpose."""

DONE, LEFT = "; calibrated: ", "; not calibrated: "
"""Where the remark of a calibration begins in the reason of a row."""


@dataclass(frozen=True)
class Choice:
    """What a calibration does to a plan.

    Attributes:
        targets: Kernel to the standard deviation of its output.
        centring: Biases that may centre.
        siblings: Kernel to the bias of the same layer.
        left: Kernel that is left as planned, to the reason.
    """

    targets: dict[str, float]
    centring: frozenset[str]
    siblings: dict[str, str]
    left: dict[str, str]


def choose(
    rows: Iterable[Row], plain: Container[str], tables: Container[str] = frozenset()
) -> Choice:
    """Choose what is calibrated.

    Args:
        rows: The rows of a plan.
        plain: Names of the parameters that are what their layers compute with.
        tables: Names of those that are looked up in some use.

    Returns:
        The choice.

    Raises:
        FaninError: The plan is calibrated already.

    Example:
        >>> from fanin.recipes import Slot
        >>> from fanin.schemes import Fans, Layout, he_normal, zeros
        >>> slot = Slot("0.weight", (4, 9), Role.KERNEL, Layout.linear(), Fans(9, 4), "Linear")
        >>> bias = Slot("0.bias", (4,), Role.BIAS, None, Fans(9, 4), "Linear")
        >>> choice = choose([Row(slot, he_normal(), ""), Row(bias, zeros(), "")], {slot.name})
        >>> choice.targets, choice.siblings
        ({'0.weight': 1.0}, {})
    """
    rows = tuple(rows)
    again = [row.name for row in rows if DONE in row.reason]
    if again:
        # The places of its biases are those of the batch, and nobody knows where they were meant.
        raise FaninError(
            f"this plan is calibrated already ({again[0]}): calibrate "
            "the plan that it was made from"
        )
    # What is kept promises nan, which is not above zero either.
    kernels = {row.name: row for row in rows if _is_kernel(row) and row.std > 0}
    recurrent = {_home(row.name) for row in kernels.values() if row.slot.recurrent}
    left = dict[str, str]()
    for name, row in kernels.items():
        if name not in plain:
            left[name] = "behind a parametrisation"
        elif _home(name) in recurrent:
            left[name] = "part of a recurrent layer"
        elif name in tables:
            left[name] = "tied with an embedding"
        elif obstacle := _obstacle(row.scheme):
            left[name] = obstacle
    chosen = {name: row for name, row in kernels.items() if name not in left}
    centring = {
        row.name
        for row in rows
        if row.role is Role.BIAS and row.name in plain and not isinstance(row.scheme, keep)
    }
    siblings = {name: _sibling(name) for name in chosen if _sibling(name) in centring}
    return Choice(_targets(chosen), frozenset(centring), siblings, left)


def noted(
    rows: Iterable[Row],
    choice: Choice,
    before: Mapping[str, float],
    after: Mapping[str, float],
    centred: Iterable[str],
) -> tuple[Row, ...]:
    """Add to the reasons what was measured.

    Args:
        rows: The rows, with their new schemes.
        choice: What was calibrated.
        before: Kernel to the spread of its output as planned, behind layers put right.
        after: Kernel to the spread that was reached.
        centred: Biases that were set.

    Returns:
        The rows.
    """
    told = {name: f"{LEFT}{why}" for name, why in choice.left.items()}
    for name in choice.targets:
        if name in before and name in after:
            told[name] = f"{DONE}output std {before[name]:.3g} -> {after[name]:.3g}"
        else:
            told[name] = f"{LEFT}no output of it was seen to vary"
    told |= dict.fromkeys(centred, f"{DONE}centres its units")
    return tuple(replace(row, reason=f"{row.reason}{told.get(row.name, '')}") for row in rows)


def short(scheme: Scheme) -> Scheme:
    """Round the numbers of a scheme to what is worth printing.

    Args:
        scheme: Any scheme.

    Returns:
        The scheme, its numbers cut to a few significant digits.

    Example:
        >>> from fanin.schemes import he_normal
        >>> str(short(he_normal(gain=1.23456789)))
        'he_normal(gain=1.2346)'
    """
    cut = {argument.name: _cut(getattr(scheme, argument.name)) for argument in scheme.arguments()}
    return replace(scheme, **cut)


def _cut(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.{DIGITS}g}")
        case Scheme():
            return short(value)
        case tuple():
            return tuple(map(_cut, cast("tuple[Any, ...]", value)))
        case _:
            return value


def _is_kernel(row: Row) -> bool:
    layout = row.slot.layout
    return layout is not None and bool(layout.in_axes or layout.kernel_axes) and not layout.lookup


def _obstacle(scheme: Scheme) -> str:
    """Tell why a scheme cannot be made larger; nothing where it can."""
    try:
        rescaled(scheme, 1.5)
    except FaninError as problem:
        return str(problem)
    return ""


def _targets(kernels: Mapping[str, Row]) -> dict[str, float]:
    """Give every kernel 1, and what is small on purpose its share of the others' gain."""
    special = {name for name, row in kernels.items() if _places(row) & ON_PURPOSE}
    usual = [_gain(row) for name, row in kernels.items() if name not in special]
    typical = median(usual) if usual else 0.0
    return {
        name: min(1.0, _gain(row) / typical) if name in special and typical else 1.0
        for name, row in kernels.items()
    }


def _places(row: Row) -> frozenset[Place]:
    return row.slot.around.places if row.slot.around is not None else frozenset()


def _gain(row: Row) -> float:
    return row.std * math.sqrt(row.fans.fan_in if row.fans is not None else 1.0)


def _home(name: str) -> str:
    return name.rpartition(".")[0]


def _sibling(name: str) -> str:
    home, dot, last = name.rpartition(".")
    return f"{home}{dot}{last.replace('weight', 'bias')}"
