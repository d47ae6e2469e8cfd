"""The mode under which a forward pass is recorded.

Torch tells a function mode of every call of its public functions and tensor methods, wherever they
are made: in a layer, in a functional call, in the code of a custom module. Each call is carried out
as it would have been, and what it did is written down by the handler for its name.
"""

import contextlib
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from fanin.torch.tracing import elementwise, weighted
from fanin.torch.tracing.functions import (
    ACTIVATIONS,
    CASTS,
    CONVOLUTIONS,
    DROPOUTS,
    JOINS,
    LOSSES,
    NORMS,
    PACKINGS,
    PLAIN,
    POOLS,
    PRODUCTS,
    RECURRENT,
    SAME_PLACE,
    SOFTMAXES,
    STATISTICS,
    SUMS,
    VIEWS,
    function_name,
    plain_name,
)
from fanin.torch.tracing.origins import NOWHERE, Origin, joined, moved
from fanin.torch.tracing.recording import Call, Recording, Value, number, tensors_of, unit_axes
from fanin.trace import Kind, Part

Handler = Callable[[Recording, Call], None]

MIXED = frozenset(["masked_fill", "tril", "triu", "nan_to_num"])
"""Views after which every element is where it was, or gone."""


RESHAPES = frozenset(["view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"])
"""Views that keep the order of the elements."""


