"""The prediction for every operation: signals in the order of execution, gradients against it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fanin.trace.ops import Kind, Op, TracedParameter
from fanin.trace.prediction.backward import sent_back
from fanin.trace.prediction.forward import put_out
from fanin.trace.prediction.held import Held
from fanin.trace.signal import Signal
from fanin.trace.structure.graph import Graph


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


def predict(
    ops: Sequence[Op],
    parameters: Sequence[TracedParameter],
    moments: Mapping[str, tuple[float, float]],
    *,
    training: bool = True,
) -> tuple[Predicted, ...]:
    """Compute the size that every signal and every gradient should have.

    The gradients begin with the one measured at the output of the network.

    Args:
        ops: Operations in the order of execution, with the signals measured.
        parameters: Parameters with their uses.
        moments: Mean and standard deviation that each of them holds, by name.
        training: Whether batch norms divide by the spread of the batch.

    Returns:
        One prediction for each operation.

    Raises:
        FaninError: An operation reads one that does not come before it, or a parameter is used by
            one that is not there.

    Example:
        >>> from fanin.schemes import Fans, Layout
        >>> from fanin.trace import Part, Use
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
        He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, equations 7 and 14, for relu;
        Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli (2016), equation 3, and Schoenholz,
        Gilmer, Ganguli and Sohl-Dickstein (2017), equation 11, for any activation.
    """
    squares = {name: mean**2 + std**2 for name, (mean, std) in moments.items()}
    held = Held(Graph.of(ops, parameters), squares, training)
    expected, sizes = list[float | None](), list[float | None]()
    for index, op in enumerate(held.graph.ops):
        own = _finite(put_out(held, index, sizes))
        expected.append(own)
        sizes.append(_measured(op.forward) if own is None else own)
    gradients = _gradients(held, sizes)
    return tuple(Predicted(_root(q), _root(g)) for q, g in zip(expected, gradients, strict=True))


def _gradients(held: Held, sizes: Sequence[float | None]) -> list[float | None]:
    """Compute the second moment of every gradient from those of the operations that read it."""
    ops = held.graph.ops
    expected: list[float | None] = [None] * len(ops)
    known: list[float | None] = [None] * len(ops)
    for index in reversed(range(len(ops))):
        if ops[index].backward is None:
            continue
        parts = [
            sent_back(held, reader, index, sizes, known[reader])
            for reader in held.graph.readers[index]
            if ops[reader].backward is not None or ops[reader].kind in (Kind.OUTPUT, Kind.LOSS)
        ]
        told = [part for part in parts if part is not None]
        if parts and len(told) == len(parts):
            expected[index] = _finite(sum(told))
        own = expected[index]
        known[index] = _measured(ops[index].backward) if own is None else own
    return expected


def _measured(signal: Signal | None) -> float | None:
    return None if signal is None else _finite(signal.rms**2)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _root(square: float | None) -> float | None:
    return None if square is None else math.sqrt(square)
