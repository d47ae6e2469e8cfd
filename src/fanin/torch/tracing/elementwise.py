"""Sums and products element by element, and the norms, biases and gains written in them."""

from dataclasses import replace

import torch
from torch import Tensor

from fanin.calls import format_number
from fanin.torch.tracing.activations import recognise, same_shape
from fanin.torch.tracing.derived import derived, other
from fanin.torch.tracing.origins import Origin, moved, varying
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.units import sample, unit_axes
from fanin.torch.tracing.values import Call, Value, tensors_of
from fanin.trace import Kind, Part


def combine(recording: Recording, call: Call) -> None:
    """Record a sum or a product.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    operands = [*tensors_of(call.args), *tensors_of(call.kwargs)]
    signals = [(tensor, recording.read(tensor)) for tensor in operands]
    known = [(tensor, value) for tensor, value in signals if value is not None]
    made = [(tensor, recording.origins(tensor)) for tensor in operands if recording.origins(tensor)]
    if not known:
        other(recording, call)
        return
    if made and all(value.op in recording.constant and t.numel() == 1 for t, value in known):
        derived(recording, call, operands)  # a weight over its own norm
        return
    is_sum = call.name in ("add", "sub", "subtract", "rsub", "__rsub__", "__radd__")
    kind = Kind.ADD if is_sum else Kind.MULTIPLY
    if len(known) > 1:
        _two_signals(recording, call, kind, known[0], known[1])
    elif made:
        _with_parameter(recording, call, kind, known[0], made[0])
    else:
        _with_constant(recording, call, kind, known[0])


def _two_signals(
    recording: Recording,
    call: Call,
    kind: Kind,
    first: tuple[Tensor, Value],
    second: tuple[Tensor, Value],
) -> None:
    (left, a), (right, b) = first, second
    statistic = next((v for v in (b, a) if v.statistic), None)
    signal = a if statistic is b else b
    if statistic is not None and not (a.statistic and b.statistic):
        _normalise(recording, call, kind, signal, statistic)
        return
    if a.statistic and b.statistic:
        recording.know(call.out, Value(a.op, None, None, a.statistic | b.statistic))
        return
    bases = recording.base_of(left, a), recording.base_of(right, b)
    units = next((v.units for v in (a, b) if same_shape(call.out, v.units)), None)
    if bases[0].same(bases[1]):
        text = recognise(bases[0], call.out)
        if text or kind is Kind.MULTIPLY:
            recording.add(
                Kind.ACTIVATION, call, [Value(bases[0].op)], detail=text or "by hand",
                units=units, base=bases[0],
            )  # fmt: skip
            return
        recording.add(kind, call, [a, b], units=units, base=bases[0])
        return
    recording.add(kind, call, [a, b], units=units)


def _normalise(
    recording: Recording, call: Call, kind: Kind, signal: Value, statistic: Value
) -> None:
    """Take out a mean, or divide by a deviation: the two halves of a norm written by hand."""
    units = signal.units if same_shape(call.out, signal.units) else None
    if not _lineage(recording, signal.op) & statistic.statistic:
        recording.add(kind, call, [signal, statistic], units=units)
    elif kind is Kind.ADD:
        base = None
        recording.know(call.out, Value(signal.op, units, base))
    else:
        carried = tuple(origin.passed(call.name) for origin in signal.carried)
        _gains_before(recording, _lineage(recording, signal.op))
        recording.add(Kind.NORM, call, [signal], detail="by hand", units=units, carried=carried)


def _gains_before(recording: Recording, steps: set[int]) -> None:
    """Take the factors between the two halves of a norm as its gain."""
    for uses in recording.uses.values():
        for place, use in enumerate(uses):
            if use.op in steps and use.part is Part.FACTOR:
                uses[place] = replace(use, part=Part.GAIN)


def _lineage(recording: Recording, op: int) -> set[int]:
    """List an operation and those it differs from by factors and terms alone."""
    found = {op}
    while (
        recording.ops[op].kind in (Kind.ADD, Kind.MULTIPLY) and len(recording.ops[op].inputs) == 1
    ):
        op = recording.ops[op].inputs[0]
        found.add(op)
    return found


def _with_parameter(
    recording: Recording,
    call: Call,
    kind: Kind,
    known: tuple[Tensor, Value],
    made: tuple[Tensor, tuple[Origin, ...]],
) -> None:
    (_, value), (tensor, origins) = known, made
    units = value.units if same_shape(call.out, value.units) else None
    before = recording.ops[value.op].kind
    along = _along_units(origins[0], tensor, units)
    carried = _spread(origins, tensor, call) if kind is Kind.MULTIPLY else ()
    index = recording.add(kind, call, [value], units=units, carried=carried)
    if kind is Kind.ADD:
        fans = None
        part = Part.TERM
        if along and before in (Kind.LINEAR, Kind.CONVOLUTION):
            part = Part.BIAS
            fans = next(
                (
                    use.fans
                    for uses in recording.uses.values()
                    for use in uses
                    if use.op == value.op
                ),
                None,
            )
        elif along and _follows_norm(recording, value.op):
            part = Part.OFFSET
        recording.use(origins, index, part, fans=fans)
    else:
        part = Part.GAIN if along and before is Kind.NORM else Part.FACTOR
        recording.use(origins, index, part)


def _spread(origins: tuple[Origin, ...], tensor: Tensor, call: Call) -> tuple[Origin, ...]:
    """Follow a parameter into its product with a signal: it may be a weight on its way."""
    return tuple(
        own
        for origin in origins
        if tensor.ndim > 1
        for own in moved(origin, call.name.strip("_"), lambda own: own.expand(call.out.shape), 1)
    )


def _follows_norm(recording: Recording, op: int) -> bool:
    """Tell whether a signal comes from a norm, also through the norm's gain."""
    own = recording.ops[op]
    if own.kind is Kind.MULTIPLY and len(own.inputs) == 1:
        own = recording.ops[own.inputs[0]]
    return own.kind is Kind.NORM


