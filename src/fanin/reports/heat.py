"""The picture of a sweep: how many runs learnt at each scale and depth, and what theory says.

One panel for each width. Colour is the share of the runs that learnt; the line is the critical
scale, at which a gradient keeps its size from layer to layer.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.calls import format_number
from fanin.reports.axes import INK
from fanin.reports.look import Spec, chart_config, chart_title

CELL = 34
"""Pixels of a cell's height."""


def heat_chart(
    values: Sequence[float],
    depths: Sequence[int],
    widths: Sequence[int],
    learnt: NDArray[np.float64],
    losses: NDArray[np.float64],
    critical: Mapping[int, float | None],
    *,
    title: str = "",
) -> Spec:
    """Draw where a start works.

    Args:
        values: Scales, rising.
        depths: Numbers of hidden layers, rising.
        widths: Units of a hidden layer, rising.
        learnt: Share of runs that learnt, of shape (width, depth, value); NaN where none was run.
        losses: Median final loss, same shape; inf where half or more diverged.
        critical: Theory's scale for each width, None where there is none.
        title: What the picture shows, as a sentence.

    Returns:
        A Vega-Lite specification.
    """
    notes = ["Colour: share of the runs that learnt. Figures: median loss at the end."]
    if any(value is not None for value in critical.values()):
        notes.append("Line: critical scale of the theory of wide networks.")
    edges = _edges(values)
    panels = [
        _panel(width, depths, values, edges, learnt[place], losses[place], critical.get(width))
        for place, width in enumerate(widths)
    ]
    return {
        "title": chart_title(title, notes),
        "vconcat": [{"hconcat": panels, "spacing": 24}],
        "config": chart_config(),
    }


def _edges(values: Sequence[float]) -> list[float]:
    """Where one cell ends and the next begins: half way in the logarithm."""
    logs = [math.log(value) for value in values]
    if len(logs) == 1:
        return [values[0] / 1.5, values[0] * 1.5]
    inner = [(low + high) / 2 for low, high in pairwise(logs)]
    first, last = 2 * logs[0] - inner[0], 2 * logs[-1] - inner[-1]
    return [math.exp(edge) for edge in (first, *inner, last)]


def _panel(
    width: int,
    depths: Sequence[int],
    values: Sequence[float],
    edges: list[float],
    learnt: NDArray[np.float64],
    losses: NDArray[np.float64],
    critical: float | None,
) -> Spec:
    records: list[dict[str, Any]] = [
        {
            "depth": depth,
            "value": value,
            "low": edges[column],
            "high": edges[column + 1],
            "learnt": float(learnt[row, column]),
            "loss": _told(float(losses[row, column])),
        }
        for row, depth in enumerate(depths)
        for column, value in enumerate(values)
        if not math.isnan(learnt[row, column])
    ]
    x: Spec = {"field": "depth", "type": "ordinal", "title": "hidden layers"}
    x["axis"] = {"labelAngle": 0}
    domain = {"type": "log", "domain": [edges[0], edges[-1]], "nice": False}
    y: Spec = {"type": "quantitative", "scale": domain, "title": "scale"}
    colour: Spec = {
        "field": "learnt",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": ["#E8E8E8", "#56B4E9", "#0072B2"]},
        "legend": {"title": "runs that learnt", "format": ".0%"},
    }
    tips = [
        {"field": "value", "type": "quantitative", "title": "scale", "format": ".4~g"},
        {"field": "depth", "type": "ordinal", "title": "hidden layers"},
        {"field": "learnt", "type": "quantitative", "title": "learnt", "format": ".0%"},
        {"field": "loss", "type": "nominal", "title": "median loss"},
    ]
    ends = {"y": {**y, "field": "low"}, "y2": {"field": "high"}}
    cells: Spec = {
        "mark": {"type": "bar", "stroke": "white", "strokeWidth": 1},
        "encoding": {"x": x, **ends, "color": colour, "tooltip": tips},
    }
    dark = {"test": "datum.learnt > 0.6", "value": "white"}
    texts: Spec = {
        "mark": {"type": "text", "fontSize": 10},
        "encoding": {
            "x": x,
            "y": {**y, "field": "value"},
            "text": {"field": "loss"},
            "color": {"condition": dark, "value": "#333333"},
        },
    }
    layers: list[Spec] = [{**layer, "data": {"values": records}} for layer in (cells, texts)]
    if critical is not None and edges[0] <= critical <= edges[-1]:
        at = {"values": [{"critical": critical}]}
        line = {"type": "rule", "color": "#D55E00", "strokeWidth": 2, "strokeDash": [6, 3]}
        where = {"y": {**y, "field": "critical"}}
        layers.append({"data": at, "mark": line, "encoding": where})
    return {
        "title": {"text": f"{width} units a layer", "fontSize": 12, "color": INK},
        "layer": layers,
        "width": {"step": max(56, 420 // len(depths))},
        "height": CELL * len(values),
    }


def _told(loss: float) -> str:
    return "diverged" if math.isinf(loss) else format_number(float(f"{loss:.2g}"))
