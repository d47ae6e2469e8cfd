"""The picture of a pass: how large the signal is after each operation, and the gradient there.

Both run on one logarithmic axis, because a start goes wrong by factors, and what theory expects is
drawn beside what was measured.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fanin.reports.axes import INK
from fanin.reports.look import chart_config

SERIES = ("signal", "signal, by theory", "gradient", "gradient, by theory")
_COLOURS = ("#0072b2", "#0072b2", "#d55e00", "#d55e00")
_DASHES = ([1, 0], [3, 3], [1, 0], [3, 3])

MOST = 400
"""Operations drawn at most; of more, evenly spaced ones are shown."""


@dataclass(frozen=True)
class Level:
    """One operation in the order of execution.

    Attributes:
        name: Where it is and what it does.
        sizes: Root mean square by name of `SERIES`; what is missing is not drawn.
    """

    name: str
    sizes: dict[str, float]


def depth_chart(levels: Sequence[Level]) -> dict[str, Any]:
    """Draw sizes against depth.

    Args:
        levels: The operations, in the order of execution.

    Returns:
        A Vega-Lite specification, data included.

    Example:
        >>> spec = depth_chart([Level("fc: linear", {"signal": 1.0, "gradient": 0.1})])
        >>> len(spec["data"]["values"])
        2
    """
    stride = -(-max(1, len(levels)) // MOST)
    values = list(_points(levels, stride))
    there = [name for name in SERIES if any(point["what"] == name for point in values)]
    style = {"domain": there}
    colour = {"range": [_COLOURS[SERIES.index(name)] for name in there]}
    dash = {"range": [_DASHES[SERIES.index(name)] for name in there]}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": chart_config(),
        "width": 860,
        "height": 300,
        "data": {"values": values},
        "mark": {"type": "line", "point": {"size": 14}, "strokeWidth": 1.5},
        "encoding": {
            "x": {
                "field": "place",
                "type": "quantitative",
                "title": "operation, in the order of execution",
                "axis": {"tickMinStep": 1, "format": "d"},
            },
            "y": {
                "field": "rms",
                "type": "quantitative",
                "scale": {"type": "log"},
                "title": "root mean square",
                "axis": {"format": ".0e"},
            },
            "color": {
                "field": "what",
                "type": "nominal",
                "scale": {**style, **colour},
                "legend": {"title": None, "orient": "top", "labelColor": INK, "labelLimit": 300},
            },
            "strokeDash": {"field": "what", "type": "nominal", "scale": {**style, **dash}},
            "tooltip": [
                {"field": "operation", "type": "nominal"},
                {"field": "what", "type": "nominal"},
                {"field": "rms", "type": "quantitative", "format": ".3~g"},
            ],
        },
    }


def _points(levels: Sequence[Level], stride: int) -> Iterator[dict[str, Any]]:
    for place, level in list(enumerate(levels))[::stride]:
        for name in SERIES:
            size = level.sizes.get(name, math.nan)
            # A logarithmic axis has no place for zero, nor JSON for infinity.
            if math.isfinite(size) and size > 0:
                rms = float(f"{size:.4g}")
                yield {"place": place, "operation": level.name, "what": name, "rms": rms}
