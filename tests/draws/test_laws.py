"""The laws' promised moments against SciPy's distributions."""

import math

import pytest
from scipy import stats

from fanin.draws import Constant, Normal, TruncatedNormal, Uniform
from fanin.errors import FaninError


@pytest.mark.parametrize("cut", [0.1, 0.5, 1, 2, 3, 8])
def test_truncated_std_is_the_one_obtained(cut):
    law = TruncatedNormal(0, 0.3, cut)
    parent = stats.truncnorm(-cut, cut, scale=law.parent_std)
    assert math.isclose(parent.std(), 0.3, rel_tol=1e-9)


def test_the_constant_of_cut_two():
    # The value that Keras and JAX divide by.
    assert math.isclose(1 / TruncatedNormal().parent_std, 0.87962566103423978, rel_tol=1e-13)


def test_moments():
    assert Uniform(-1, 3).mean == 1
    assert math.isclose(Uniform(-1, 3).std, stats.uniform(-1, 4).std())
    assert (Constant(2.0).mean, Constant(2.0).std) == (2.0, 0.0)


def test_an_infinite_cut_is_a_normal():
    assert TruncatedNormal(0, 2, math.inf).parent_std == 2


@pytest.mark.parametrize(
    ("law", "arguments"),
    [
        (Uniform, (1, 0)),
        (Uniform, (0, math.inf)),
        (Normal, (0, -1)),
        (Normal, (math.nan, 1)),
        (TruncatedNormal, (0, math.inf)),
        (TruncatedNormal, (0, 1, 0.05)),
        (TruncatedNormal, (0, 1, math.nan)),
    ],
)
def test_impossible_laws_are_refused(law, arguments):
    with pytest.raises(FaninError):
        law(*arguments)
