"""The arithmetic of the reference, compiled by Numba.

A run of elements is cut into pieces that stay in the first-level cache. Within a piece every loop
does one thing to all elements, which is the form that the compiler turns into vector instructions;
the piece then goes through the loops one after another. Numba infers the types here, so the checker
of annotations is sent past these functions. Fast-math stays off: no step may be reordered.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from fanin.draws.quantiles import ONE, PLACE_BITS, SEGMENT_BITS
from fanin.draws.threefry import ATTEMPT_SHIFT, PARITY

PIECE = 4096
"""Elements worked on at a time: 48 kB of words, tails and results."""

u32 = np.uint32
f32 = np.float32
_SEGMENT_SHIFT = u32(23 - SEGMENT_BITS)
_PLACE_SHIFT = u32(23 - SEGMENT_BITS - PLACE_BITS)
_PLACE_MASK = u32(2**PLACE_BITS - 1)
_ONE = u32(ONE)
_PARITY = u32(PARITY)


@njit(inline="always")
@no_type_check
def _mix(left, right, rotation):
    left = u32(left + right)
    turned = u32(u32(right << u32(rotation)) | u32(right >> u32(32 - rotation)))
    return left, u32(turned ^ left)


@njit(inline="always")
@no_type_check
def _threefry(key0, key1, low, high):
    key2 = u32(key0 ^ key1 ^ _PARITY)
    left, right = u32(low + key0), u32(high + key1)
    left, right = _mix(left, right, 13)
    left, right = _mix(left, right, 15)
    left, right = _mix(left, right, 26)
    left, right = _mix(left, right, 6)
    left, right = u32(left + key1), u32(right + key2 + u32(1))
    left, right = _mix(left, right, 17)
    left, right = _mix(left, right, 29)
    left, right = _mix(left, right, 16)
    left, right = _mix(left, right, 24)
    left, right = u32(left + key2), u32(right + key0 + u32(2))
    left, right = _mix(left, right, 13)
    left, right = _mix(left, right, 15)
    left, right = _mix(left, right, 26)
    left, right = _mix(left, right, 6)
    left, right = u32(left + key0), u32(right + key1 + u32(3))
    left, right = _mix(left, right, 17)
    left, right = _mix(left, right, 29)
    left, right = _mix(left, right, 16)
    left, right = _mix(left, right, 24)
    left, right = u32(left + key1), u32(right + key2 + u32(4))
    left, right = _mix(left, right, 13)
    left, right = _mix(left, right, 15)
    left, right = _mix(left, right, 26)
    left, right = _mix(left, right, 6)
    return u32(left + key2), u32(right + key0 + u32(5))


@njit(inline="always")
@no_type_check
def _words(key0, key1, block, words):
    """Fill an even number of words, beginning with the first word of a block."""
    low, high = u32(block & 0xFFFFFFFF), u32(block >> 32)
    room = 0x100000000 - (block & 0xFFFFFFFF)
    pairs = words.shape[0] // 2
    for pair in range(min(pairs, room)):
        words[2 * pair], words[2 * pair + 1] = _threefry(key0, key1, u32(low + u32(pair)), high)
    for pair in range(room, pairs):
        next_low = u32(pair - room)
        words[2 * pair], words[2 * pair + 1] = _threefry(key0, key1, next_low, u32(high + u32(1)))


@njit(inline="always")
@no_type_check
def _normals(words, tails, starts, slopes, out):
    places = tails.view(np.uint32)
    bits = out.view(np.uint32)
    for i in range(words.shape[0]):
        tails[i] = f32(np.int32((words[i] >> u32(1)) | u32(1)))
    for i in range(words.shape[0]):
        position = u32(places[i] - _ONE)
        segment = u32(position >> _SEGMENT_SHIFT)
        place = f32(np.int32(u32(position >> _PLACE_SHIFT) & _PLACE_MASK))
        out[i] = starts[segment] + slopes[segment] * place
    for i in range(words.shape[0]):
        bits[i] = u32(bits[i] ^ u32(words[i] << u32(31)))


@njit(nogil=True, cache=True)
@no_type_check
def _redraw(key0, key1, index, cut, numbers, starts, slopes):
    """Draw the elements that lie outside again, all together, until none does."""
    outside = np.empty(numbers.shape[0], np.int32)
    count = 0
    for i in range(numbers.shape[0]):
        # Written always and counted when outside: no branch to guess wrong.
        outside[count] = i
        count += abs(numbers[i]) > cut
    words, tails, again = np.empty(count, u32), np.empty(count, f32), np.empty(count, f32)
    attempt = 0
    while count > 0:
        attempt += 1
        for i in range(count):
            where = index + outside[i]
            high = u32(u32(where >> 33) | u32(attempt << ATTEMPT_SHIFT))
            first, second = _threefry(key0, key1, u32((where >> 1) & 0xFFFFFFFF), high)
            words[i] = second if where & 1 else first
        _normals(words[:count], tails[:count], starts, slopes, again[:count])
        left = 0
        for i in range(count):
            numbers[outside[i]] = again[i]
            if abs(again[i]) > cut:
                outside[left] = outside[i]
                left += 1
        count = left


@njit(nogil=True, cache=True)
@no_type_check
def fill_normal(key0, key1, start, out, mean, std, cut, starts, slopes):
    """Fill one run with normals, redrawing those beyond the cut (infinite: none)."""
    words, tails, numbers = np.empty(PIECE, u32), np.empty(PIECE, f32), np.empty(PIECE, f32)
    done = 0
    while done < out.shape[0]:
        index = start + done
        skip = index & 1
        size = min(PIECE - skip, out.shape[0] - done)
        # Whole blocks only: the piece begins and ends on one, up to two elements outside.
        whole = (skip + size + 1) & ~1
        _words(key0, key1, index >> 1, words[:whole])
        _normals(words[:whole], tails[:whole], starts, slopes, numbers[:whole])
        if cut < np.inf:
            _redraw(key0, key1, index - skip, cut, numbers[:whole], starts, slopes)
        if mean == f32(0):
            for i in range(size):
                out[done + i] = numbers[skip + i] * std
        else:
            for i in range(size):
                out[done + i] = numbers[skip + i] * std + mean
        done += size


@njit(nogil=True, cache=True)
@no_type_check
def fill_uniform(key0, key1, start, out, centre, half, low, high):
    """Fill one run with uniforms."""
    words = np.empty(PIECE, u32)
    done = 0
    while done < out.shape[0]:
        index = start + done
        skip = index & 1
        size = min(PIECE - skip, out.shape[0] - done)
        whole = (skip + size + 1) & ~1
        _words(key0, key1, index >> 1, words[:whole])
        for i in range(size):
            odd = np.int32((words[skip + i] >> u32(7)) | u32(1)) - np.int32(2**24)
            number = f32(f32(np.int32(odd)) * f32(2**-24)) * half
            if centre != f32(0):
                number = number + centre
            number = min(high, number)
            out[done + i] = max(low, number)
        done += size
