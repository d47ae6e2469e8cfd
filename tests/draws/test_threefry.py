"""Threefry against the published vectors and against a version in Python's own integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.draws.threefry import PARITY, threefry, words_at

word = st.integers(0, 2**32 - 1)

# Random123's kat_vectors, "threefry2x32 20": counter, key, result.
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def slow_threefry(key, counter):
    """Round by round in unbounded integers, from the paper's description."""
    keys = [*key, PARITY ^ key[0] ^ key[1]]
    x, y = (counter[0] + keys[0]) % 2**32, (counter[1] + keys[1]) % 2**32
    distances = [13, 15, 26, 6, 17, 29, 16, 24]
    for round_number in range(20):
        x = (x + y) % 2**32
        distance = distances[round_number % 8]
        y = ((y * 2**distance) % 2**32 + y // 2 ** (32 - distance)) ^ x
        if round_number % 4 == 3:
            group = round_number // 4 + 1
            x = (x + keys[group % 3]) % 2**32
            y = (y + keys[(group + 1) % 3] + group) % 2**32
    return x, y


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_published_vectors(counter, key, expected):
    low, high = (np.array([word], np.uint32) for word in counter)
    assert tuple(int(words[0]) for words in threefry(key, low, high)) == expected


@given(st.tuples(word, word), st.tuples(word, word))
def test_equals_the_slow_version(key, counter):
    low, high = (np.array([word], np.uint32) for word in counter)
    assert tuple(int(words[0]) for words in threefry(key, low, high)) == slow_threefry(key, counter)


@given(st.tuples(word, word), st.integers(0, 2**49 - 1), st.integers(0, 1000))
def test_an_element_takes_its_half_of_its_block(key, index, attempt):
    block = index // 2
    counter = (block % 2**32, block // 2**32 + attempt * 2**16)
    expected = slow_threefry(key, counter)[index % 2]
    assert int(words_at(key, np.array([index], np.uint64), attempt)[0]) == expected
