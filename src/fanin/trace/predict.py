"""What theory expects of the signals of a traced network, from the sizes of its parameters.

A signal is told by its second moment q. Weights are taken as independent of the signal and of each
other, with the second moment that their tensor has, so a layer makes q from q as a sum of fan_in
products, and a gradient from a gradient as a sum of fan_out. Where that says nothing (attention,
pooling, a function nobody knows) the measured signal is taken, and theory goes on from there.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fanin.schemes import Fans
from fanin.trace.activations import passed, slope
from fanin.trace.ops import Kind, Op, Part, TracedParameter, Use
from fanin.trace.signal import Signal
from fanin.trace.structure.gating import activation_name
from fanin.trace.structure.graph import KERNELS, Graph

Moments = Mapping[str, tuple[float, float]]
"""Mean and standard deviation of each parameter, by name."""

_UNIT_NORMS = frozenset({"layer_norm", "rms_norm", "group_norm", "instance_norm", "batch_norm"})
"""Norms behind which a signal has size 1; one by hand may scale to another size."""

_OVER_UNITS = frozenset({"layer_norm", "rms_norm", "by hand"})
"""Norms that divide by the size of a signal; others divide by its spread over the examples."""


@dataclass(frozen=True)
class Predicted:
    """What theory expects of one operation.

    Attributes:
        forward: Root mean square of the signal it puts out; None where theory has none and goes on
            from the measured one.
        backward: Root mean square of the gradient with respect to that; None as before.
    """

    forward: float | None = None
    backward: float | None = None


@dataclass(frozen=True)
class _Held:
    """The graph, and the second moment of every parameter of known size."""

    graph: Graph
    squares: Mapping[str, float]
    training: bool

    def of(self, index: int, *parts: Part) -> float | None:
        """Add up the second moments of an operation's parameters; None if one is not known."""
        names = [found.name for found, use in self.graph.uses[index] if use.part in parts]
        known = [self.squares[name] for name in names if name in self.squares]
        return sum(known) if len(known) == len(names) else None


def predict(
    ops: Sequence[Op],
    parameters: Sequence[TracedParameter],
    moments: Moments,
    *,
    training: bool = True,
) -> tuple[Predicted, ...]:
    """Compute the size that every signal and every gradient should have.

    The gradient begins with the one measured at the output of the network.

    Args:
        ops: Operations in the order of execution, with the signals measured.
        parameters: Parameters with their uses.
        moments: Mean and standard deviation that each of them holds.
        training: Whether batch norms divide by the spread of the batch.

    Returns:
        One prediction for each operation.

    Raises:
        FaninError: An operation reads one that does not come before it, or a parameter is used by
            one that is not there.

    Example:
        >>> from fanin.schemes import Fans, Layout
        >>> from fanin.trace import Signal
        >>> ops = (
        ...     Op(Kind.INPUT, "input", forward=Signal((8, 50), 0.0, 1.0)),
        ...     Op(Kind.LINEAR, "linear", inputs=(0,)),
        ...     Op(Kind.ACTIVATION, "relu", inputs=(1,), detail="relu"),
        ... )
        >>> use = Use(1, Part.KERNEL, Layout.linear(), Fans(50, 100))
        >>> found = predict(ops, [TracedParameter("w", (100, 50), uses=(use,))], {"w": (0, 0.2)})
        >>> [round(own.forward, 6) if own.forward else None for own in found]
        [None, 1.414214, 1.0]

    References:
        He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, equations 7 and 14; Poole et
        al. (2016), equation 3; Schoenholz et al. (2017), equation 11.
    """
    graph = Graph.of(ops, parameters)
    squares = {name: mean**2 + std**2 for name, (mean, std) in moments.items()}
    held = _Held(graph, squares, training)
    expected, sizes = list[float | None](), list[float | None]()
    for index, op in enumerate(graph.ops):
        own = _finite(_forward(held, index, sizes))
        expected.append(own)
        sizes.append(_measured(op.forward) if own is None else own)
    gradients = _gradients(held, sizes)
    return tuple(Predicted(_root(q), _root(g)) for q, g in zip(expected, gradients, strict=True))


