"""A scheme times a factor draws the values of the scheme times the factor."""

import math

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.schemes import Layout, parse, rescaled

WRITTEN = [
    "zeros",
    "ones",
    "constant(-0.3)",
    "uniform(-1, 2)",
    "normal(0.5, 2)",
    "truncated_normal(std=0.1, cut=3)",
    "variance_scaling(2, fan_out, uniform)",
    "he_normal",
    "glorot_uniform(gain=tanh)",
    "lecun_truncated_normal",
    "orthogonal(gain=-2)",
    "scaled_orthogonal(gain=relu)",
    "delta_orthogonal",
    "looks_linear",
    "sparse(0.5, std=1)",
    "eye",
    "identity_plus_noise(std=0.2)",
    "hadamard",
    "torch_default",
    "keras_default",
    "jax_default",
    "blocks(normal(0, 1), he_normal)",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_values_are_multiplied(written: str) -> None:
    scheme, factor = parse(written), 0.3

    def draw(text: str) -> np.ndarray:
        return parse(text).values((24, 16), seed=4, name="w", layout=Layout.linear())

    smaller = draw(str(rescaled(scheme, factor)))
    np.testing.assert_allclose(smaller, factor * draw(written), rtol=2e-6, atol=2e-7)


def test_lists_and_gates_are_multiplied_too() -> None:
    assert str(rescaled(parse("listed(1, -2)"), 0.5)) == "listed(0.5, -1)"
    assert str(rescaled(parse("forget_gate(1)"), 3)) == "forget_gate(3)"


def test_one_changes_nothing() -> None:
    for written in ("he_normal", "chrono(9)", "keep", "dirac"):
        assert rescaled(parse(written), 1) == parse(written)


@pytest.mark.parametrize("written", ["chrono(9)", "keep", "dirac", "dirac(groups=2)"])
def test_what_has_no_scale_is_refused(written: str) -> None:
    with pytest.raises(FaninError, match="has no argument that sets its scale"):
        rescaled(parse(written), 2)


@pytest.mark.parametrize("factor", [0, -1, math.nan, math.inf])
def test_the_factor_is_above_zero(factor: float) -> None:
    with pytest.raises(FaninError, match="multiplied by a number above 0"):
        rescaled(parse("he_normal"), factor)
