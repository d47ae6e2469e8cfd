"""From a recording to a trace: what nothing comes of is left out, and indices are closed up."""

from dataclasses import replace

import torch
from torch import nn

from fanin.schemes import Fans
from fanin.torch.layouts import Site
from fanin.torch.tracing.measure import measure
from fanin.torch.tracing.recording import WHOLE, Recording
from fanin.torch.tracing.running import Chosen
from fanin.trace import Kind, Op, Part, Signal, Trace, TracedParameter, Use
from fanin.trace.structure import surroundings


def assemble(
    model: nn.Module,
    sites: tuple[Site, ...],
    recording: Recording,
    chosen: Chosen,
    gradients: dict[int, Signal],
) -> Trace:
    """Make the trace.

    Args:
        model: The model.
        sites: Its parameters.
        recording: What was recorded.
        chosen: The loss.
        gradients: Signals of the gradients, by index of the parameter.

    Returns:
        The trace.
    """
    ops = tuple(
        replace(op, forward=recording.forward.get(index), backward=recording.backward.get(index))
        for index, op in enumerate(recording.ops)
    )
    uses = {
        index: [_cut(use, sites[index].slot.shape, recording) for use in own]
        for index, own in recording.uses.items()
    }
    fans = {
        (use.op, use.fans): cut.fans
        for index, own in recording.uses.items()
        for use, cut in zip(own, uses[index], strict=True)
        if use.layout is not None
    }
    kept, places = _alive(ops, uses, recording.constant)
    ops = tuple(kept)
    parameters = tuple(
        TracedParameter(
            site.slot.name,
            site.slot.shape,
            site.slot.aliases,
            tuple(_renamed(use, places, fans) for use in uses.get(index, [])),
            gradients.get(index),
        )
        for index, site in enumerate(sites)
    )
    notes = [*dict.fromkeys(recording.notes)]
    if any(op.kind is Kind.DROPOUT and op.detail not in ("", "0") for op in ops):
        notes.append("in training mode: dropout was on, with a fixed seed")
    return Trace(
        ops, parameters, chosen.name, chosen.number, model.training, tuple(notes),
        surroundings(ops, parameters), _moments(sites) if recording.values_known else {},
    )  # fmt: skip


def _moments(sites: tuple[Site, ...]) -> dict[str, tuple[float, float]]:
    """Read what the parameters held, for theory to start from."""
    with torch.no_grad():
        read = {site.slot.name: measure(site.place.current()) for site in sites}
    return {name: (own.mean, own.std) for name, own in read.items() if own is not None}


ENDS = (Kind.OUTPUT, Kind.LOSS)
"""What every signal that matters leads to."""


def _alive(
    ops: tuple[Op, ...], uses: dict[int, list[Use]], constant: set[int]
) -> tuple[list[Op], dict[int, int]]:
    """Leave out what nothing comes of: the steps of an activation that was recognised as a whole.

    So are uses on the way to a weight, such as the power iteration of a spectral norm, where the
    parameter has others.
    """
    reached = _leading_to(ops, {i for i, op in enumerate(ops) if op.kind in ENDS})
    for index, own in uses.items():
        live = [use for use in own if use.op in reached or use.op not in constant]
        uses[index] = live or own
    needed = {use.op for own in uses.values() for use in own}
    needed |= {i for i, op in enumerate(ops) if op.kind is Kind.INPUT or op.kind in ENDS}
    needed = _leading_to(ops, needed)
    alive = [index in needed for index in range(len(ops))]
    places = {old: new for new, old in enumerate(i for i, own in enumerate(alive) if own)}
    kept = [
        replace(op, inputs=tuple(places[before] for before in op.inputs))
        for index, op in enumerate(ops)
        if alive[index]
    ]
    return kept, places


def _leading_to(ops: tuple[Op, ...], ends: set[int]) -> set[int]:
    found = set(ends)
    for index in range(len(ops) - 1, -1, -1):
        if index in found:
            found.update(ops[index].inputs)
    return found


def _renamed(
    use: Use, places: dict[int, int], fans: dict[tuple[int, Fans | None], Fans | None]
) -> Use:
    """Give a use the new index of its operation, and a bias the fans that its kernel was cut to."""
    own = fans.get((use.op, use.fans), use.fans) if use.part is Part.BIAS else use.fans
    return replace(use, op=places[use.op], fans=own)


def _cut(use: Use, shape: tuple[int, ...], recording: Recording) -> Use:
    """Find out into how many matrices of their own the outputs of a kernel are cut."""
    layout = use.layout
    if (
        layout is None
        or not layout.out_axes
        or layout.lookup
        or layout.blocks > 1
        or layout.groups > 1
    ):
        return use
    size = shape[layout.out_axes[0]]
    if use.rows is not None:
        part = use.rows[1] - use.rows[0]
        even = part and size % part == 0 and use.rows[0] % part == 0
        return replace(use, layout=replace(layout, blocks=size // part)) if even else use
    pieces = recording.read_of(use.op)
    total = recording.totals.get(use.op, 0)
    counts = {count for _, _, count in pieces}
    if WHOLE in pieces or len(counts) != 1 or not total or use.fans is None:
        return use
    count = counts.pop()
    parts = total // count if count else 0
    if parts < 2 or parts * count != total or len(pieces) < parts:
        return use
    fans = Fans(use.fans.fan_in, use.fans.fan_out / parts)
    lies_in_order = all(last - first == count for first, last, _ in pieces)
    if lies_in_order and size % parts == 0:
        return replace(use, layout=replace(layout, blocks=parts), fans=fans)
    return replace(use, fans=fans)
