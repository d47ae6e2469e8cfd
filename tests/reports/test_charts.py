"""What the pictures show, read off their specifications; Altair says whether those are valid."""

import json
import math

import altair as alt
import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st

from fanin.reports.axes import (
    COLOURS,
    Limits,
    colours,
    dashes,
    limits,
    scale,
    share_limits,
    spread_out,
    ticks,
)
from fanin.reports.charts import DOTS, HANDLES, POINTS, curve_chart, final_chart
from fanin.reports.page import drawing

INF = math.inf


def dataset(curves, **coordinates):
    """Curves by variable, each an array (scheme, repeat, epoch)."""
    first = next(iter(curves.values()))
    schemes, repeats, points = np.shape(first)
    return xarray.Dataset(
        {name: (("scheme", "repeat", "epoch"), np.asarray(c)) for name, c in curves.items()},
        {
            "scheme": [f"s{i}" for i in range(schemes)],
            "repeat": np.arange(repeats),
            "epoch": coordinates.get("epoch", np.arange(float(points))),
            "step": ("epoch", 10 * np.arange(points)),
        },
    )


def four_runs():
    """s0 ends at 0.1, 0.2, 0.3, 0.4; s1 at 1, 2, 3 and infinity."""
    ends = np.array([[0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, INF]])
    return np.stack([np.full((2, 4), 0.7), ends], axis=-1)


# -------------------------------------------------------------------------------------------- axes


def test_within_a_decade_the_axis_is_linear_and_holds_everything():
    shown = limits([0.5, 1.0, 4.9])
    assert not shown.log
    assert (shown.low <= 0.5, shown.high >= 4.9, shown.outside) == (True, True, 0)


def test_beyond_a_decade_it_is_logarithmic():
    shown = limits([0.01, 0.1, 1.0])
    assert (shown.log, shown.outside) == (True, 0)
    assert shown.low <= 0.01
    assert shown.high >= 1.0


def test_a_wild_run_does_not_flatten_the_rest():
    """Ninety values from 0.1 to 1, ten at 10^30: quartiles 0.3 and 0.8, far-out fence below 100."""
    usual = np.geomspace(0.1, 1.0, 90)
    shown = limits([*usual, *[1e30] * 10])
    assert shown.high < 100
    assert shown.outside == 10
    assert shown.low <= 0.1


@given(st.lists(st.floats(0, 1e6) | st.sampled_from([INF, math.nan, 1e300]), max_size=30))
def test_what_is_outside_is_counted(values):
    shown = limits(values)
    inside = sum(shown.low <= value <= shown.high for value in values)
    known = sum(not math.isnan(value) for value in values)
    assert shown.outside == known - inside
    assert shown.low < shown.high
    assert not shown.log or shown.low > 0


def test_nothing_finite_to_draw():
    assert limits([INF, INF]) == Limits(0.0, 1.0, log=False, outside=2)
    assert limits([]) == Limits(0.0, 1.0, log=False, outside=0)
    assert limits([2.0]).low < 2.0 < limits([2.0]).high
    assert limits([0.0]).low < limits([0.0]).high


def test_shares_stay_within_0_and_1():
    assert share_limits([0.0, 1.0]).low == 0.0
    assert share_limits([0.99, 1.0]).high == 1.0
    assert share_limits([0.5, 0.5]).low < 0.5 < share_limits([0.5, 0.5]).high


def test_ticks_and_scales():
    many = Limits(1e-5, 1e5, log=True, outside=0)
    assert ticks(many)["values"] == [10.0**decade for decade in range(-5, 6)]
    assert scale(many)["type"] == "log"
    few = Limits(0.0, 1.0, log=False, outside=0)
    assert "values" not in ticks(few)
    assert scale(few)["domain"] == [0.0, 1.0]


