"""The size of a gradient before an operation, from the size behind it."""

import math
from collections.abc import Sequence

from fanin.trace.ops import Kind, Part
from fanin.trace.prediction.activations import slope
from fanin.trace.prediction.forward import dropped
from fanin.trace.prediction.held import Held, count, outputs_and_inputs
from fanin.trace.structure.gating import activation_name

_OVER_UNITS = frozenset({"layer_norm", "rms_norm", "by hand"})
"""Norms that divide by the size of a signal; others divide by its spread over the examples."""


def sent_back(
    held: Held,
    reader: int,
    index: int,
    sizes: Sequence[float | None],
    gradient: float | None,
) -> float | None:
    """Compute what one operation sends back to one that it reads.

    Args:
        held: The graph and the sizes of the parameters.
        reader: The operation that sends.
        index: The operation that receives.
        sizes: Second moments of all signals; None where one is not known.
        gradient: Second moment of the gradient of the reader.

    Returns:
        The second moment of this part of the gradient; None where theory has none.
    """
    graph = held.graph
    op, size = graph.ops[reader], sizes[index]
    if gradient is None or size is None or op.inputs.count(index) > 1:
        return None
    # A part that was cut out gets all of it, and what was spread out gets several times.
    share = _share(count(op), count(graph.ops[index]))
    match op.kind:
        case Kind.LINEAR | Kind.CONVOLUTION:
            return _unweighted(held, reader, index, gradient)
        case Kind.ACTIVATION if held.gaussian[index]:
            steepness = slope(activation_name(op), size)
            return None if steepness is None else steepness * gradient * share
        case Kind.NORM if op.detail in _OVER_UNITS:
            after, offset = sizes[reader], held.of(reader, Part.OFFSET)
            if after is None or offset is None or size == 0:
                return None
            return gradient * (after - offset) / size * share
        case Kind.ADD:
            return gradient * share
        case Kind.MULTIPLY if len(graph.sources[reader]) == 1:
            factor = held.factor(reader)
            return None if factor is None else factor * gradient * share
        case Kind.MULTIPLY:
            others = [sizes[source] for source in graph.sources[reader] if source != index]
            known = [q for q in others if q is not None]
            if len(known) < len(others):
                return None
            return math.prod(known) * gradient * share
        case Kind.DROPOUT:
            return dropped(op, gradient)
        case Kind.CONCATENATE if op.function != "setitem":
            return gradient
        case _:
            return None


def _unweighted(held: Held, reader: int, index: int, gradient: float) -> float | None:
    """Sum over the outputs that an input reaches; the blocks of a fused kernel all reach it."""
    ops, kernel = held.graph.ops, held.kernel(reader)
    if kernel is None:
        return None
    layout, rows = kernel.use.layout, kernel.use.rows
    blocks, share = 1, 1.0
    if layout is not None and rows is None:
        blocks = layout.blocks
        if ops[reader].kind is Kind.LINEAR:
            outputs, inputs = outputs_and_inputs(layout, kernel.parameter.shape)
            share = _share(count(ops[reader]) * inputs / outputs, count(ops[index]))
    _, reached = kernel.borders(ops[index], ops[reader])
    return kernel.fans.fan_out * blocks * reached * kernel.square * gradient * share


def _share(reader: float, own: float) -> float:
    return reader / own if reader and own else 1.0
