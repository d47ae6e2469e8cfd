"""What stands before and behind a unit, for the rules that look at single units."""

from fanin.trace import Kind, Trace
from fanin.trace.structure.gating import gating
from fanin.trace.structure.graph import Graph
from fanin.trace.structure.residual import residual_sums

MADE = frozenset({Kind.LINEAR, Kind.CONVOLUTION, Kind.NORM})
"""What makes a pre-activation that can have either sign."""


def graph_of(trace: Trace) -> Graph:
    """Connect the operations of a trace.

    Args:
        trace: The trace.

    Returns:
        The graph.
    """
    return Graph.of(trace.ops, trace.parameters)


def kernels_before(graph: Graph, index: int) -> tuple[str, ...]:
    """Name the kernels whose units an operation acts on.

    Args:
        graph: The graph.
        index: The operation.

    Returns:
        Their names: through norms, factors, terms and dropout, and no further.
    """
    waiting, names = [*graph.sources[index]], list[str]()
    seen = set[int]()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        if graph.is_kernel(at):
            names += [own.name for own in graph.kernels(at)]
        elif graph.passes(at) or graph.kind(at) is Kind.NORM:
            waiting += graph.sources[at]
    return tuple(dict.fromkeys(names))


def label(graph: Graph, index: int) -> tuple[str, ...]:
    """Say where an operation is: by the kernels before it, or else by its module.

    Args:
        graph: The graph.
        index: The operation.

    Returns:
        Names.
    """
    op = graph.ops[index]
    return kernels_before(graph, index) or (op.path or op.function,)


def is_made(graph: Graph, index: int) -> bool:
    """Tell whether an operation acts on a pre-activation: what a kernel, a norm or a sum made.

    Args:
        graph: The graph.
        index: The operation.

    Returns:
        Whether it does.
    """
    sources = graph.sources[index]
    if len(sources) != 1:
        return False
    at = graph.telling(sources[0])
    return graph.kind(at) in MADE or at in residual_sums(graph)


def is_gate(graph: Graph, index: int) -> bool:
    """Tell whether a signal only decides how much of another passes.

    Args:
        graph: The graph.
        index: The operation.

    Returns:
        Whether a product takes it as its gate, or as what a gate lets through.
    """
    waiting, seen = [index], set[int]()
    while waiting:
        at = waiting.pop()
        for reader in graph.readers[at]:
            if gating(graph, reader) is not None:
                return True
            if graph.passes(reader) and reader not in seen:
                seen.add(reader)
                waiting.append(reader)
    return False


def is_answer(graph: Graph, index: int) -> bool:
    """Tell whether a signal leaves the network without another kernel.

    Args:
        graph: The graph.
        index: The operation.

    Returns:
        Whether nothing behind it makes new units.
    """
    waiting, seen = [index], set[int]()
    while waiting:
        at = waiting.pop()
        for reader in graph.readers[at]:
            if graph.is_kernel(reader) or graph.kind(reader) in (Kind.PRODUCT, Kind.ATTENTION):
                return False
            if reader not in seen:
                seen.add(reader)
                waiting.append(reader)
    return True
