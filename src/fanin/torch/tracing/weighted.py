"""Operations that sum over a parameter: matrix products, convolutions, look-ups, recurrences."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fanin.schemes import Fans, Layout
from fanin.torch.tracing import contraction
from fanin.torch.tracing.contraction import Contraction
from fanin.torch.tracing.functions import CONVOLUTIONS, RECURRENT
from fanin.torch.tracing.origins import BATCH, IN, KERNEL, OUT, Origin, moved
from fanin.torch.tracing.recording import Call, Recording, Value, tensors_of
from fanin.trace import Kind, Part


def as_signal(recording: Recording, tensor: Any) -> Value | None:
    """Take a tensor as data: a parameter in the place of data is a learned input.

    Args:
        recording: What is recorded so far.
        tensor: Anything.

    Returns:
        What is known of it as a signal.
    """
    value = recording.read(tensor)
    if value is None and isinstance(tensor, Tensor):
        origins = recording.origins(tensor)
        if origins:
            call = Call("parameter", (), {}, tensor, lambda _: None)
            axes = (tensor.ndim - 1,) if tensor.ndim else ()
            index = recording.add(
                Kind.EMBEDDING, call, [], detail="learned", units=axes, carried=origins
            )
            recording.use(origins, index, Part.PIECE)
            value = recording.value(tensor)
    return value


def changing(recording: Recording, value: Value | None) -> Value | None:
    """Keep the signal that a weight was changed by, if it depends on the input.

    Args:
        recording: What is recorded so far.
        value: The weight as a signal, if it is one.

    Returns:
        The same; None for what is the same for every input.
    """
    return None if value is None or value.op in recording.constant else value


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
    equation, *operands = call.args
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = [*operands[0]]
    how = None
    if isinstance(equation, str) and all(isinstance(operand, Tensor) for operand in operands):
        how = contraction.einsum(equation, [operand.ndim for operand in operands])
    if how is None:
        other(recording, call)
        return
    _product(recording, call, operands[0], operands[1], how, None)


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
        _bias(recording, bias, index, fans)
    elif all(signals):
        recording.add(
            Kind.PRODUCT, call, signals, units=(call.out.ndim - 1,) if call.out.ndim else ()
        )
        _bias(recording, bias, len(recording.ops) - 1, None)
    elif any(signals):
        known = next(signal for signal in signals if signal is not None)
        recording.add(
            Kind.OTHER, call, [known], units=(call.out.ndim - 1,) if call.out.ndim else ()
        )


def _count(sizes: Sequence[int], roles: Sequence[str], role: str) -> float:
    return float(math.prod(size for size, own in zip(sizes, roles, strict=True) if own == role))


def _bias(recording: Recording, bias: Any, index: int, fans: Fans | None) -> None:
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


def convolution(recording: Recording, call: Call) -> None:
    """Record a convolution or a transposed one.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    spatial, transposed = CONVOLUTIONS[call.name]
    data, weight = call.argument(0, "input"), call.argument(1, "weight")
    stride = call.argument(3, "stride", 1)
    groups = call.argument(6, "groups", 1)
    steps = math.prod(stride) if isinstance(stride, list | tuple) else stride**spatial
    if isinstance(stride, list | tuple) and len(stride) == 1:
        steps = stride[0] ** spatial
    build = Layout.conv_transpose if transposed else Layout.conv
    fans = build(spatial, groups, steps).fans(weight.shape)
    signals = [as_signal(recording, data), changing(recording, recording.read(weight))]
    channels = call.out.ndim - spatial - 1
    index = recording.add(Kind.CONVOLUTION, call, signals, units=(channels,), own=True)
    first, second = (IN, OUT) if transposed else (OUT, IN)
    roles = (first, second, *[KERNEL] * spatial)
    recording.use_kernel(
        recording.weight(weight), index, roles, fans,
        groups=groups, stride=steps, transposed=transposed,
    )  # fmt: skip
    _bias(recording, call.argument(2, "bias"), index, fans)


