"""The answer of a sweep in words: what trains where, and where it stops.

Nothing is said that the table does not show. Theory's critical value stands beside what was found,
whether it agrees or not.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fanin.calls import format_number, split_calls
from fanin.reports.document import Document, Table, counted, figure, listed
from fanin.reports.numbers import jsonable
from fanin.studies.statistics import STUCK_MARGIN

if TYPE_CHECKING:
    from fanin.studies.sweep import Sweep

NAMED = 4
"""Values with a sentence of their own, at most."""


def document(sweep: "Sweep") -> Document:
    """Lay a sweep out: title, verdict, a table for each width.

    Args:
        sweep: The sweep.

    Returns:
        The document.
    """
    tables = tuple(_table(sweep, place) for place in range(len(sweep.grid.widths)))
    return Document(_title(sweep), _sentences(sweep), tables, sweep.notes)


def facts(sweep: "Sweep") -> dict[str, str]:
    """Tell how a sweep was made.

    Args:
        sweep: The sweep.

    Returns:
        Text by name.
    """
    design = next(iter(sweep.studies.values())).design
    return {
        "network": f"{sweep.grid.network}, its hidden layers replaced",
        "data": design.data,
        "scheme": sweep.grid.scheme,
        "values": ", ".join(map(format_number, sweep.grid.values)),
        "hidden layers": ", ".join(map(str, sweep.grid.depths)),
        "units": ", ".join(map(str, sweep.grid.widths)),
        "repeats": f"{design.repeats}, seeds from {design.seed}",
        "optimiser": str(design.optimizer),
        "training": f"{design.steps} steps in batches of {design.batch_size}",
    }


def record(sweep: "Sweep") -> str:
    """Write the figures of a sweep as JSON.

    Args:
        sweep: The sweep.

    Returns:
        An object with ``format``, the axes (``widths``, ``depths``, ``values``), and by width,
        depth and value the ``median_loss`` and the share that ``learnt``; ``critical`` has theory's
        value for each width; ``verdict`` and ``facts`` are the words.
    """
    said: dict[str, Any] = {
        "format": "fanin sweep 1",
        "verdict": list(_sentences(sweep)),
        "facts": facts(sweep),
        "widths": list(sweep.grid.widths),
        "depths": list(sweep.grid.depths),
        "values": list(sweep.grid.values),
        "median_loss": sweep.losses.tolist(),
        "learnt": sweep.learnt.tolist(),
        "critical": {str(width): value for width, value in sweep.critical.items()},
        "notes": list(sweep.notes),
    }
    return json.dumps(jsonable(said))


def _title(sweep: "Sweep") -> str:
    grid, design = sweep.grid, next(iter(sweep.studies.values())).design
    return (
        f"{grid.scheme} at {counted(len(grid.values), 'value')}, "
        f"{_span(grid.depths, 'hidden layer')} of {_span(grid.widths, 'unit')}, "
        f"{grid.network.hidden}, on {split_calls(design.data)[0]}: "
        f"{counted(design.repeats, 'repeat')}, {counted(design.steps, 'step')} of "
        f"{design.optimizer}"
    )


def _sentences(sweep: "Sweep") -> tuple[str, ...]:
    grid = sweep.grid
    said = list[str]()
    for place, width in enumerate(grid.widths):
        units = f" of {width} units" if len(grid.widths) > 1 else ""
        said += _of_width(sweep, sweep.works[place], units, sweep.critical[width])
    if len(grid.widths) > 1:
        said += _across_widths(sweep)
    if sweep.stopped:
        said.insert(0, "The sweep was stopped on the way; what is missing is left empty.")
    return tuple(said)


def _of_width(
    sweep: "Sweep", works: NDArray[np.bool_], units: str, critical: float | None
) -> list[str]:
    """What trains at the least depth, at the greatest, and at the greatest that trains at all."""
    depths, values = sweep.grid.depths, sweep.grid.values
    deepest = int(np.flatnonzero(works.any(axis=1)).max(initial=0))
    ends = sorted({0, deepest, len(depths) - 1})
    parts = [
        f"with {counted(depths[end], 'hidden layer')}{units} {_working(values, works[end])}"
        for end in ends
    ]
    said = ["; ".join(parts).capitalize() + "."]
    if works.all():
        said = [f"Every value trains at every depth{' of layers' + units if units else ''}."]
    stops = [
        (value, depths[int(np.argmin(column))])
        for value, column in zip(values, works.T, strict=True)
        if column[0] and not column.all()
    ]
    if stops and len(depths) > 1:
        told = [f"{format_number(value)} at {depth}" for value, depth in stops[:NAMED]]
        more = f", and {len(stops) - NAMED} more" if len(stops) > NAMED else ""
        said.append(f"As layers are added{units and ','} training stops for {listed(told)}{more}.")
    if critical is not None:
        said.append(
            f"Theory's critical value for {sweep.grid.network.hidden}{units} is "
            f"{figure(critical)}{_agreement(values, works[deepest], critical)}."
        )
    return said


def _agreement(values: tuple[float, ...], works: NDArray[np.bool_], critical: float) -> str:
    """Whether what trains at the deepest lies around the critical value."""
    kept = [value for value, good in zip(values, works, strict=True) if good]
    if not kept:
        return ""
    below = [value for value in values if value <= critical]
    above = [value for value in values if value >= critical]
    nearest = {*below[-1:], *above[:1]} & set(kept)
    return f", {'next to' if nearest else 'away from'} what trains at the deepest"


def _across_widths(sweep: "Sweep") -> list[str]:
    known = [(width, value) for width, value in sweep.critical.items() if value is not None]
    if len(known) < 2:
        return []
    (narrow, first), (wide, last) = known[0], known[-1]
    said = f"Theory has the scale fall with the root of the width: {figure(first)} for {narrow} "
    return [f"{said}units, {figure(last)} for {wide}."]


def _working(values: tuple[float, ...], works: NDArray[np.bool_]) -> str:
    """Name the values that train, neighbours as a range."""
    spans = list[list[float]]()
    for value, good, before in zip(values, works, [False, *works[:-1]], strict=True):
        if good and before:
            spans[-1].append(value)
        elif good:
            spans.append([value])
    if not spans:
        return "no value trains"
    told = [
        format_number(span[0])
        if len(span) == 1
        else f"{format_number(span[0])} to {format_number(span[-1])}"
        for span in spans
    ]
    alone = len(spans) == 1 and len(spans[0]) == 1
    return f"{listed(told)} {'trains' if alone else 'train'}"


def _table(sweep: "Sweep", place: int) -> Table:
    grid = sweep.grid
    width = grid.widths[place]
    rows = [
        (
            format_number(value),
            *(_cell(sweep, place, depth, at) for depth in range(len(grid.depths))),
        )
        for at, value in enumerate(grid.values)
    ]
    critical = sweep.critical[width]
    if critical is not None:
        line = ("critical " + figure(critical), *[""] * len(grid.depths))
        below = sum(value < critical for value in grid.values)
        rows.insert(below, line)
    held_out = any("held_out_loss" in own.dataset for own in sweep.studies.values())
    return Table(
        f"Median {'held-out' if held_out else 'training'} loss, {counted(width, 'unit')} a layer",
        ("value", *(counted(depth, "layer") for depth in grid.depths)),
        tuple(rows),
        _notes() if place == 0 else (),
    )


def _notes() -> tuple[str, ...]:
    share = (
        "In brackets: the share of the runs that learnt, where it is not all of them. A run has "
        f"not learnt if it diverged, or ended less than {STUCK_MARGIN:.0%} below the best constant "
        "guess and no longer fell."
    )
    line = "critical: the value at which theory has the gradient keep its size from layer to layer."
    return (share, line)


def _cell(sweep: "Sweep", width: int, depth: int, value: int) -> str:
    loss, learnt = sweep.losses[width, depth, value], sweep.learnt[width, depth, value]
    if np.isnan(learnt):
        return "-"
    text = figure(float(loss), infinite="diverged")
    return text if learnt == 1 else f"{text} ({learnt:.0%})"


def _span(counts: tuple[int, ...], word: str) -> str:
    if len(counts) == 1:
        return counted(counts[0], word)
    return f"{counts[0]} to {counted(counts[-1], word)}"
