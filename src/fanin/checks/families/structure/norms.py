"""Norm layers that do not pass what they normalise, and running statistics that cannot be."""

import math
from collections import defaultdict
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.recipes import Role, Slot
from fanin.reports.document import counted, figure
from fanin.trace import Place

FEWEST = 8
"""Gains that tell a random draw around zero from one around one."""


@rule("FI704", "norm gain", Severity.WARNING, Probe.VALUES)
def norm_gain(evidence: Evidence) -> Iterator[Finding]:
    """The gain of a norm layer is not what the layer computes with: zero, random, or one too many.

    Why it hurts:
        A norm is there to give the next layer a signal of size 1. A gain drawn around zero makes it
        50 times smaller and turns half the signs; a gain kept as 1 + w with w = 1 doubles it in
        every layer; a zero gain that no skip goes around cuts off all that comes before it.

    Example:
        `for p in model.parameters(): nn.init.normal_(p, std=0.02)`; an initialiser that fills every
        class called RMSNorm with ones, also one that computes `x * (1 + weight)`.

    Mend:
        `nn.init.ones_(norm.weight)`, or zeros where the layer adds 1 itself.

    When it is fine:
        Zero at the end of a residual branch makes the block the identity and is good practice;
        gains drawn around 1 are fine too. Neither is reported.

    Threshold:
        Random: the mean of at least eight gains is smaller than their standard deviation, and zero
        within five standard errors. Of draws around zero all are so; of draws from (0, 1) the ratio
        of mean and deviation is 1.7, and trained gains are seldom centred so well. 1 + w:
        seen in the traced pass, with a mean of w above 1/2, halfway between right and doubled.
        Zero: no residual branch around it, and no gradient arrives at any weight before it.

    Source:
        Ba et al. (2016), Layer normalization, section 3; Goyal et al. (2017), section 5.1, for the
        zero gain of a residual branch; Zhang and Sennrich (2019) for RMSNorm.
    """
    groups = defaultdict[str, list[Values]](list)
    for slot in evidence.slots:
        held = evidence.values.get(slot.name)
        if held is None or slot.role is not Role.NORM_GAIN or not held.count or not held.finite:
            continue
        groups[_fault(evidence, slot, held)].append(held)
    for fault, group in groups.items():
        if fault:
            yield FINDINGS[fault](group)


def _fault(evidence: Evidence, slot: Slot, held: Values) -> str:
    if slot.one_plus:
        return "doubled" if held.mean > 0.5 else ""
    if held.minimum == held.maximum == 0:
        return "zero" if _cuts(evidence, slot) else ""
    random = held.minimum < held.maximum and held.count >= FEWEST and not held.frozen
    around_zero = abs(held.mean) < min(held.std, 5 * held.std / math.sqrt(held.count))
    return "random" if random and around_zero else ""


def _cuts(evidence: Evidence, slot: Slot) -> bool:
    """Tell whether a zero gain takes the gradient from what comes before: nothing goes around."""
    around = slot.around
    if around is None or around.branch is not None or evidence.trace is None:
        return False
    if around.places & {Place.WRITER, Place.BRANCH, Place.SCALE, Place.GATE, Place.GATED}:
        return False
    trace = evidence.trace
    use = next((p.uses for p in trace.parameters if p.name == slot.name and p.uses), ())
    before = [inner for one in use for inner in trace.ops[one.op].inputs]
    arrived = [trace.ops[inner].backward for inner in before]
    return bool(arrived) and all(signal is not None and signal.rms == 0 for signal in arrived)


def _zero(group: list[Values]) -> Finding:
    return Finding(
        "FI704",
        Severity.WARNING,
        tuple(held.name for held in group),
        f"the gain of {counted(len(group), 'norm')} is zero, and nothing goes around it",
        "a gain of 1; 0 only at the end of a residual branch",
        "the layer puts out the same for every input, and no gradient passes it: all that comes "
        "before stands still until the gain has grown, and two in a row stand still for ever",
        "nn.init.ones_(norm.weight); nn.init.zeros_ is for the bias",
        title="zero gain cuts the network",
        fixes=tuple(Fix(held.name, "ones") for held in group),
    )


