"""What stands around every parameter of a network, read off the graph of its operations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fanin.trace.ops import Kind, Op, Part, TracedParameter, Use
from fanin.trace.structure.attention import with_attention
from fanin.trace.structure.branches import Branches, branches
from fanin.trace.structure.chains import Chains, chains
from fanin.trace.structure.graph import KERNELS, Graph
from fanin.trace.structure.places import place_of, places
from fanin.trace.structure.residual import residual_sums
from fanin.trace.structure.words import agreed, goes_to, made
from fanin.trace.surroundings import Place, Surroundings


@dataclass(frozen=True)
class _Facts:
    """All that was read off a graph, by operation."""

    graph: Graph
    fed_by: list[str]
    followed_by: list[str]
    places: dict[int, frozenset[Place]]
    branches: Branches
    chains: Chains


def surroundings(
    ops: Sequence[Op], parameters: Sequence[TracedParameter]
) -> dict[str, Surroundings]:
    """Find out what stands around each parameter.

    A parameter that is used several times has the surroundings of its first use as a kernel, or
    else as a table, or else of its first use, and the places of all uses of that kind. A bias has
    the surroundings of the kernel it goes with.

    Args:
        ops: Operations in the order of execution.
        parameters: Parameters with their uses.

    Returns:
        By name; a parameter without uses has nothing around it.

    Raises:
        FaninError: An operation reads one that does not come before it, or a parameter is used by
            one that is not there.

    Example:
        >>> ops = (
        ...     Op(Kind.INPUT, "input"),
        ...     Op(Kind.LINEAR, "linear", inputs=(0,)),
        ...     Op(Kind.ACTIVATION, "relu", inputs=(1,), detail="relu"),
        ...     Op(Kind.OUTPUT, "output", inputs=(2,)),
        ... )
        >>> weight = TracedParameter("0.weight", (8, 4), uses=(Use(1, Part.KERNEL),))
        >>> around = surroundings(ops, [weight])["0.weight"]
        >>> around.fed_by, around.followed_by, ", ".join(sorted(around.places))
        ('input', 'relu', 'first, last')
    """
    by_use = surroundings_by_use(ops, parameters)
    return {
        parameter.name: _together(parameter.uses, by_use[parameter.name])
        for parameter in parameters
    }


def surroundings_by_use(
    ops: Sequence[Op], parameters: Sequence[TracedParameter]
) -> dict[str, tuple[Surroundings, ...]]:
    """Find out what stands around each parameter in each of its uses, as for tied weights.

    Args:
        ops: Operations in the order of execution.
        parameters: Parameters with their uses.

    Returns:
        By name, in the order of the uses.

    Raises:
        FaninError: As `surroundings`.
    """
    facts = _facts(Graph.of(with_attention(ops), parameters))
    return {
        parameter.name: tuple(_around(facts, parameter, use) for use in parameter.uses)
        for parameter in parameters
    }


def _facts(graph: Graph) -> _Facts:
    residuals = residual_sums(graph)
    bodies = branches(graph, residuals)
    words = made(graph, residuals)
    fed_by = [agreed(words[source] for source in sources) for sources in graph.sources]
    return _Facts(
        graph,
        fed_by,
        goes_to(graph, residuals),
        places(graph, residuals, bodies, fed_by),
        bodies,
        chains(graph, residuals, bodies.group),
    )


def _together(uses: Sequence[Use], found: Sequence[Surroundings]) -> Surroundings:
    """Put the uses of one parameter together."""
    if not found:
        return Surroundings()
    ranks = [2 * (use.part not in KERNELS) - (use.part is Part.TABLE) for use in uses]
    best = ranks.index(min(ranks))
    alike = [own for rank, own in zip(ranks, found, strict=True) if rank == ranks[best]]
    everywhere = frozenset[Place]().union(*(own.places for own in alike))
    return replace(found[best], places=everywhere)


def _around(facts: _Facts, parameter: TracedParameter, use: Use) -> Surroundings:
    graph = facts.graph
    parameter, use = _companion(graph, parameter, use)
    index = _home(graph, use)
    entry = _entry(graph, index, use)
    op = graph.ops[index]
    own = place_of(parameter, use, op.kind, op.detail)
    at = facts.places.get(index, frozenset())
    fed_by, input_rms = facts.fed_by[entry], _input_rms(graph, index, use)
    deeper = _is_deeper(graph, parameter, use)
    if use.part is Part.STATE_KERNEL or deeper:
        fed_by, at = "state", at - {Place.FIRST}
        input_rms = None if deeper else input_rms
    elif own and use.part is not Part.TABLE:
        # A position or a token is nothing that a signal goes through: it joins one.
        fed_by = ""
    return Surroundings(
        fed_by=fed_by,
        followed_by=facts.followed_by[index],
        places=at | own,
        branch=facts.branches.branch.get(index),
        chain=facts.chains.chain.get(index),
        input_rms=input_rms,
        steps=op.steps,
        paired=index in facts.chains.paired,
    )


def _companion(graph: Graph, parameter: TracedParameter, use: Use) -> tuple[TracedParameter, Use]:
    """Take the kernel of a recurrent layer for its bias: they come in the same order."""
    if graph.kind(use.op) is Kind.RECURRENT and use.part is Part.BIAS:
        pairs = graph.uses[use.op]
        kernels = [pair for pair in pairs if pair[1].part in KERNELS]
        biases = [found.name for found, own in pairs if own.part is Part.BIAS]
        if len(biases) == len(kernels):
            return kernels[biases.index(parameter.name)]
    return parameter, use


def _home(graph: Graph, use: Use) -> int:
    """Find the operation that a parameter belongs to.

    A bias or an offset that is added in a step of its own belongs where its kernel or gain is.
    """
    index = use.op
    if use.part in (Part.BIAS, Part.OFFSET) and graph.kind(index) is Kind.ADD:
        before = graph.sources[index][0] if graph.passes(index) else index
        if graph.is_kernel(before) or graph.has(before, Part.GAIN):
            return before
    return index


def _entry(graph: Graph, index: int, use: Use) -> int:
    """Find the operation whose input a parameter is fed by: for a gain by hand that of its norm."""
    if use.part in (Part.GAIN, Part.OFFSET):
        norm = graph.telling(index)
        if graph.kind(norm) is Kind.NORM:
            return norm
    return index


def _is_deeper(graph: Graph, parameter: TracedParameter, use: Use) -> bool:
    """Tell whether an input kernel belongs to a second or later layer of a recurrent stack."""
    op = graph.ops[use.op]
    if op.kind is not Kind.RECURRENT or use.part is not Part.KERNEL:
        return False
    pairs = graph.uses[use.op]
    layers = [found.name for found, own in pairs if own.part is Part.KERNEL]
    widths = [
        own.layout.stack(found.shape)[2]
        for found, own in pairs
        if own.part is Part.STATE_KERNEL and own.layout is not None
    ]
    directions = op.forward.shape[-1] // widths[0] if op.forward and widths else 1
    return layers.index(parameter.name) >= max(1, directions)


def _input_rms(graph: Graph, index: int, use: Use) -> float | None:
    """Look up how large the signal is that a kernel or a factor is multiplied with."""
    if use.part is Part.STATE_KERNEL:
        signal = graph.ops[index].forward
    elif use.part in (Part.KERNEL, Part.BIAS, Part.FACTOR) and graph.sources[index]:
        signal = graph.ops[graph.sources[index][0]].forward
    else:
        signal = None
    return None if signal is None else signal.rms
