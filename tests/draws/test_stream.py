"""The stream as a statistician sees it. All seeds are fixed; every bound says how rare it is."""

import math

import numpy as np
import pytest
from scipy import stats

from fanin.draws import Normal, TruncatedNormal, Uniform, sample, words

COUNT = 10**7


@pytest.fixture(scope="module")
def normals():
    return sample(Normal(), 11, "stream", (COUNT,)).astype(np.float64)


def test_moments_of_normals(normals):
    # Standard errors of the first four moments of a standard normal: 1, sqrt 2, sqrt 15, sqrt 96
    # over sqrt n. Four of them leave one chance in 16 000 each.
    for power, exact, spread in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        error = abs(float((normals**power).mean()) - exact)
        assert error < 4 * math.sqrt(spread / COUNT), power


@pytest.mark.parametrize(
    ("law", "distribution"),
    [
        (Normal(), stats.norm()),
        (Uniform(-1, 1), stats.uniform(-1, 2)),
        (TruncatedNormal(0, 1, 2), stats.truncnorm(-2, 2, scale=TruncatedNormal().parent_std)),
    ],
)
def test_kolmogorov_smirnov(law, distribution):
    numbers = np.sort(sample(law, 12, "stream", (COUNT,)).astype(np.float64))
    # Kolmogorov's distribution exceeds 1.95 once in 1000. float32 steps are far below 1/sqrt n.
    below = distribution.cdf(numbers)
    rank = np.arange(COUNT) / COUNT
    distance = max((below - rank).max(), (rank + 1 / COUNT - below).max())
    assert distance * math.sqrt(COUNT) < 1.95


def test_bits_are_even_and_unrelated():
    drawn = words(13, "stream", (2**20,))
    bits = (drawn[:, None] >> np.arange(32, dtype=np.uint32)) & np.uint32(1)
    signs = 2.0 * bits - 1
    n = signs.shape[0]
    # Correlations of n signs have standard error 1/sqrt n; of 32 means and 496 pairs the largest
    # exceeds 5 standard errors once in 3000.
    assert np.abs(signs.mean(axis=0)).max() < 5 / math.sqrt(n)
    pairs = signs.T @ signs / n - np.eye(32)
    assert np.abs(pairs).max() < 5 / math.sqrt(n)


@pytest.mark.parametrize(
    ("seed", "name"),
    [
        (21, "layers.1.weight"),
        (20, "layers.0.weight"),
        (21, "layers.0.bias"),
        (21, "layers.0.weighu"),
    ],
)
def test_neighbouring_names_and_seeds_are_independent(seed, name):
    first = sample(Normal(), 21, "layers.0.weight", (10**6,)).astype(np.float64)
    second = sample(Normal(), seed, name, (10**6,)).astype(np.float64)
    # Of the values themselves and of their squares; 4 standard errors.
    assert abs((first * second).mean()) < 4 / 1000
    assert abs(((first**2 - 1) * (second**2 - 1)).mean()) < 4 * 2 / 1000


def test_neighbouring_elements_are_independent(normals):
    for lag in (1, 2, 3, 4096):
        product = (normals[:-lag] * normals[lag:]).mean()
        assert abs(product) < 4 / math.sqrt(COUNT)


def test_first_words_of_many_streams_are_even():
    # One element of each of 20 000 seeds, as a study takes them.
    first = np.array([sample(Uniform(0, 1), seed, "w", (1,))[0] for seed in range(20_000)])
    assert stats.kstest(first, "uniform").pvalue > 0.001