def _along_units(origin: Origin, tensor: Tensor, units: Tensor | None) -> bool:
    """Tell whether a parameter has one value for each unit, the same at every position."""
    if units is None:
        return False
    found = {
        other - tensor.ndim for axis in range(len(origin.stored)) for other in varying(origin, axis)
    }
    return bool(found) and found <= {axis - units.ndim for axis in unit_axes(units)}


def _with_constant(
    recording: Recording, call: Call, kind: Kind, known: tuple[Tensor, Value]
) -> None:
    tensor, value = known
    if value.statistic:
        recording.know(call.out, Value(value.op, None, None, value.statistic))
        return
    numbers = [x for x in call.args[:2] if isinstance(x, int | float) and not isinstance(x, bool)]
    detail = format_number(float(numbers[0])) if numbers else ""
    if call.name.startswith("neg"):
        numbers, detail = [-1.0], "-1"
    units = value.units if same_shape(call.out, value.units) else None
    base = recording.base_of(tensor, value) if same_shape(call.out, tensor) else None
    by_a_tensor = call.name == "mul" and not numbers
    if base is not None and by_a_tensor and not _is_mask(call):
        base = None  # a rotation is another number at every place
    looked_at = base is not None and (base.op != value.op or by_a_tensor)
    text = recognise(base, call.out) if base is not None and looked_at else ""
    base = None if by_a_tensor and not text else base
    if base is not None and text:
        recording.add(Kind.ACTIVATION, call, [Value(base.op)], detail=text, units=units, base=base)
        return
    recording.add(kind, call, [value], detail=detail, units=units, base=base)


def _is_mask(call: Call) -> bool:
    """Tell whether the other factor is 0 or 1 at every place, as far as a sample shows."""
    for factor in tensors_of(call.args):
        if factor.is_complex():
            continue
        own = sample(factor if factor.is_floating_point() else factor.double())
        if own.numel() and bool(((own == 0) | (own == 1)).all()):
            return True
    return False


def copied(recording: Recording, call: Call) -> None:
    """Record a copy into memory that is there already.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    source = call.argument(1, "src")
    found = recording.tracked(source)
    if isinstance(found, Value):
        units = found.units if same_shape(call.out, found.units) else None
        recording.know(call.out, Value(found.op, units))
    elif found is not None and call.out.shape == source.shape:
        recording.know(call.out, found)


def combined_twice(recording: Recording, call: Call) -> None:
    """Record ``start + value * first * second``: a product, and a sum of both.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    start, first, second = call.args[:3]
    divides = call.name == "addcdiv"
    with torch.no_grad():
        result = first.detach() / second.detach() if divides else first.detach() * second.detach()
    name = "div" if divides else "mul"
    combine(recording, Call(name, (first, second), {}, result, lambda _: None))
    combine(recording, Call("add", (start, result), {}, call.out, lambda _: None))


def interpolated(recording: Recording, call: Call) -> None:
    """Record ``start + weight * (end - start)``: a product, and a sum of both.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    signals = [recording.read(tensor) for tensor in tensors_of(call.args)]
    if not any(signals):
        other(recording, call)
        return
    with torch.no_grad():
        product = Call("mul", (), {}, call.out.detach().clone(), lambda _: None)
    units = next((v.units for v in signals if v and same_shape(call.out, v.units)), None)
    index = recording.add(Kind.MULTIPLY, product, signals[1:], units=units)
    recording.add(Kind.ADD, call, [signals[0], Value(index)], units=units)
