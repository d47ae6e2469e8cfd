"""The mean-field maps against closed forms, a Hermite series and their own definition."""

import math

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.theory import (
    activation,
    chi,
    correlation_map,
    correlation_slope,
    length_map,
    length_slope,
    propagate,
)

LENGTHS = [1e-4, 0.1, 1.0, 7.3, 100.0, 1e4]


@pytest.mark.parametrize("q", LENGTHS)
def test_erf_in_closed_form(q: float) -> None:
    second = 2 / math.pi * math.asin(2 * q / (1 + 2 * q))
    assert length_map("erf", q, 1.3, 0.4) == pytest.approx(1.69 * second + 0.16, rel=1e-12)
    # d asin(2q / (1 + 2q)) / dq = 2 / ((1 + 2q) sqrt(1 + 4q))
    slope = 2 / math.pi * 2 / ((1 + 2 * q) * math.sqrt(1 + 4 * q))
    assert length_slope("erf", q, 1.3) == pytest.approx(1.69 * slope, rel=1e-9)
    assert chi("erf", q, 1.3) == pytest.approx(1.69 * 4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-12)


@pytest.mark.parametrize("q", LENGTHS)
def test_sin_in_closed_form(q: float) -> None:
    decay = math.exp(-2 * q)
    assert length_map("sin", q, 2.0) == pytest.approx(2 * (1 - decay), rel=1e-12)
    assert length_slope("sin", q, 2.0) == pytest.approx(4 * decay, rel=1e-9, abs=1e-12)
    assert chi("sin", q, 2.0) == pytest.approx(2 * (1 + decay), rel=1e-12)


@pytest.mark.parametrize("c", [-0.9, 0.0, 0.5, 0.99, 1 - 1e-9])
@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 0.57, -1.0])
def test_leaky_relu_in_closed_form(slope: float, c: float) -> None:
    sigma_w = math.sqrt(2 / (1 + slope**2))
    bend = (1 - slope) ** 2 / (math.pi * (1 + slope**2))
    expected = c + bend * (math.sqrt((1 - c) * (1 + c)) - c * math.acos(c))
    found = correlation_map(f"leaky_relu({slope})", c, 3.0, sigma_w)
    assert found == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("c", [-1.0, -0.4, 0.0, 0.7, 1 - 1e-6])
def test_erf_correlation_in_closed_form(c: float) -> None:
    q, w, b = 0.8, 1.44, 0.09
    kernel = [2 / math.pi * math.asin(2 * q * x / (1 + 2 * q)) for x in (c, 1.0)]
    expected = (w * kernel[0] + b) / (w * kernel[1] + b)
    assert correlation_map("erf", c, q, w**0.5, b**0.5) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("name", ["tanh", "gelu", "silu", "mish", "softplus", "sigmoid"])
@pytest.mark.parametrize("c", [-0.5, 0.3, 0.8])
def test_a_hermite_series_agrees(name: str, c: float) -> None:
    """E[f(x) f(y)] is the sum of a_n^2 c^n, and that of the slopes follows by differentiation."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    weights = weights / weights.sum()
    q = 0.7
    values = activation(name)(q**0.5 * nodes)
    squares = list[float]()
    previous, polynomial = np.zeros_like(nodes), np.ones_like(nodes)
    for n in range(60):
        squares.append(float((weights * values * polynomial).sum()) ** 2)
        following = (nodes * polynomial - math.sqrt(n) * previous) / math.sqrt(n + 1)
        previous, polynomial = polynomial, following
    kernel = sum(square * c**n for n, square in enumerate(squares))
    rise = sum(square * n * c ** (n - 1) for n, square in enumerate(squares) if n)
    after = 2.0 * sum(squares) + 0.1
    ours = correlation_map(name, c, q, 2**0.5, 0.1**0.5)
    assert ours == pytest.approx((2 * kernel + 0.1) / after, abs=1e-9)
    slope = correlation_slope(name, c, q, 2**0.5, 0.1**0.5)
    assert slope == pytest.approx(2 * rise / after, abs=1e-8)


@pytest.mark.parametrize("name", ["tanh", "relu", "selu", "gelu", "mish", "hardtanh", "softsign"])
@pytest.mark.parametrize("q", [0.05, 1.0, 20.0])
def test_slopes_are_those_of_the_maps(name: str, q: float) -> None:
    step = 1e-4 * q
    rise = length_map(name, q + step, 1.2) - length_map(name, q - step, 1.2)
    assert length_slope(name, q, 1.2) == pytest.approx(rise / (2 * step), rel=1e-6)
    c, apart = 0.4, 1e-4
    climb = correlation_map(name, c + apart, q, 1.2) - correlation_map(name, c - apart, q, 1.2)
    assert correlation_slope(name, c, q, 1.2) == pytest.approx(climb / (2 * apart), rel=1e-6)
    # At 1 the slope is chi_1 times q over V(q).
    expected = chi(name, q, 1.2) * q / length_map(name, q, 1.2)
    assert correlation_slope(name, 1.0, q, 1.2) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus"])
def test_integration_by_parts_ties_the_slopes(name: str) -> None:
    """V' = chi_1 + sigma_w^2 E[phi phi''] for smooth phi (Gauss-Hermite, second difference)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    phi, q = activation(name), 1.7
    z, h = q**0.5 * nodes, 1e-4
    curvature = (phi(z + h) - 2 * phi(z) + phi(z - h)) / h**2
    rest = float((weights * phi(z) * curvature).sum())
    assert length_slope(name, q, 1.0) == pytest.approx(chi(name, q, 1.0) + rest, abs=1e-6)


