"""A network in which no kernel ever gets a gradient."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes import Role
from fanin.trace import Kind


@rule("FI604", "nothing learns", Severity.ERROR, Probe.SIGNAL, symptom=True)
def nothing_learns(evidence: Evidence) -> Iterator[Finding]:
    """Every kernel has a gradient of exactly zero, and keeps it.

    Why it hurts:
        No step changes the output.

    Example:
        Logits that are multiplied by a scale which is zero: sqrt(2) * log(C - 1) for two classes.

    Mend:
        Look for a constant factor of zero between the last kernel and the loss.

    When it is fine:
        A model without trained kernels.

    Threshold:
        Gradients exactly zero at the start and in four steps of whatever else has one.

    Source:
        case B126 of the public record.
    """
    kernels = [
        slot.name
        for slot in evidence.slots
        if slot.role in (Role.KERNEL, Role.HEAD) and not slot.frozen
        and slot.name in evidence.gradients
    ]  # fmt: skip
    if not kernels or not evidence.stuck.issuperset(kernels):
        return
    ops = evidence.trace.ops if evidence.trace is not None else ()
    units = (op.forward for op in ops if op.kind is Kind.ACTIVATION)
    if any(signal is not None and signal.dead == 1 for signal in units):
        return  # a layer that is dead is told as such
    if all(evidence.values[name].zero == evidence.values[name].count for name in kernels):
        return
    size = evidence.answer.output if evidence.answer is not None else None
    said = f"; the output has a root mean square of {size.rms:.3g}" if size is not None else ""
    yield Finding(
        "FI604",
        Severity.ERROR,
        tuple(kernels),
        f"all {len(kernels)} kernels have a gradient of exactly zero in five passes{said}",
        "a gradient in every kernel",
        "no step changes the output",
        "look for a factor of zero, or a detach, between the last kernel and the loss",
        title="nothing learns",
    )
