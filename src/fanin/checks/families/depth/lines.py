"""The lines along which depth acts: plain stretches of kernels, and residual streams.

A layer learns from the product of what it is fed and the gradient that comes back to it. So the one
figure of a line is that product, layer by layer, against what it would be if neither changed with
depth. One small layer in a sound network keeps its own product, and so can grow; where every
product is small nothing can, and that is what the rules of this family look for.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from fanin.checks.evidence import Evidence
from fanin.trace import Kind, Signal, Trace
from fanin.trace.structure.gating import gating
from fanin.trace.structure.graph import Graph
from fanin.trace.structure.residual import Residual, region, residual_sums

POINTS = 3
"""Points of a line from which a rate of change can be told from one odd layer."""


@dataclass(frozen=True)
class Point:
    """A place on a line: what feeds a kernel, or the sum behind a residual branch.

    Attributes:
        op: The operation whose signal it is.
        kernels: Names of the kernels that it feeds, or that wrote to the sum.
        forward: The signal.
        gradient: Norm of the gradient of the loss with respect to the whole signal; 0 where none
            arrived.
    """

    op: int
    kernels: tuple[str, ...]
    forward: Signal
    gradient: float


@dataclass(frozen=True)
class Line:
    """A line; it begins behind its first kernel, so that the size of the input has no part in it.

    Attributes:
        kind: ``"stretch"`` or ``"stream"``.
        first: Names of the kernels before its first point.
        points: Its points, in the order of execution.
        by_spread: Whether sizes are those of what differs between examples; of everything else.
        normalised: Whether norms stand on it, so that the kernels before them have no size.
    """

    kind: str
    first: tuple[str, ...]
    points: tuple[Point, ...]
    by_spread: bool
    normalised: bool = False

    @property
    def kernels(self) -> tuple[str, ...]:
        """Its kernels, each once."""
        names = (*self.first, *(name for point in self.points for name in point.kernels))
        return tuple(dict.fromkeys(names))

    @property
    def sizes(self) -> tuple[float, ...]:
        """Size of the signal at each point."""
        return tuple(_size(point.forward, self.by_spread) for point in self.points)

    @property
    def forward(self) -> float:
        """How many times larger the signal is at the last point than at the first."""
        sizes = self.sizes
        return sizes[-1] / sizes[0]

    @property
    def backward(self) -> float | None:
        """How many times larger the gradient is at the first point than at the last."""
        arrived = [point.gradient for point in self.points if point.gradient > 0]
        return arrived[0] / arrived[-1] if len(arrived) >= POINTS else None

    @property
    def strengths(self) -> tuple[float, ...]:
        """What each layer learns from, against what it would be if nothing changed with depth."""
        sizes, gradients = self.sizes, [point.gradient for point in self.points]
        if self.backward is None:
            return (self.forward,)
        if not self.by_spread:
            # One example, or equal ones: what carries a difference forward is what carries a
            # gradient back, and a bias keeps up the size of the rest.
            first = next(gradient for gradient in gradients if gradient > 0)
            sizes = tuple(first / gradient if gradient > 0 else 1.0 for gradient in gradients)
        last = next(gradient for gradient in reversed(gradients) if gradient > 0)
        between = [
            size / sizes[0] * gradient / last
            for size, gradient in zip(sizes[:-1], gradients[1:], strict=True)
        ]
        return (gradients[0] / last, *between, sizes[-1] / sizes[0])

    @property
    def strength(self) -> float:
        """The largest of the strengths: what the best placed layer learns from."""
        return max(self.strengths)

    @property
    def rate(self) -> tuple[float, float]:
        """Factor per layer of the signal, by a straight line through the logarithms, and its error.

        The error is one standard error of the factor, from the scatter about the line.
        """
        known = [(i, math.log(size)) for i, size in enumerate(self.sizes) if size > 0]
        return fitted(known)


def fitted(known: list[tuple[int, float]]) -> tuple[float, float]:
    """Fit a factor per step.

    Args:
        known: Numbers of the steps, and the logarithms there.

    Returns:
        The factor and its standard error.

    Example:
        >>> factor, error = fitted([(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.5)])
        >>> round(factor, 4), round(error, 4)
        (1.6487, 0.0)

    References:
        Ordinary least squares; the standard error of a slope is ``sqrt(s^2 / sum (x - mean)^2)``
        with ``s^2`` over n - 2 degrees of freedom.
    """
    count = len(known)
    centre = sum(x for x, _ in known) / count
    middle = sum(y for _, y in known) / count
    width = sum((x - centre) ** 2 for x, _ in known)
    slope = sum((x - centre) * (y - middle) for x, y in known) / width if width else 0.0
    left = sum((y - middle - slope * (x - centre)) ** 2 for x, y in known)
    error = math.sqrt(max(0.0, left) / (count - 2) / width) if count > 2 and width else 0.0
    return math.exp(slope), math.exp(slope) * error


def lines(evidence: Evidence) -> tuple[Line, ...]:
    """Find the lines of a network.

    Args:
        evidence: With a trace.

    Returns:
        Those with enough points to speak of depth, the longest first.
    """
    trace = evidence.trace
    if trace is None:
        return ()
    graph = Graph.of(trace.ops, trace.parameters)
    residuals = residual_sums(graph)
    zero = frozenset(name for name, (mean, std) in trace.moments.items() if not mean and not std)
    found = [*_stretches(graph, residuals, zero), *_streams(trace, graph, residuals, zero)]
    return tuple(sorted(found, key=lambda line: -len(line.points)))


def _stretches(graph: Graph, residuals: dict[int, Residual], zero: frozenset[str]) -> list[Line]:
    """Follow kernels through whatever makes one signal of one, the longest ways first."""
    reached, before = list[int | None](), dict[int, int | None]()
    length = dict[int, int]()
    for index, op in enumerate(graph.ops):
        sources = graph.sources[index]
        feeder = reached[sources[0]] if len(sources) == 1 else None
        if op.kind in (Kind.LINEAR, Kind.CONVOLUTION):
            before[index] = feeder
            length[index] = 1 if feeder is None else length[feeder] + 1
            reached.append(index if len(graph.readers[index]) < 2 else None)
        else:
            reached.append(feeder if _plain(graph, index, residuals) else None)
    found, taken = list[Line](), set[int]()
    for end in sorted(length, key=lambda index: (-length[index], index)):
        kernels, at = list[int](), end
        while at not in taken:
            kernels.append(at)
            taken.add(at)
            following = before[at]
            if following is None:
                break
            at = following
        kernels.reverse()
        ops = [(_fed(graph, index), _names(graph, index)) for index in kernels[1:]]
        normalised = any(_behind_norm(graph, index) for index in kernels[1:])
        if kernels:
            found += _line("stretch", graph, _names(graph, kernels[0]), ops, zero, normalised)
    return found


def _fed(graph: Graph, index: int) -> int:
    """Find the signal that a kernel is fed, before dropout makes holes in it."""
    at = graph.sources[index][0]
    while graph.kind(at) is Kind.DROPOUT and graph.sources[at]:
        at = graph.sources[at][0]
    return at


def _behind_norm(graph: Graph, index: int) -> bool:
    """Tell whether a norm stands between a kernel and the one before it."""
    (at,) = graph.sources[index]
    while not graph.is_kernel(at):
        if graph.kind(at) is Kind.NORM:
            return True
        (at,) = graph.sources[at]
    return False


def _plain(graph: Graph, index: int, residuals: dict[int, Residual]) -> bool:
    if index in residuals or gating(graph, index) is not None:
        return False
    # What a second reader takes comes back as a gradient that depth has no part in.
    alone = len(graph.sources[index]) == len(graph.ops[index].inputs) == 1
    alone = alone and len(graph.readers[index]) < 2
    kinds = (Kind.ACTIVATION, Kind.NORM, Kind.OTHER)
    return alone and (graph.kind(index) in kinds or graph.passes(index))


def _streams(
    trace: Trace, graph: Graph, residuals: dict[int, Residual], zero: frozenset[str]
) -> list[Line]:
    """List the sums of each stream whose branches see its size: a norm before them hides it."""
    sums = dict[int, list[tuple[int, tuple[str, ...]]]]()
    normalised = set[int]()
    for index, residual in residuals.items():
        inside = {at for end in residual.branches for at in region(graph, residual.source, end)}
        names = [name for at in sorted(inside) for name in _names(graph, at)]
        branches = [
            own.branch
            for name in names
            if (own := trace.surroundings.get(name)) is not None and own.branch is not None
        ]
        if branches and branches[0].norm != "before":
            sums.setdefault(branches[0].stream, []).append((index, tuple(names)))
            if branches[0].norm != "none":
                normalised.add(branches[0].stream)
    return [
        line
        for stream, found in sums.items()
        for line in _line("stream", graph, found[0][1], found, zero, stream in normalised)
    ]


def _names(graph: Graph, index: int) -> tuple[str, ...]:
    return tuple(found.name for found in graph.kernels(index))


def _line(
    kind: str,
    graph: Graph,
    first: tuple[str, ...],
    ops: list[tuple[int, tuple[str, ...]]],
    zero: frozenset[str],
    normalised: bool,
) -> list[Line]:
    """Make a line as far as a signal comes; what is dead or zero on purpose ends it."""
    points = list[Point]()
    wrote = first
    for index, names in ops:
        forward, back = graph.ops[index].forward, graph.ops[index].backward
        if forward is None or not forward.finite or not forward.rms > 0:
            break
        if kind == "stretch" and not zero.isdisjoint(wrote):
            break
        arrived = back.rms * math.sqrt(math.prod(back.shape)) if back is not None else 0.0
        gradient = arrived if math.isfinite(arrived) else 0.0
        points.append(Point(index, names, forward, gradient))
        wrote = names
    if len(points) < POINTS:
        return []
    by_spread = all(point.forward.spread is not None for point in points) and bool(
        points[0].forward.spread
    )
    return [Line(kind, first, tuple(points), by_spread, normalised)]


def _size(signal: Signal, by_spread: bool) -> float:
    return signal.spread if by_spread and signal.spread is not None else signal.rms


def first_step(line: Line, factor: float) -> Point:
    """Find where a signal first changes by a part of what it changes by in all.

    Args:
        line: The line.
        factor: The part, as a factor: below 1 for one that shrinks.

    Returns:
        The first point at which it has changed by that factor, or else the last.
    """
    sizes = line.sizes
    for point, (_, size) in zip(line.points[1:], pairwise(sizes), strict=True):
        if size / sizes[0] <= factor < 1 or size / sizes[0] >= factor > 1:
            return point
    return line.points[-1]
