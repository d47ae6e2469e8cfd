"""Operations with a kernel that are no plain product: convolutions, look-ups, recurrences."""

import math
from typing import Any

from torch import Tensor

from fanin.schemes import Fans, Layout
from fanin.torch.tracing.derived import as_signal
from fanin.torch.tracing.functions import (
    CONVOLUTIONS,
    RECURRENT,
)
from fanin.torch.tracing.origins import (
    IN,
    KERNEL,
    OUT,
)
from fanin.torch.tracing.products import changing, use_bias
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.sharpness import note_attention
from fanin.torch.tracing.values import Call, is_sequence, tensors_of
from fanin.trace import Kind, Part


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
    steps = math.prod(stride) if is_sequence(stride) else stride**spatial
    if is_sequence(stride) and len(stride) == 1:
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
    use_bias(recording, call.argument(2, "bias"), index, fans)


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
    note_attention(recording, index, call)
    mask = call.argument(3, "attn_mask")
    if isinstance(mask, Tensor):
        recording.use(recording.origins(mask), index, Part.TERM)
