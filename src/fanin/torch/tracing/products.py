"""Matrix products of every spelling, each told as an einsum of a signal and a weight."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fanin.schemes import Fans
from fanin.torch.tracing import contraction
from fanin.torch.tracing.contraction import Contraction
from fanin.torch.tracing.derived import as_signal, other
from fanin.torch.tracing.origins import BATCH, IN, OUT, Origin
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.values import Call, Value, is_sequence
from fanin.trace import Kind, Part


def linear(recording: Recording, call: Call) -> None:
    """Record torch's linear: data, weight, bias.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    data, weight = call.argument(0, "input"), call.argument(1, "weight")
    if recording.value(data) is None and recording.origins(data):
        as_signal(recording, data)
    bias = call.argument(2, "bias")
    _product(recording, call, data, weight, contraction.linear(data.ndim, weight.ndim), bias)


def product(recording: Recording, call: Call) -> None:
    """Record a matrix product of any spelling.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    bias: Any = None
    args = call.args
    if call.name in ("addmm", "baddbmm", "addmv", "addbmm"):
        bias, *args = args
    left, right = (*args, *call.kwargs.values())[:2]
    if call.name == "__rmatmul__":
        left, right = right, left
    if call.name == "tensordot":
        how = contraction.tensordot(left.ndim, right.ndim, call.argument(2, "dims", 2))
    else:
        how = contraction.matmul(left.ndim, right.ndim)
    _product(recording, call, left, right, how, bias)


def grouped_product(recording: Recording, call: Call) -> None:
    """Record the product of sorted rows with one matrix for each group of them: experts.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    data, weight = call.args[:2]
    origins = recording.origins(weight)
    if weight.ndim != 3 or data.ndim != 2 or not origins:
        other(recording, call)
        return
    fans = Fans(float(weight.shape[1]), float(weight.shape[2]))
    index = recording.add(Kind.LINEAR, call, [as_signal(recording, data)], units=(1,), own=True)
    recording.use_kernel(origins, index, (BATCH, IN, OUT), fans)


def einsum(recording: Recording, call: Call) -> None:
    """Record an einsum.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    equation: Any = call.args[0]
    operands = [*call.args[1:]]
    if len(operands) == 1 and is_sequence(operands[0]):
        operands = [*operands[0]]
    how = None
    if isinstance(equation, str) and all(isinstance(operand, Tensor) for operand in operands):
        how = contraction.einsum(equation, [operand.ndim for operand in operands])
    if how is None:
        other(recording, call)
        return
    _product(recording, call, operands[0], operands[1], how, None)


def bilinear(recording: Recording, call: Call) -> None:
    """Record a bilinear form: every output sums over all pairs of inputs.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    weight = call.argument(2, "weight")
    signals = [
        as_signal(recording, call.argument(0, "input1")),
        as_signal(recording, call.argument(1, "input2")),
    ]
    index = recording.add(Kind.LINEAR, call, signals, units=(call.out.ndim - 1,), own=True)
    fans = Fans(float(weight.shape[1] * weight.shape[2]), float(weight.shape[0]))
    recording.use_kernel(recording.origins(weight), index, (OUT, IN, IN), fans)
    use_bias(recording, call.argument(3, "bias"), index, fans)


def _product(
    recording: Recording, call: Call, left: Tensor, right: Tensor, how: Contraction, bias: Any
) -> None:
    operands = (left, right)
    signals = [recording.read(operand) for operand in operands]
    origins = [recording.origins(operand) for operand in operands]
    if not any(origins):
        # A weight that a signal has changed is still summed over; of two, the right one.
        carried = [recording.weight(operand) for operand in operands]
        origins = [() if carried[1] else carried[0], carried[1]]
    if origins[0] and origins[1]:
        recording.know(call.out, _multiplied(origins, how, call))
        return
    if not any(signals) and "parametrizations." in recording.at[0]:
        # A weight on its way: what makes it up is no signal.
        recording.know(call.out, ())
    elif any(origins):
        weight = 0 if origins[0] else 1
        sizes = operands[weight].shape
        roles = how.roles(weight)
        fans = Fans(_count(sizes, roles, IN), _count(sizes, roles, OUT))
        index = recording.add(
            Kind.LINEAR,
            call,
            [signals[1 - weight], changing(recording, signals[weight])],
            units=how.units(weight),
            own=True,
        )
        recording.use_kernel(origins[weight], index, roles, fans)
        use_bias(recording, bias, index, fans)
    elif all(signals):
        recording.add(
            Kind.PRODUCT, call, signals, units=(call.out.ndim - 1,) if call.out.ndim else ()
        )
        use_bias(recording, bias, len(recording.ops) - 1, None)
    elif any(signals):
        known = next(signal for signal in signals if signal is not None)
        recording.add(
            Kind.OTHER, call, [known], units=(call.out.ndim - 1,) if call.out.ndim else ()
        )


def changing(recording: Recording, value: Value | None) -> Value | None:
    """Keep the signal that a weight was changed by, if it depends on the input.

    Args:
        recording: What is recorded so far.
        value: The weight as a signal, if it is one.

    Returns:
        The same; None for what is the same for every input.
    """
    return None if value is None or value.op in recording.constant else value


def _count(sizes: Sequence[int], roles: Sequence[str], role: str) -> float:
    return float(math.prod(size for size, own in zip(sizes, roles, strict=True) if own == role))


def use_bias(recording: Recording, bias: Any, index: int, fans: Fans | None) -> None:
    """Record the bias of an operation, if it has one.

    Args:
        recording: What is recorded so far.
        bias: The bias, or None.
        index: Index of the operation.
        fans: Fans of the kernel that it goes with.
    """
    if isinstance(bias, Tensor):
        recording.use(recording.origins(bias), index, Part.BIAS, fans=fans)


def _multiplied(
    origins: Sequence[tuple[Origin, ...]], how: Contraction, call: Call
) -> tuple[Origin, ...]:
    """Follow two parameters into their product, as the two factors of a low-rank weight."""
    found = list[Origin]()
    for side, own in enumerate(origins):
        labels = how.left if side == 0 else how.right
        for origin in own:
            kept = [
                (axis, how.result.index(label))
                for axis, label in enumerate(labels)
                if label in how.result
            ]
            summed = [axis for axis, label in enumerate(labels) if label not in how.result]
            coordinates = list[Tensor]()
            for coordinate in origin.coordinates:
                index = tuple(
                    0 if axis in summed else slice(None) for axis in range(coordinate.ndim)
                )
                part = coordinate[index]
                places = [place for _, place in kept]
                order = sorted(range(len(places)), key=lambda position: places[position])
                part = part.permute(order) if part.ndim else part
                sizes = [1] * call.out.ndim
                for position, place in enumerate(sorted(places)):
                    sizes[place] = part.shape[position]
                coordinates.append(part.reshape(sizes).expand(call.out.shape))
            inner = _inner(origin, summed, kept)
            found.append(
                Origin(
                    origin.slot,
                    origin.stored,
                    tuple(coordinates),
                    None,
                    (*origin.through, "product"),
                    origin.joined,
                    (*origin.inner, *inner),
                )
            )
    return tuple(found)


def _inner(
    origin: Origin, summed: Sequence[int], kept: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Pair each stored axis that the product sums over with one that it keeps."""
    if origin.order is None:
        return []
    partner = [origin.order[axis] for axis, _ in kept]
    return [(origin.order[axis], partner[-1]) for axis in summed if partner]
