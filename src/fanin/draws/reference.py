"""From words to the numbers of a law, in plain NumPy: what every other implementation must equal.

Everything is float32 and every step is one correctly rounded operation, so the order of the steps
below is part of the definition: a normal is ``(std * z) + mean``, a uniform is
``(half_width * s) + centre`` with `s` an odd multiple of 2**-24 inside (-1, 1).
"""

import math

import numpy as np
from numpy.typing import NDArray

from fanin.draws.laws import Constant, Law, Normal, TruncatedNormal, Uniform
from fanin.draws.quantiles import normal_from_words
from fanin.draws.threefry import words_at

Index = NDArray[np.uint64]
Numbers = NDArray[np.float32]


def numbers_at(law: Law, key: tuple[int, int], index: Index) -> Numbers:
    """Draw the elements with the given flat indices.

    Args:
        law: Distribution of one element.
        key: The stream's key.
        index: Flat indices into the whole tensor, any shape, uint64.

    Returns:
        One float32 per index.
    """
    match law:
        case Constant(value):
            return np.full(index.shape, value, np.float32)
        case Uniform():
            return _uniform(law, words_at(key, index))
        case Normal(mean, std):
            return _shift(normal_from_words(words_at(key, index)), std, mean)
        case TruncatedNormal(mean):
            return _shift(_truncated(key, index, law.cut), law.parent_std, mean)


def _uniform(law: Uniform, words: NDArray[np.uint32]) -> Numbers:
    odd = ((words >> np.uint32(7)) | np.uint32(1)).astype(np.int32) - np.int32(2**24)
    unit = odd.astype(np.float32) * np.float32(2**-24)
    # Halved before they are subtracted: the width of two huge bounds may overflow.
    half, centre = law.high / 2 - law.low / 2, law.high / 2 + law.low / 2
    numbers = _shift(unit, half, centre)
    return np.clip(numbers, np.float32(law.low), np.float32(law.high))


def _truncated(key: tuple[int, int], index: Index, cut: float) -> Numbers:
    """Redraw what lies outside; the attempt's number keeps it a pure function of the index."""
    if math.isinf(cut):
        return normal_from_words(words_at(key, index))
    flat = index.reshape(-1)
    numbers = normal_from_words(words_at(key, flat))
    outside = np.flatnonzero(np.abs(numbers) > np.float32(cut))
    attempt = 0
    while outside.size:
        attempt += 1
        numbers[outside] = normal_from_words(words_at(key, flat[outside], attempt))
        outside = outside[np.abs(numbers[outside]) > np.float32(cut)]
    return numbers.reshape(index.shape)


def _shift(standard: Numbers, scale: float, offset: float) -> Numbers:
    scaled = standard * np.float32(scale)
    return scaled if offset == 0 else scaled + np.float32(offset)
