"""Schemes that draw nothing: numbers that are listed, and what is kept."""

import math

import ml_dtypes
import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.schemes import keep, listed, parse

NUMBERS = tuple(np.linspace(-1, 2, 12).tolist())


def test_listed_holds_the_numbers_in_order_for_any_shape() -> None:
    scheme = parse(str(listed(NUMBERS)))
    values = scheme.values((3, 4), seed=9, name="w", dtype=np.float64)
    np.testing.assert_array_equal(values, np.reshape(NUMBERS, (3, 4)))
    np.testing.assert_array_equal(values, scheme.values((3, 4), seed=0, name="v", dtype="f8"))
    single = np.reshape(NUMBERS, (3, 4)).astype(np.float32)
    part = scheme.values((3, 4), seed=0, name="w", region=(slice(1, 3), slice(0, 4, 2)))
    np.testing.assert_array_equal(part, single[1:3, ::2])
    half = scheme.values((12,), seed=0, name="w", dtype=ml_dtypes.bfloat16)
    np.testing.assert_array_equal(half, single.reshape(-1).astype(ml_dtypes.bfloat16))
    promised = scheme.promised(shape=(12,))
    assert promised.mean == pytest.approx(0.5)
    assert promised.std == pytest.approx(np.std(NUMBERS))


def test_listed_fits_as_many_elements_as_it_has() -> None:
    with pytest.raises(
        FaninError, match=r"holds 12 numbers, and a tensor of shape \(11,\) takes 11"
    ):
        listed(NUMBERS).values((11,), seed=0, name="w")
    with pytest.raises(FaninError, match="holds 12 numbers"):
        listed(NUMBERS).promised(shape=(5,))


def test_keep_promises_nothing_and_draws_nothing() -> None:
    promised = keep().promised(shape=(3, 4))
    assert math.isnan(promised.mean)
    assert math.isnan(promised.std)
    with pytest.raises(FaninError, match=r"keep draws nothing: backbone\.weight holds what"):
        keep().values((3,), seed=0, name="backbone.weight")
    assert keep().values((0,), seed=0, name="w").shape == (0,)
