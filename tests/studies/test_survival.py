"""Survival curves against scipy's, the exact binomial, and the median of the summary."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import CensoredData, binomtest, ecdf

from fanin.errors import FaninError
from fanin.studies.survival import half_arrived, kaplan_meier
from study_cases import falling, lesson, study_of

INF, NAN = math.inf, math.nan
STEPS = np.arange(0, 60, 10)


def curves(arrivals, followed=None):
    """Losses that are 1 and, from the arrival on, 0; NaN after the end; shape (run, 1, point)."""
    arrivals = np.asarray(arrivals, float)[:, None]
    losses = np.where(arrivals <= STEPS, 0.0, 1.0)
    if followed is not None:
        losses[np.asarray(followed)[:, None] < STEPS] = NAN
    return losses[:, None]


ARRIVALS = st.lists(st.sampled_from([10, 20, 30, 40, 50, INF]), min_size=1, max_size=30)


@given(ARRIVALS, st.data())
def test_the_share_is_scipys(arrivals, data):
    ends = st.sampled_from([0, 10, 20, 30, 40, 50])
    followed = data.draw(st.lists(ends, min_size=len(arrivals), max_size=len(arrivals)))
    when, end = np.array(arrivals), np.array(followed, float)
    known = CensoredData(uncensored=when[when <= end], right=end[when > end])
    expected = ecdf(known).sf.evaluate(STEPS)
    found = kaplan_meier(curves(arrivals, followed), STEPS, 0.5)
    # After the last run looked at the curve stays where it was.
    assert found.share == pytest.approx(expected)
    assert (found.runs, found.arrived) == (len(arrivals), int(np.sum(when <= end)))


@given(ARRIVALS)
def test_without_early_ends_the_interval_is_the_exact_binomial_one(arrivals):
    found = kaplan_meier(curves(arrivals), STEPS, 0.5)
    for place, step in enumerate(STEPS):
        waiting = int(np.sum(np.array(arrivals) > step))
        exact = binomtest(waiting, len(arrivals)).proportion_ci(0.95, "exact")
        assert found.low[place] == pytest.approx(exact.low, abs=1e-9)
        assert found.high[place] == pytest.approx(exact.high, abs=1e-9)


@given(ARRIVALS.filter(lambda arrivals: len(arrivals) >= 6))
def test_the_median_is_that_of_the_summary(arrivals):
    assert kaplan_meier(curves(arrivals), STEPS, 0.5).median == half_arrived(arrivals)


def test_fewer_than_half_arrive():
    median = half_arrived([10.0, 20.0, 30.0, *[INF] * 7])
    assert (median.value, median.high) == (INF, INF)
    # With 10 runs the lower end is the second of them: P(binomial(10, 1/2) < 2) = 0.011.
    assert median.low == 20.0


def test_the_interval_holds_the_truth_under_early_ends():
    """Arrival is a coin at each of 5 points; a third of the runs end early. Nominal 95 %.

    400 studies have a standard error of 1.1 %; three of them below is 91.7 %. Exact intervals are
    wider than they need be, so there is no upper bound.
    """
    generator = np.random.default_rng(0)
    truth, held = 0.75**3, 0
    for _ in range(400):
        arrivals = 10.0 * generator.geometric(0.25, 30)
        followed = np.where(generator.random(30) < 1 / 3, generator.choice([10, 20, 30], 30), 50)
        found = kaplan_meier(curves(arrivals, followed), STEPS, 0.5)
        held += found.low[3] <= truth <= found.high[3]
    assert held / 400 >= 0.917


def test_runs_of_one_start_are_a_cluster():
    """Ten orders that share the fate of their start tell as much as one."""
    arrivals = np.array([10.0] * 6 + [INF] * 6)
    alone = kaplan_meier(curves(arrivals), STEPS, 0.5)
    tenfold = kaplan_meier(np.repeat(curves(arrivals), 10, axis=1), STEPS, 0.5)
    assert tenfold.share == pytest.approx(alone.share)
    assert tenfold.low == pytest.approx(alone.low)
    assert tenfold.runs == 120


def test_independent_orders_count_as_runs():
    generator = np.random.default_rng(1)
    losses = curves(np.where(generator.random(1200) < 0.5, 10.0, INF)).reshape(60, 20, -1)
    found = kaplan_meier(losses, STEPS, 0.5)
    exact = binomtest(int(1200 * found.share[-1] + 0.5), 1200).proportion_ci(0.95, "exact")
    # The number of runs is read off a variance over 60 starts: sqrt(2 / 59) = 18 % of error.
    assert found.high[-1] - found.low[-1] == pytest.approx(exact.high - exact.low, rel=0.3)


def test_a_diverged_run_is_on_the_way_for_ever():
    losses = np.array([[[1.0, 1.0, 0.0]], [[1.0, INF, INF]]])
    assert kaplan_meier(losses, [0, 10, 20], 0.5).share == (1.0, 1.0, 0.5)


def test_nothing_measured():
    with pytest.raises(FaninError, match="no run of zeros was measured"):
        kaplan_meier(np.full((2, 1, 3), NAN), [0, 1, 2], 0.5, "zeros")


def test_a_studys_survival():
    study = lesson()
    found, summary = study.survival(), study.summary()
    assert (found.target, found.measure, found.cut_short) == (summary.target, "held-out loss", 0)
    assert [curve.scheme for curve in found.curves] == list(study.design.schemes)
    rows = {row.scheme: row for row in summary.rows}
    for curve in found.curves:
        assert curve.arrived == rows[curve.scheme].arrived
        assert curve.median == rows[curve.scheme].steps_to_target
    assert study.survival(0.1).curves[0].arrived == 0


def test_a_stopped_run_counts_as_long_as_it_was_measured():
    losses = {s: falling([0.1] * 4) for s in "ab"}
    losses["b"][3, 1:] = NAN
    found = study_of(losses).survival(0.5)
    a, b = found.curves
    assert (a.runs, b.runs, b.arrived, found.cut_short) == (4, 4, 3, 1)
    assert b.share[-1] == 0


def test_no_target():
    study = study_of({"a": [[0.7, INF]] * 8})
    with pytest.raises(FaninError, match="no loss to arrive at"):
        study.survival()
    assert study.survival(0.5).curves[0].arrived == 0
