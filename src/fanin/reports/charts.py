"""The two pictures of a study: how the schemes train, and where every single run ends.

Each is a Vega-Lite specification with its data inside, a plain value: Altair shows it in a
notebook, a page draws it, a file keeps it. What is drawn is thinned to what a screen can show, and
the picture says so; the full data are in the study.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fanin.reports.axes import (
    INK,
    Limits,
    colours,
    dashes,
    limits,
    scale,
    share_limits,
    spread_out,
    ticks,
)
from fanin.reports.look import WIDTH, Spec, chart_config, chart_title, legend

if TYPE_CHECKING:
    import xarray

HEIGHT = 240
"""Pixels of one panel."""

DOTS = 400
"""Dots drawn at most, over all schemes; of more runs evenly spaced ones are shown, by rank."""

POINTS = 400
"""Points drawn in one panel at most, over all schemes; of more, evenly spaced ones are drawn."""

_FAR = 1e300  # stands for infinity in a chart

HANDLES = 100
"""Points in one panel that tell their figures under the pointer, at most."""


def curve_chart(
    dataset: "xarray.Dataset",
    order: Sequence[str],
    *,
    title: str = "",
    baselines: Mapping[str, float] | None = None,
) -> Spec:
    """Draw the median curve of every scheme, loss above accuracy, held-out beside training.

    Args:
        dataset: Dims scheme, repeat and epoch; ``loss`` and any of ``held_out_loss``, ``accuracy``
            and ``held_out_accuracy``; coordinate ``step`` on epoch.
        order: The schemes in the order of the legend.
        title: What the picture shows, as a sentence.
        baselines: Loss of the best constant guess by name of the loss, drawn as a line.

    Returns:
        A Vega-Lite specification. The band is the middle half of the runs.
    """
    at, along = _along(dataset)
    places = spread_out(at.size, POINTS // len(order))
    notes = ["Line: median of the runs. Band: the middle half of the runs."]
    if places.size < at.size:
        notes.append(f"Drawn at {places.size} of {at.size} measured points.")
    drawn, rows = dict[str, list[Spec]](), list[Spec]()
    for metric in ("loss", "accuracy"):
        names = [name for name in (f"held_out_{metric}", metric) if _measured(dataset, name)]
        if not names:
            continue
        drawn |= {name: _curve_records(dataset, name, order, at, places) for name in names}
        ends = [r[key] for name in names for r in drawn[name] for key in ("low", "median", "high")]
        values = [_meant(end) for end in ends]
        shown = limits(values) if metric == "loss" else share_limits(values)
        if shown.outside:
            notes.append(f"{shown.outside} of {len(values)} values of the {metric} lie outside.")
        panels = [
            _panel(name, order, along, shown, (baselines or {}).get(name), wide=len(names) == 1)
            for name in names
        ]
        rows.append({"hconcat": panels, "spacing": 24})
    # One selection, defined where it is met first and used by every panel.
    pick = {"name": "scheme", "select": {"type": "point", "fields": ["scheme"]}, "bind": "legend"}
    rows[0]["hconcat"][0]["layer"][0]["params"] = [pick]
    return {
        "title": chart_title(title, notes),
        "vconcat": rows,
        "spacing": 18,
        "datasets": drawn,
        "config": chart_config(),
    }


def final_chart(
    final: Mapping[str, NDArray[np.floating]],
    medians: Mapping[str, tuple[float, float, float]],
    measure: str,
    *,
    title: str = "",
) -> Spec:
    """Draw where every single run ends, one row of dots per scheme, with median and interval.

    Args:
        final: Final loss of each run by scheme, in the order of the rows; inf for a diverged run.
        medians: Median, lower and upper end of its interval by scheme; NaN when there is none.
        measure: What the losses are, such as ``"held-out loss"``.
        title: What the picture shows, as a sentence.

    Returns:
        A Vega-Lite specification. Runs that diverged or lie off the scale are counted at the end of
        their row.
    """
    order, most = list(final), max(20, DOTS // len(final))
    shown = limits(np.concatenate([np.asarray(v, dtype=np.float64) for v in final.values()]))
    axis = {"type": "quantitative", "scale": scale(shown)}
    x = {**axis, "field": "loss", "title": measure, "axis": {"grid": True, **ticks(shown)}}
    y = {"field": "scheme", "sort": order, "title": None, "axis": {"labelLimit": 400}}
    colour = {"field": "scheme", "scale": colours(order), "legend": None}
    runs: Spec = {
        "data": {"values": [r for name, v in final.items() for r in _dots(name, v, most)]},
        "mark": {"type": "circle", "size": 26, "opacity": 0.45, "clip": True},
        "encoding": {
            "x": x,
            "y": y,
            "yOffset": {"field": "place", "type": "quantitative", "scale": {"domain": [-0.2, 1.2]}},
            "color": colour,
            "tooltip": _tips(("scheme", ""), ("repeat", ""), ("loss", measure)),
        },
    }
    middles = {
        "values": [
            {
                "scheme": scheme,
                "median": _drawable(value),
                "low": _drawable(low),
                "high": _drawable(high),
            }
            for scheme, (value, low, high) in medians.items()
        ]
    }
    bar: Spec = {
        "data": middles,
        "mark": {"type": "rule", "strokeWidth": 2, "clip": True},
        "encoding": {
            "x": {**axis, "field": "low"},
            "x2": {"field": "high"},
            "y": y,
            "color": colour,
        },
    }
    tips = _tips(("scheme", ""), ("median", ""), ("low", "interval from"), ("high", "interval to"))
    tick: Spec = {
        "data": middles,
        "mark": {"type": "tick", "thickness": 3, "size": 24, "clip": True},
        "encoding": {"x": {**axis, "field": "median"}, "y": y, "color": colour, "tooltip": tips},
    }
    told: Spec = {
        "data": {"values": [{"scheme": s, "text": _beyond(v, shown)} for s, v in final.items()]},
        "mark": {"type": "text", "align": "right", "dy": -9, "fontSize": 11, "color": INK},
        "encoding": {"x": {"value": 2 * WIDTH - 6}, "y": y, "text": {"field": "text"}},
    }
    thinned = any(values.size > most for values in final.values())
    dot = f"Dot: one run, {most} of each scheme by rank." if thinned else "Dot: one run."
    return {
        "title": chart_title(title, [f"{dot} Mark and bar: median of the runs and its interval."]),
        "layer": [runs, bar, tick, told],
        "width": 2 * WIDTH,
        "height": 34 * len(order) + 10,
        "config": chart_config(),
    }


def _panel(
    name: str,
    order: Sequence[str],
    along: str,
    shown: Limits,
    baseline: float | None,
    *,
    wide: bool,
) -> Spec:
    metric = name.removeprefix("held_out_")
    part = "training" if name == metric else "held-out"
    width = 2 * WIDTH + 60 if wide else WIDTH
    key = legend(order)
    y: Spec = {"type": "quantitative", "scale": scale(shown)}
    y |= {"title": f"{part} {metric}", "axis": {"grid": True, **ticks(shown)}}
    # Many bands on top of each other must not add up to a wall.
    faint = min(0.14, 0.9 / len(order))
    band = {
        "mark": {"type": "area", "clip": True},
        "encoding": {
            "y": {**y, "field": "low"},
            "y2": {"field": "high"},
            "opacity": _picked(faint, 0.02),
        },
    }
    line: Spec = {
        "mark": {"type": "line", "clip": True, "strokeWidth": 1.4 if part == "training" else 2},
        "encoding": {
            "y": {**y, "field": "median"},
            "strokeDash": {"field": "scheme", "scale": dashes(order), "legend": key},
            "opacity": _picked(1, 0.1),
        },
    }
    point: Spec = {
        "transform": [{"filter": "datum.handle"}],
        "mark": {"type": "circle", "clip": True, "size": 60},
        "encoding": {
            "y": {**y, "field": "median"},
            "opacity": {"value": 0.01},
            "tooltip": _tips(
                ("scheme", ""),
                ("at", along),
                ("median", f"median {metric}"),
                ("low", "a quarter below"),
                ("high", "a quarter above"),
            ),
        },
    }
    common: Spec = {
        "x": {
            "field": "at",
            "type": "quantitative",
            "title": along,
            "axis": {"grid": False, "tickMinStep": 1, "labelFlush": False},
        },
        "color": {"field": "scheme", "scale": colours(order), "legend": key},
    }
    layers = [
        {**layer, "data": {"name": name}, "encoding": {**common, **layer["encoding"]}}
        for layer in (band, line, point)
    ]
    if baseline is not None and shown.low <= baseline <= shown.high:
        layers += _guess(baseline, y, width)
    return {"layer": layers, "width": width, "height": HEIGHT}


def _guess(baseline: float, y: Spec, width: int) -> list[Spec]:
    data, at = {"values": [{"guess": baseline}]}, {**y, "field": "guess"}
    text = {"type": "text", "text": "best constant guess", "align": "right", "dy": -6}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "strokeDash": [1, 3], "color": INK},
            "encoding": {"y": at},
        },
        {
            "data": data,
            "mark": {**text, "fontSize": 10, "color": INK},
            "encoding": {"y": at, "x": {"value": width}},
        },
    ]


def _picked(inside: float, outside: float) -> Spec:
    """Stronger for the schemes picked in the legend, which are all of them at first."""
    return {"condition": {"param": "scheme", "value": inside}, "value": outside}


def _tips(*fields: tuple[str, str]) -> list[Spec]:
    return [
        {"field": field, "type": "nominal"}
        if field == "scheme"
        else {"field": field, "type": "quantitative", "title": title or field, "format": ".4~g"}
        for field, title in fields
    ]


def _measured(dataset: "xarray.Dataset", name: str) -> bool:
    return name in dataset and not bool(np.isnan(dataset[name].values).all())


def _along(dataset: "xarray.Dataset") -> tuple[NDArray[np.float64], str]:
    """Whole epochs where the points are their ends, steps where they are not."""
    epochs = np.asarray(dataset["epoch"].values, dtype=np.float64)
    if np.all(epochs == np.round(epochs)):
        return epochs, "epoch"
    return np.asarray(dataset["step"].values, dtype=np.float64), "training step"


def _curve_records(
    dataset: "xarray.Dataset",
    name: str,
    order: Sequence[str],
    at: NDArray[np.float64],
    places: NDArray[np.intp],
) -> list[Spec]:
    curves = dataset[name].transpose("scheme", "repeat", "epoch")
    schemes = [str(scheme) for scheme in curves["scheme"].values]
    values = np.asarray(curves.values, dtype=np.float64)
    # Members of the sample and not values between two, which would be NaN next to infinity.
    low, high = np.quantile(values, (0.25, 0.75), axis=1, method="inverted_cdf")
    medians = np.median(values, axis=1)
    handles = set(places[spread_out(places.size, HANDLES // len(order))].tolist())
    return [
        {
            "scheme": scheme,
            "at": float(at[place]),
            "low": _drawable(low[row, place]),
            "median": _drawable(medians[row, place]),
            "high": _drawable(high[row, place]),
            **({"handle": 1} if place in handles else {}),
        }
        for scheme in order
        for row in [schemes.index(scheme)]
        for place in places.tolist()
    ]


def _dots(scheme: str, values: NDArray[np.floating], most: int) -> list[Spec]:
    """Spread the dots over the height of the row in an even but irregular order."""
    ranked = np.argsort(values, kind="stable")
    if ranked.size > most:
        ranked = ranked[spread_out(ranked.size, most)]
    golden = (math.sqrt(5) - 1) / 2  # its multiples fill an interval evenly, however many there are
    return [
        {
            "scheme": scheme,
            "repeat": repeat,
            "loss": _drawable(float(values[repeat])),
            "place": round(place * golden % 1, 3),
        }
        for place, repeat in enumerate(ranked.tolist())
        if math.isfinite(values[repeat])
    ]


def _beyond(values: NDArray[np.floating], shown: Limits) -> str:
    diverged = int(np.sum(~np.isfinite(values)))
    outside = int(np.sum((values < shown.low) | (values > shown.high))) - diverged
    counts = [(outside, "off the scale"), (diverged, "diverged")]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _drawable(value: float) -> float | None:
    """JSON has no infinity; a number far above every axis stands for it, and null for missing."""
    if math.isnan(value):
        return None
    return float(f"{max(-_FAR, min(float(value), _FAR)):.5g}")


def _meant(drawn: float | None) -> float:
    """Undo `_drawable`: the number that stands for infinity must not stretch an axis to itself."""
    if drawn is None:
        return math.nan
    return math.copysign(math.inf, drawn) if abs(drawn) >= _FAR else drawn
