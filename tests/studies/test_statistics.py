"""Intervals against published tables, scipy and simulation; curves against slow loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binom, binomtest, quantile_test

from fanin.errors import FaninError
from fanin.studies.statistics import (
    constant_loss,
    interquartile_mean,
    late_fall,
    median,
    middle_half,
    proportion,
    stuck,
)
from fanin.studies.survival import first_arrival

INF = math.inf

# ------------------------------------------------------------------------------------------ median


def test_median_of_twenty_lies_between_the_6th_and_the_15th():
    """The classical table: P(binomial(20, 1/2) < 6) = 0.0207, and < 7 would be 0.0577."""
    estimate = median(np.random.default_rng(0).permutation(np.arange(1.0, 21.0)))
    assert (estimate.value, estimate.low, estimate.high) == (10.5, 6.0, 15.0)


@pytest.mark.parametrize("n", range(6, 60))
def test_median_interval_is_scipys(n):
    values = np.random.default_rng(n).normal(size=n)
    expected = quantile_test(values, p=0.5).confidence_interval(0.95)
    estimate = median(values)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    # And exactly: it covers with at least 95 %, and one step inwards on both sides with less.
    k = int(np.sum(np.sort(values) <= estimate.low))
    assert 1 - 2 * binom.cdf(k - 1, n, 0.5) >= 0.95 > 1 - 2 * binom.cdf(k, n, 0.5)


@pytest.mark.parametrize(("n", "confidence"), [(2, 0.5), (3, 0.75), (4, 0.875), (5, 0.9375)])
def test_few_values_give_their_range_and_its_true_confidence(n, confidence):
    """All n lie on one side of the median with probability 2 / 2^n."""
    estimate = median(np.arange(float(n)))
    assert (estimate.low, estimate.high, estimate.confidence) == (0.0, n - 1.0, confidence)


def test_one_value_has_no_interval_and_none_has_no_median():
    one, none = median([3.0]), median([])
    assert one.value == 3.0
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert math.isnan(none.value)
    assert (one.confidence, none.confidence) == (0.0, 0.0)


def test_infinite_values_keep_their_rank():
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, INF, INF, INF]
    estimate = median(values)
    assert (estimate.value, estimate.low, estimate.high) == (5.5, 2.0, INF)
    assert median([1.0, INF]).value == INF
    assert median([INF] * 6).low == INF


def test_nan_is_left_out():
    assert median([1.0, math.nan, 3.0]) == median([1.0, 3.0])


# ------------------------------------------------------------------------------ interquartile mean


def test_interquartile_mean_by_hand():
    values = np.random.default_rng(0).normal(size=40)
    estimate = interquartile_mean(values)
    assert estimate.value == pytest.approx(np.sort(values)[10:30].mean())
    assert estimate.low < estimate.value < estimate.high


def test_interquartile_mean_is_repeatable():
    values = np.random.default_rng(0).normal(size=20)
    assert interquartile_mean(values) == interquartile_mean(values)


def test_bootstrap_interval_covers():
    """Of 300 normal samples of 30, the interval should hold the true value, 0, in about 95 %.

    The bootstrap is a little short with 30 values (about 0.93), and the count of 300 has a standard
    error of sqrt(0.95 * 0.05 / 300) = 0.0126: from 0.93 - 4 * 0.0126 to 0.95 + 3 * 0.0126.
    """
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        estimate = interquartile_mean(generator.normal(size=30))
        held += estimate.low <= 0 <= estimate.high
    assert 0.879 <= held / 300 <= 0.988


def test_interquartile_mean_of_degenerate_values():
    same = interquartile_mean([2.0] * 8)
    assert (same.value, same.low, same.high) == (2.0, 2.0, 2.0)
    few = interquartile_mean([1.0, 2.0, 3.0])
    assert few.value == 2.0
    assert math.isnan(few.low)
    some = interquartile_mean([*np.arange(18.0), INF, INF])
    assert some.value == pytest.approx(np.arange(5.0, 15.0).mean())
    assert some.low < some.value < some.high
    # Nine of twenty diverged. A resample has a finite middle half when it drew at most five of
    # them, which happens with probability P(binomial(20, 0.45) <= 5) = 0.055, more than 0.025.
    half = interquartile_mean([*np.arange(11.0), *[INF] * 9])
    assert (half.value, half.high) == (INF, INF)
    assert half.low < 11
    assert math.isnan(interquartile_mean([]).value)


def test_middle_half_keeps_infinity():
    assert middle_half([1.0, 2.0, INF, INF]) == (1.0, INF)
    assert middle_half([INF, INF]) == (INF, INF)
    assert all(math.isnan(end) for end in middle_half([]))


# -------------------------------------------------------------------------------------- proportion


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_as_published(count, total, low, high):
    """Newcombe (1998), Two-sided confidence intervals for the single proportion, method 3."""
    estimate = proportion(count, total)
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_is_scipys(case):
    count, total = case
    expected = binomtest(count, total).proportion_ci(method="wilson")
    estimate = proportion(count, total)
    assert estimate.low == pytest.approx(expected.low, abs=1e-12)
    assert estimate.high == pytest.approx(expected.high, abs=1e-12)


def test_a_share_of_nothing_and_of_too_much():
    assert (proportion(0, 0).low, proportion(0, 0).high) == (0.0, 1.0)
    with pytest.raises(FaninError, match="count=3, total=2"):
        proportion(3, 2)


# ------------------------------------------------------------------------------------------ curves


@given(st.lists(st.lists(st.floats(0, 5) | st.just(INF), min_size=4, max_size=4), min_size=1))
def test_first_arrival_as_a_loop_finds_it(rows):
    steps, target = [0, 3, 7, 20], 1.0
    expected = [
        next((step for step, loss in zip(steps, row, strict=True) if loss <= target), INF)
        for row in rows
    ]
    assert first_arrival(np.array(rows), steps, target).tolist() == expected


def test_arrival_does_not_ask_what_comes_after():
    assert first_arrival(np.array([2.0, 1.0, INF]), [0, 1, 2], 1.0).tolist() == 1.0


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_no_constant_guess_is_better_than_the_entropy(loss):
    target = np.array([0, 0, 0, 1, 0, 1, 0, 0] if loss == "bce" else [0, 2, 1, 1, 0, 2, 2, 2, 2])
    classes = target.max() + 1

    def of_guess(logits):
        shares = np.exp(logits) / np.exp(logits).sum()
        return -np.mean(np.log(shares[target]))

    best = minimize(of_guess, np.zeros(classes), method="BFGS").fun
    assert constant_loss(target, loss) == pytest.approx(best, abs=1e-8)


def test_no_constant_guess_is_better_than_the_variance():
    target = np.random.default_rng(0).normal(size=(50, 3)) * [1, 2, 3]

    def of_guess(values):
        return np.mean((target - values) ** 2)

    best = minimize(of_guess, np.zeros(3), method="BFGS").fun
    assert constant_loss(target, "mse") == pytest.approx(best, abs=1e-8)


def test_constant_guess_of_one_class_and_of_nothing():
    assert constant_loss([1, 1, 1], "bce") == 0.0
    with pytest.raises(FaninError, match="at least one example"):
        constant_loss([], "mse")
    with pytest.raises(FaninError, match="'hinge'"):
        constant_loss([0, 1], "hinge")


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.70, 0.69, 0.69, 0.69, 0.69], True),  # at the guess, and flat
        ([2.50, 2.50, 2.50, 2.50, 2.50], True),  # dead, far above it
        ([0.50, 0.60, 0.70, 0.80, 0.90], True),  # getting worse
        ([0.70, 0.68, 0.67, 0.67, 0.67], True),  # 3 % below: within the margin of 5 %
        ([0.70, 0.68, 0.64, 0.64, 0.64], False),  # 7 % below
        ([9.00, 7.00, 5.00, 3.00, 2.00], False),  # above it, but on the way
        ([0.70, 0.40, 0.20, 0.10, 0.05], False),  # learns
        ([0.70, 0.90, INF, INF, INF], False),  # diverged, which is counted apart
        ([0.70, INF, INF, 3.00, 0.69], False),  # came back from infinity: it did move
    ],
)
def test_stuck(curve, expected):
    assert stuck(np.array([curve]), [0, 5, 10, 15, 20], math.log(2)).tolist() == [expected]


def test_the_second_half_begins_at_the_last_point_of_the_first():
    curve = np.array([[8.0, 4.0, 2.0, 1.0]])
    assert late_fall(curve, [0, 10, 20, 30]).tolist() == [3.0]
    assert late_fall(curve, [0, 1, 2, 30]).tolist() == [1.0]
    assert late_fall(curve[:, :1], [0]).tolist() == [0.0]
