"""Views, joins and writes into a part: the elements stay what they were, and lie elsewhere.

Whatever a view does to a tensor is done to the numbers of its units and to the coordinates of the
parameters in it as well.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from fanin.torch.tracing.derived import as_signal, other
from fanin.torch.tracing.functions import CASTS, SAME_PLACE
from fanin.torch.tracing.origins import (
    NOWHERE,
    Origin,
    joined,
    moved,
)
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.units import number, unit_axes
from fanin.torch.tracing.values import Call, Value, tensors_of
from fanin.torch.tracing.weighted import embedding
from fanin.trace import Kind, Part

MIXED = frozenset(["masked_fill", "tril", "triu", "nan_to_num"])
"""Views after which every element is where it was, or gone."""


RESHAPES = frozenset(["view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"])
"""Views that keep the order of the elements."""


def view(recording: Recording, call: Call) -> None:
    """Follow what is known of a tensor into its views.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    source = call.args[0] if call.args else next(tensors_of(call.kwargs))
    if not isinstance(source, Tensor):
        other(recording, call)
        return
    results = [*tensors_of(call.out)]
    value, origins = recording.value(source), recording.origins(source)
    if value is not None:
        _view_of_signal(recording, call, source, value, results)
    elif origins and call.name in ("__getitem__", "index_select") and _looks_up(recording, call):
        embedding(recording, call)
    else:
        _view_of_parameter(recording, call, origins, results)


def _looks_up(recording: Recording, call: Call) -> bool:
    """Tell a look-up of rows, by the numbers of an input, from a view."""
    return any(recording.value(tensor) is not None for tensor in tensors_of(call.args[1:]))


def _view_of_signal(
    recording: Recording, call: Call, source: Tensor, value: Value, results: list[Tensor]
) -> None:
    shadows: list[Tensor | None] = [None] * len(results)
    if value.units is not None:
        if call.name in MIXED or call.name in CASTS or call.name in SAME_PLACE:
            shadows = [value.units if value.units.shape == r.shape else None for r in results]
        elif call.name not in ("interpolate", "upsample", "pad", "masked_fill"):
            shadows = _shadows(call, value.units, results)
    same = call.name in CASTS or call.name in SAME_PLACE
    for place, (result, units) in enumerate(zip(results, shadows, strict=True)):
        kept = units if units is not None and units.shape == result.shape else None
        carried = tuple(
            moved(origin, call.name.strip("_"), call.apply, len(results))[place]
            for origin in value.carried
        )
        if same and result.shape == source.shape:
            recording.know(result, replace(value, units=kept))
        else:
            recording.know(result, Value(value.op, kept, None, value.statistic, carried, object()))


def _shadows(call: Call, units: Tensor, results: list[Tensor]) -> list[Tensor | None]:
    """Do to the numbers of the units what was done to the signal."""
    try:
        moved_units = [*tensors_of(call.apply(units))]
    except Exception:  # noqa: BLE001  # not every view takes integers, or strides such as theirs
        if len(results) == 1 and results[0].numel() == units.numel():
            return [units.reshape(results[0].shape)] if call.name in RESHAPES else [None]
        return [None] * len(results)
    return [*moved_units[: len(results)]]


def _view_of_parameter(
    recording: Recording, call: Call, origins: tuple[Origin, ...], results: list[Tensor]
) -> None:
    if call.name in SAME_PLACE or not origins:
        for result in results:
            recording.know(result, origins)
        return
    if call.name in CASTS or call.name in MIXED:
        name = "cast" if call.name in CASTS else call.name
        recording.know(results[0], tuple(origin.passed(name) for origin in origins))
        return
    if call.name in ("interpolate", "upsample"):
        size = results[0].shape[2:]
        parts = [
            moved(origin, call.name, lambda own: _nearest(own, size), len(results))
            for origin in origins
        ]
        recording.know(results[0], tuple(part[0] for part in parts))
        return
    parts = [moved(origin, call.name.strip("_"), call.apply, len(results)) for origin in origins]
    for index, result in enumerate(results):
        recording.know(result, tuple(part[index] for part in parts))


def _nearest(coordinates: Tensor, size: tuple[int, ...]) -> Tensor:
    """Stretch coordinates as a tensor was stretched; no mean of two of them is one."""
    return functional.interpolate(coordinates.float(), size, mode="nearest").to(torch.int32)


def join(recording: Recording, call: Call) -> None:
    """Record that tensors are joined: signals become one, parameters a larger parameter.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    pieces = [*tensors_of(call.argument(0, "tensors"))]
    signals = [recording.read(piece) for piece in pieces]
    if any(signal is not None for signal in signals):
        known = next(signal for signal in signals if signal is not None)
        units = None
        if known.units is not None and call.name in ("cat", "concat", "concatenate"):
            units = unit_axes(known.units)
        index = recording.add(Kind.CONCATENATE, call, signals, units=units)
        for piece in pieces:
            recording.use(recording.origins(piece), index, Part.PIECE)
        return
    found = list[Origin]()
    for place, piece in enumerate(pieces):
        for origin in recording.origins(piece):

            def among(own: Tensor, place: int = place) -> Tensor:
                blank = [torch.full(other.shape, NOWHERE, dtype=own.dtype) for other in pieces]
                blank[place] = own
                return call.apply(blank)

            found.append(joined(origin, call.name, among))
    recording.know(call.out, tuple(found))


def packed(recording: Recording, call: Call) -> None:
    """Record that sequences were laid end to end, or side by side again: the signal is the same.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    source = as_signal(recording, next(tensors_of(call.args)))
    result = next(tensors_of(call.out))
    if source is not None:
        recording.know(result, Value(source.op, number(result, (result.ndim - 1,))))


def written(recording: Recording, call: Call) -> None:
    """Record a part of a tensor being overwritten.

    Args:
        recording: What is recorded so far.
        call: The call.
    """
    target, new = call.args[0], call.args[-1]
    signals = [recording.value(target), recording.value(new)]
    origins = recording.origins(new) if isinstance(new, Tensor) else ()
    if not any(signal is not None for signal in signals):
        return
    known = signals[0]
    units = known.units if known is not None else None
    written = Call("setitem", (), {}, target, lambda _: None)
    index = recording.add(Kind.CONCATENATE, written, signals, units=units)
    recording.use(origins, index, Part.PIECE)


def into_whole(recording: Recording, part: Tensor) -> None:
    """Record that a tensor was written to through a view of it.

    Args:
        recording: What is recorded so far.
        part: The view.
    """
    base = part._base  # noqa: SLF001  # torch's documented name for what a view looks into
    if base is None or recording.value(part) is None:
        return
    value = recording.tracked(base)
    signals = [value if isinstance(value, Value) else None, recording.value(part)]
    if signals[0] == signals[1]:
        return
    units = signals[0].units if signals[0] is not None else None
    written = Call("setitem", (), {}, base, lambda _: None)
    recording.add(Kind.CONCATENATE, written, signals, units=units)