def test_every_series_looks_different():
    order = [f"s{i}" for i in range(35)]
    looks = zip(colours(order)["range"], map(tuple, dashes(order)["range"]), strict=True)
    assert len(set(looks)) == 35
    assert colours(order)["range"][: len(COLOURS)] == list(COLOURS)


@given(st.integers(1, 500), st.integers(0, 500))
def test_spread_out_places(count, most):
    places = spread_out(count, most)
    assert places[0] == 0
    assert places[-1] == count - 1
    assert len(places) <= max(2, most)
    # Evenly: no two gaps differ by more than one.
    assert count < 3 or np.ptp(np.diff(places)) <= 1


# ------------------------------------------------------------------------------------------ curves


def test_the_band_is_the_middle_half_of_the_runs():
    spec = curve_chart(dataset({"loss": four_runs()}), ["s0", "s1"])
    ends = {r["scheme"]: r for r in spec["datasets"]["loss"] if r["at"] == 1}
    assert [ends["s0"][key] for key in ("low", "median", "high")] == [0.1, 0.25, 0.3]
    assert [ends["s1"][key] for key in ("low", "median", "high")] == [1.0, 2.5, 3.0]
    assert "middle half" in spec["title"]["text"][0]


def panels(spec):
    return [
        [p["layer"][1]["encoding"]["y"]["title"] for p in r["hconcat"]] for r in spec["vconcat"]
    ]


def test_loss_above_accuracy_and_held_out_beside_training():
    curves = four_runs()
    data = dataset(
        {
            "loss": curves,
            "held_out_loss": curves,
            "accuracy": np.full_like(curves, 0.5),
            "held_out_accuracy": np.full_like(curves, 0.5),
        }
    )
    assert panels(curve_chart(data, ["s0", "s1"])) == [
        ["held-out loss", "training loss"],
        ["held-out accuracy", "training accuracy"],
    ]
    assert panels(curve_chart(data[["loss"]], ["s0", "s1"])) == [["training loss"]]


def test_both_parts_share_an_axis():
    data = dataset({"loss": four_runs(), "held_out_loss": 5 * four_runs()})
    left, right = curve_chart(data, ["s0", "s1"])["vconcat"][0]["hconcat"]
    scales = [panel["layer"][1]["encoding"]["y"]["scale"] for panel in (left, right)]
    assert scales[0] == scales[1]


def test_the_legend_is_in_the_order_given():
    spec = curve_chart(dataset({"loss": four_runs()}), ["s1", "s0"])
    colour = spec["vconcat"][0]["hconcat"][0]["layer"][1]["encoding"]["color"]
    assert colour["scale"]["domain"] == ["s1", "s0"]


def test_the_finding_is_the_title():
    spec = curve_chart(dataset({"loss": four_runs()}), ["s0", "s1"], title="s0 is best. " * 20)
    assert " ".join(spec["title"]["text"]).startswith("s0 is best. s0")
    assert all(len(line) <= 110 for line in spec["title"]["text"])
    assert "middle half" in spec["title"]["subtitle"][0]


def test_the_guess_is_drawn_where_it_is_in_sight():
    data = dataset({"loss": four_runs()})

    def layers(baseline):
        spec = curve_chart(data, ["s0", "s1"], baselines={"loss": baseline})
        return len(spec["vconcat"][0]["hconcat"][0]["layer"])

    assert (layers(0.69), layers(1e6)) == (5, 3)


def test_what_lies_outside_is_told():
    wild = np.full((2, 4, 12), 0.5)
    wild[0] = np.geomspace(0.7, 0.05, 12)
    wild[1, :, -1] = INF
    notes = curve_chart(dataset({"loss": wild}), ["s0", "s1"])["title"]["text"]
    # The two quartiles and the median of s1 at its last point.
    assert "3 of 72 values of the loss lie outside." in notes


