"""The size of a signal behind an operation, from the sizes before it."""

import math
from collections.abc import Sequence

from fanin.trace.ops import Kind, Op, Part
from fanin.trace.prediction.activations import passed
from fanin.trace.prediction.held import Held, count
from fanin.trace.structure.gating import activation_name

_UNIT_NORMS = frozenset({"layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm"})
"""Norms behind which a signal has size 1; one by hand may scale to another size."""


def put_out(held: Held, index: int, sizes: Sequence[float | None]) -> float | None:
    """Compute the second moment of what an operation puts out.

    Args:
        held: The graph and the sizes of the parameters.
        index: The operation.
        sizes: Second moments of the operations before it; None where one is not known.

    Returns:
        The second moment; None where theory has none.
    """
    graph = held.graph
    op = graph.ops[index]
    if op.kind is Kind.EMBEDDING:
        return held.of(index, Part.TABLE, Part.PIECE) if graph.uses[index] else None
    before = [q for source in graph.sources[index] if (q := sizes[source]) is not None]
    if not before or len(before) < len(op.inputs):
        return None  # one of them is not known, or it was taken twice
    match op.kind:
        case Kind.LINEAR | Kind.CONVOLUTION:
            return _weighted(held, index, before[0])
        case Kind.ACTIVATION if len(before) == 1 and held.gaussian[graph.sources[index][0]]:
            return passed(activation_name(op), before[0])
        case Kind.NORM if op.detail in _UNIT_NORMS:
            return _normalised(held, index)
        case Kind.ADD:
            return _added(held, index, before)
        case Kind.MULTIPLY:
            factor = held.factor(index) if len(before) == 1 else 1.0
            return None if factor is None else factor * math.prod(before)
        case Kind.DROPOUT:
            return dropped(op, before[0])
        case Kind.OUTPUT:
            return before[0]
        case Kind.CONCATENATE if op.function != "setitem":
            return _joined(held, index, before)
        case _:
            return None


def dropped(op: Op, square: float) -> float | None:
    """Let a signal or a gradient through dropout, which makes what stays larger by 1 / (1 - p).

    Args:
        op: The dropout, with its rate p as detail.
        square: Second moment on one side.

    Returns:
        The second moment on the other side: (1 - p) of it stays, (1 - p)^-2 times as large.
    """
    try:
        rate = float(op.detail)
    except ValueError:
        return None
    return square / (1 - rate) if 0 <= rate < 1 else None


def _weighted(held: Held, index: int, before: float) -> float | None:
    graph = held.graph
    kernel, bias = held.kernel(index), held.of(index, Part.BIAS)
    if kernel is None or bias is None:
        return None
    inside, _ = kernel.borders(graph.ops[graph.sources[index][0]], graph.ops[index])
    return kernel.fans.fan_in * inside * kernel.square * before + bias


def _normalised(held: Held, index: int) -> float | None:
    if held.graph.ops[index].detail == "batch_norm" and not held.training:
        return None  # it divides by the spread of batches that are gone
    gain = held.of(index, Part.GAIN) if held.graph.has(index, Part.GAIN) else 1.0
    offset = held.of(index, Part.OFFSET)
    return None if gain is None or offset is None else gain + offset


def _added(held: Held, index: int, before: Sequence[float]) -> float | None:
    """Sum the second moments of what is uncorrelated; a constant is correlated with itself."""
    term = held.of(index, Part.TERM, Part.BIAS, Part.OFFSET)
    if term is None or (len(before) == 1 and not held.graph.uses[index]):
        return None
    return sum(before) + term


def _joined(held: Held, index: int, before: Sequence[float]) -> float | None:
    """Average over what is joined, by the number of elements."""
    graph = held.graph
    counts = [count(graph.ops[source]) for source in graph.sources[index]]
    total, piece = count(graph.ops[index]), held.of(index, Part.PIECE)
    rest, pieces = total - sum(counts), len(graph.uses[index])
    if not all(counts) or piece is None or rest < 0 or bool(rest) != bool(pieces):
        return None  # a part was taken twice, or is not known
    weighted = sum(q * own for q, own in zip(before, counts, strict=True))
    return (weighted + piece * rest / max(1, pieces)) / total
