"""Derivatives against automatic differentiation, and what is learnt from values alone."""

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.theory import activation, activation_names, curve, derivative, gain
from fanin.theory.gains import mean_square_slope

torch = pytest.importorskip("torch")
functional = torch.nn.functional

SMOOTH_POINTS = np.concatenate([np.linspace(-7.83, 7.91, 301), [-31.0, -18.0, 18.0, 31.0]])
"""None of them is a kink."""

THEIRS = {
    "linear": lambda z: z * 1,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus": lambda z: functional.softplus(z, threshold=50),
    "softsign": functional.softsign,
    "selu": torch.selu,
    "hardtanh": functional.hardtanh,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "relu6": functional.relu6,
    "relu2": lambda z: torch.relu(z) ** 2,
    "sin": torch.sin,
    "leaky_relu(0.2)": lambda z: functional.leaky_relu(z, 0.2),
    "prelu": lambda z: functional.leaky_relu(z, 0.25),
    "elu(alpha=0.5)": lambda z: functional.elu(z, 0.5),
    "celu(2)": lambda z: functional.celu(z, 2.0),
}


@pytest.mark.parametrize("name", THEIRS)
def test_named_derivatives_are_those_of_autograd(name: str) -> None:
    z = torch.from_numpy(SMOOTH_POINTS).requires_grad_()
    (theirs,) = torch.autograd.grad(THEIRS[name](z).sum(), z)
    # PyTorch's hardsigmoid has 1/6 in float32; the rest is rounding.
    within = 1e-8 if name == "hardsigmoid" else 1e-14
    np.testing.assert_allclose(derivative(name)(SMOOTH_POINTS), theirs.numpy(), rtol=0, atol=within)


def test_every_activation_is_compared() -> None:
    assert {activation(name).name for name in THEIRS} == set(activation_names())


@pytest.mark.parametrize("name", activation_names())
def test_a_function_of_the_same_values_has_the_same_derivative(name: str) -> None:
    named = activation(name)

    def plain(z):
        return named(z)

    found = curve(plain)
    far = np.abs(SMOOTH_POINTS[:, None] - np.array([*named.kinks, 1e9])).min(axis=1) > 1e-2
    z = SMOOTH_POINTS[far]
    # Relative to the size of the function, as the docstring promises.
    size = np.maximum(1, np.abs(named(z)))
    assert (np.abs(found.slope(z) - named.slope(z)) / size).max() < 1e-11
    assert gain(found, "backward") == pytest.approx(gain(name, "backward"), rel=1e-11)


@pytest.mark.parametrize("q", [0.01, 1.0, 30.0, 4000.0])
def test_the_mean_square_of_a_learnt_slope(q: float) -> None:
    for name in ("tanh", "hardtanh", "gelu", "elu"):
        named = activation(name)
        learnt = mean_square_slope(lambda z, named=named: named(z), q)
        assert learnt == pytest.approx(mean_square_slope(name, q), rel=1e-9)


@pytest.mark.parametrize("kink", [0.0, 0.2, -1.0, 1 / 3, 6.0, -0.1234567891 + 1e-7])
def test_kinks_are_found_wherever_they_lie(kink: float) -> None:
    found = curve(lambda z: np.maximum(z - kink, 0) + 0.1 * z)
    assert found.kinks == pytest.approx([kink], abs=1e-9)


def test_a_smooth_function_has_no_kinks() -> None:
    assert curve(lambda z: np.tanh(20 * z) + np.sin(3 * z)).kinks == ()


def test_far_outside_a_difference_serves() -> None:
    slope = derivative(lambda z: z**2 / 100)
    np.testing.assert_allclose(slope(np.array([-200.0, 50.0])), [-4, 1], rtol=1e-9)


def test_float32_is_as_good_as_it_is() -> None:
    def half_precise(z):
        return np.tanh(z).astype(np.float32)

    assert gain(half_precise, "backward") == pytest.approx(gain("tanh", "backward"), rel=1e-4)


@pytest.mark.parametrize(
    "function",
    [np.sign, lambda z: np.sqrt(np.abs(z)), lambda z: np.round(z, 0)],
    ids=["jump", "steep", "stairs"],
)
def test_no_derivative_where_there_is_none(function) -> None:
    assert gain(function) > 0, "the forward gain needs no derivative"
    with pytest.raises(FaninError, match="jumps or is infinitely steep at"):
        gain(function, "backward")


def test_noise_has_no_derivative() -> None:
    with pytest.raises(FaninError, match="deterministic"):
        derivative(lambda z: np.random.default_rng().normal(size=z.shape))


def test_a_constant_has_no_backward_gain() -> None:
    with pytest.raises(FaninError, match="constant"):
        gain(np.ones_like, "backward")
