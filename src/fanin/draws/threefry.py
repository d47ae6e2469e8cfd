"""Threefry-2x32 with 20 rounds, in plain NumPy: the readable reference of all bits.

A counter-based generator has no state. The words of element `i` are a keyed bijection of the number
of its block, so any element can be computed alone, in any order, on any device. Two elements share
a block: the even one takes its first word, the odd one its second.
"""

import numpy as np
from numpy.typing import NDArray

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
"""Rotation distances, used in turn (Salmon et al. 2011, table 3, as in the reference code)."""

PARITY = 0x1BD11BDA
"""Constant of the key schedule (Skein's C240, cut to 32 bits; Salmon et al. 2011, section 3.2)."""

ATTEMPT_SHIFT = 16
"""An attempt's number sits in the upper half of the counter's high word."""

LARGEST = 2 ** (32 + ATTEMPT_SHIFT + 1)
"""Elements a tensor may have, so that the block number leaves the attempt's bits alone."""

Words = NDArray[np.uint32]


def threefry(key: tuple[int, int], low: Words, high: Words) -> tuple[Words, Words]:
    """Encrypt counters.

    Args:
        key: The two 32-bit words of the key.
        low: Low words of the counters, any shape, uint32.
        high: High words of the counters, same shape, uint32.

    Returns:
        The two output words of each counter, uint32.

    Example:
        >>> zero = np.zeros(1, np.uint32)
        >>> [hex(int(word[0])) for word in threefry((0, 0), zero, zero)]
        ['0x6b200159', '0x99ba4efe']

    References:
        Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, section
        3.2 and the known-answer vectors of the Random123 distribution.
    """
    schedule = [np.uint32(word) for word in (*key, key[0] ^ key[1] ^ PARITY)]
    left, right = low + schedule[0], high + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[4 * (group % 2) : 4 * (group % 2) + 4]:
            left = left + right
            right = (right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))
            right = right ^ left
        left = left + schedule[(group + 1) % 3]
        right = right + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return left, right


def words_at(key: tuple[int, int], index: NDArray[np.uint64], attempt: int = 0) -> Words:
    """Compute the random word of each flat index.

    Args:
        key: The two 32-bit words of the key.
        index: Flat indices into the whole tensor, any shape.
        attempt: How often the word was redrawn before (truncated normals).

    Returns:
        One uint32 word per index.
    """
    block = index >> np.uint64(1)
    low = (block & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    high = (block >> np.uint64(32)).astype(np.uint32) | np.uint32(attempt << ATTEMPT_SHIFT)
    first, second = threefry(key, low, high)
    return np.where(index & np.uint64(1), second, first)
