"""Products of two signals of which one decides how much of the other passes.

What comes through an activation or a softmax is the gate. Where both sides do, the gate is the one
that was computed from the other (squeeze and excite), or else the one that is bounded.
"""

from dataclasses import dataclass

from fanin.trace.ops import Kind, Op
from fanin.trace.structure.graph import Graph

_FUSED = {"glu": "sigmoid", "swiglu": "silu", "geglu": "gelu", "reglu": "relu"}
"""Functions that cut a signal in two and gate one half with the other, and how."""

_BOUNDED = {"softmax": 2, "sigmoid": 2, "hardsigmoid": 2, "tanh": 1, "hardtanh": 1, "softsign": 1}
"""How much an activation looks like a gate, next to another one."""


@dataclass(frozen=True)
class Gating:
    """A product of a signal and its gate.

    Attributes:
        gate: The operation whose signal opens and closes; its activation included.
        value: The operation whose signal is let through.
        name: Activation of the gate.
    """

    gate: int
    value: int
    name: str


def gating(graph: Graph, index: int) -> Gating | None:
    """Tell gate and value of a product apart.

    Args:
        graph: The graph.
        index: Any operation.

    Returns:
        Its two sides, which are the same for a function that cuts its input in two; None for what
        gates nothing.
    """
    op, sources = graph.ops[index], graph.sources[index]
    if op.kind in (Kind.ACTIVATION, Kind.OTHER) and len(sources) == 1:
        name = _FUSED.get(activation_name(op))
        return None if name is None else Gating(sources[0], sources[0], name)
    if op.kind is not Kind.MULTIPLY or len(sources) != 2:
        return None
    squashed = {source: _squashed(graph, source) for source in sources}
    gates = [source for source in sources if squashed[source]]
    if not gates:
        return None
    if len(gates) == 2:
        early, late = sorted(sources)
        by_bound = sorted(sources, key=lambda source: -_BOUNDED.get(squashed[source], 0))
        gate = late if graph.leads(early, late) else by_bound[0]
    else:
        (gate,) = gates
    return Gating(gate, sources[0] if gate == sources[1] else sources[1], squashed[gate])


def modulated(graph: Graph, index: int) -> int | None:
    """Find the signal that a condition scales by 1 + s, or scales and then shifts.

    Args:
        graph: The graph.
        index: Any operation.

    Returns:
        The source that stays what it is while s is small; None for any other operation.

    References:
        Perez, Strub, de Vries, Dumoulin and Courville (2018), FiLM: Visual Reasoning with a General
        Conditioning Layer, section 2; Peebles and Xie (2023), Scalable Diffusion Models with
        Transformers, section 3.2, for layer norms.
    """
    sources = graph.sources[index]
    if len(sources) != 2:
        return None
    for own, other in (sources, sources[::-1]):
        if graph.kind(index) is Kind.MULTIPLY and _is_one_plus(graph, other):
            return own
        if graph.kind(index) is Kind.ADD and graph.kind(own) is Kind.MULTIPLY:
            inner = modulated(graph, own)
            scales = [source for source in graph.sources[own] if source != inner]
            if inner is not None and _condition(graph, scales[0]) == _condition(graph, other):
                return own
    return None


def _is_one_plus(graph: Graph, index: int) -> bool:
    op = graph.ops[index]
    return op.kind is Kind.ADD and op.detail == "1" and len(graph.sources[index]) == 1


def _condition(graph: Graph, index: int) -> int:
    """Find what a scale or a shift was computed from: behind one kernel."""
    index = graph.telling(index)
    if graph.is_kernel(index) and graph.sources[index]:
        return graph.telling(graph.sources[index][0])
    return index


def activation_name(op: Op) -> str:
    """Name the function of one signal that an operation is.

    Args:
        op: An operation of kind `ACTIVATION`, `SOFTMAX` or `OTHER`.

    Returns:
        As `fanin.theory` reads it where that is known, or else its own name.
    """
    return op.detail or op.function.strip("_")


def _squashed(graph: Graph, index: int) -> str:
    """Name the activation or softmax that a signal comes through; empty for none."""
    normalised = False
    while True:
        op, sources = graph.ops[index], graph.sources[index]
        name = "softmax" if op.kind is Kind.SOFTMAX else activation_name(op)
        if op.kind in (Kind.SOFTMAX, Kind.ACTIVATION):
            return name if not normalised or _BOUNDED.get(name) == 2 else ""
        # A router picks from its softmax (topk, gather), may make the picked sum to 1 again, and
        # is still the gate.
        routed = op.kind is Kind.OTHER or (op.kind is Kind.NORM and op.detail == "by hand")
        if len(sources) != 1 or not (routed or graph.passes(index)):
            return ""
        normalised = normalised or op.kind is Kind.NORM
        (index,) = sources
