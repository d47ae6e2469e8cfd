"""Units of one layer that compute the same, and are told to change in the same way."""

from collections.abc import Iterable, Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Equal
from fanin.recipes import Role, Slot
from fanin.recipes.network import around
from fanin.trace import Place

MATRICES = frozenset({Role.KERNEL, Role.GATE})
"""Roles of parameters that make units."""

MANY = 0.1
"""Part of a layer's width that has to be lost before it is an error."""


@rule("FI201", "units that stay equal", Severity.ERROR, Probe.VALUES)
def equal_units(evidence: Evidence) -> Iterator[Finding]:
    """Units of a layer have the same incoming weights and get the same gradient.

    That is the step of an induction: equal now and changed equally, they are equal after every
    step, whatever the optimizer, as long as it treats elements alike. The layer is as wide as it
    has different units. Where all units of a layer are equal, it passes one feature on, and what
    follows can tell them apart by their size only.

    Why it hurts:
        A layer of 128 equal units computes one feature. No number of steps makes a second.

    Example:
        `nn.init.constant_(layer.weight, 0.01)` in every layer.

    Mend:
        Draw the weights: `nn.init.kaiming_normal_(layer.weight)`.

    When it is fine:
        Equal weights with different gradients, as in a branch that starts at zero: the first step
        tells the units apart, and the rule is silent. Outputs are left out, for the targets tell
        them apart, and so does the stream that a branch writes to.

    Threshold:
        Weights bitwise equal, and moved equally, to 1e-4 of the largest, over four steps on a copy:
        rounding makes differences of 1e-6, another path of the signal one of 1. Without a batch
        only the weights are known, and the finding is a warning. Fewer than a tenth of the units: a
        warning too.

    Source:
        Goodfellow, Bengio and Courville (2016), Deep Learning, section 8.4: the one property of a
        start that is known with certainty is that it has to break the symmetry between units.
    """
    found = list[tuple[str, Equal]]()
    for slot in evidence.slots:
        equal = _units(slot.name, evidence) if _hidden(slot) else None
        if equal is not None and not _shut(slot.name, evidence):
            found.append((slot.name, equal))
    if not found:
        return
    found.sort(key=lambda one: one[1].distinct / one[1].count)
    name, worst = found[0]
    held = evidence.values[name]
    what = f"every weight is {held.mean:.4g}" if held.constant else "equal incoming weights"
    proven = evidence.trace is not None
    staying = name in evidence.staying
    lost = max(1 - equal.distinct / equal.count for _, equal in found)
    yield Finding(
        "FI201",
        Severity.ERROR if proven and lost >= MANY else Severity.WARNING,
        tuple(one for one, _ in found),
        f"{name}: {worst.distinct} of {worst.count} units are different ({what}"
        + (", moved alike by four steps)" if staying else ")"),
        f"{worst.count} different units",
        "equal units with equal gradients stay equal in every step, so the layer is as wide as it "
        "has different units"
        if staying
        else "all units pass the same feature on, and what follows cannot make another of it"
        if proven
        else "equal units stay equal unless what follows tells them apart; pass a batch to see",
        "draw the weights, such as nn.init.kaiming_normal_(weight)",
        title=f"effective width {worst.distinct} of {worst.count}",
        fixes=tuple(Fix(one) for one, _ in found),
        facts={"distinct": worst.distinct, "units": worst.count},
    )


def _hidden(slot: Slot) -> bool:
    """Outputs are told apart by the targets, and those of classes that no example has are alike."""
    last = Place.LAST in around(slot).places
    return slot.role in MATRICES and not slot.frozen and not last


def _shut(name: str, evidence: Evidence) -> bool:
    """Zeros that stay zero are a matter of their own."""
    held = evidence.values[name]
    return name in evidence.stuck and held.zero == held.count


def _units(name: str, evidence: Evidence) -> Equal | None:
    """Find units that move equally; without a pass, units that are equal and not zero."""
    held = evidence.values.get(name)
    if held is None:
        return None
    same = _of(held.equal)
    if evidence.trace is None:
        return same if same is not None and same.zero < same.count - same.distinct else None
    staying = _of(evidence.staying.get(name, ()))
    whole = same is not None and same.distinct == 1 and same.zero == 0 and same.count > 2
    passed_on = whole and name in evidence.gradients and not _writes(name, evidence)
    return staying or (same if passed_on else None)


def _writes(name: str, evidence: Evidence) -> bool:
    """Tell whether the units are added to a stream, which tells them apart."""
    slot = evidence.slot(name)
    return slot is not None and Place.WRITER in around(slot).places


def _of(found: Iterable[Equal]) -> Equal | None:
    return next((one for one in found if one.what == "unit" and one.distinct < one.count), None)
