"""Gains against closed forms, another quadrature and the published table."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate

from fanin.errors import FaninError
from fanin.theory import activation, activation_names, expectation, gain, second_moment

PHI_1 = math.erf(1 / math.sqrt(2))  # P(|z| < 1)
DENSITY_1 = math.exp(-0.5) / math.sqrt(2 * math.pi)

CLOSED_FORMS = {
    # E[phi(z)^2] by hand: halves of Gaussians, E[erf^2] = 2/pi asin(2/3), E[z^4; z > 0] = 3/2,
    # E[sin^2] = (1 - E[cos 2z])/2, E[z^2; |z| < 1] = P(|z| < 1) - 2 phi(1).
    "linear": 1.0,
    "relu": 1 / 2,
    "leaky_relu(0.2)": (1 + 0.2**2) / 2,
    "leaky_relu(0.01)": (1 + 0.01**2) / 2,
    "prelu": (1 + 0.25**2) / 2,
    "leaky_relu(-1)": 1.0,
    "erf": 2 / math.pi * math.asin(2 / 3),
    "hardtanh": (PHI_1 - 2 * DENSITY_1) + (1 - PHI_1),
    "gelu": 1 / 3 + 1 / (2 * math.sqrt(3) * math.pi),
    "relu2": 3 / 2,
    "sin": (1 - math.exp(-2)) / 2,
    "selu": 1.0,
}

TABLE = {
    # Forward gains at q = 1, computed for the literature survey of this project.
    "tanh": 1.592537,
    "erf": 1.467167,
    "sigmoid": 1.846229,
    "relu": 1.414214,
    "leaky_relu(0.01)": 1.414143,
    "leaky_relu(0.2)": 1.386750,
    "elu": 1.245198,
    "selu": 1.0,
    "gelu": 1.533530,
    "gelu_tanh": 1.533581,
    "silu": 1.676532,
    "mish": 1.486848,
    "softplus": 1.041867,
    "softsign": 2.337533,
    "hardtanh": 1.391997,
    "sin": 1.520867,
    "relu2": 0.816497,
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name: str) -> None:
    assert gain(name) == pytest.approx(1 / math.sqrt(CLOSED_FORMS[name]), rel=1e-10)


@pytest.mark.parametrize("name", TABLE)
def test_published_table(name: str) -> None:
    # hardtanh: the table is 4e-5 too low; its closed form above settles it.
    assert gain(name) == pytest.approx(TABLE[name], abs=5e-5 if name == "hardtanh" else 6e-7)


@pytest.mark.parametrize("name", activation_names())
def test_another_quadrature_agrees(name: str) -> None:
    phi = activation(name)

    def integrand(z: float) -> float:
        return float(phi(z)) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    pieces = [(-30, -3), (-3, -1), (-1, 0), (0, 1), (1, 3), (3, 6), (6, 30)]
    theirs = sum(integrate.quad(integrand, *piece, epsabs=1e-13)[0] for piece in pieces)
    assert second_moment(name) == pytest.approx(theirs, rel=1e-10)


def test_selu_keeps_mean_and_variance() -> None:
    assert expectation(activation("selu")) == pytest.approx(0, abs=1e-12)


def test_exact_where_the_gain_is_known_exactly() -> None:
    assert gain("relu") == math.sqrt(2)
    assert gain("linear") == 1
    assert second_moment("leaky_relu(0.2)") == 0.52


@pytest.mark.parametrize("power", range(0, 14, 2))
def test_moments_of_the_gaussian(power: int) -> None:
    odd_factors = math.prod(range(1, power, 2))
    assert expectation(lambda z: z**power) == pytest.approx(odd_factors, rel=1e-12)


@pytest.mark.parametrize("jump", [0.0, 0.3, 1 / 3, -1.7, math.pi])
def test_jumps_and_kinks_are_found(jump: float) -> None:
    tail = math.erfc(jump / math.sqrt(2)) / 2
    density = math.exp(-(jump**2) / 2) / math.sqrt(2 * math.pi)
    assert expectation(lambda z: z > jump) == pytest.approx(tail, rel=1e-12)
    kink = expectation(lambda z: np.maximum(z - jump, 0))
    assert kink == pytest.approx(density - jump * tail, rel=1e-12)


def test_any_function_has_a_gain() -> None:
    assert gain(np.tanh) == gain("tanh")
    assert gain(lambda z: 1e-6 * np.tanh(z)) == pytest.approx(1e6 * gain("tanh"), rel=1e-12)
    assert gain(lambda z: np.maximum(z, 0).astype(np.float32)) == pytest.approx(2**0.5, rel=1e-6)
    assert gain(np.vectorize(math.tanh)) == gain("tanh")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.zeros_like, "zero everywhere"),
        (lambda z: z.sum(), "one number per element"),
        (lambda z: z + 1j, "one number per element"),
        (lambda z: np.exp(z * z * z), "not finite"),
        (math.sin, r"NumPy array.*numpy\.vectorize"),
        (lambda z: np.random.default_rng().normal(size=z.shape), "deterministic"),
    ],
    ids=["zero", "one number", "complex", "overflow", "scalar", "noise"],
)
def test_functions_without_a_gain(
    function: Callable[[NDArray[np.float64]], object], message: str
) -> None:
    with np.errstate(over="ignore"), pytest.raises(FaninError, match=message):
        gain(function)


def test_names_without_a_gain() -> None:
    with pytest.raises(FaninError, match="did you mean"):
        gain("gellu")
