"""Laying a plan on a model: each row to the parameter it speaks of.

A plan may come from a file, or from another version of the model. Before anything is written, its
rows and the model's slots are laid side by side, and all that differs is told at once.
"""

from collections import Counter
from collections.abc import Sequence

from fanin.errors import FaninError, nearest
from fanin.recipes.plan import Plan
from fanin.recipes.row import Row
from fanin.recipes.slots import Slot

LISTED = 20
"""Differences of one kind that are named; a plan for another model differs everywhere."""


def fit(plan: Plan, slots: Sequence[Slot]) -> tuple[Row, ...]:
    """Find the row of every parameter of a model.

    A row and a parameter belong together when they go by the same names. Which of the names of a
    tied weight comes first does not matter: the one in the plan is the name of its stream.

    Args:
        plan: The plan.
        slots: The parameters of the model.

    Returns:
        One row for each slot, in the order of the slots.

    Raises:
        FaninError: The plan is not for this model; every difference is named.

    Example:
        >>> from fanin.recipes import Role, assign
        >>> bias = Slot("0.bias", (10,), Role.BIAS, None, None, "Linear")
        >>> plan = assign([bias], "zeros")
        >>> [row.name for row in fit(plan, [bias])]
        ['0.bias']
        >>> fit(plan, [Slot("0.bias", (12,), Role.BIAS, None, None, "Linear")])
        Traceback (most recent call last):
        ...
        fanin.errors.FaninError: this plan is not for this model:
          0.bias has shape (10,) in the plan and (12,) in the model
        Make one for it with fanin.plan, or change the rows that differ
    """
    owners = {name: row for row in plan.rows for name in row.slot.names}
    names = Counter(name for row in plan.rows for name in row.slot.names)
    differences = [f"{name} is in the plan {n} times" for name, n in names.items() if n > 1]
    rows, extra = list[Row](), list[Slot]()
    for slot in slots:
        row = next(filter(None, map(owners.get, slot.names)), None)
        if row is None:
            extra.append(slot)
            continue
        rows.append(row)
        differences += _between(row, slot)
    taken = {name for slot in slots for name in slot.names}
    missing = [row.name for row in plan.rows if taken.isdisjoint(row.slot.names)]
    differences += [
        f"{name} is not in the model{nearest(name, taken)}" for name in missing[:LISTED]
    ]
    differences += _more(missing)
    differences += [
        f"{slot.name} {slot.shape} of {slot.module} is not in the plan" for slot in extra[:LISTED]
    ]
    differences += _more(extra)
    if differences:
        listed = "\n".join(f"  {line}" for line in differences)
        raise FaninError(f"this plan is not for this model:\n{listed}\n{_advice(owners, taken)}")
    return tuple(rows)


def _between(row: Row, slot: Slot) -> list[str]:
    """Tell what differs between a row and the parameter it has a name in common with."""
    found = list[str]()
    if row.shape != slot.shape:
        found.append(f"{slot.name} has shape {row.shape} in the plan and {slot.shape} in the model")
    planned, own = set(row.slot.names), set(slot.names)
    if planned - own:
        found.append(
            f"{slot.name} is tied with {', '.join(sorted(planned - own))} in the plan, and not in "
            "the model"
        )
    if own - planned:
        found.append(
            f"{slot.name} is tied with {', '.join(sorted(own - planned))} in the model, and not in "
            "the plan"
        )
    if row.slot.zero_row != slot.zero_row:
        rows = ["none" if row is None else row for row in (row.slot.zero_row, slot.zero_row)]
        found.append(
            f"{slot.name}: its padding row is {rows[0]} in the plan and {rows[1]} in the model"
        )
    return found


def _more(named: Sequence[object]) -> list[str]:
    return [f"... and {len(named) - LISTED} more"] if len(named) > LISTED else []


def _advice(planned: dict[str, Row], own: set[str]) -> str:
    """A wrapper puts the same word before every name, in the model or in the plan."""
    if {name.partition(".")[2] for name in own} == set(planned):
        wrapper = next(iter(own)).partition(".")[0]
        return f"All names of the model begin with {wrapper!r}: pass model.{wrapper}"
    if {name.partition(".")[2] for name in planned} == own:
        return "All names of the plan begin with one word more: it was made for a wrapped model"
    return "Make one for it with fanin.plan, or change the rows that differ"
