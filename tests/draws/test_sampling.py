"""One function for every law, shape and region: the contract of the draws."""

import inspect
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from draw_strategies import laws, names, seeds, shapes, shapes_and_regions
from fanin.draws import (
    Constant,
    Normal,
    TruncatedNormal,
    Uniform,
    fill,
    key,
    permutation,
    sample,
    words,
)
from fanin.draws.kernel import fill_run
from fanin.draws.reference import numbers_at
from fanin.draws.regions import runs_of
from fanin.errors import FaninError
from fanin.schemes import orthogonal

GOLDEN = Path(__file__).parent / "golden.json"


def bits(numbers):
    return np.ascontiguousarray(numbers, np.float32).view(np.uint32)


@given(laws, seeds, names, shapes_and_regions())
def test_a_region_is_a_part_of_the_whole(law, seed, name, shape_and_region):
    shape, region = shape_and_region
    whole = sample(law, seed, name, shape)
    part = sample(law, seed, name, shape, region=region)
    assert part.shape == whole[region].shape
    assert (bits(part) == bits(whole[region])).all()


@given(laws, seeds, names, shapes)
def test_a_shape_is_only_a_way_to_look_at_the_stream(law, seed, name, shape):
    flat = sample(law, seed, name, (int(np.prod(shape)),))
    assert (bits(sample(law, seed, name, shape)) == bits(flat.reshape(shape))).all()


@given(
    laws,
    seeds,
    st.integers(0, 2**34) | st.sampled_from([2**33 - 5001, 2**34 - 3, 2**49 - 9000]),
    st.integers(1, 9000),
)
def test_kernel_and_reference_have_the_same_bits(law, seed, start, size):
    stream = key(seed, "kernel")
    out = np.empty(size, np.float32)
    fill_run(out, law, stream, start)
    index = np.arange(start, start + size, dtype=np.uint64)
    assert (bits(out) == bits(numbers_at(law, stream, index))).all()


@pytest.mark.parametrize("law", [Normal(0.5, 0.02), TruncatedNormal(cut=0.3), Uniform(-1, 2)])
def test_large_tensors_and_regions_take_the_kernel_and_change_nothing(law):
    shape = (700, 1031)
    whole = sample(law, 5, "large", shape)
    index = np.arange(whole.size, dtype=np.uint64).reshape(shape)
    assert (bits(whole) == bits(numbers_at(law, key(5, "large"), index))).all()
    for region in [(slice(3, 600), slice(1, 1000)), (slice(None), slice(7, 12))]:
        assert (bits(sample(law, 5, "large", shape, region=region)) == bits(whole[region])).all()


@given(laws, seeds, names, shapes)
def test_other_types_are_casts_of_float32(law, seed, name, shape):
    single = sample(law, seed, name, shape)
    double = sample(law, seed, name, shape, dtype=np.float64)
    with np.errstate(over="ignore"):
        half = sample(law, seed, name, shape, dtype=np.float16)
        assert (half == single.astype(np.float16)).all()
    assert double.dtype == np.float64
    assert (double == single).all()


@given(seeds, names, st.floats(-3, 3), st.floats(0, 5))
def test_uniform_stays_inside_its_bounds(seed, name, low, width):
    law = Uniform(low, low + width)
    numbers = sample(law, seed, name, (500,))
    assert numbers.min() >= np.float32(law.low)
    assert numbers.max() <= np.float32(law.high)


@given(seeds, names, st.floats(0.2, 5))
def test_truncated_normal_stays_inside_its_cut(seed, name, cut):
    law = TruncatedNormal(0, 1, cut)
    # One rounding of the scale and one of the product.
    bound = law.parent_std * cut * (1 + 2**-22)
    assert np.abs(sample(law, seed, name, (500,))).max() <= bound


def test_golden_vectors():
    """These numbers are a promise: a change of them is a new version of the draws."""
    golden = json.loads(GOLDEN.read_text())
    shape = (3, 5)
    assert list(key(7, "layers.0.weight")) == golden["key"]
    assert words(7, "layers.0.weight", shape).ravel().tolist() == golden["words"]
    for text, law in {
        "normal": Normal(0, 0.02),
        "uniform": Uniform(-0.05, 0.05),
        "truncated": TruncatedNormal(0, 0.02, 1.5),
    }.items():
        assert bits(sample(law, 7, "layers.0.weight", shape)).ravel().tolist() == golden[text]


def test_constant():
    assert (sample(Constant(0.5), 0, "b", (2, 3)) == 0.5).all()


@given(seeds, st.integers(0, 200))
def test_permutation_holds_each_number_once(seed, size):
    assert sorted(permutation(seed, "order", size).tolist()) == list(range(size))


def test_permutations_are_even():
    # 6 orders of 3, 6000 draws: chi-squared with 5 degrees of freedom exceeds 20.5 once in 1000.
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(6000):
        order = tuple(permutation(seed, "order", 3).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, "1", None])
def test_a_wrong_seed_is_told(seed):
    with pytest.raises(FaninError, match="seed must"):
        inspect.unwrap(key)(seed, "w")  # past the checker of annotations, as users are


@pytest.mark.parametrize(
    ("shape", "region"), [(5, None), ("ab", None), ((5,), slice(2)), ((5,), (2,))]
)
def test_a_shape_or_region_of_another_kind_is_told(shape, region):
    with pytest.raises(FaninError, match="must be"):
        inspect.unwrap(runs_of)(shape, region)


def test_wrong_arguments_are_told():
    law = Normal()
    with pytest.raises(FaninError, match="at most one slice for each axis"):
        sample(law, 0, "w", (3,), region=(slice(1), slice(1)))
    with pytest.raises(FaninError, match="positive steps"):
        sample(law, 0, "w", (3,), region=(slice(None, None, -1),))
    with pytest.raises(FaninError, match="negative sizes"):
        sample(law, 0, "w", (-3,))
    with pytest.raises(FaninError, match="2\\*\\*49"):
        sample(law, 0, "w", (2**25, 2**25))
    with pytest.raises(FaninError, match="floating-point"):
        sample(law, 0, "w", (3,), dtype=np.int32)
    with pytest.raises(FaninError, match="C-contiguous"):
        fill(np.empty((4, 4), np.float32).T[1:], law, 0, "w")


@pytest.mark.parametrize("kind", ["V8", "int8", ml_dtypes.int4, "no such type"])
@pytest.mark.parametrize("shape", [(3,), (0,)])
def test_a_type_that_holds_no_fractions_is_refused(kind: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(FaninError, match="dtype must be a floating-point type"):
        sample(Normal(), 0, "w", shape, dtype=kind)
    with pytest.raises(FaninError, match="dtype must be a floating-point type"):
        orthogonal().values((3, *shape), seed=0, name="w", dtype=kind)


@pytest.mark.parametrize("kind", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.longdouble])
def test_a_type_that_numpy_was_taught_is_cast_to_last(kind: Any) -> None:
    drawn = sample(Normal(), 0, "w", (50,), dtype=kind)
    assert drawn.dtype == kind
    assert (drawn == sample(Normal(), 0, "w", (50,)).astype(kind)).all()
