"""Fused tensors with a scheme for each block."""

import math

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.schemes import (
    Fans,
    Layout,
    Scheme,
    blocks,
    glorot_normal,
    he_normal,
    normal,
    orthogonal,
    uniform,
    zeros,
)


@pytest.mark.parametrize(
    "part", [normal(0, 1), he_normal(), orthogonal(), uniform(0, 1), glorot_normal()], ids=str
)
def test_equal_parts_are_the_whole(part: Scheme) -> None:
    fused = Layout.stacked(3)
    shape = (3 * 8, 5)
    whole = part.values(shape, seed=1, name="w", layout=fused)
    same = blocks((part, part, part)).values(shape, seed=1, name="w", layout=fused)
    np.testing.assert_array_equal(same, whole)


def test_each_block_has_its_own_scheme_and_its_own_fans() -> None:
    parts = (glorot_normal(), glorot_normal(), glorot_normal(gain=0.5))
    drawn = blocks(parts).values((3 * 400, 400), seed=0, name="qkv", layout=Layout.linear())
    # Glorot's variance for a block is 2 / (400 + 400), not 2 / (400 + 1200).
    stds = drawn.reshape(3, 400, 400).std(axis=(1, 2))
    expected = np.array([1, 1, 0.5]) * math.sqrt(2 / 800)
    # Relative error of the std of n normals: 1 / sqrt(2 n), and 5 of them.
    np.testing.assert_allclose(stds, expected, rtol=5 / math.sqrt(2 * 400 * 400))


def test_the_axis_is_the_one_of_the_outputs() -> None:
    dense = blocks((zeros(), normal(0, 1))).values((5, 8), seed=0, name="w", layout=Layout.dense())
    assert not dense[:, :4].any()
    assert dense[:, 4:].all()
    vector = blocks((zeros(), normal(0, 1))).values((6,), seed=0, name="b")
    assert [bool(value) for value in vector] == [False] * 3 + [True] * 3


def test_promised_moments_are_those_of_the_mixture() -> None:
    scheme = blocks((normal(1, 0.5), normal(-3, 2)))
    drawn = scheme.values((2 * 300, 500), seed=2, name="w", layout=Layout.linear())
    promised = scheme.promised(shape=(600, 500), layout=Layout.linear())
    assert promised.mean == pytest.approx(-1)
    # Variance: mean of the variances and of the squared distances from -1: (4.25 + 8) / 2.
    assert promised.std == pytest.approx(math.sqrt((0.25 + 4 + 4 + 4) / 2))
    assert drawn.std() == pytest.approx(promised.std, rel=5 * math.sqrt(1 / (2 * 300 * 500)))
    assert scheme.promised(shape=(4,)).std == pytest.approx(promised.std)


def test_a_region_is_that_part_of_the_whole() -> None:
    scheme = blocks((normal(0, 1), orthogonal(), he_normal()))
    layout = Layout.linear()
    whole = scheme.values((12, 4), seed=0, name="w", layout=layout)
    region = (slice(2, 11, 3), slice(1, 3))
    part = scheme.values((12, 4), seed=0, name="w", layout=layout, region=region, dtype=np.float16)
    np.testing.assert_array_equal(part, whole[region].astype(np.float16))
    assert part.flags.c_contiguous


def test_what_cannot_be_cut_is_refused() -> None:
    scheme = blocks((zeros(), zeros(), normal(0, 1)))
    with pytest.raises(FaninError, match="3 equal blocks along axis 0"):
        scheme.values((8, 4), seed=0, name="w", layout=Layout.linear())
    with pytest.raises(FaninError, match="its layout has 4 blocks and 1 groups, and 3 schemes"):
        scheme.values((12, 4), seed=0, name="w", layout=Layout.stacked(4))
    with pytest.raises(FaninError, match="1 blocks and 3 groups"):
        scheme.values((12, 4, 3), seed=0, name="w", layout=Layout.conv(1, groups=3))
    with pytest.raises(FaninError, match="pass shape="):
        scheme.promised(Fans(4, 4))
