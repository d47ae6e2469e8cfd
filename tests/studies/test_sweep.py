"""Sweeps: how axes are read, what theory says, and what follows from made-up curves."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.studies.grammar import Network
from fanin.studies.grid import Grid
from fanin.studies.ranges import counts, numbers
from fanin.studies.study import Study
from fanin.studies.sweep import Sweep
from training_cases import blobs, case

RELU = Network.parse("4-8-3 relu")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.001..1", (0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0)),
        ("1..100:3", (1.0, 10.0, 100.0)),
        ("0.5, 0.1", (0.1, 0.5)),
        (0.25, (0.25,)),
        ([3, 1.5], (1.5, 3.0)),
    ],
)
def test_numbers(text, expected) -> None:
    assert numbers(text, "values") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1..32", (1, 2, 4, 8, 16, 32)), ("3..10", (3, 6, 10)), ("8,2", (2, 8)), (5, (5,))],
)
def test_counts(text, expected) -> None:
    assert counts(text, "depth") == expected


@pytest.mark.parametrize(
    "text", ["", "a", "1..", "..1", "0..1", "1..0.1", "0.1,0.1", "nan", "1..2:1", "1..2:x", []]
)
def test_no_numbers(text) -> None:
    with pytest.raises(FaninError, match="values"):
        numbers(text, "values")


@pytest.mark.parametrize("text", ["", "0", "1.5", "4..2", "2,2", "x..3", -1, 2.5, [2, 0.5]])
def test_no_counts(text) -> None:
    with pytest.raises(FaninError, match="depth"):
        counts(text, "depth")


@given(low=st.floats(1e-6, 1e3), decades=st.floats(0.1, 6), parts=st.integers(2, 30))
def test_a_range_keeps_its_ends_and_is_even_in_the_logarithm(low, decades, parts) -> None:
    high = low * 10**decades
    try:
        found = numbers(f"{low!r}..{high!r}:{parts}", "values")
    except FaninError:  # so narrow that three digits cannot tell two of them apart
        return
    assert (found[0], found[-1], len(found)) == (low, high, parts)
    # Three digits: each number is off by half a unit of the third, at most 0.5 %.
    steps = np.diff(np.log(found))
    assert np.abs(steps - steps.mean()).max() < 2 * 0.0051


@pytest.mark.parametrize(
    ("hidden", "scheme", "expected"),
    [
        ("relu", "normal(0, {})", math.sqrt(2 / 64)),
        ("relu", "he_normal(gain={})", math.sqrt(2)),
        ("tanh", "orthogonal(gain={})", 1.0),
        ("relu", "constant({})", None),
        ("relu", "uniform(-0.1, {})", None),
    ],
)
def test_the_critical_value_is_that_of_theory(hidden, scheme, expected) -> None:
    """He et al. (2015) for relu: variance 2 / fan_in; Saxe et al. (2014): orthogonal tanh at 1."""
    grid = Grid(Network.parse(f"4-8-3 {hidden}"), scheme, (0.01, 3.0), (1,), (64,))
    found = grid.critical(64)
    assert found is None if expected is None else found == pytest.approx(expected, rel=1e-6)


def test_a_norm_takes_the_scale_away_and_a_far_value_is_no_line() -> None:
    normed = Network.parse("4-8-3 relu norm=layer")
    assert Grid(normed, "normal(0, {})", (0.01, 1.0), (1,), (64,)).critical(64) is None
    assert Grid(RELU, "normal(0, {})", (0.5, 1.0), (1,), (64,)).critical(64) is None


@pytest.mark.parametrize(
    ("network", "scheme", "said"),
    [
        ("4-3", "normal(0, {})", "goes over hidden layers"),
        ("4-8-3 relu", "he_normal", "has {} once"),
    ],
)
def test_what_is_no_grid(network, scheme, said) -> None:
    with pytest.raises(FaninError, match=said):
        Grid(Network.parse(network), scheme, (1.0,), (1,), (8,))


def made_up(works, width=8, depths=(1, 2, 4), values=(0.01, 0.1, 1.0)) -> Sweep:
    """Runs that learn where `works` says so, diverge at the largest value else, or stay."""
    grid = Grid(RELU, "normal(0, {})", values, depths, (width,))
    studies = {}
    for depth, row in zip(depths, works, strict=True):
        task = case("4-8-3 relu", blobs(classes=3), schemes=grid.schemes, repeats=2)
        curves = np.ones((2, len(values), 2, len(task.design.points)), np.float32)
        for place, good in enumerate(row):
            curves[:, place, :, -1] = 0.2 if good else math.inf if place == 2 else 1.0
        curves[:, :, :, 1:-1] = curves[:, :, :, -1:]
        studies[depth, width] = Study.from_curves(task.design, {"loss": curves}, baseline=1.0)
    return Sweep(grid, studies)


WORKS = [[True, True, True], [False, True, False], [False, False, False]]


def test_a_run_that_is_stuck_or_diverged_has_not_learnt() -> None:
    sweep = made_up(WORKS)
    np.testing.assert_array_equal(sweep.works[0], WORKS)
    assert np.isinf(sweep.losses[0, 1, 2])
    assert dict(sweep.dataset.sizes) == {
        "width": 1,
        "depth": 3,
        "value": 3,
        "repeat": 2,
        "epoch": 3,
    }
    assert not sweep.stopped


def test_the_verdict_says_where_it_stops(golden) -> None:
    golden("sweep.txt", str(made_up(WORKS)))


def test_everything_trains() -> None:
    assert "Every value trains at every depth." in str(made_up([[True] * 3] * 3))


def test_json_and_page(tmp_path) -> None:
    sweep = made_up(WORKS)
    said = json.loads(sweep.to_json())
    assert said["learnt"] == [[[float(good) for good in row] for row in WORKS]]
    assert said["median_loss"][0][1][2] == "inf"
    sweep.save_html(tmp_path / "sweep.html")
    page = (tmp_path / "sweep.html").read_text()
    assert "critical" in page
    assert len(page) < 1.5e6
    with pytest.raises(FaninError, match="cannot write the report"):
        sweep.save_html(tmp_path / "no" / "sweep.html")


def test_a_sweep_that_was_stopped_has_holes() -> None:
    whole = made_up(WORKS)
    studies = {cell: own for cell, own in whole.studies.items() if cell[0] < 4}
    part = Sweep(whole.grid, studies)
    assert part.stopped
    assert np.isnan(part.learnt[0, 2]).all()
    assert "stopped on the way" in str(part)
