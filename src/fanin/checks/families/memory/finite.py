"""Values that are no numbers."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values


@rule("FI102", "not finite", Severity.ERROR, Probe.VALUES)
def not_finite(evidence: Evidence) -> Iterator[Finding]:
    """A parameter or buffer holds nan or infinity.

    Why it hurts:
        Every output that depends on it is nan, and after one step so is every weight.

    Example:
        A weight that was divided by its own norm, when the norm was zero.

    Mend:
        Find the write that did it (`fanin blame`), and initialise the tensor again.

    When it is fine:
        An attention mask kept as a buffer holds minus infinity on purpose; buffers are reported
        for nan only. Memory that nobody wrote is FI101, not this.

    Threshold:
        One element is enough: no formula for a start makes one.

    Source:
        IEEE 754-2019, section 6.2, on how nan spreads.
    """
    for values in evidence.values.values():
        wrong = values.nan if values.buffer else values.nan + values.infinite
        if not wrong or wrong <= _unwritten(evidence, values):
            continue
        yield Finding(
            "FI102",
            Severity.ERROR,
            (values.name,),
            f"{wrong} of {values.count} elements are not finite ({values.nan} nan, "
            f"{values.infinite} infinite)",
            "finite numbers",
            "every output that depends on it is nan, and after one step so is every weight",
            "initialise it again; `fanin blame` shows which write did it",
            title="values are not finite",
            fixes=() if values.buffer else (Fix(values.name),),
            facts={"nan": values.nan, "infinite": values.infinite},
        )


def _unwritten(evidence: Evidence, values: Values) -> int:
    """Count the elements that are nan because the build ran with poisoned memory."""
    birth = None if evidence.births is None else evidence.births.of(values.name)
    return 0 if birth is None else math.ceil(birth.unwritten * values.count)
