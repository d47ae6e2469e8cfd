"""Residual branches: which operations they hold, who writes, and which stream they write to.

Sums are on one stream when the skip of the later one leads back to the earlier one, through norms,
one activation and one kernel at most: a projection between two stages is on the stream, two layers
are not. A branch may hold a stream of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fanin.trace.ops import Kind, Part
from fanin.trace.structure.gating import gating
from fanin.trace.structure.graph import Graph
from fanin.trace.structure.residual import Residual, region
from fanin.trace.surroundings import Branch


@dataclass(frozen=True)
class Branches:
    """What is known of the branches of a network.

    Attributes:
        branch: For each operation the innermost branch it is in.
        writers: Operations whose parameters write to a stream.
        scales: Operations that scale a whole branch by a parameter.
        shortcuts: Operations on the way around a branch.
        group: For each operation in a branch or on a shortcut a number that only those of the same
            branch, or the same shortcut, have.
    """

    branch: dict[int, Branch]
    writers: frozenset[int]
    scales: frozenset[int]
    shortcuts: frozenset[int]
    group: dict[int, int]


@dataclass(frozen=True)
class _Body:
    """One branch of one sum: what lies on its way, and that with what feeds it from the side."""

    residual: Residual
    end: int
    core: frozenset[int]
    inside: frozenset[int]


def branches(graph: Graph, residuals: dict[int, Residual]) -> Branches:
    """Read the branches off the residual sums.

    Args:
        graph: The graph.
        residuals: The residual sums.

    Returns:
        What is known of them.
    """
    bodies = [
        _body(graph, residual, end, residuals)
        for residual in residuals.values()
        for end in residual.branches
    ]
    streams = _streams(graph, residuals, bodies)
    numbers = {stream: number for number, stream in enumerate(dict.fromkeys(streams.values()))}
    counts = dict[int, int]()
    for body in bodies:
        stream = numbers[streams[body.residual.op]]
        counts[stream] = counts.get(stream, 0) + 1
    branch, group = dict[int, Branch](), dict[int, int]()
    writers, scales, shortcuts = set[int](), set[int](), set[int]()
    position, norms = dict[int, int](), _norms(graph, residuals, bodies, streams)
    for number, (body, norm) in enumerate(zip(bodies, norms, strict=True)):
        stream = numbers[streams[body.residual.op]]
        index = position.get(stream, 0)
        position[stream] = index + 1
        own = Branch(stream, index, counts[stream], _in_a_row(graph, body), norm)
        for op in body.inside:
            branch.setdefault(op, own)
            group.setdefault(op, number)
        _collect_writers(graph, body, writers, scales)
    for residual in residuals.values():
        shortcuts.update(residual.path)
        for op in residual.path:
            # Behind the numbers of the branches, one for each sum.
            group.setdefault(op, len(bodies) + residual.op)
    return Branches(branch, frozenset(writers), frozenset(scales), frozenset(shortcuts), group)


def _plain(graph: Graph, residual: Residual) -> bool:
    return not any(graph.is_kernel(index) for index in residual.path)


def _body(graph: Graph, residual: Residual, end: int, residuals: dict[int, Residual]) -> _Body:
    """Collect the operations of a branch.

    A projection next to whole stages (a feature pyramid) does not make them one branch: with a
    kernel on the skip, the branch begins behind the last sum in it.
    """
    core = region(graph, residual.source, end)
    if not _plain(graph, residual):
        stops = {index for index in core if index in residuals}

        def onward(index: int) -> Sequence[int]:
            return () if index in stops else graph.sources[index]

        core = core.intersection(graph.back(end, residual.source, onward)) - stops

    return _Body(residual, end, core, _with_sides(graph, residual, core, residuals))


def _with_sides(
    graph: Graph, residual: Residual, core: frozenset[int], residuals: dict[int, Residual]
) -> frozenset[int]:
    """Add what feeds a branch from the side, and nothing else: the keys of another signal."""
    inside = set(core)

    def follow(index: int) -> Sequence[int]:
        return graph.sources[index] if index in inside else ()

    # The latest first, so that it is settled for all readers of an operation when it comes.
    for index in graph.back_from(core, residual.source, follow):
        starts = graph.kind(index) in (Kind.INPUT, Kind.EMBEDDING) or index in residuals
        if not starts and all(reader in inside for reader in graph.readers[index]):
            inside.add(index)
    return frozenset(inside)


def _streams(
    graph: Graph, residuals: dict[int, Residual], bodies: Sequence[_Body]
) -> dict[int, int]:
    """Name the stream of each sum by the first sum on it."""
    around = dict[int, int]()
    for body in bodies:
        for index in body.inside:
            if index in residuals:
                around.setdefault(index, body.residual.op)
    streams = dict[int, int]()
    for index, residual in residuals.items():
        before = _sum_before(graph, residual, residuals)
        same = before is not None and around.get(before) == around.get(index)
        streams[index] = streams[before] if same and before is not None else index
    return streams


def _sum_before(graph: Graph, residual: Residual, residuals: dict[int, Residual]) -> int | None:
    """Follow the skip of a sum back to the sum before it on the stream."""
    waiting = [(residual.skip, 0, 0)]
    seen = set[int]()
    while waiting:
        index, kernels, activations = waiting.pop()
        if index in residuals:
            return index
        if index in seen:
            continue
        seen.add(index)
        kernels += graph.is_kernel(index)
        activations += graph.kind(index) is Kind.ACTIVATION
        if kernels > 1 or activations > 1:
            continue
        sides = gating(graph, index)
        if sides is not None:
            waiting.append((sides.value, kernels, activations))
        elif graph.passes(index) or graph.kind(index) in (
            Kind.LINEAR,
            Kind.CONVOLUTION,
            Kind.ACTIVATION,
            Kind.NORM,
            Kind.ADD,
        ):
            waiting += [(source, kernels, activations) for source in graph.sources[index]]
    return None


def _in_a_row(graph: Graph, body: _Body) -> int:
    """Count the kernels on the longest way through a branch; a gate is beside the way."""
    longest = dict[int, int]()
    for index in sorted(body.core):
        sides = gating(graph, index)
        before = graph.sources[index] if sides is None else (sides.value,)
        reached = max((longest.get(source, 0) for source in before), default=0)
        longest[index] = reached + graph.is_kernel(index)
    return longest.get(body.end, 0)


def _norms(
    graph: Graph,
    residuals: dict[int, Residual],
    bodies: Sequence[_Body],
    streams: dict[int, int],
) -> list[str]:
    """Tell where each branch is normalised."""
    sums = dict[int, list[int]]()
    for index, stream in streams.items():
        sums.setdefault(stream, []).append(index)
    # A norm between two stages or before the head does not make a stream one of normalised sums.
    normalised = {
        stream: 2 * sum(_normalised_sum(graph, index, residuals) for index in own) > len(own)
        for stream, own in sums.items()
    }
    words = list[str]()
    for body in bodies:
        after = normalised[streams[body.residual.op]]
        kinds = {graph.kind(index) for index in body.inside}
        if _begins_with_norm(graph, body):
            words.append("before")
        elif after:
            words.append("after")
        else:
            words.append("inside" if Kind.NORM in kinds else "none")
    return words


def _begins_with_norm(graph: Graph, body: _Body) -> bool:
    """Tell whether a norm stands before the first kernel on every way into the branch."""
    waiting = [index for index in graph.readers[body.residual.source] if index in body.inside]
    seen, norms = set[int](), 0
    while waiting:
        index = waiting.pop()
        if index in seen or index not in body.inside:
            continue
        seen.add(index)
        if graph.kind(index) is Kind.NORM:
            norms += 1
        elif graph.is_kernel(index):
            return False
        else:
            waiting += graph.readers[index]
    return norms > 0


def _normalised_sum(graph: Graph, index: int, residuals: dict[int, Residual]) -> bool:
    """Tell whether all that is read of a sum is read through a norm."""
    waiting, norms = [*graph.readers[index]], 0
    alone = len(waiting) == 1
    while waiting:
        reader = waiting.pop()
        if graph.kind(reader) is Kind.NORM:
            norms += 1
        elif graph.passes(reader) or (alone and reader in residuals):
            waiting += graph.readers[reader]
        else:
            return False
    return norms > 0


def _collect_writers(graph: Graph, body: _Body, writers: set[int], scales: set[int]) -> None:
    """Walk back from the sum to whatever wrote last, on every way."""
    waiting, seen = [body.end], set[int]()
    while waiting:
        index = waiting.pop()
        if index in seen or index not in body.core:
            continue
        seen.add(index)
        if graph.is_kernel(index) or graph.has(index, Part.GAIN):
            writers.add(index)
            continue
        if graph.kind(index) is Kind.MULTIPLY and graph.has(index, Part.FACTOR):
            scales.add(index)
        sides = gating(graph, index)
        if sides is not None:
            waiting.append(sides.value if sides.value in body.core else sides.gate)
        elif graph.kind(index) is Kind.ATTENTION:
            waiting.append(graph.sources[index][-1])
        else:
            waiting += graph.sources[index]