def test_runs_that_diverge_do_not_stretch_the_axis():
    """A number stands for infinity in the data of a chart, and it is no loss of anybody's."""
    ends = np.full((2, 4, 1), INF)
    curves = np.concatenate([np.full((2, 4, 1), 0.7), np.full((2, 4, 1), 0.5), ends], axis=2)
    curves[0, :, 2] = 0.3
    panel = curve_chart(dataset({"loss": curves}), ["s0", "s1"])["vconcat"][0]["hconcat"][0]
    domain = panel["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert 0.2 < domain[0] < 0.3
    assert 0.7 < domain[1] < 0.8


def test_along_steps_where_the_points_are_not_ends_of_epochs():
    data = dataset({"loss": four_runs()}, epoch=[0.0, 0.5])
    spec = curve_chart(data, ["s0", "s1"])
    assert spec["vconcat"][0]["hconcat"][0]["layer"][1]["encoding"]["x"]["title"] == "training step"
    assert {record["at"] for record in spec["datasets"]["loss"]} == {0, 10}


def test_long_curves_are_thinned_and_it_says_so():
    data = dataset({"loss": np.ones((4, 2, 1001))})
    spec = curve_chart(data, ["s0", "s1", "s2", "s3"])
    records = spec["datasets"]["loss"]
    assert len(records) <= POINTS
    assert sum("handle" in record for record in records) <= HANDLES
    assert {0.0, 1000.0} <= {record["at"] for record in records}
    assert "Drawn at 100 of 1001 measured points." in spec["title"]["text"]


# ------------------------------------------------------------------------------------------ finals

FINAL = {"a": np.array([0.1, 0.2, 0.3, INF]), "b": np.array([0.2, 0.3, 0.4, 1e20])}
MEDIANS = {"a": (0.25, 0.1, INF), "b": (0.35, math.nan, math.nan)}


def test_every_finite_run_is_a_dot():
    spec = final_chart(FINAL, MEDIANS, "held-out loss")
    dots = [(dot["scheme"], dot["repeat"]) for dot in spec["layer"][0]["data"]["values"]]
    assert sorted(dots) == [(s, r) for s in "ab" for r in range(4) if (s, r) != ("a", 3)]


def test_what_is_not_drawn_is_counted_at_the_end_of_the_row():
    told = final_chart(FINAL, MEDIANS, "held-out loss")["layer"][3]["data"]["values"]
    assert told == [
        {"scheme": "a", "text": "1 diverged"},
        {"scheme": "b", "text": "1 off the scale"},
    ]


def test_many_runs_are_thinned_by_rank_and_it_says_so():
    values = np.random.default_rng(0).permutation(np.linspace(1, 2, 5000))
    spec = final_chart({"a": values}, {"a": (1.5, 1.4, 1.6)}, "loss")
    dots = [dot["loss"] for dot in spec["layer"][0]["data"]["values"]]
    assert len(dots) == DOTS
    assert np.median(dots) == pytest.approx(1.5, abs=0.01)
    assert "400 of each scheme by rank" in spec["title"]["text"][0]


# ------------------------------------------------------------------------------------------- valid

SPECS = {
    "curves": curve_chart(
        dataset({"loss": four_runs(), "held_out_loss": four_runs()}),
        ["s0", "s1"],
        title="A finding.",
        baselines={"loss": 0.69},
    ),
    "finals": final_chart(FINAL, MEDIANS, "held-out loss"),
}


@pytest.mark.parametrize("name", SPECS)
def test_vega_lite_knows_every_word(name):
    alt.Chart.from_dict(SPECS[name], validate=True)
    json.dumps(SPECS[name], allow_nan=False)


@pytest.mark.parametrize("name", SPECS)
def test_it_can_be_drawn_and_the_same_each_time(name):
    drawn = drawing(SPECS[name], "one")
    assert drawn.startswith("<svg")
    assert drawn == drawing(SPECS[name], "one")
    assert "held-out loss" in drawn
    # Clip paths of two drawings on one page must not meet.
    assert 'id="clip' not in drawn
    assert 'id="one-clip0"' in drawn