@pytest.mark.parametrize(("name", "q"), [("relu", 0.3), ("hardtanh", 2.0), ("elu", 50.0)])
def test_a_callable_is_as_good_as_a_name(name: str, q: float) -> None:
    named = activation(name)

    def plain(z):
        return named(z)

    assert length_map(plain, q, 1.3, 0.1) == pytest.approx(length_map(name, q, 1.3, 0.1), rel=1e-12)
    assert length_slope(plain, q, 1.3) == pytest.approx(length_slope(name, q, 1.3), rel=1e-9)
    assert chi(plain, q, 1.3) == pytest.approx(chi(name, q, 1.3), rel=1e-9)
    for c in (-0.3, 1 - 1e-7):
        expected = correlation_map(name, c, q, 1.3, 0.1)
        assert correlation_map(plain, c, q, 1.3, 0.1) == pytest.approx(expected, abs=1e-10)
        expected = correlation_slope(name, c, q, 1.3, 0.1)
        assert correlation_slope(plain, c, q, 1.3, 0.1) == pytest.approx(expected, abs=1e-9)


def test_a_dead_signal() -> None:
    assert length_map("tanh", 0.0, 1.5, 0.2) == pytest.approx(0.04)
    assert chi("tanh", 0.0, 1.5) == pytest.approx(2.25, abs=1e-9)
    # relu has slope 0 on one half and 1 on the other.
    assert chi("relu", 0.0, 1.0) == length_slope("relu", 0.0, 1.0) == 0.5
    assert chi("selu", 0.0, 1.0) == pytest.approx(1.0507009874**2 * (1 + 1.6732632423**2) / 2)
    assert chi("relu2", 0.0, 1.0) == 0
    with pytest.raises(FaninError, match="not 0 at 0"):
        length_slope("sigmoid", 0.0, 1.0)


def test_relu_correlations_approach_one_as_the_square_of_depth() -> None:
    """1 - c_l ~ 9 pi^2 / (2 l^2) for a critical relu network."""
    found = propagate("relu", 120, sigma_w=2**0.5, correlation=0.2)
    assert found.correlations is not None
    roots = [(1 - c) ** -0.5 for c in found.correlations]
    # The root grows by sqrt(2) / (3 pi) per layer; the next term of the expansion is ln(l) / l.
    growth = (roots[120] - roots[80]) / 40
    assert growth == pytest.approx(2**0.5 / (3 * math.pi), rel=0.03)


def test_propagation_follows_the_survey_of_gains() -> None:
    assert propagate("relu", 50, sigma_w=1.0).gradients[0] == pytest.approx(9e-16, rel=0.02)
    assert propagate("relu", 50, sigma_w=3**-0.5).gradients[0] == pytest.approx(1e-39, rel=0.3)
    assert propagate("gelu", 20, sigma_w=2**0.5).lengths[-1] == pytest.approx(3e-5, rel=0.1)
    assert propagate("relu2", 60, sigma_w=2.0).lengths[-1] == math.inf
    assert propagate("relu", 90, sigma_w=0.5).lengths[-1] == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: length_map("relu", -1.0, 1.0), "q, the variance .* must be positive, got -1"),
        (lambda: length_map("relu", 1.0, 0.0), "sigma_w, .* must be positive, got 0"),
        (lambda: length_map("relu", 1.0, 1.0, -0.1), "sigma_b, .* must not be negative, got -0.1"),
        (lambda: chi("relu", math.inf, 1.0), "q, the variance .* got inf"),
        (lambda: correlation_map("relu", 0.1, 0.0, 1.0), "must be positive, got 0"),
        (lambda: correlation_map(np.zeros_like, 0.1, 1.0, 1.0), "no signal to correlate"),
        (lambda: correlation_slope("relu", 2.0, 1.0, 1.0), "between -1 and 1, got 2"),
        (lambda: propagate("relu", -1, 1.0), "must not be negative, got -1"),
        (lambda: chi(np.sign, 1.0, 1.0), "jumps or is infinitely steep at"),
    ],
)
def test_mistakes_are_explained(call, message: str) -> None:
    with pytest.raises(FaninError, match=message):
        call()