def _forward(held: _Held, index: int, sizes: Sequence[float | None]) -> float | None:
    """Compute the second moment of an operation's output from those of its inputs."""
    graph = held.graph
    op = graph.ops[index]
    own = [sizes[source] for source in graph.sources[index]]
    before = [q for q in own if q is not None]
    if len(before) < len(op.inputs):
        return None  # one of them is not known, or it was taken twice
    match op.kind:
        case Kind.LINEAR | Kind.CONVOLUTION:
            return _weighted(held, index, math.prod(before))
        case Kind.EMBEDDING:
            return held.of(index, Part.TABLE, Part.PIECE) if graph.uses[index] else None
        case Kind.ACTIVATION if len(before) == 1:
            return passed(activation_name(op), before[0])
        case Kind.NORM if op.detail in _UNIT_NORMS:
            return _normalised(held, index)
        case Kind.ADD:
            return _added(held, index, before)
        case Kind.MULTIPLY:
            factor = _factor(held, index)
            if len(before) == 1:
                return None if factor is None else factor * before[0]
            return math.prod(before) if before else None
        case Kind.DROPOUT | Kind.OUTPUT if len(before) == 1:
            return _kept(op, before[0])
        case Kind.CONCATENATE if op.function != "setitem":
            return _joined(held, index, before)
        case _:
            return None


def _weighted(held: _Held, index: int, before: float) -> float | None:
    kernel = _kernel(held, index)
    bias = held.of(index, Part.BIAS)
    if kernel is None or bias is None or not held.graph.sources[index]:
        return None
    square, _, fans, _ = kernel
    return fans.fan_in * square * before + bias


def _kernel(held: _Held, index: int) -> tuple[float, Use, Fans, TracedParameter] | None:
    """Find the one kernel of an operation and its second moment."""
    found = [(own, use) for own, use in held.graph.uses[index] if use.part in KERNELS]
    if len(found) != 1 or found[0][0].name not in held.squares:
        return None
    parameter, use = found[0]
    return None if use.fans is None else (held.squares[parameter.name], use, use.fans, parameter)


def _normalised(held: _Held, index: int) -> float | None:
    if held.graph.ops[index].detail == "batch_norm" and not held.training:
        return None  # it divides by the spread of batches that are gone
    has_gain = held.graph.has(index, Part.GAIN)
    gain, offset = held.of(index, Part.GAIN) if has_gain else 1.0, held.of(index, Part.OFFSET)
    return None if gain is None or offset is None else gain + offset


def _added(held: _Held, index: int, before: Sequence[float]) -> float | None:
    """Sum the second moments of what is uncorrelated; a constant is correlated with itself."""
    term = held.of(index, Part.TERM, Part.BIAS, Part.OFFSET)
    if term is None or (len(before) == 1 and not held.graph.uses[index]):
        return None
    return sum(before) + term


def _factor(held: _Held, index: int) -> float | None:
    """Find the second moment of what one signal is multiplied with."""
    op = held.graph.ops[index]
    if held.graph.uses[index]:
        return held.of(index, Part.FACTOR, Part.GAIN)
    try:
        number = float(op.detail)
    except ValueError:
        return None
    if op.function in ("mul", "multiply", "neg"):
        return number**2
    return 1 / number**2 if op.function in ("div", "divide", "true_divide") and number else None


def _kept(op: Op, before: float) -> float | None:
    """Let a signal through dropout, which makes what stays larger by 1 / (1 - p)."""
    if op.kind is Kind.OUTPUT:
        return before
    try:
        rate = float(op.detail)
    except ValueError:
        return None
    return before / (1 - rate) if 0 <= rate < 1 else None


