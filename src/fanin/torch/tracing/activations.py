"""Activations: by their names, and by their values where they are written out in arithmetic.

A tensor carries along what it is an element-by-element function of. Where such tensors meet again,
a few of their values tell which activation it is.
"""

from functools import cache

import numpy as np
from torch import Tensor

from fanin.errors import FaninError
from fanin.theory import activation
from fanin.torch.tracing.derived import other
from fanin.torch.tracing.functions import activation_text
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.units import numbers_in, sample
from fanin.torch.tracing.values import Base, Call, Value, tensors_of
from fanin.trace import Kind, Part

CANDIDATES = (
    "relu", "gelu", "gelu_tanh", "silu", "mish", "relu2", "tanh", "sigmoid", "softplus", "softsign",
    "leaky_relu(0.01)", "leaky_relu(0.1)", "leaky_relu(0.2)", "elu", "selu", "hardtanh",
    "hardsigmoid", "hardswish", "relu6", "erf", "sin",
)  # fmt: skip
"""Activations that are recognised by their values."""


RECOGNISED = 2e-3
"""Largest difference, as part of the largest value: above the rounding of half precision and the
error of a polynomial in its place, below the distance between any two candidates."""


def activate(recording: Recording, call: Call) -> None:
    """Record a function of one signal.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    signals = [(tensor, recording.read(tensor)) for tensor in tensors_of(call.args)]
    known = [(tensor, value) for tensor, value in signals if value is not None]
    slopes = [
        origin for tensor, value in signals if value is None for origin in recording.origins(tensor)
    ]
    if not known or (call.name in ("maximum", "minimum", "pow") and len(known) > 1):
        other(recording, call)
        return
    tensor, value = known[0]
    if value.statistic:
        # The root of a variance is still a statistic of the same numbers.
        recording.know(call.out, Value(value.op, None, None, value.statistic))
        return
    base = recording.base_of(tensor, value)
    text = activation_text(call.name, call.args, call.kwargs)
    if not _is_known(text):
        text = recognise(base, call.out) or text
    units = value.units if same_shape(call.out, value.units) else None
    detail, source = text, value
    if value.base is not None and _is_known(text) and text == recognise(value.base, call.out):
        source = Value(value.base.op)
    index = recording.add(Kind.ACTIVATION, call, [source], detail=detail, units=units, base=base)
    recording.use(slopes, index, Part.SLOPE)


def _is_known(text: str) -> bool:
    try:
        activation(text)
    except FaninError:
        return False
    return True


def recognise(base: Base, result: Tensor) -> str:
    """Find the activation that turns one signal into another.

    Args:
        base: The signal before.
        result: The signal after.

    Returns:
        Its name as `fanin.theory` reads it; empty when none fits, or when the values are too small
        or too few to tell.
    """
    if tuple(result.shape) != base.shape or base.sample.numel() < 8:
        return ""
    before, after = base.sample.numpy(), sample(result).numpy()
    size = float(np.abs(after).max(initial=0.0))
    if not (np.isfinite(before).all() and np.isfinite(size)) or np.abs(before).max() < 0.05:
        return ""
    fits = {
        name: float(np.abs(_apply(name)(before) - after).max()) / size
        for name in CANDIDATES
        if size > 0
    }
    best = min(fits, key=fits.__getitem__, default="")
    return best if best and fits[best] <= RECOGNISED else ""


@cache
def _apply(name: str):  # noqa: ANN202  # an Activation, which the checker infers
    return activation(name)


def same_shape(out: object, units: Tensor | None) -> bool:
    """Tell whether the units of a signal are still those of a result.

    Args:
        out: The result of a call.
        units: The unit of each element of the signal, or a signal itself.

    Returns:
        Whether both are tensors of one shape.
    """
    return isinstance(out, Tensor) and units is not None and units.shape == out.shape


def chosen(recording: Recording, call: Call) -> None:
    """Record a choice between two tensors, place by place: an activation by cases, or a mask.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    operands = [*tensors_of(call.args[1:]), *tensors_of(call.kwargs)]
    signals = [(tensor, recording.read(tensor)) for tensor in operands]
    known = [(tensor, value) for tensor, value in signals if value is not None]
    if not known or any(recording.origins(tensor) for tensor in operands):
        other(recording, call)
        return
    (tensor, value), *more = known
    bases = [recording.base_of(own, seen) for own, seen in known]
    units = value.units if same_shape(call.out, value.units) else None
    text = recognise(bases[0], call.out) if all(bases[0].same(own) for own in bases) else ""
    if text:
        source = Value(bases[0].op)
        recording.add(Kind.ACTIVATION, call, [source], detail=text, units=units, base=bases[0])
    elif more:
        recording.add(Kind.OTHER, call, [seen for _, seen in known], units=units)
    elif same_shape(call.out, tensor):
        recording.know(call.out, Value(value.op, units))
    else:
        other(recording, call)


def gated_linear_unit(recording: Recording, call: Call) -> None:
    """Record torch's glu as what it is: one half times the sigmoid of the other.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    data, axis = call.args[0], call.argument(1, "dim", -1)
    value = recording.value(data)
    if value is None:
        other(recording, call)
        return
    if value.units is not None and value.op in recording.totals:
        for half in value.units.chunk(2, axis):
            kept = numbers_in(half)
            recording.pieces.setdefault(value.op, set()).add((kept[0], kept[-1] + 1, len(kept)))
    inner = Call("sigmoid", (), {}, data.detach().chunk(2, axis)[1].sigmoid(), lambda _: None)
    gate = recording.add(Kind.ACTIVATION, inner, [value], detail="sigmoid")
    recording.add(Kind.MULTIPLY, call, [value, Value(gate)], units=(axis % call.out.ndim,))