def embedding(recording: Recording, call: Call) -> None:
    """Record a look-up in a table.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    names = (
        ("weight", "input") if call.name in ("__getitem__", "index_select") else ("input", "weight")
    )
    first, second = call.argument(0, names[0]), call.argument(1, names[1])
    table, index = (second, first) if names[0] == "input" else (first, second)
    if call.name == "index_select":
        index = call.argument(2, "index")
    if call.name == "embedding_bag" and isinstance(index, Tensor) and index.is_floating_point():
        table, index = index, table
    signals = [recording.value(tensor) for tensor in tensors_of(index)]
    positions = "positions" if _are_positions(index, any(signals)) else ""
    origins = recording.origins(table)
    if not origins:
        if any(signals) or recording.value(table) is not None:
            recording.add(Kind.OTHER, call, [*signals, recording.read(table)])
        return
    wide = tuple(range(call.out.ndim - (table.ndim - 1), call.out.ndim))
    op = recording.add(Kind.EMBEDDING, call, signals, detail=positions, units=wide, own=True)
    width = float(math.prod(table.shape[1:]))
    roles = (IN, *[OUT] * (table.ndim - 1))
    recording.use_kernel(origins, op, roles, Fans(1.0, width), Part.TABLE, lookup=True)


def _are_positions(index: Any, from_input: bool) -> bool:
    """Tell whether a look-up reads the same rows for every example, one after the other."""
    if not from_input:
        return True
    if (
        not isinstance(index, Tensor)
        or index.is_meta
        or index.ndim < 2
        or index.is_floating_point()
    ):
        return False
    rows = index.reshape(index.shape[0], -1)
    steps = rows[:, 1:] - rows[:, :-1]
    return (
        rows.shape[0] > 1
        and rows.shape[1] > 1
        and bool((rows == rows[:1]).all() and (steps == 1).all())
    )


def recurrent(recording: Recording, call: Call) -> None:
    """Record a recurrent layer, or one step of a cell.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    cell = call.name.endswith("_cell")
    if cell:
        weights, steps = list(call.args[2:]), 1
    else:
        packed = isinstance(call.args[3], list | tuple)
        weights = [*call.args[3 if packed else 2]]
        data = call.args[0]
        steps = len(call.args[1]) if packed else int(data.shape[1 if call.args[-1] else 0])
    signals = [as_signal(recording, call.args[0])]
    state = call.args[2] if not cell and isinstance(call.args[3], list | tuple) else call.args[1]
    signals += [recording.value(tensor) for tensor in tensors_of(state)]
    first = next(tensors_of(call.out))
    index = recording.add(
        Kind.RECURRENT, call, signals, steps=steps, units=(first.ndim - 1,), own=False
    )
    gates = RECURRENT[call.name]
    parts = [tensor for tensor in weights if isinstance(tensor, Tensor)]
    kernel, state_kernel = parts[0], parts[1]
    biases = 2 if len(parts) > 2 and parts[2].ndim == 1 else 0
    # The state of an LSTM with a projection is narrower than its gates.
    projected = state_kernel.shape[0] != gates * state_kernel.shape[1]
    fans = [Fans(float(own.shape[1]), own.shape[0] / gates) for own in (kernel, state_kernel)]
    for place, tensor in enumerate(parts):
        position = place % (2 + biases + projected)
        origins = recording.origins(tensor)
        if position < 2:
            own = Fans(float(tensor.shape[1]), tensor.shape[0] / gates)
            fans[position] = own
            layout = Layout.stacked(gates) if gates > 1 else Layout.linear()
            part = Part.STATE_KERNEL if position else Part.KERNEL
            recording.use(origins, index, part, layout=layout, fans=own)
        elif position < 2 + biases:
            recording.use(origins, index, Part.BIAS, fans=fans[position - 2])
        else:
            own = Fans(float(tensor.shape[1]), float(tensor.shape[0]))
            recording.use(origins, index, Part.KERNEL, layout=Layout.linear(), fans=own)
    for tensor in tensors_of(state):
        recording.use(recording.origins(tensor), index, Part.PIECE)


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
    _bias(recording, call.argument(3, "bias"), index, fans)


def attention(recording: Recording, call: Call) -> None:
    """Record a fused attention.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    names = ("query", "key", "value")
    signals = [as_signal(recording, call.argument(place, name)) for place, name in enumerate(names)]
    detail = " ".join(
        name for name, signal in zip(names, signals, strict=True) if signal is not None
    )
    index = recording.add(Kind.ATTENTION, call, signals, detail=detail, units=(call.out.ndim - 1,))
    mask = call.argument(3, "attn_mask")
    if isinstance(mask, Tensor):
        recording.use(recording.origins(mask), index, Part.TERM)


def other(recording: Recording, call: Call) -> None:
    """Record what no table knows, so that the graph stays connected.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    operands = [*tensors_of(call.args), *tensors_of(call.kwargs)]
    signals = [recording.read(tensor) for tensor in operands]
    origins = [origin for tensor in operands for origin in recording.origins(tensor)]
    if not any(signal is not None for signal in signals):
        derived(recording, call, operands)
        return
    index = recording.add(Kind.OTHER, call, signals)
    recording.use(origins, index, Part.OTHER)


def derived(recording: Recording, call: Call, operands: Sequence[Tensor]) -> None:
    """Follow parameters into a result that is made of nothing else.

    Args:
        recording: What is recorded so far.
        call: The call.
        operands: Its tensors.
    """
    results = [*tensors_of(call.out)]
    if len(results) != 1:
        for result in results:
            _inherit(recording, call, operands, result)
        return
    _inherit(recording, call, operands, results[0])


def _inherit(recording: Recording, call: Call, operands: Sequence[Tensor], result: Tensor) -> None:
    if not result.is_floating_point() and not result.is_complex():
        return
    name = "one plus" if _adds_one(call) else call.name.strip("_")
    found = list[Origin]()
    for operand in operands:
        for origin in recording.origins(operand):
            if operand.shape == result.shape:
                found.append(origin.passed(name))
            elif _broadcasts(operand, result):
                (wide,) = moved(origin, name, lambda own: own.expand(result.shape), 1)
                found.append(wide)
    recording.know(result, tuple(found))


def _adds_one(call: Call) -> bool:
    return call.name in ("add", "__radd__") and any(
        isinstance(value, int | float) and value == 1 for value in call.args[:2]
    )


def _broadcasts(operand: Tensor, result: Tensor) -> bool:
    if operand.ndim > result.ndim or operand.numel() <= 1:
        return False
    pairs = zip(reversed(operand.shape), reversed(result.shape), strict=False)
    return all(small in (1, large) for small, large in pairs)
