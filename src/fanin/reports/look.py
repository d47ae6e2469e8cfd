"""What every chart looks like: its title, its legend, its ink."""

import textwrap
from collections.abc import Sequence
from typing import Any

from fanin.reports.axes import INK

Spec = dict[str, Any]
"""A part of a Vega-Lite specification."""

WIDTH = 450
"""Pixels of one panel of two."""


def legend(order: Sequence[str]) -> Spec:
    """Lay out the legend of a chart of lines.

    Args:
        order: The series, in the order of the legend.

    Returns:
        The ``legend`` of an encoding.
    """
    longest = max(len(scheme) for scheme in order)
    return {
        "symbolType": "stroke",
        "symbolOpacity": 1,
        "title": None,
        "columns": max(1, 2 * WIDTH // (40 + 7 * longest)),  # 7 pixels a letter, 40 for the line
    }


def chart_title(title: str, notes: list[str]) -> Spec:
    """Write the title of a chart, with how to read it below.

    Args:
        title: What the picture shows, as a sentence; nothing where a heading says it.
        notes: How to read it, one sentence each.

    Returns:
        The ``title`` of a specification.
    """
    common: Spec = {"anchor": "start", "color": INK, "offset": 12}
    if not title:  # a subtitle alone is not drawn
        return {"text": notes, "fontSize": 11, "fontWeight": "normal", **common}
    return {"text": textwrap.wrap(title, 110), "subtitle": notes, "subtitleColor": INK, **common}


def chart_config() -> Spec:
    """Say how every chart looks.

    Returns:
        The ``config`` of a specification.
    """
    return {
        "aria": False,  # a label for each mark would outweigh the data; the tables say it in words
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": {
            "labelColor": INK,
            "titleColor": INK,
            "titleFontWeight": "normal",
            "gridColor": INK,
            "gridOpacity": 0.18,
            "domainColor": INK,
            "tickColor": INK,
        },
        "legend": {
            "labelColor": INK,
            "orient": "bottom",
            "labelLimit": 400,
            "symbolStrokeWidth": 2,
            "symbolSize": 300,
        },
    }
