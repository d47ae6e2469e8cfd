"""Values that no formula makes: what memory looks like that was never filled."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.recipes import Role
from fanin.reports.document import figure

LARGEST = 1e6
"""Beyond this a weight is absurd."""

SMALLEST_NORMAL = {
    "float64": 2.0**-1022,
    "float32": 2.0**-126,
    "bfloat16": 2.0**-126,
    "float16": 2.0**-14,
}
"""Smallest positive normal number of each dtype (IEEE 754-2019, table 3.2)."""

RANDOM_BITS = 1 / 256
"""Share of denormal numbers among random 32-bit patterns: one of 256 exponents stands for them."""

PEAK = math.sqrt(2)
"""Density at zero, times the standard deviation, times the width 2 on both sides of zero: of the
Laplace law, the most peaked that starts are drawn from (0.80 for a normal, 0.58 for a uniform)."""


@rule("FI103", "absurd values", Severity.ERROR, Probe.VALUES)
def absurd_values(evidence: Evidence) -> Iterator[Finding]:
    """A parameter holds numbers that no formula for a start makes: absurdly large, or denormal.

    Why it hurts:
        They are what unfilled memory looks like when it happens to be finite. Absurdly large ones
        drown every other weight of the layer; denormal ones are zeros that make it slow.

    Example:
        `torch.empty(out, in)` in a layer of one's own whose `reset_parameters` was dropped: mostly
        zeros and denormals, and now and then 1e30.

    Mend:
        Initialise it. Pass the function that builds the model, `fanin.check(build, ...)`, to be
        told which elements were never written, whatever they hold.

    When it is fine:
        A scale in physical units, such as a mean of 1e7 to undo a normalisation: keep it as a
        buffer, which this rule leaves alone, as it does what is frozen.

    Threshold:
        Large: beyond 1e6 in a matrix. The formulas for a start give standard deviations of order 1
        at most, and the largest of 1e9 normal draws is 6.2 of those; a random 32-bit pattern lies
        beyond 1e6 in 4 cases of 10. Denormal: more than five standard errors above what a law of
        this standard deviation leaves there, which in 32 bits is none at all. From half of the
        share on that random bits have, 1 in 512, it is an error; below it is a warning, because
        values that decayed for very long come to look so too.

    Source:
        IEEE 754-2019, section 3.4, on what bit patterns stand for.
    """
    for values in evidence.values.values():
        if values.buffer or values.frozen or values.nan or values.infinite or not values.count:
            continue
        if _extreme(values) > LARGEST and _matrix(evidence, values):
            yield _large(values)
        elif _excess(values):
            yield _denormal(values)


def _matrix(evidence: Evidence, values: Values) -> bool:
    slot = evidence.slot(values.name)
    if slot is not None and slot.role in (Role.KERNEL, Role.EMBEDDING, Role.HEAD, Role.GATE):
        return True
    return len(values.shape) > 1


def _extreme(values: Values) -> float:
    return max(abs(values.minimum), abs(values.maximum))


def _excess(values: Values) -> bool:
    tiny = SMALLEST_NORMAL.get(values.dtype)
    if tiny is None or values.denormal < 2:
        return False
    # All of them below the smallest normal number leave nothing to compare with.
    share = 0.0 if values.std < tiny else min(1.0, PEAK * tiny / values.std)
    expected = values.count * share
    return values.denormal > expected + 5 * math.sqrt(expected)


def _large(values: Values) -> Finding:
    return Finding(
        "FI103",
        Severity.ERROR,
        (values.name,),
        f"its largest value is {figure(_extreme(values))}",
        "values of order 1 or less, as every formula for a start gives",
        "it drowns every other weight of the layer, and looks like memory that was never filled",
        "initialise it; pass the function that builds the model to see whether anybody wrote it",
        title="absurdly large values",
        fixes=(Fix(values.name),),
        facts={"largest": _extreme(values)},
    )


def _denormal(values: Values) -> Finding:
    share = values.denormal / values.count
    return Finding(
        "FI103",
        Severity.ERROR if share >= RANDOM_BITS / 2 else Severity.WARNING,
        (values.name,),
        f"{values.denormal} of {values.count} elements are denormal, and {values.zero} are zero",
        f"none below the smallest normal number of {values.dtype} but zero itself",
        "no law that starts are drawn from comes so near to zero: it looks like memory that was "
        "never filled",
        "initialise it; pass the function that builds the model to see whether anybody wrote it",
        title="denormal values",
        fixes=(Fix(values.name),),
        facts={"denormal": values.denormal, "share": share},
    )
