"""The operations of a trace as a graph that can be walked both ways.

Operations come in the order of execution, so a source always has a smaller index than its reader.
That is the one idea here: a walk back to an operation never has to look at what came before it,
and whatever is worked out once for each operation, in order, costs time in proportion to the graph.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from fanin.errors import FaninError
from fanin.trace.ops import WEIGHTED, Kind, Op, Part, TracedParameter, Use

Uses = tuple[tuple[TracedParameter, Use], ...]

KERNELS = frozenset({Part.KERNEL, Part.STATE_KERNEL})
"""Parts that are multiplied with a signal."""

_MOVES = frozenset(
    """constant_pad_nd flip gather index index_select interpolate pad pixel_shuffle pixel_unshuffle
    repeat repeat_interleave roll take_along_dim upsample""".split()  # noqa: SIM905
)
"""Functions that put the values of a signal elsewhere and change none."""


@dataclass(frozen=True)
class Graph:
    """Operations, who reads them, and the parameters they use.

    Attributes:
        ops: The operations, in the order of execution.
        sources: For each operation the different operations it reads, in the order of its inputs.
        readers: For each operation the operations that read it, in order; without those that
            nothing comes of, unless nothing comes of the operation itself.
        uses: For each operation the parameters it takes, with the use.
    """

    ops: tuple[Op, ...]
    sources: tuple[tuple[int, ...], ...]
    readers: tuple[tuple[int, ...], ...]
    uses: tuple[Uses, ...]

    @staticmethod
    def of(ops: Iterable[Op], parameters: Iterable[TracedParameter]) -> "Graph":
        """Connect the operations.

        Args:
            ops: In the order of execution.
            parameters: With their uses.

        Returns:
            The graph.

        Raises:
            FaninError: An operation reads one that does not come before it, or a parameter is used
                by one that is not there.
        """
        ordered = tuple(ops)
        sources = tuple(tuple(dict.fromkeys(op.inputs)) for op in ordered)
        for index, op in enumerate(ordered):
            for source in sources[index]:
                if not 0 <= source < index:
                    raise FaninError(
                        f"operation {index} ({op.function}) reads operation {source}, which does "
                        "not come before it: ops must be in the order of execution"
                    )
        uses = [list[tuple[TracedParameter, Use]]() for _ in ordered]
        for parameter in parameters:
            for use in parameter.uses:
                if not 0 <= use.op < len(ordered):
                    raise FaninError(
                        f"{parameter.name} is used by operation {use.op}, and there are "
                        f"{len(ordered)}: pass ops and parameters of the same trace"
                    )
                uses[use.op].append((parameter, use))
        return Graph(
            ordered,
            sources,
            _readers(ordered, sources),
            tuple(tuple(found) for found in uses),
        )

    def kind(self, index: int) -> Kind:
        """Name what an operation does."""
        return self.ops[index].kind

    def has(self, index: int, *parts: Part) -> bool:
        """Tell whether an operation takes a parameter as one of some parts."""
        return any(use.part in parts for _, use in self.uses[index])

    def is_kernel(self, index: int) -> bool:
        """Tell whether an operation makes new units out of a signal."""
        return self.kind(index) in WEIGHTED and self.kind(index) is not Kind.EMBEDDING

    def kernels(self, index: int) -> tuple[TracedParameter, ...]:
        """List the kernels that an operation multiplies with."""
        return tuple(found for found, use in self.uses[index] if use.part in KERNELS)

    def passes(self, index: int) -> bool:
        """Tell whether a signal comes out as what it was: moved, scaled, shifted or thinned out."""
        op, sources = self.ops[index], self.sources[index]
        if len(sources) != 1:
            return False
        match op.kind:
            case Kind.DROPOUT | Kind.POOL | Kind.ADD | Kind.CONCATENATE | Kind.OUTPUT:
                return True
            case Kind.MULTIPLY:
                return len(op.inputs) == 1  # x * x is another signal
            case Kind.OTHER:
                return op.function.strip("_") in _MOVES
            case _:
                return False

    def telling(self, index: int) -> int:
        """Walk back through what a signal passes unchanged, to where it was made."""
        while self.passes(index):
            (index,) = self.sources[index]
        return index

    def back(
        self, start: int, after: int, follow: Callable[[int], Iterable[int]] | None = None
    ) -> Iterator[int]:
        """Walk back from an operation, the latest first.

        Args:
            start: Where to begin; it comes first.
            after: Only operations behind this one are visited.
            follow: Which sources of an operation to go on to; all of them by default.

        Yields:
            Every operation reached, once.
        """
        return self.back_from((start,), after, follow)

    def back_from(
        self,
        starts: Iterable[int],
        after: int = -1,
        follow: Callable[[int], Iterable[int]] | None = None,
    ) -> Iterator[int]:
        """Walk back from several operations, as `back` does from one."""
        waiting = [-index for index in set(starts) if index > after]
        heapify(waiting)
        seen = set(waiting)
        while waiting:
            index = -heappop(waiting)
            yield index
            for source in self.sources[index] if follow is None else follow(index):
                if source > after and -source not in seen:
                    seen.add(-source)
                    heappush(waiting, -source)

    def leads(self, source: int, index: int) -> bool:
        """Tell whether a signal has any way from one operation to another."""
        return any(found == source for found in self.back(index, source - 1))


def _readers(
    ops: tuple[Op, ...], sources: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    """Turn the sources around.

    A function that was recognised as a whole leaves the steps of its formula behind; they read what
    it reads and lead nowhere.
    """
    alive = [op.kind in (Kind.OUTPUT, Kind.LOSS) for op in ops]
    for index in reversed(range(len(ops))):
        if alive[index]:
            for source in sources[index]:
                alive[source] = True
    readers = [list[int]() for _ in ops]
    for index in range(len(ops)):
        for source in sources[index]:
            if alive[index] or not alive[source]:
                readers[source].append(index)
    return tuple(tuple(found) for found in readers)
