"""The picture of arrivals, read off its specification; Altair says whether that is valid."""

import altair as alt

from fanin.reports.axes import COLOURS
from fanin.reports.charts import POINTS
from fanin.reports.page import drawing
from fanin.reports.survival import survival_chart


def curve(points=4):
    share = [1 - place / points for place in range(points)]
    low, high = [s / 2 for s in share], [(1 + s) / 2 for s in share]
    return {"step": [10 * i for i in range(points)], "share": share, "low": low, "high": high}


def test_lines_in_steps_with_their_bands():
    spec = survival_chart({"b": curve(), "a": curve()}, "not yet at a loss of 0.3", ["Line."])
    alt.LayerChart.from_dict(spec)
    band, line = spec["layer"]
    assert {layer["mark"]["interpolate"] for layer in (band, line)} == {"step-after"}
    assert line["encoding"]["y"]["scale"]["domain"] == [0, 1]
    assert line["encoding"]["color"]["scale"] == {"domain": ["b", "a"], "range": [*COLOURS[:2]]}
    assert [r["share"] for r in spec["data"]["values"] if r["scheme"] == "a"] == [
        1,
        0.75,
        0.5,
        0.25,
    ]
    assert "not yet at a loss of 0.3" in drawing(spec, "x")


def test_long_curves_are_thinned_with_their_ends():
    spec = survival_chart({s: curve(5000) for s in "abcd"}, "late")
    steps = [r["step"] for r in spec["data"]["values"] if r["scheme"] == "c"]
    assert len(spec["data"]["values"]) <= POINTS
    assert (steps[0], steps[-1]) == (0, 49990)