class Recorder(TorchFunctionMode):
    """Carries out every call of torch, and records it.

    Args:
        recording: Where to.
        before_writing: Called with every tensor that is about to be written to.
    """

    def __init__(self, recording: Recording, before_writing: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.recording = recording
        self.before_writing = before_writing

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Carry out one call and record it.

        Args:
            func: The function.
            types: Types of its tensor arguments, which do not matter here.
            args: Positional arguments.
            kwargs: Keyword arguments.

        Returns:
            What the function returns.
        """
        del types
        kwargs = kwargs or {}
        raw = function_name(func)
        if raw in PLAIN:
            return func(*args, **kwargs)
        if func is functional.multi_head_attention_forward:
            with self:
                return opened(func)(*args, **kwargs)
        self._protect(raw, func, args, kwargs)
        out = func(*args, **kwargs)
        name = plain_name(raw)
        call = Call(name, args, kwargs, out, lambda first: func(first, *args[1:], **kwargs))
        with torch.no_grad():
            self._record(name, call)
            if raw != name and isinstance(out, Tensor):
                _into_whole(self.recording, out)
        return out

    def _protect(self, raw: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        written = getattr(func, "__name__", "")
        in_place = (raw.endswith("_") and not raw.endswith("__")) or written.startswith("__i")
        if (in_place or raw == "__setitem__" or kwargs.get("inplace")) and args:
            for tensor in tensors_of(args[0]):
                self.before_writing(tensor)
                self.recording.keep(tensor)
        for tensor in tensors_of(kwargs.get("out")):
            self.before_writing(tensor)

    def _record(self, name: str, call: Call) -> None:
        if name == "__setitem__":
            _written(self.recording, call)
            return
        if next(tensors_of(call.out), None) is None:
            return
        if not self._concerns(call):
            return
        handler = HANDLERS.get(name, weighted.other)
        try:
            handler(self.recording, call)
        except Exception as problem:  # noqa: BLE001  # a model may call anything in any way
            # The model itself is fine: its call went through. The trace goes on without detail.
            where = self.recording.at[0] or "the model"
            self.recording.notes.append(
                f"{name} in {where} was called in a way that could not be read "
                f"({type(problem).__name__}: {problem}); it is recorded without detail"
            )
            # Where even that fails, torch's own graph still tells what came of it.
            with contextlib.suppress(Exception):
                weighted.other(self.recording, call)

    def _concerns(self, call: Call) -> bool:
        """Whether a call has to do with signals or parameters at all."""
        operands = (*tensors_of(call.args), *tensors_of(call.kwargs))
        return any(self.recording.knows(tensor) for tensor in operands)


def opened(function: Any) -> Any:
    """Copy a function of torch that hides what it calls, so that it does not.

    Such a function hands itself to the mode as one call. The copy believes that nobody listens, and
    what it calls is heard one by one.

    Args:
        function: A Python function of `torch.nn.functional`.

    Returns:
        The copy.
    """
    inside = {**function.__globals__, "has_torch_function": lambda _: False}
    copy = types.FunctionType(
        function.__code__, inside, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _view(recording: Recording, call: Call) -> None:
    source = call.args[0] if call.args else next(tensors_of(call.kwargs))
    if not isinstance(source, Tensor):
        weighted.other(recording, call)
        return
    results = [*tensors_of(call.out)]
    value, origins = recording.value(source), recording.origins(source)
    if value is not None:
        _view_of_signal(recording, call, source, value, results)
    elif origins and call.name in ("__getitem__", "index_select") and _looks_up(recording, call):
        weighted.embedding(recording, call)
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
    parts = [moved(origin, call.name.strip("_"), call.apply, len(results)) for origin in origins]
    for index, result in enumerate(results):
        recording.know(result, tuple(part[index] for part in parts))


def _join(recording: Recording, call: Call) -> None:
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


def _packed(recording: Recording, call: Call) -> None:
    """Record that sequences were laid end to end, or side by side again: the signal is the same."""
    source = weighted.as_signal(recording, next(tensors_of(call.args)))
    result = next(tensors_of(call.out))
    if source is not None:
        recording.know(result, Value(source.op, number(result, (result.ndim - 1,))))


def _written(recording: Recording, call: Call) -> None:
    """Record a part of a tensor being overwritten."""
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


def _into_whole(recording: Recording, part: Tensor) -> None:
    """Record that a tensor was written to through a view of it."""
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


def _norm(recording: Recording, call: Call) -> None:
    value = weighted.as_signal(recording, call.argument(0, "input"))
    units = value.units if value is not None else None
    if units is None or units.shape != call.out.shape:
        last = call.name in ("layer_norm", "rms_norm") or call.out.ndim < 2
        units = (call.out.ndim - 1,) if last else (1,)
    carried = _carried(value, call.name)
    index = recording.add(Kind.NORM, call, [value], detail=call.name, units=units, carried=carried)
    places = {
        "layer_norm": (2, 3), "group_norm": (2, 3), "batch_norm": (3, 4),
        "instance_norm": (3, 4), "rms_norm": (2, 9),
    }.get(call.name, (9, 9))  # fmt: skip
    for part, place, name in ((Part.GAIN, places[0], "weight"), (Part.OFFSET, places[1], "bias")):
        recording.use(recording.origins(call.argument(place, name)), index, part)


def _like_input(kind: Kind) -> Handler:
    """Record an operation after which the units are where they were, if the shape is the same."""

    def record(recording: Recording, call: Call) -> None:
        operands = [*tensors_of(call.args), *tensors_of(call.kwargs)]
        value = weighted.as_signal(recording, operands[0])
        if value is None:
            weighted.other(recording, call)
            return
        detail = ""
        if kind is Kind.DROPOUT:
            training = call.argument(2, "training", False)
            probability = float(call.argument(1, "p", 0.5)) if training else 0.0
            detail = f"{probability:g}"
        first = next(tensors_of(call.out))
        units: Any = value.units
        if units is not None and units.shape != first.shape:
            axes = unit_axes(units)
            units = axes if units.ndim == first.ndim and len(axes) == 1 else None
        carried = _carried(value, call.name)
        recording.add(kind, call, [value], detail=detail, units=units, carried=carried)

    return record


def _carried(value: Value | None, name: str) -> tuple[Origin, ...]:
    """Follow the parameters that a signal is made from, element by element."""
    return () if value is None else tuple(origin.passed(name) for origin in value.carried)


def _statistic(recording: Recording, call: Call) -> None:
    source = next(tensors_of(call.args), None)
    value = None if source is None else recording.read(source)
    if value is None or source is None:
        weighted.other(recording, call)
        return
    first = next(tensors_of(call.out))
    axes = call.argument(1, "dim", call.kwargs.get("axis"))
    chosen = [axes] if isinstance(axes, int) else axes
    if isinstance(chosen, list | tuple) and value.units is not None and not value.statistic:
        reduced = {int(axis) % source.ndim for axis in chosen}
        lie = set(unit_axes(value.units))
        if call.name in ("mean", "sum", "amax", "max", "logsumexp") and lie and not reduced & lie:
            keep = bool(call.argument(2, "keepdim", False))
            left = [axis for axis in range(source.ndim) if keep or axis not in reduced]
            recording.add(
                Kind.POOL, call, [value], detail=call.name,
                units=tuple(left.index(axis) for axis in sorted(lie)),
            )  # fmt: skip
            return
    owners = value.statistic or _owners(recording, value)
    for result in tensors_of(call.out):
        recording.know(result, Value(value.op, None, None, owners))
    if first.ndim == 0:
        recording.add(Kind.OTHER, call, [value], statistic=owners)


def _owners(recording: Recording, value: Value) -> frozenset[int]:
    """List the operations whose numbers a function of them is a statistic of: x for x squared."""
    owners = {value.op}
    if value.base is not None:
        owners.add(value.base.op)
    steps = (Kind.ACTIVATION, Kind.MULTIPLY)
    before = [recording.ops[op].inputs[:1] for op in owners if recording.ops[op].kind in steps]
    return frozenset(owners.union(*before))


def _plain(kind: Kind) -> Handler:
    def record(recording: Recording, call: Call) -> None:
        signals = [recording.read(t) for t in (*tensors_of(call.args), *tensors_of(call.kwargs))]
        if not any(signals):
            weighted.other(recording, call)
            return
        recording.add(kind, call, signals)

    return record


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(STATISTICS, _statistic),
    **dict.fromkeys(ACTIVATIONS, elementwise.activate),
    **dict.fromkeys(VIEWS, _view),
    **dict.fromkeys(JOINS, _join),
    **dict.fromkeys(NORMS, _norm),
    **dict.fromkeys(POOLS, _like_input(Kind.POOL)),
    **dict.fromkeys(DROPOUTS, _like_input(Kind.DROPOUT)),
    **dict.fromkeys(SOFTMAXES, _like_input(Kind.SOFTMAX)),
    **dict.fromkeys(LOSSES, _plain(Kind.LOSS)),
    **dict.fromkeys(CONVOLUTIONS, weighted.convolution),
    **dict.fromkeys(RECURRENT, weighted.recurrent),
    **dict.fromkeys(SUMS | PRODUCTS, elementwise.combine),
    **dict.fromkeys(
        [
            "matmul",
            "__matmul__",
            "__rmatmul__",
            "mm",
            "bmm",
            "mv",
            "dot",
            "inner",
            "addmm",
            "baddbmm",
            "addmv",
            "tensordot",
        ],
        weighted.product,
    ),
    "linear": weighted.linear,
    "_grouped_mm": weighted.grouped_product,
    "grouped_mm": weighted.grouped_product,
    "einsum": weighted.einsum,
    "bilinear": weighted.bilinear,
    "embedding": weighted.embedding,
    "embedding_bag": weighted.embedding,
    "scaled_dot_product_attention": weighted.attention,
    **dict.fromkeys(PACKINGS, _packed),
    "glu": elementwise.gated_linear_unit,
    "lerp": elementwise.interpolated,
    "addcmul": elementwise.combined_twice,
    "addcdiv": elementwise.combined_twice,
    "where": elementwise.chosen,
    "copy": elementwise.copied,
}
"""What records each function; the others are recorded as operations of kind "other"."""
