"""Applying the mends of a check: the named tensors are filled again, and nothing else changes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from glob import escape
from typing import Any

from torch import nn

from fanin.checks import Fix
from fanin.errors import FaninError
from fanin.recipes import Plan
from fanin.recipes import plan as decide
from fanin.schemes import keep
from fanin.torch.apply import init_
from fanin.torch.planning import read

WITHOUT_BATCH = "he_normal"
"""What kernels get where there is no batch to tell where they stand."""


def mending_plan(
    model: nn.Module,
    fixes: Sequence[Fix],
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
) -> Plan:
    """Plan the mends: a scheme for each named tensor, and all others kept.

    Args:
        model: The model.
        fixes: What to fill, and with what.
        batch: What its forward pass takes; with it the plan is that of the recipe ``auto``.
        loss: As for `fanin.torch.tracing.trace`.

    Returns:
        The plan.

    Raises:
        FaninError: The model cannot be planned.

    Example:
        >>> made = mending_plan(nn.Linear(4, 2), [Fix("bias", "zeros")], (), None)
        >>> [str(row.scheme) for row in made.rows]
        ['keep', 'zeros']
    """
    rules = {escape(fix.name): fix.scheme for fix in fixes if fix.scheme}
    names = {fix.name for fix in fixes}
    try:
        made = decide(read(model, batch, loss).slots, "auto", rules, keep_unknown=True)
    except FaninError:
        # A network that cannot be run, because of what is to be mended, is planned by its layers.
        made = decide(read(model, ()).slots, WITHOUT_BATCH, rules, keep_unknown=True)
    rows = tuple(
        row if names & set(row.slot.names) else replace(row, scheme=keep(), reason="kept")
        for row in made.rows
    )
    return replace(made, rows=rows)


def mend(
    model: nn.Module,
    fixes: Sequence[Fix],
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
) -> tuple[str, ...]:
    """Fill the named tensors again; on an error nothing is changed.

    Args:
        model: The model, written to.
        fixes: What to fill, and with what.
        batch: As for `mending_plan`.
        loss: As for `mending_plan`.
        seed: Seed of the draws.

    Returns:
        Names of what was filled, with the scheme of each.

    Raises:
        FaninError: A tensor cannot hold what the plan says.
    """
    plan = mending_plan(model, fixes, batch, loss)
    init_(model, plan, seed=seed)
    return tuple(
        f"{row.name}: {row.scheme}" for row in plan.rows if not isinstance(row.scheme, keep)
    )
