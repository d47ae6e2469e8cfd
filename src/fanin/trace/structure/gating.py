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
    while True:
        op, sources = graph.ops[index], graph.sources[index]
        if op.kind is Kind.SOFTMAX:
            return "softmax"
        if op.kind is Kind.ACTIVATION:
            return activation_name(op)
        # A router's choice among its softmax (topk, gather) is no activation, and still its gate.
        if not graph.passes(index) and (op.kind is not Kind.OTHER or len(sources) != 1):
            return ""
        (index,) = sources
