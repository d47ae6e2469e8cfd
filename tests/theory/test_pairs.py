"""Expectations over pairs against kernels in closed form, and one slow double integral."""

import math

import numpy as np
import pytest
from scipy import integrate

from fanin.errors import FaninError
from fanin.theory import activation, curve, pair_expectation

CORRELATIONS = [
    -1.0, -1 + 1e-9, -0.7, -1e-3, 0.0, 1e-9, 0.3, 0.9, 1 - 1e-4, 1 - 1e-8, 1 - 1e-12, 1.0,
]  # fmt: skip


def arc_cosine_0(c: float) -> float:
    """E[step(x) step(y)] (Cho and Saul 2009, order 0)."""
    return (math.pi - math.acos(c)) / (2 * math.pi)


def arc_cosine_1(c: float) -> float:
    """E[relu(x) relu(y)] (Cho and Saul 2009, order 1)."""
    return (math.sqrt((1 - c) * (1 + c)) + c * (math.pi - math.acos(c))) / (2 * math.pi)


def arc_cosine_2(c: float) -> float:
    """E[relu(x)^2 relu(y)^2] (Cho and Saul 2009, order 2)."""
    sine = math.sqrt((1 - c) * (1 + c))
    return (3 * sine * c + (math.pi - math.acos(c)) * (1 + 2 * c * c)) / (2 * math.pi)


@pytest.mark.parametrize("c", CORRELATIONS)
def test_arc_cosine_kernels(c: float) -> None:
    # Near 1 the arc cosine itself loses half of the digits of 1 - c.
    relu, squared = curve("relu"), curve("relu2")
    assert pair_expectation(relu.slope, c, [0.0]) == pytest.approx(arc_cosine_0(c), abs=1e-13)
    assert pair_expectation(relu, c, [0.0]) == pytest.approx(arc_cosine_1(c), abs=2e-14)
    assert pair_expectation(squared, c, [0.0]) == pytest.approx(arc_cosine_2(c), abs=1e-13)


@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("q", [1e-4, 1.0, 100.0, 1e4])
def test_arcsine_kernel(c: float, q: float) -> None:
    """E[erf(x) erf(y)] (Williams 1997)."""
    erf = activation("erf")
    expected = 2 / math.pi * math.asin(2 * q * c / (1 + 2 * q))
    assert pair_expectation(lambda z: erf(q**0.5 * z), c) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("c", CORRELATIONS)
def test_powers(c: float) -> None:
    """Moments of a bivariate Gaussian (Isserlis)."""
    assert pair_expectation(lambda z: z, c) == pytest.approx(c, abs=1e-13)
    assert pair_expectation(lambda z: z**2, c) == pytest.approx(1 + 2 * c**2, rel=1e-13)
    assert pair_expectation(lambda z: z**3, c) == pytest.approx(9 * c + 6 * c**3, abs=1e-11)


@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("kink", [0.0, 1e-3, 0.4, -2.7])
def test_a_kink_that_is_not_told_costs_no_accuracy(c: float, kink: float) -> None:
    def function(z):
        return np.maximum(z, kink) - 0.3 * z

    told = pair_expectation(function, c, [kink])
    assert pair_expectation(function, c) == pytest.approx(told, abs=1e-11)


def test_two_kinks_by_brute_force() -> None:
    c, phi = 0.6, activation("hardtanh")

    def integrand(y: float, x: float) -> float:
        v = c * x + math.sqrt(1 - c * c) * y
        return float(phi(x)) * float(phi(v)) * math.exp(-(x * x + y * y) / 2) / (2 * math.pi)

    def inner(x: float) -> float:
        bends = [(k - c * x) / 0.8 for k in (-1, 1)]
        return integrate.quad(integrand, -9, 9, (x,), points=bends, epsabs=1e-12, limit=200)[0]

    theirs, _ = integrate.quad(inner, -9, 9, points=[-1, 1], epsabs=1e-10)
    assert pair_expectation(phi, c, [-1.0, 1.0]) == pytest.approx(theirs, abs=1e-9)


def test_a_jump_is_integrated() -> None:
    # The arcsine law of the sign.
    assert pair_expectation(np.sign, 0.5) == pytest.approx(1 / 3, abs=1e-12)


@pytest.mark.parametrize("c", [1.5, -1.0000001, math.nan])
def test_what_is_no_correlation(c: float) -> None:
    with pytest.raises(FaninError, match="between -1 and 1"):
        pair_expectation(np.tanh, c)
