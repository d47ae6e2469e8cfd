"""Zeros: those that can never leave zero, and those that open with the first steps."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.recipes import Role

CLOSING = frozenset(
    {Role.KERNEL, Role.GATE, Role.HEAD, Role.SCALE, Role.NORM_GAIN, Role.EMBEDDING, Role.OTHER}
)
"""Roles of parameters whose zeros stop a signal."""


@rule("FI206", "shut for ever", Severity.ERROR, Probe.SIGNAL)
def shut_for_ever(evidence: Evidence) -> Iterator[Finding]:
    """A tensor of zeros stops the signal, and has no gradient that would ever change it.

    Why it hurts:
        The part of the network before and after it never learns.

    Example:
        Both factors of an adapter at zero: each gets its gradient through the other. A layer at
        zero followed by a relu without bias: its slope there is zero.

    Mend:
        Start one of the two at zero, and draw the other.

    When it is fine:
        A single layer of zeros with a live gradient opens in the first step (FI207 says so). One
        that this batch has no use for, such as a mask token without a masked position, is silent.

    Threshold:
        Gradient exactly zero at the start, and in each of four steps of all the other parameters,
        tried on a copy: every step lets one more layer of zeros go. The zeros are the reason: once
        they are drawn, a gradient comes.

    Source:
        Hu et al. (2022), LoRA, section 4.1, draws one factor and starts the other at zero;
        Zhang, Dauphin and Ma (2019), Fixup, section 3, on which layers may start at zero.
    """
    zero = _zeros(evidence)
    shut = [name for name in zero if name in evidence.shut]
    closing = [name for name in zero if name not in evidence.stuck and not _live(name, evidence)]
    if not shut:
        return
    rest = sorted(evidence.shut - set(shut))
    others = f", and {len(rest)} further tensors behind it" if rest else ""
    yield Finding(
        "FI206",
        Severity.ERROR,
        (*shut, *closing),
        f"all zero, with a gradient that is exactly zero and stays so over four steps{others}",
        "a gradient, or weights that let one through",
        "what is multiplied by zero gets no gradient, and what gets no gradient stays zero",
        "draw one of the tensors that are multiplied: " + shut[0],
        title="zero, and can never leave zero",
        fixes=tuple(Fix(name) for name in shut[:1]),
        facts={"stuck": len(evidence.shut)},
    )


@rule("FI207", "zero on purpose", Severity.INFO, Probe.SIGNAL)
def zero_on_purpose(evidence: Evidence) -> Iterator[Finding]:
    """A kernel starts at zero and has a gradient: it opens with the first steps.

    Why it hurts:
        It does not. Residual branches, adapters and heads are started so on purpose: the network
        begins as the identity, or as one that knows nothing.

    Example:
        The last layer of every residual branch, the second factor of an adapter, a head.

    Mend:
        None is needed.

    When it is fine:
        Always; this is a remark.

    Threshold:
        All elements zero, and a gradient at the start or within four steps.

    Source:
        Goyal et al. (2017), Accurate, Large Minibatch SGD, section 5.1; Hu et al. (2022), LoRA,
        section 4.1; Bachlechner et al. (2021), ReZero.
    """
    told = evidence.stuck | evidence.staying.keys()
    names = tuple(name for name in _zeros(evidence) if name not in told)
    if not names:
        return
    yield Finding(
        "FI207",
        Severity.INFO,
        names,
        "all zero",
        "",
        "its gradient is not, so it opens with the first steps: fine as it is",
        "",
        title="zero on purpose",
    )


def _zeros(evidence: Evidence) -> list[str]:
    return [
        slot.name
        for slot in evidence.slots
        if slot.role in CLOSING
        and not slot.frozen
        and slot.name in evidence.gradients
        and (held := evidence.values.get(slot.name)) is not None
        and held.count > 0
        and held.zero == held.count
        and not slot.one_plus
    ]


def _live(name: str, evidence: Evidence) -> bool:
    back = evidence.gradients.get(name)
    return back is not None and back.largest > 0
