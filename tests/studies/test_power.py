"""The power of the sign test against a published table, simulation and the normal approximation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from fanin.errors import FaninError
from fanin.studies.comparison import holm, paired
from fanin.studies.power import MOST, POWER, repeats_needed, sign_test_power

CRITICAL = {6: 0, 8: 0, 9: 1, 12: 2, 15: 3, 17: 4, 20: 5, 23: 6, 25: 7}
"""Pairs and the most losses that are significant at 0.05, two tails: Triola, Elementary Statistics,
table A-7."""


@pytest.mark.parametrize(("pairs", "losses"), CRITICAL.items())
def test_the_published_critical_values(pairs, losses):
    """At a chance of 0.3 the power is that of the published rule."""
    expected = binom.cdf(losses, pairs, 0.3) + binom.sf(pairs - losses - 1, pairs, 0.3)
    assert sign_test_power(pairs, 0.3) == pytest.approx(expected)


@pytest.mark.parametrize(("pairs", "chance", "level"), [(20, 0.8, 0.05), (40, 0.7, 0.005)])
def test_power_by_simulation(pairs, chance, level):
    """4000 studies: four standard errors of a share are at most 4 * 0.5 / sqrt(4000) = 0.032."""
    wins = np.random.default_rng(0).binomial(pairs, chance, 4000)
    p_values = {count: binomtest(count, pairs).pvalue for count in set(wins.tolist())}
    found = np.mean([p_values[count] <= level for count in wins.tolist()])
    assert sign_test_power(pairs, chance, level) == pytest.approx(found, abs=0.032)


def test_the_power_of_nothing_is_the_level_or_less():
    numbers = np.arange(1, 200)
    assert (sign_test_power(numbers, 0.5) <= 0.05).all()
    assert sign_test_power(5, 1.0) == 0
    assert sign_test_power(6, 1.0) == 1


@pytest.mark.parametrize("share", [0.6, 0.65, 0.7, 0.75, 0.8])
@pytest.mark.parametrize("level", [0.05, 0.005])
def test_near_the_normal_approximation(share, level):
    """Noether (1987): (z of level/2 + z of power)^2 / (4 (share - 1/2)^2), which is a little low.

    The exact test is at most one win stricter than its level, which is two standard deviations of
    1 / (2 (share - 1/2)) pairs; from that number on the power stays.
    """
    z = norm.ppf(1 - level / 2) + norm.ppf(POWER)
    approximate = z**2 / (4 * (share - 0.5) ** 2)
    exact = repeats_needed(share * 100, 100 - share * 100, level=level)
    assert 0.85 * approximate <= exact <= approximate + 2 / (share - 0.5) + 4


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 10))
def test_from_there_on_the_power_is_enough(better, worse, ties):
    needed = repeats_needed(better, worse, ties)
    assert needed == repeats_needed(worse, better, ties)
    if math.isinf(needed):
        return
    chance = better / (better + worse)
    decided = math.floor(needed * (better + worse) / (better + worse + ties) + 1e-9)
    assert (sign_test_power(np.arange(decided, MOST + 1), chance) >= POWER).all()
    assert needed <= repeats_needed(better, worse, ties, level=0.01)


def test_even_schemes_need_more_than_anybody_has():
    assert repeats_needed(10, 10) == math.inf
    assert repeats_needed(20, 0) == 6
    with pytest.raises(FaninError, match="at least one winner"):
        repeats_needed(0, 0, 5)


def test_so_many_repeats_do_find_it():
    """Two schemes, 70 % of pairs: with the repeats it names, 80 % of 500 studies find it.

    Four standard errors are 4 * sqrt(0.8 * 0.2 / 500) = 0.072.
    """
    repeats = repeats_needed(14, 6)
    generator, found = np.random.default_rng(1), 0
    for _ in range(500):
        wins = generator.random(int(repeats)) < 0.7
        found += holm([paired(1.0 - wins, np.full(wins.size, 0.5)).p_value])[0] <= 0.05
    assert 0.8 - 0.072 <= found / 500 <= 0.8 + 0.072
