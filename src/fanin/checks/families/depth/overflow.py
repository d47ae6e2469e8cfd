"""A signal that leaves the range of its dtype on the way."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.trace import Kind, Op, Part, Trace


@rule("FI404", "signal not finite", Severity.ERROR, Probe.SIGNAL, symptom=True)
def overflows(evidence: Evidence) -> Iterator[Finding]:
    """An operation makes infinity or nan out of finite numbers.

    Why it hurts:
        The loss is nan, and after one step every weight is.

    Example:
        A kernel that is 100 times too large, in float16, whose largest number is 65504; the
        logarithm of a zero; a division by a deviation that is zero.

    Mend:
        See what feeds the operation: its size, or a zero in it. Start the kernels before it
        smaller, or add a small number to what is divided by.

    When it is fine:
        Masks of minus infinity that a softmax takes in; they are not followed here, since what
        comes out behind the softmax is finite.

    Threshold:
        One element is enough, provided that the output or the gradients are touched by it: a
        signal that is finite again further on has only been masked.

    Source:
        IEEE 754-2019, section 7, on how infinities and nan arise.
    """
    trace = evidence.trace
    if trace is None or not _reaches_the_end(trace):
        return
    for index, op in enumerate(trace.ops):
        if op.forward is None or op.forward.finite:
            continue
        if not all(_finite(trace.ops[source]) for source in op.inputs):
            continue
        names = [
            parameter.name
            for parameter in trace.parameters
            if any(use.op == index and use.part is not Part.OTHER for use in parameter.uses)
        ]
        if not all(evidence.values[name].finite for name in names if name in evidence.values):
            continue  # the parameter is the cause, and has a finding of its own
        if op.kind is Kind.INPUT:
            said, mend = "the batch holds nan or infinity", "look at how the batch is made"
        else:
            before = [trace.ops[source].forward for source in op.inputs]
            known = [f"{signal.rms:.3g}" for signal in before if signal is not None]
            fed = f" from a signal of rms {', '.join(known)}" if known else ""
            said = f"{op.function} puts out nan or infinity{fed}"
            mend = "see what feeds it: a kernel that is too large, or a zero where none may be"
        yield Finding(
            "FI404",
            Severity.ERROR,
            tuple(names) or (op.path or op.function,),
            said,
            "finite numbers",
            "the loss is nan, and after one step so is every weight",
            mend,
            title="the signal is not finite",
            facts={"operation": op.function, "module": op.path},
        )
        return


def _finite(op: Op) -> bool:
    return op.forward is None or op.forward.finite


def _reaches_the_end(trace: Trace) -> bool:
    value = trace.loss_value
    if value is not None:
        return not abs(value) < float("inf")
    ends = [source for op in trace.ops if op.kind is Kind.OUTPUT for source in op.inputs]
    return not all(_finite(trace.ops[source]) for source in ends)
