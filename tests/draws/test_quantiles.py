"""The portable normal against the exact quantile."""

import numpy as np
import pytest
from scipy.special import ndtri

from fanin.draws import quantiles
from fanin.draws.quantiles import normal_from_words
from fanin.errors import FaninError

# The largest error of all words is 9.21e-7; test_error_at_every_word finds it.
BOUND = 9.3e-7


def exact(words):
    tail = ((words >> np.uint32(1)) | np.uint32(1)).astype(np.float64) / 2**32
    return np.where(words & np.uint32(1), 1, -1) * ndtri(tail)


def worst_error(words):
    return float(np.abs(normal_from_words(words).astype(np.float64) - exact(words)).max())


@pytest.mark.parametrize("octave", range(1, 32))
def test_error_in_every_octave(octave):
    low, high = 2**octave, 2 ** (octave + 1)
    step = max(1, (high - low) // 2**18)
    words = np.arange(low, high, step, dtype=np.uint64)
    spread = np.random.default_rng(octave).integers(0, step, words.size, dtype=np.uint64)
    edges = np.array([low, low + 1, high - 2, high - 1], np.uint64)
    assert worst_error(np.concatenate([words + spread, edges]).astype(np.uint32)) < BOUND


@pytest.mark.slow
def test_error_at_every_word():
    for start in range(0, 2**32, 2**24):
        words = np.arange(start, start + 2**24, dtype=np.uint64).astype(np.uint32)
        assert worst_error(words) < BOUND


def test_reach_and_symmetry():
    words = np.random.default_rng(0).integers(0, 2**31, 10**5, dtype=np.uint64).astype(np.uint32)
    plus, minus = words & ~np.uint32(1), words | np.uint32(1)
    assert (normal_from_words(plus) == -normal_from_words(minus)).all()
    assert normal_from_words(np.array([0], np.uint32))[0] > 6.2


def test_every_product_is_exact():
    # Exact products are what makes a fused multiply-add harmless.
    _, slopes = quantiles.table()
    places = np.array([1, 3, 5461, 2**quantiles.PLACE_BITS - 1], np.float32)
    product = slopes[:, None].astype(np.float64) * places
    assert (product == (slopes[:, None] * places).astype(np.float64)).all()


def test_another_table_is_refused(monkeypatch):
    monkeypatch.setattr(quantiles, "DIGEST", "0" * 32)
    quantiles.table.cache_clear()
    with pytest.raises(FaninError, match="would not be reproducible"):
        quantiles.table()
    quantiles.table.cache_clear()