def _joined(held: _Held, index: int, before: Sequence[float]) -> float | None:
    """Average over what is joined, by the number of elements."""
    graph = held.graph
    counts = [_count(graph.ops[source]) for source in graph.sources[index]]
    total, piece = _count(graph.ops[index]), held.of(index, Part.PIECE)
    known = [count for count in counts if count]
    if not total or len(known) < len(counts) or piece is None:
        return None
    rest = total - sum(known)
    if rest < 0 or (rest > 0) != bool(graph.uses[index]):
        return None  # a part was taken twice, or is not known
    weighted = sum(q * count for q, count in zip(before, known, strict=True))
    return (weighted + piece * rest / max(1, len(graph.uses[index]))) / total


def _gradients(held: _Held, sizes: Sequence[float | None]) -> list[float | None]:
    """Compute the second moment of every gradient from those of the operations that read it."""
    ops = held.graph.ops
    expected: list[float | None] = [None] * len(ops)
    known: list[float | None] = [None] * len(ops)
    for index in reversed(range(len(ops))):
        if ops[index].backward is None:
            continue
        parts = [
            _backward(held, reader, index, sizes, known[reader])
            for reader in held.graph.readers[index]
            if ops[reader].backward is not None or ops[reader].kind in (Kind.OUTPUT, Kind.LOSS)
        ]
        told = [part for part in parts if part is not None]
        if parts and len(told) == len(parts):
            expected[index] = _finite(sum(told))
        own = expected[index]
        known[index] = _measured(ops[index].backward) if own is None else own
    return expected


def _backward(
    held: _Held, reader: int, index: int, sizes: Sequence[float | None], gradient: float | None
) -> float | None:
    """Compute what one reader sends back to one operation that it reads."""
    graph = held.graph
    op, size = graph.ops[reader], sizes[index]
    if gradient is None or size is None or op.inputs.count(index) > 1:
        return None
    # A part that was cut out gets all of it, and what was spread out gets several times.
    share = _share(_count(op), _count(graph.ops[index]))
    match op.kind:
        case Kind.LINEAR | Kind.CONVOLUTION if len(graph.sources[reader]) == 1:
            return _unweighted(held, reader, index, gradient)
        case Kind.ACTIVATION:
            steepness = slope(activation_name(op), size)
            return None if steepness is None else steepness * gradient * share
        case Kind.NORM if op.detail in _OVER_UNITS:
            after, offset = sizes[reader], held.of(reader, Part.OFFSET)
            if after is None or offset is None or size == 0:
                return None
            return gradient * (after - offset) / size * share
        case Kind.ADD:
            return gradient * share
        case Kind.MULTIPLY:
            factor = _factor(held, reader)
            if len(graph.sources[reader]) > 1:
                others = [sizes[source] for source in graph.sources[reader] if source != index]
                factor = math.prod(q for q in others if q is not None) if all(others) else None
            return None if factor is None else factor * gradient * share
        case Kind.DROPOUT:
            return _kept(op, gradient)
        case Kind.CONCATENATE if op.function != "setitem":
            return gradient
        case _:
            return None


def _unweighted(held: _Held, reader: int, index: int, gradient: float) -> float | None:
    kernel = _kernel(held, reader)
    if kernel is None:
        return None
    square, use, fans, parameter = kernel
    blocks, share = 1, 1.0
    if use.layout is not None:
        blocks = use.layout.blocks
        matrices, outputs, inputs, _ = use.layout.stack(parameter.shape)
        if held.graph.kind(reader) is Kind.LINEAR:
            read = _count(held.graph.ops[reader]) * inputs / (blocks * outputs)
            share = _share(read if matrices == blocks else 0, _count(held.graph.ops[index]))
    fan_out = fans.fan_out * (blocks if use.rows is None else 1)
    return fan_out * square * gradient * share


def _count(op: Op) -> int:
    """Count the elements of a signal; 0 where it was not measured."""
    return math.prod(op.forward.shape) if op.forward else 0


def _share(reader: float, own: float) -> float:
    return reader / own if reader and own else 1.0


def _measured(signal: Signal | None) -> float | None:
    return None if signal is None else _finite(signal.rms**2)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _root(square: float | None) -> float | None:
    return None if square is None else math.sqrt(square)
