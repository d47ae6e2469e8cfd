"""One tensor for embedding and projection, whose scale suits only one of the two."""

import math
from collections.abc import Iterator

from fanin.births import Birth, Write
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes import Slot
from fanin.reports.document import figure
from fanin.trace import Kind, Op, Part

FACTORS = 8
"""Operations between projection and loss that are followed: a scale, a bias, a soft cap."""


@rule("FI702", "tie clobbered", Severity.WARNING, Probe.VALUES)
def tie_clobbered(evidence: Evidence) -> Iterator[Finding]:
    """One tensor is embedding and output projection, and its scale suits only one of the two.

    Why it hurts:
        The scale of an embedding makes logits that are far too large: the first loss is many times
        that of a guess, and the first part of training only takes it back. Where two rules wrote
        the tensor, the one that came last decides, whichever it is.

    Example:
        `head.weight = embed.weight` with the default of `nn.Embedding`, a standard deviation of 1:
        with 64 features the logits have one of 8.

    Mend:
        Initialise the shared tensor once, after it is tied, as the projection:
        `nn.init.normal_(embed.weight, std=width ** -0.5)` or 0.02, and scale the embedding up where
        it is used if the model needs that.

    When it is fine:
        Where the logits are scaled down after the projection, as T5 does: the logits that reach the
        loss are what is looked at, if the pass was made.

    Threshold:
        Random logits of variance v add v / 2 to the cross-entropy of C classes. A warning where
        that is more than the ln C of a guess, so that the loss doubles at least. Two rules: both
        stand in the person's code, and their standard deviations differ by more than a quarter and
        by more than five standard errors.

    Source:
        The expectation of a log-normal variable, exp(v / 2): Johnson, Kotz and Balakrishnan (1994),
        Continuous Univariate Distributions, chapter 14.
    """
    for slot in evidence.slots:
        held = evidence.values.get(slot.name)
        if held is None or len(slot.shape) != 2 or slot.shape[0] < 2 or not held.std > 0:
            continue
        logits = _logits(evidence, slot, held.std)
        if logits is not None and logits**2 / 2 > math.log(slot.shape[0]):
            yield _too_large(slot, held.std, logits)
            continue
        birth = None if evidence.births is None else evidence.births.of(slot.name)
        two = _two_rules(birth) if slot.aliases and birth is not None else None
        if two is not None:
            # A third of the suited scale still starts a projection well.
            suited = held.std > slot.shape[1] ** -0.5 / 3
            served = suited and logits is not None and logits < 1.5
            yield _disagree(slot.names, *two, fine=served)


def _too_large(slot: Slot, std: float, logits: float) -> Finding:
    classes, width = slot.shape
    guess, suited, excess = math.log(classes), width**-0.5, logits**2 / 2
    return Finding(
        "FI702",
        Severity.WARNING,
        slot.names,
        f"as output projection its std {figure(std)} makes logits of std {figure(logits)}, which "
        f"adds {figure(excess)} to the loss",
        f"a loss near ln {classes} = {figure(guess)}: logits of std 1 or less, as std "
        f"{figure(suited)} makes them",
        "the scale is that of an embedding: the first part of training only takes it back",
        "initialise the shared tensor once, after it is tied, as the projection: "
        f"nn.init.normal_(weight, std={figure(suited)})",
        title="tied weight has the scale of an embedding",
        facts={"std": std, "logits": logits, "excess": excess},
    )


def _disagree(names: tuple[str, ...], first: Write, last: Write, *, fine: bool) -> Finding:
    return Finding(
        "FI702",
        # The projection decides how the loss starts; where it is served, the order is right.
        Severity.INFO if fine else Severity.WARNING,
        names,
        f"{first.frames[0]} gave it std {figure(first.after.std)}, then {last.frames[0]} gave the "
        f"same memory std {figure(last.after.std)}",
        "one rule for one tensor",
        "the rule that comes last decides for both uses, and the other does not count",
        "initialise the shared tensor once, after it is tied, or tie after both are initialised",
        title="tied weight written by two rules",
        location=last.frames[0],
        facts={"first": first.after.std, "last": last.after.std},
    )


def _logits(evidence: Evidence, slot: Slot, std: float) -> float | None:
    """Compute the logits that reach the loss, if this tensor is a table and makes them.

    The logit of the very token that was put in is no random one, because both sides are the same
    vector; so they are computed from the signal that the projection takes, and not measured.
    """
    trace = evidence.trace
    uses = (
        () if trace is None else next((p.uses for p in trace.parameters if p.name == slot.name), ())
    )
    made = {use.op for use in uses if use.part is Part.KERNEL}
    if trace is None or not made or not any(use.part is Part.TABLE for use in uses):
        return None
    found = list[float]()
    ends = {index for op in trace.ops if op.kind in (Kind.LOSS, Kind.OUTPUT) for index in op.inputs}
    for end in ends:
        start = _back_to(trace.ops, end, made)
        taken = (
            _rms(trace.ops, next(iter(trace.ops[start].inputs), None)) if start is not None else 0
        )
        put_out, reached = _rms(trace.ops, start), _rms(trace.ops, end)
        if taken > 0 and put_out > 0:
            # A scale behind the projection makes up for the weight; a term may be of any size.
            kept = min(1.0, reached / put_out)
            found.append(std * math.sqrt(slot.shape[1]) * taken * kept)
    return max(found, default=None)


def _back_to(ops: tuple[Op, ...], end: int, made: set[int]) -> int | None:
    """Follow the signal that the loss takes back to the projection, through factors and terms."""
    at = end
    for _ in range(FACTORS):
        if at in made:
            return at
        if not ops[at].inputs or (
            len(ops[at].inputs) > 1 and ops[at].kind not in (Kind.MULTIPLY, Kind.ADD)
        ):
            return None
        at = ops[at].inputs[0]
    return None


def _rms(ops: tuple[Op, ...], index: int | None) -> float:
    signal = None if index is None else ops[index].forward
    return signal.rms if signal is not None and signal.finite else 0.0


def _two_rules(birth: Birth) -> tuple[Write, Write] | None:
    """Find the last two rules of the person's that wrote the whole tensor, if they disagree."""
    rules = [
        write
        for write in birth.writes
        if write.by == "init" and write.whole and write.frames and write.after.std > 0
    ]
    if len(rules) < 2 or rules[-1] is not birth.last:
        return None
    last = rules[-1]
    other = [w for w in rules[:-1] if str(w.frames[0]) != str(last.frames[0])]
    if not other:
        return None
    first = other[-1]
    ratio = first.after.std / last.after.std
    # Relative sampling error of a ratio of two standard deviations of n draws each: 1 / sqrt(n).
    margin = max(0.25, 5 / math.sqrt(max(1, last.of)))
    return (first, last) if abs(math.log(ratio)) > math.log1p(margin) else None