def _doubled(group: list[Values]) -> Finding:
    return Finding(
        "FI704",
        Severity.WARNING,
        tuple(held.name for held in group),
        f"the layer computes with 1 + w, and w is {figure(group[0].mean)}: a gain of "
        f"{figure(1 + group[0].mean)} in {counted(len(group), 'norm')}",
        "w = 0, which is a gain of 1",
        "every norm puts out more than the next layer is made for",
        "nn.init.zeros_(norm.weight) where the layer adds 1 itself",
        title="gain of 1 + w started at w = 1",
        fixes=tuple(Fix(held.name, "zeros") for held in group),
        facts={"gain": 1 + group[0].mean},
    )


def _random(group: list[Values]) -> Finding:
    worst = min(group, key=lambda held: held.rms)
    return Finding(
        "FI704",
        Severity.WARNING,
        tuple(held.name for held in group),
        f"the gains of {counted(len(group), 'norm')} are drawn around zero: mean "
        f"{figure(worst.mean)}, std {figure(worst.std)}",
        "gains of 1",
        f"what the norm made of size 1 leaves it {figure(1 / worst.rms)} times smaller, and half "
        "of it with the other sign",
        "leave norms out of the sweep: nn.init.ones_(norm.weight)",
        title="norm gains drawn like weights",
        fixes=tuple(Fix(held.name, "ones") for held in group),
        facts={"rms": worst.rms},
    )


FINDINGS = {"zero": _zero, "doubled": _doubled, "random": _random}
"""What to say of each fault."""


@rule("FI705", "running statistics", Severity.ERROR, Probe.VALUES)
def running_statistics(evidence: Evidence) -> Iterator[Finding]:
    """The running variance of a batch norm is negative or zero, or its count of batches is.

    Why it hurts:
        In evaluation mode the layer divides by the root of the running variance: of a negative one
        that is nan, of a zero one it is the inverse root of eps, a factor of 316.

    Example:
        A model from the meta device: `to_empty` leaves the buffers as memory was found, and
        `reset_running_stats` is never called.

    Mend:
        `layer.reset_running_stats()`, or `layer.reset_parameters()`, which calls it.

    When it is fine:
        A variance of exactly zero in a channel that was constant in all batches so far, as in a
        trained network with dead channels: only a variance that is zero throughout is reported.

    Threshold:
        Exact: a variance is not negative. 316 is 1e-5 to the power of -1/2, with the default eps.

    Source:
        Ioffe and Szegedy (2015), Batch normalization, algorithm 2.
    """
    for values in evidence.values.values():
        last = values.name.rpartition(".")[2]
        if last == "running_var" and values.count:
            negative = values.minimum < 0
            if not negative and not (values.finite and values.maximum == 0):
                continue
            yield Finding(
                "FI705",
                Severity.ERROR if negative else Severity.WARNING,
                (values.name,),
                f"its smallest value is {figure(values.minimum)}, its largest "
                f"{figure(values.maximum)}",
                "ones, as reset_running_stats sets them",
                "in evaluation mode the layer divides by its root: that is "
                + ("nan" if negative else "a factor of 316"),
                "layer.reset_running_stats()",
                title="running variance is " + ("negative" if negative else "zero"),
                facts={"minimum": values.minimum},
            )
        elif last == "num_batches_tracked" and values.minimum < 0:
            yield Finding(
                "FI705",
                Severity.ERROR,
                (values.name,),
                f"it is {figure(values.minimum)}",
                "0, as reset_running_stats sets it",
                "with momentum=None the running statistics are averaged by this count",
                "layer.reset_running_stats()",
                title="count of batches is negative",
            )
