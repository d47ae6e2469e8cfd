"""Activations that start on the flat part of their curve."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.units.graph import graph_of, is_answer, is_gate, is_made, label
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.trace import Kind

BOUNDED = frozenset({"tanh", "sigmoid", "erf", "hardtanh", "hardsigmoid"})
"""Activations that are flat at both ends."""

MOST = 0.5
"""Part of the elements from which an activation passes less than it holds back."""

ALL = 0.99
"""Part from which a layer passes less than a hundredth of the squared gradient."""


@rule("FI501", "saturated units", Severity.ERROR, Probe.SIGNAL, symptom=True)
def saturated(evidence: Evidence) -> Iterator[Finding]:
    """Most pre-activations lie where tanh, sigmoid or their hard forms are flat.

    Flat is where the slope is below a hundredth of the largest: beyond 3 for tanh, beyond 6 for
    sigmoid.

    Why it hurts:
        A gradient that goes through a flat place is lost. The units move only as their few
        unsaturated examples ask, and the first large step can fix them there for good.

    Example:
        Weights of std 1 into tanh with a fan_in of 100: pre-activations of 10.

    Mend:
        Start the kernel with `glorot_normal`; normalise the inputs, where those are large.

    When it is fine:
        Gates, which rest open or closed by their bias, and the last activation of a network, whose
        bias may hold a prior, are not looked at.

    Threshold:
        The mean square of a gradient is multiplied by the unsaturated part or less. A warning where
        more than half is saturated; for pre-activations of variance 1 it is 0.3 % for tanh, next to
        nothing for sigmoid, and 32 % for hardtanh. An error from 99 % on: ten times less gradient
        at every such layer.

    Source:
        Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
        networks, section 3; LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, section 4.6.
    """
    trace = evidence.trace
    if trace is None:
        return
    graph = graph_of(trace)
    found = list[tuple[float, int]]()
    for index, op in enumerate(graph.ops):
        if op.kind is not Kind.ACTIVATION or op.detail.partition("(")[0] not in BOUNDED:
            continue
        part = op.forward.saturated if op.forward is not None else None
        if part is None or not part > MOST:
            continue
        if is_made(graph, index) and not is_gate(graph, index) and not is_answer(graph, index):
            found.append((part, index))
    if not found:
        return
    worst, index = max(found)
    op = graph.ops[index]
    before = graph.ops[graph.sources[index][0]].forward
    fed = f", fed by pre-activations of rms {before.rms:.3g}" if before is not None else ""
    more = f"; {len(found)} layers in all" if len(found) > 1 else ""
    yield Finding(
        "FI501",
        Severity.ERROR if worst >= ALL else Severity.WARNING,
        tuple(dict.fromkeys(name for _, at in sorted(found)[::-1] for name in label(graph, at))),
        f"{worst:.0%} of what {op.detail} puts out is flat{fed}{more}",
        "pre-activations of rms about 1, of which next to none are flat",
        f"at most {1 - worst:.1%} of the squared gradient comes through",
        "start the kernel before it with glorot_normal, and normalise inputs that are large",
        title="activations are saturated",
        facts={"saturated": worst, "layers": len(found)},
    )
