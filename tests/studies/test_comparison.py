"""The sign test against closed forms, Holm's correction against the closure it is a shortcut of."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from fanin.errors import FaninError
from fanin.studies.comparison import LEVEL, fewest_pairs, holm, paired
from fanin.studies.figures import _distances

INF = math.inf
LOSSES = st.sampled_from([0.1, 0.2, 0.3, 0.4, INF, math.nan])


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [
        (8, 0, 2 / 2**8),
        (10, 2, 2 * (66 + 12 + 1) / 2**12),
        (11, 9, 1 - math.comb(20, 10) / 2**20),
        (5, 5, 1.0),
        (0, 6, 2 / 2**6),
    ],
)
def test_sign_test_in_closed_form(better, worse, p):
    first = [0.0] * better + [1.0] * worse
    second = [0.5] * (better + worse)
    result = paired(first, second)
    assert (result.better, result.worse, result.ties) == (better, worse, 0)
    assert result.p_value == pytest.approx(p)


def test_ties_count_half_in_the_chance_and_not_at_all_in_the_test():
    result = paired([0.0] * 6 + [1.0] * 4, [1.0] * 10)
    assert (result.better, result.ties, result.worse) == (6, 4, 0)
    assert result.chance.value == 0.8
    assert result.p_value == pytest.approx(2 / 2**6)


def test_all_ties_say_nothing():
    result = paired([1.0, INF], [1.0, INF])
    assert (result.ties, result.p_value) == (2, 1.0)
    assert result.difference.value == 0.0


def test_a_diverged_run_loses_to_a_finite_one():
    result = paired([1.0, INF, INF], [INF, 2.0, INF])
    assert (result.better, result.ties, result.worse) == (1, 1, 1)
    assert result.difference.value == 0.0


def test_how_much_lower():
    result = paired(np.arange(10.0), np.arange(10.0) + 0.25)
    assert result.difference.value == 0.25
    assert (result.difference.low, result.difference.high) == (0.25, 0.25)


@given(st.lists(st.tuples(LOSSES, LOSSES), max_size=25))
def test_the_other_way_round_is_the_opposite(pairs):
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    one, other = paired(first, second), paired(second, first)
    assert (one.better, one.ties, one.worse) == (other.worse, other.ties, other.better)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.pairs == sum(not (math.isnan(a) or math.isnan(b)) for a, b in pairs)
    if one.pairs:
        assert one.chance.value == pytest.approx(1 - other.chance.value)
        assert one.chance.low == pytest.approx(1 - other.chance.high)


def test_different_lengths_are_refused():
    with pytest.raises(FaninError, match=r"\(2,\) and \(3,\)"):
        paired([1.0, 2.0], [1.0, 2.0, 3.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closure_of_bonferroni(p_values):
    """A hypothesis is rejected when Bonferroni rejects every set of hypotheses that it is in."""
    everything = range(len(p_values))
    sets = [s for size in everything for s in combinations(everything, size + 1)]
    expected = [
        max(min(1.0, len(s) * min(p_values[i] for i in s)) for s in sets if index in s)
        for index in everything
    ]
    assert holm(p_values) == pytest.approx(expected)


def test_holm_of_nothing():
    assert holm([]) == ()


@pytest.mark.parametrize("comparisons", [1, 2, 3, 6, 10, 28, 190])
def test_fewest_pairs_by_trying(comparisons):
    fewest = next(n for n in range(1, 50) if binomtest(n, n).pvalue * comparisons <= LEVEL)
    assert fewest_pairs(comparisons) == fewest


def test_equal_schemes_are_rarely_told_apart():
    """In 300 studies of 4 equal schemes and 20 repeats, at most 5 % have any "real" difference.

    The standard error of a share of 0.05 in 300 is sqrt(0.05 * 0.95 / 300) = 0.0126; three of them
    above 0.05 is 0.088. The repeats share a shift, as pairs do.
    """
    generator = np.random.default_rng(2)
    wrong = 0
    for _ in range(300):
        losses = generator.normal(size=(4, 20)) + generator.normal(0, 3, 20)
        p_values = [paired(losses[a], losses[b]).p_value for a, b in combinations(range(4), 2)]
        wrong += min(holm(p_values)) <= LEVEL
    assert wrong / 300 <= 0.088


def test_equal_spreads_are_rarely_told_apart():
    """The same for the distances from the own median, which are not quite independent of it."""
    generator = np.random.default_rng(4)
    wrong = 0
    for _ in range(300):
        losses = generator.normal(size=(4, 20)) + generator.normal(0, 1, 20)
        far = _distances(losses[..., None])[..., 0]
        p_values = [paired(far[a], far[b]).p_value for a, b in combinations(range(4), 2)]
        wrong += min(holm(p_values)) <= LEVEL
    assert wrong / 300 <= 0.088


def test_a_real_difference_is_found_under_a_large_common_shift():
    """Pairing removes what the repeats share: unpaired, a difference of 0.1 in 3 would drown."""
    generator = np.random.default_rng(3)
    shared = generator.normal(0, 3, 20)
    result = paired(shared, shared + 0.1 + generator.normal(0, 0.02, 20))
    assert result.p_value == pytest.approx(2 / 2**20)
