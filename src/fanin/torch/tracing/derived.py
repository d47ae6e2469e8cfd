"""Tensors that are made from parameters alone, and what no table knows.

A parameter may be cast, scaled or added to another before it is used: it is followed on that way.
In the place of data it is a signal itself, a learned input.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fanin.torch.tracing.origins import Origin, moved
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.values import Call, Value, tensors_of
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
