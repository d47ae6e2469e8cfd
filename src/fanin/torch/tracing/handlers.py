"""What records each function of torch: a table, and the handlers that are short."""

from collections.abc import Callable
from typing import Any

from fanin.torch.tracing.activations import activate, chosen, gated_linear_unit
from fanin.torch.tracing.derived import as_signal, other
from fanin.torch.tracing.elementwise import combine, combined_twice, copied, interpolated
from fanin.torch.tracing.functions import (
    ACTIVATIONS,
    CONVOLUTIONS,
    DROPOUTS,
    JOINS,
    LOSSES,
    NORMS,
    PACKINGS,
    POOLS,
    PRODUCTS,
    RECURRENT,
    SOFTMAXES,
    STATISTICS,
    SUMS,
    VIEWS,
)
from fanin.torch.tracing.origins import Origin
from fanin.torch.tracing.products import bilinear, einsum, grouped_product, linear, product
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.sharpness import note_softmax
from fanin.torch.tracing.units import unit_axes
from fanin.torch.tracing.values import Call, Value, is_sequence, tensors_of
from fanin.torch.tracing.views import join, packed, view
from fanin.torch.tracing.weighted import attention, convolution, embedding, recurrent
from fanin.trace import Kind, Part

Handler = Callable[[Recording, Call], None]


def _norm(recording: Recording, call: Call) -> None:
    value = as_signal(recording, call.argument(0, "input"))
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
        value = as_signal(recording, operands[0])
        if value is None:
            other(recording, call)
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
        index = recording.add(kind, call, [value], detail=detail, units=units, carried=carried)
        if kind is Kind.SOFTMAX and call.name != "gumbel_softmax":
            note_softmax(recording, index, call)

    return record


def _carried(value: Value | None, name: str) -> tuple[Origin, ...]:
    """Follow the parameters that a signal is made from, element by element."""
    return () if value is None else tuple(origin.passed(name) for origin in value.carried)


def _statistic(recording: Recording, call: Call) -> None:
    source = next(tensors_of(call.args), None)
    value = None if source is None else recording.read(source)
    if value is None or source is None:
        other(recording, call)
        return
    first = next(tensors_of(call.out))
    axes = call.argument(1, "dim", call.kwargs.get("axis"))
    chosen = [axes] if isinstance(axes, int) else axes
    if is_sequence(chosen) and value.units is not None and not value.statistic:
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
            other(recording, call)
            return
        recording.add(kind, call, signals)

    return record


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(STATISTICS, _statistic),
    **dict.fromkeys(ACTIVATIONS, activate),
    **dict.fromkeys(VIEWS, view),
    **dict.fromkeys(JOINS, join),
    **dict.fromkeys(NORMS, _norm),
    **dict.fromkeys(POOLS, _like_input(Kind.POOL)),
    **dict.fromkeys(DROPOUTS, _like_input(Kind.DROPOUT)),
    **dict.fromkeys(SOFTMAXES, _like_input(Kind.SOFTMAX)),
    **dict.fromkeys(LOSSES, _plain(Kind.LOSS)),
    **dict.fromkeys(CONVOLUTIONS, convolution),
    **dict.fromkeys(RECURRENT, recurrent),
    **dict.fromkeys(SUMS | PRODUCTS, combine),
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
        product,
    ),
    "linear": linear,
    "_grouped_mm": grouped_product,
    "grouped_mm": grouped_product,
    "einsum": einsum,
    "bilinear": bilinear,
    "embedding": embedding,
    "embedding_bag": embedding,
    "scaled_dot_product_attention": attention,
    **dict.fromkeys(PACKINGS, packed),
    "glu": gated_linear_unit,
    "lerp": interpolated,
    "addcmul": combined_twice,
    "addcdiv": combined_twice,
    "where": chosen,
    "copy": copied,
}
"""What records each function; the others are recorded as operations of kind "other"."""
