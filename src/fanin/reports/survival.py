"""The picture of when the runs arrive at a loss: which share of them has not yet.

A line goes down in steps, for a run is seen to arrive only where it is measured; what is left at
its end are the runs that never arrived.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fanin.reports.axes import colours, dashes, spread_out
from fanin.reports.charts import POINTS
from fanin.reports.look import WIDTH, Spec, chart_config, chart_title, legend

HEIGHT = 260
"""Pixels; one panel has the whole width."""


def survival_chart(
    curves: Mapping[str, Mapping[str, Any]], title: str, notes: Sequence[str] = ()
) -> Spec:
    """Draw the share of runs that have not yet arrived, one line in steps per scheme.

    Args:
        curves: By scheme, in the order of the legend, ``step``, ``share``, ``low`` and ``high``:
            one number each per measured point.
        title: What the runs have not yet done, as the title of the axis.
        notes: How to read it.

    Returns:
        A Vega-Lite specification.
    """
    order, records = list(curves), list[Spec]()
    for scheme, curve in curves.items():
        places = spread_out(len(curve["step"]), POINTS // len(order)).tolist()
        records += [
            {
                "scheme": scheme,
                "step": curve["step"][place],
                **{name: float(f"{curve[name][place]:.4g}") for name in ("share", "low", "high")},
            }
            for place in places
        ]
    shown = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    y: Spec = {**shown, "title": title, "axis": {"grid": True, "format": "%", "tickCount": 5}}
    key = legend(order)
    common: Spec = {
        "x": {
            "field": "step",
            "type": "quantitative",
            "title": "training step",
            "axis": {"grid": False, "labelFlush": False},
        },
        "color": {"field": "scheme", "scale": colours(order), "legend": key},
    }
    band: Spec = {
        "mark": {"type": "area", "interpolate": "step-after"},
        "encoding": {
            **common,
            "y": {**y, "field": "low"},
            "y2": {"field": "high"},
            "opacity": {"value": min(0.14, 0.6 / len(order))},
        },
    }
    line: Spec = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            **common,
            "y": {**y, "field": "share"},
            "strokeDash": {"field": "scheme", "scale": dashes(order), "legend": key},
        },
    }
    return {
        "title": chart_title("", list(notes)),
        "data": {"values": records},
        "layer": [band, line],
        "width": 2 * WIDTH,
        "height": HEIGHT,
        "config": chart_config(),
    }
