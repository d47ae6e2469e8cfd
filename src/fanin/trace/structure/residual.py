"""Residual sums: a signal plus what was computed from it.

A sum is residual when one summand, the skip, can be followed back to a signal that the other was
computed from, with no activation and at most one kernel on the way. Following the *other* summand
back, earlier residual sums are left through their skip. So a position or a mask that is added again
in every block is no skip, although the blocks before it have seen it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fanin.trace.ops import Kind
from fanin.trace.structure.gating import gating
from fanin.trace.structure.graph import Graph

_NONLINEAR = frozenset({Kind.ACTIVATION, Kind.ATTENTION, Kind.SOFTMAX, Kind.RECURRENT})

_PARALLEL = 8
"""Summands of one sum that may have been added one by one."""

_SUBTRAHEND = {"sub": 1, "subtract": 1, "rsub": 0}
"""Functions that are differences, and the place of what they take away."""


@dataclass(frozen=True)
class Residual:
    """A residual sum.

    Attributes:
        op: Index of the sum.
        source: The operation where skip and branches part.
        skip: The summand that goes around.
        path: What stands on the skip, from the summand back, without the source: empty for a plain
            one.
        branches: The other summands.
    """

    op: int
    source: int
    skip: int
    path: tuple[int, ...]
    branches: tuple[int, ...]


@dataclass(frozen=True)
class _Step:
    """A place on the way back along a summand, and how it was reached."""

    op: int
    path: tuple[int, ...]
    kernels: int


def residual_sums(graph: Graph) -> dict[int, Residual]:
    """Find the residual sums.

    Args:
        graph: The graph.

    Returns:
        By the index of the sum, in the order of execution.
    """
    found = dict[int, Residual]()
    for index, op in enumerate(graph.ops):
        if op.kind is Kind.ADD and len(graph.sources[index]) > 1:
            residual = _residual(graph, index, found)
            if residual is not None:
                found[index] = residual
    return found


def region(graph: Graph, source: int, end: int) -> frozenset[int]:
    """Collect the operations of a branch.

    Args:
        graph: The graph.
        source: Where it begins; not part of it.
        end: Where it ends; the last of it.

    Returns:
        What lies on a way from one to the other.
    """
    inside = set[int]()
    for index in sorted(graph.back(end, source)):
        if any(before == source or before in inside for before in graph.sources[index]):
            inside.add(index)
    return frozenset(inside)


def _residual(graph: Graph, index: int, known: dict[int, Residual]) -> Residual | None:
    summands = sorted(graph.sources[index])
    skips = [summand for summand in summands if summand != _taken_away(graph, index)]
    for kernels in (0, 1):
        for skip in skips:
            others = [other for other in summands if other != skip]
            steps = [step for step in _steps(graph, skip, known) if step.kernels == kernels]
            for step, reached in _meeting(graph, steps, others, known):
                if _is_branch(graph, step, reached):
                    branches = [part for end in reached for part in _parts(graph, step.op, end)]
                    path = step.path
                    return Residual(index, step.op, skip, path, tuple(sorted(branches)))
    return None


def _taken_away(graph: Graph, index: int) -> int | None:
    """Find what a difference takes away: f(x) - x is no step from x, but how far f is from it."""
    place = _SUBTRAHEND.get(graph.ops[index].function.strip("_"))
    return None if place is None else graph.ops[index].inputs[place]


def _steps(graph: Graph, skip: int, known: dict[int, Residual]) -> Iterator[_Step]:
    """Follow a summand back as far as it may still be a skip."""
    index, path, kernels, sums, own = skip, list[int](), 0, 0, True
    while True:
        yield _Step(index, tuple(path), kernels)
        own = own and len(graph.readers[index]) == 1
        if index in known:
            # x + attention(x) + mlp(x): the first sum is a step on the way of the second.
            if not own or len(path) > sums or sums == _PARALLEL:
                return
            sums += 1
            following = known[index].skip
        elif graph.passes(index) or graph.kind(index) is Kind.NORM:
            following = graph.sources[index][0] if graph.sources[index] else None
        elif graph.is_kernel(index):
            alone = all(len(parameter.uses) == 1 for parameter in graph.kernels(index))
            if kernels or not own or not alone:
                return
            kernels = 1
            following = graph.sources[index][0] if graph.sources[index] else None
        else:
            sides = gating(graph, index)
            following = None if sides is None else sides.value
        if following is None:
            return
        path.append(index)
        index = following


def _meeting(
    graph: Graph, steps: list[_Step], others: list[int], known: dict[int, Residual]
) -> Iterator[tuple[_Step, list[int]]]:
    """Pair each step with the other summands that were computed from it, the nearest first."""

    def follow(index: int) -> tuple[int, ...]:
        return (known[index].skip,) if index in known else graph.sources[index]

    if not steps:
        return
    walks = {other: graph.back(other, steps[-1].op - 1, follow) for other in others}
    seen = {other: set[int]() for other in others}
    for step in steps:
        for other, walk in walks.items():
            if step.op not in seen[other]:
                for index in walk:
                    seen[other].add(index)
                    if index <= step.op:
                        break
        reached = [other for other in others if step.op in seen[other] and other != step.op]
        if len(reached) == len(others):
            yield step, reached


def _is_branch(graph: Graph, step: _Step, ends: list[int]) -> bool:
    """Tell whether something is learned between the source and each of the ends.

    Next to a kernel on the skip that is not enough: two kernels side by side (and a low-rank update
    of one, as in LoRA) are one linear map, and no branch.
    """
    for end in ends:
        inside = region(graph, step.op, end)
        if not any(graph.is_kernel(index) for index in inside):
            return False
        if step.kernels and not any(graph.kind(index) in _NONLINEAR for index in inside):
            return False
    return True


def _parts(graph: Graph, source: int, end: int) -> list[int]:
    """Take a sum of several branches apart: those that share no kernel."""
    waiting, found = [end], list[int]()
    while waiting:
        at = waiting.pop()
        parts = graph.sources[at]
        if graph.kind(at) is not Kind.ADD or len(parts) < 2 or len(graph.readers[at]) > 1:
            found.append(at)
            continue
        kernels = [
            {index for index in region(graph, source, part) if graph.is_kernel(index)}
            for part in parts
        ]
        apart = len(set[int]().union(*kernels)) == sum(map(len, kernels))
        if apart and all(kernels):
            waiting += parts
        else:
            found.append(at)
    return found
