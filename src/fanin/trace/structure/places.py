"""The places of an operation's parameters: at the ends, in an attention, at a gate.

Each place is found by walking from where it is plain to see (an input, an output, an attention, a
product) to the kernels behind it.
"""

from collections import defaultdict
from collections.abc import Iterator

from fanin.trace.ops import WEIGHTED, Kind, Part, TracedParameter, Use
from fanin.trace.structure.branches import Branches
from fanin.trace.structure.gating import gating
from fanin.trace.structure.graph import Graph
from fanin.trace.structure.residual import Residual
from fanin.trace.surroundings import Place

_ROLES = {"query": Place.QUERY, "key": Place.KEY, "value": Place.VALUE}


def places(
    graph: Graph, residuals: dict[int, Residual], branches: Branches, fed_by: list[str]
) -> dict[int, frozenset[Place]]:
    """Find the places of each operation that has any.

    Args:
        graph: The graph.
        residuals: The residual sums.
        branches: The residual branches.
        fed_by: What feeds each operation.

    Returns:
        Places by operation; `place_of` has those of single parameters.
    """
    found = defaultdict[int, set[Place]](set)
    for index in _first(graph):
        found[index].add(Place.FIRST)
    for place, start, narrow in (*_attended(graph), *_gated(graph)):
        for kernel in _behind(graph, start, residuals, narrow=narrow):
            found[kernel].add(place)
    for index, word in enumerate(fed_by):
        if word == "attention" and graph.is_kernel(index):
            found[index].add(Place.ATTENTION_OUTPUT)
    for index in _last(graph, residuals):
        if not found[index] & {Place.QUERY, Place.KEY, Place.VALUE}:
            found[index].add(Place.LAST)
    for index in branches.branch:
        inner = Place.WRITER if index in branches.writers else Place.BRANCH
        found[index].add(Place.SCALE if index in branches.scales else inner)
    for index in branches.shortcuts:
        found[index].add(Place.SHORTCUT)
    return {index: frozenset(own) for index, own in found.items()}


def place_of(parameter: TracedParameter, use: Use, kind: Kind, detail: str) -> frozenset[Place]:
    """Find the place that a parameter has by its own shape and part.

    Args:
        parameter: The parameter.
        use: The use of it.
        kind: Kind of the operation.
        detail: Detail of the operation.

    Returns:
        `POSITION` for a term with a value for each position, and for a table read by position;
        `TOKEN` for what is joined to a signal; otherwise nothing.
    """
    if use.part is Part.PIECE and kind is Kind.CONCATENATE:
        return frozenset({Place.TOKEN})
    along_several = sum(size > 1 for size in parameter.shape) > 1
    if use.part is Part.TERM and along_several:
        return frozenset({Place.POSITION})
    if use.part is Part.TABLE and detail == "positions":
        return frozenset({Place.POSITION})
    return frozenset()


def _attended(graph: Graph) -> Iterator[tuple[Place, int, bool]]:
    """List the signals that an attention takes."""
    for op in graph.ops:
        if op.kind is Kind.ATTENTION:
            for source, word in zip(op.inputs, op.detail.split(), strict=False):
                if word in _ROLES:
                    yield _ROLES[word], source, False


def _gated(graph: Graph) -> Iterator[tuple[Place, int, bool]]:
    """List the signals on both sides of a gate."""
    for index in range(len(graph.ops)):
        sides = gating(graph, index)
        if sides is not None:
            yield Place.GATE, sides.gate, True
            yield Place.GATED, sides.value, True


def _first(graph: Graph) -> list[int]:
    """Find what an input feeds with no kernel before it."""
    fed, touched, found = list[bool](), list[bool](), list[int]()
    for index, op in enumerate(graph.ops):
        # What is learned for each position, or for itself, is no kernel that an input goes through.
        aside = op.kind is Kind.EMBEDDING and op.detail in ("positions", "learned")
        before = () if aside else graph.sources[index]
        fed.append(op.kind is Kind.INPUT or any(fed[source] for source in before))
        touched.append(any(touched[source] for source in before))
        if op.kind in WEIGHTED and not aside:
            if fed[index] and not touched[index]:
                found.append(index)
            touched[index] = True
    return found


def _behind(
    graph: Graph, index: int, residuals: dict[int, Residual], *, narrow: bool = False
) -> list[int]:
    """Find the last kernels that made a signal, on every way.

    Args:
        graph: The graph.
        index: The operation that put the signal out.
        residuals: The residual sums, which no way goes behind.
        narrow: Whether to stay with what happens to this one signal, however it was joined.

    Returns:
        Operations with a kernel.
    """
    waiting, seen, found = [index], set[int](), list[int]()
    while waiting:
        at = waiting.pop()
        if at in seen or at in residuals:
            continue
        seen.add(at)
        if graph.is_kernel(at):
            found.append(at)
            continue
        match graph.kind(at):
            case Kind.ATTENTION | Kind.PRODUCT | Kind.EMBEDDING | Kind.INPUT:
                continue
            case Kind.MULTIPLY if narrow and len(graph.sources[at]) > 1:
                sides = gating(graph, at)
                waiting += [] if sides is None else [sides.value]
            case _:
                waiting += graph.sources[at]
    return found


def _last(graph: Graph, residuals: dict[int, Residual]) -> list[int]:
    """Find the kernels whose output comes out of the network."""
    ends = (Kind.OUTPUT, Kind.LOSS)
    through = {Kind.SOFTMAX, Kind.ACTIVATION, Kind.OTHER, Kind.ADD, Kind.CONCATENATE, *ends}
    waiting = [index for index, op in enumerate(graph.ops) if op.kind in ends]
    seen, found = set[int](), list[int]()
    while waiting:
        at = waiting.pop()
        if at in seen or at in residuals:
            continue
        seen.add(at)
        sides = gating(graph, at)
        if graph.kind(at) in WEIGHTED:
            found.append(at)
        elif sides is not None:
            waiting.append(sides.value)
        elif graph.kind(at) in through or graph.passes(at):
            waiting += graph.sources[at]
    return found
