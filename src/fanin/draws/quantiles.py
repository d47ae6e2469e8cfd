"""From a random word to a Gaussian, with the same float32 bits in every implementation.

The inverse of the normal distribution function, by linear interpolation in a table. What makes the
bits portable is that nothing is left to the machine: the tail probability becomes a float32 by an
integer conversion (correctly rounded everywhere), its exponent and leading mantissa bits choose a
segment, the next 13 bits are the place within it, and slopes carry 11 bits, so that the one product
is exact in float32's 24 bits. The one addition is then the only rounding, and a fused multiply-add
cannot change it. Against the exact quantile the error stays below 1e-6 at every word, of which
2.4e-7 is the last bit of a float32; the largest value is 6.23 sigma.

The exact quantile of a word is defined as plus or minus (its low bit) the upper quantile of
``((word >> 1) | 1) / 2**32``.
"""

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError

SEGMENT_BITS = 8
PLACE_BITS = 13
SLOPE_BITS = 24 - PLACE_BITS
OCTAVES = 31
"""Tail probabilities from 2**-32 to 1/2, one octave for each exponent."""

ONE = 0x3F800000
"""The bits of the float32 1.0, whose exponent belongs to the first octave."""


DIGEST = "e29ede9e8139e764f992e291c6e8ee5b"
"""BLAKE2b of the table, which is part of the definition of the draws' version."""


@cache
def table() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the starting values and slopes of all segments, once per process.

    Each starting value centres the error over its segment. The last row belongs to the words whose
    tail probability rounds up to 1/2.

    Returns:
        Values at the segments' left ends and rises per place, each of ``32 * 256`` float32 numbers.

    Raises:
        FaninError: This machine's SciPy computes another table, so that the numbers would differ.

    References:
        scipy.special.ndtri for the quantile itself (Cephes; Moshier 1989).
    """
    from scipy.special import ndtri

    segments, places = 2**SEGMENT_BITS, 2**PLACE_BITS
    starts = np.zeros((OCTAVES + 1, segments), np.float32)
    slopes = np.zeros((OCTAVES + 1, segments), np.float32)
    # The middle of a segment bends most, so two edges and a few points inside bound the error.
    place = np.linspace(0, places, 65)
    for octave in range(OCTAVES):
        mantissa = 1 + (np.arange(segments)[:, None] + place / places) / segments
        exact = -ndtri(np.ldexp(mantissa, octave - 32))
        slope = _round_mantissa((exact[:, -1] - exact[:, 0]) / places, SLOPE_BITS)
        # A place stands for the cell [place, place + 1), hence the half slope.
        left = exact - slope[:, None] * place
        centre = (left.max(axis=1) + left.min(axis=1)) / 2
        starts[octave] = centre + slope / 2
        slopes[octave] = slope
    if digest(starts, slopes) != DIGEST:
        raise FaninError(
            "the table of normal quantiles computed here differs from the one that defines fanin's "
            "draws, so the numbers would not be reproducible; please report the versions of SciPy "
            "and the processor"
        )
    return starts.ravel(), slopes.ravel()


def digest(starts: NDArray[np.float32], slopes: NDArray[np.float32]) -> str:
    """Fingerprint a table, whatever the byte order of the machine.

    Args:
        starts: Values at the segments' left ends.
        slopes: Rises per place.

    Returns:
        32 hexadecimal digits.
    """
    data = np.concatenate([starts.ravel(), slopes.ravel()]).astype("<f4").tobytes()
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def normal_from_words(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Turn random words into standard normal numbers.

    Args:
        words: Any shape, uint32.

    Returns:
        Same shape, float32, within 1e-6 of the exact quantile.

    Example:
        >>> normal_from_words(np.array([0, 1, 2**31], np.uint32))
        array([ 6.23026  , -6.23026  ,  0.6744898], dtype=float32)
    """
    starts, slopes = table()
    tail = ((words >> np.uint32(1)) | np.uint32(1)).astype(np.int32).astype(np.float32)
    position = tail.view(np.uint32) - np.uint32(ONE)
    segment = position >> np.uint32(23 - SEGMENT_BITS)
    place = (position >> np.uint32(23 - SEGMENT_BITS - PLACE_BITS)) & np.uint32(2**PLACE_BITS - 1)
    size = starts[segment] + slopes[segment] * place.astype(np.float32)
    sign = (words & np.uint32(1)) << np.uint32(31)
    return (size.view(np.uint32) ^ sign).view(np.float32)


def _round_mantissa(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)
