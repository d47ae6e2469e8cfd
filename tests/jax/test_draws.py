"""The compiled draws against the NumPy reference: the same bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.draws import Constant, Law, Normal, TruncatedNormal, Uniform, key, sample
from fanin.jax.draws import draw, encode, normal_from_words, words

SIZES = (1, 2, 7, 1000)
"""Few, because each is compiled."""

numbers = st.floats(-1e3, 1e3, allow_nan=False, width=32)
scales = st.floats(0, 1e3, allow_nan=False, width=32)
laws = st.one_of(
    st.builds(Constant, numbers),
    st.builds(lambda a, b: Uniform(min(a, b), max(a, b)), numbers, numbers),
    st.builds(Normal, numbers, scales),
    st.builds(TruncatedNormal, numbers, scales, st.floats(0.5, 4)),
)
compiled = jax.jit(draw, static_argnums=2)


@settings(max_examples=60, deadline=None)
@given(
    law=st.lists(laws, min_size=3, max_size=3),
    size=st.sampled_from(SIZES),
    seed=st.integers(0, 2**64 - 1),
    name=st.text(max_size=12),
)
def test_every_law_has_the_bits_of_the_reference(law: list[Law], size: int, seed: int, name: str):
    got = np.asarray(compiled(encode(law), jnp.asarray(key(seed, name), jnp.uint32), size))
    for one, values in zip(law, got, strict=True):
        np.testing.assert_array_equal(values, sample(one, seed, name, (size,)))


@pytest.mark.parametrize(
    "law",
    [
        Normal(0.3, 0.7),
        Normal(1e-3, 1e3),
        TruncatedNormal(0.5, 0.2, 1.3),
        TruncatedNormal(0.0, 1.0, 0.1),
        Uniform(-0.1, 0.3),
        Uniform(1e38, 3e38),
        Uniform(-3e38, 3e38),
    ],
)
def test_many_elements(law: Law) -> None:
    """A product that the compiler fuses with the sum after it changes a third of these."""
    got = compiled(encode([law]), jnp.asarray(key(3, "a.b"), jnp.uint32), 200_001)[0]
    np.testing.assert_array_equal(np.asarray(got), sample(law, 3, "a.b", (200_001,)))


def test_many_seeds_at_once() -> None:
    own = [Normal(0.1, 2.0), Uniform(-1.0, 2.0)]
    keys = jnp.asarray([key(seed, "w") for seed in range(5)], jnp.uint32)
    got = jax.jit(jax.vmap(draw, in_axes=(None, 0, None)), static_argnums=2)(encode(own), keys, 33)
    for seed in range(5):
        for place, law in enumerate(own):
            expected = sample(law, seed, "w", (33,))
            np.testing.assert_array_equal(np.asarray(got[seed, place]), expected)


def test_words_are_those_of_threefry() -> None:
    """The published answer to a counter and a key of zeros (Random123 distribution)."""
    got = words(jnp.zeros(2, jnp.uint32), 2)
    assert [hex(int(word)) for word in got] == ["0x6b200159", "0x99ba4efe"]


def test_the_ends_of_the_normal() -> None:
    got = normal_from_words(jnp.asarray([0, 1, 2**31, 2**32 - 1], jnp.uint32))
    from fanin.draws.quantiles import normal_from_words as reference

    expected = reference(np.array([0, 1, 2**31, 2**32 - 1], np.uint32))
    np.testing.assert_array_equal(np.asarray(got), expected)
