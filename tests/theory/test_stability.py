"""Finite width, growth and the choice of a start for a depth, against arithmetic done by hand."""

import math

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.theory import (
    batch_norm_gradient,
    chi,
    gain,
    half_stable,
    length_error,
    length_map,
    length_slope,
    length_spread,
    mirrored,
    residual_growth,
    stable_gain,
)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.3, -1.0, 1.0])
def test_spread_of_leaky_relu(slope: float) -> None:
    # Of z ~ N(0, 1) half is kept and half is scaled: E[phi^4] = 3 (1 + a^4) / 2.
    kurtosis = 6 * (1 + slope**4) / (1 + slope**2) ** 2
    expected = (1 + (kurtosis - 1) / 50) * (1 + (kurtosis - 1) / 200)
    assert length_spread(f"leaky_relu({slope})", [50, 200]) == pytest.approx(expected, rel=1e-12)


def test_spread_of_relu_and_of_linear() -> None:
    widths = [10, 20, 30]
    assert length_spread("relu", widths) == pytest.approx(math.prod(1 + 5 / n for n in widths))
    assert length_spread("linear", widths) == pytest.approx(math.prod(1 + 2 / n for n in widths))
    assert length_spread(lambda z: np.maximum(z, 0), widths) == pytest.approx(
        length_spread("relu", widths)
    )


def test_batch_norm_in_closed_form() -> None:
    assert batch_norm_gradient("relu") == pytest.approx(math.pi / (math.pi - 1), rel=1e-12)
    assert batch_norm_gradient("linear") == pytest.approx(1, rel=1e-12)
    # Of sine and cosine the mean squares are 1 minus and plus e^-2, halved.
    assert batch_norm_gradient("sin") == pytest.approx(1 / math.tanh(1), rel=1e-12)


def test_residual_growth_in_closed_form() -> None:
    assert residual_growth(3, 0.5, 2.0) == 27
    assert residual_growth(3, 0.5, 2.0, normalised=True) == 7
    assert residual_growth(10**6, scale=1e-3) == pytest.approx(math.e, rel=1e-5)
    assert residual_growth(0) == 1


LINES = ["relu", "leaky_relu(0.2)", "gelu", "silu", "softplus", "hardswish", "linear"]
CURVES = ["tanh", "sigmoid", "elu", "selu", "mish", "relu6", "hardtanh", "relu2"]


@pytest.mark.parametrize("name", LINES)
def test_mirrored_weights_see_a_line(name: str) -> None:
    odd = mirrored(name)
    assert odd.linear
    slope = {"leaky_relu(0.2)": 1.2, "linear": 2.0}.get(name, 1.0)
    assert odd.initial_slope == pytest.approx(slope, rel=1e-12)
    assert gain(odd) == gain(odd, "backward") == pytest.approx(1 / slope, rel=1e-12)
    # So a mirrored stack holds any length, and its gradients are critical.
    assert length_slope(odd, 3.0, 1 / slope) == pytest.approx(1, rel=1e-12)
    assert chi(odd, 3.0, 1 / slope) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", CURVES)
def test_mirrored_weights_see_a_curve(name: str) -> None:
    odd = mirrored(name)
    assert not odd.linear
    # What a mirrored unit and its partner make together, by a sum over points.
    z = np.linspace(-12, 12, 200_001)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    square = float(np.trapezoid(np.asarray(odd(z)) ** 2 * density, z))
    assert length_map(odd, 1.0, 1.0) == pytest.approx(square, rel=1e-8)


def test_the_slope_at_zero() -> None:
    assert mirrored("tanh").initial_slope == pytest.approx(2, abs=1e-7)
    assert mirrored("elu(0.5)").initial_slope == pytest.approx(1.5, abs=1e-4)
    assert mirrored("mish").initial_slope == pytest.approx(1.2, abs=1e-7)
    assert mirrored(lambda z: np.maximum(z, 0)).linear
    assert not mirrored(np.tanh).linear


def test_a_reach_by_hand() -> None:
    """The largest depth over which two standard deviations of drift stay within ln 4."""
    for name in ("relu", "gelu", "selu"):
        found = stable_gain(name, 3, error=0.04)
        assert found.gain == gain(name)

        def drift(layers: int, slope: float = found.slope) -> float:
            return 2 * 0.04 * math.sqrt(sum(slope ** (2 * j) for j in range(layers)))

        def fade(layers: int, chi_1: float = found.chi) -> float:
            return layers * abs(math.log(chi_1)) + 0.04 * 2 * math.sqrt(layers)

        kept = [max(drift(n), fade(n)) <= math.log(4) for n in range(1, 400)]
        assert found.reach == kept.index(False)


@pytest.mark.parametrize(
    ("name", "depth", "biases"),
    [("tanh", 5, False), ("tanh", 50, True), ("gelu", 10, False), ("gelu", 50, True)],
)
def test_the_simplest_start_that_holds(name: str, depth: int, biases: bool) -> None:
    found = stable_gain(name, depth)
    assert found.holds
    assert (found.bias_std > 0) == biases
    assert found.reach >= depth
    # It holds the length that it says it holds, and the first layer leads there.
    held = length_map(name, found.q, found.gain, found.bias_std)
    assert held == pytest.approx(found.q, rel=1e-9)
    assert found.first_gain**2 + found.bias_std**2 == pytest.approx(found.q)


def test_what_no_plain_start_holds() -> None:
    found = stable_gain("softplus", 20)
    assert not found.holds
    assert found.reason.startswith("No plain start of softplus holds 20 layers.")
    assert "Use a norm, residual branches or mirrored weights" in found.reason
    assert stable_gain(lambda z: np.logaddexp(0, z), 20).gain == pytest.approx(found.gain)


def test_wider_layers_reach_further() -> None:
    narrow = stable_gain("relu", 50, length_error("relu", 100))
    wide = stable_gain("relu", 50, length_error("relu", 1000))
    assert (narrow.holds, wide.holds) == (False, True)
    assert wide.reach == pytest.approx(10 * narrow.reach, abs=10)


def test_a_deep_sigmoid_stack_starts_saturated() -> None:
    shallow, deep = stable_gain("sigmoid", 4), stable_gain("sigmoid", 12)
    assert (shallow.gain, shallow.holds) == (gain("sigmoid"), False)
    assert deep.holds
    assert deep.gain == pytest.approx(10.1493, abs=1e-4)


def test_the_neutral_point_is_the_one_of_the_theory() -> None:
    point = half_stable("mish")
    assert point is not None
    found = stable_gain("mish", 150)
    assert (found.gain, found.bias_std, found.q) == (point.sigma_w, point.sigma_b, point.q)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: length_error("relu", 0), "width, .* must be at least 1, got 0"),
        (lambda: length_spread("tanh", [10]), "scale with their argument"),
        (lambda: batch_norm_gradient(np.ones_like), "constant"),
        (lambda: residual_growth(-1), "must not be negative, got blocks=-1"),
        (lambda: stable_gain("relu", 0), "depth, .* at least 1, got 0"),
        (lambda: stable_gain("relu", 5, 0.0), "error, .* must be positive, got 0"),
        (lambda: stable_gain(np.sign, 5), "jumps or is infinitely steep"),
        (lambda: stable_gain("gellu", 5), 'did you mean "gelu"'),
    ],
)
def test_mistakes_are_explained(call, message: str) -> None:
    with pytest.raises(FaninError, match=message):
        call()
