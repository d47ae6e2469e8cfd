"""Fixed points of the maps, found where the maps say they are."""

import math

import numpy as np
import pytest

from fanin.theory import (
    correlation_depth_scale,
    correlation_fixed_point,
    correlation_map,
    critical_points,
    depth_scale,
    fixed_points,
    half_stable,
    length_map,
    propagate,
)
from fanin.theory.roots import search_grid, zeros


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b"),
    [("tanh", 1.5, 0.3), ("selu", 1.0, 0.0), ("gelu", 1.4839, 0.25921), ("sin", 3.0, 0.1)],
)
def test_layers_lead_where_the_stability_says(name: str, sigma_w: float, sigma_b: float) -> None:
    points = fixed_points(name, sigma_w, sigma_b)
    assert points
    for point in points:
        if point.q == 0:
            continue
        assert length_map(name, point.q, sigma_w, sigma_b) == pytest.approx(point.q, rel=1e-9)
        for q in (point.q * 1.02, point.q / 1.02):
            after = propagate(name, 8, sigma_w, sigma_b, q=q).lengths[-1]
            nearer = abs(math.log(after / point.q)) < abs(math.log(q / point.q))
            assert nearer == (point.stability == "stable")


def test_none_is_missed_between_two_that_lie_close() -> None:
    sigma_w, sigma_b = 1.4839, 0.25921
    low, high = fixed_points("gelu", sigma_w, sigma_b)
    assert (low.stability, high.stability) == ("stable", "unstable")
    # A little more bias, and the two have met and vanished; in between they nearly touch.
    assert fixed_points("gelu", sigma_w, sigma_b * 1.2) == ()
    point = half_stable("mish")
    assert point is not None
    (touched,) = fixed_points("mish", point.sigma_w, point.sigma_b)
    assert touched.stability == "half-stable"
    assert touched.q == pytest.approx(point.q, rel=1e-3)


def test_relu_holds_every_length_or_none() -> None:
    (every,) = fixed_points("relu", 2**0.5)
    assert (every.q, every.stability, every.phase) == (1, "neutral", "critical")
    (dead,) = fixed_points("relu", 1.0)
    assert (dead.q, dead.stability, dead.phase) == (0, "stable", "ordered")
    assert [point.stability for point in fixed_points("relu", 2.0)] == ["unstable"]
    # The biases add 0.09 in each layer, and the weights halve what is there.
    (biased,) = fixed_points("relu", 1.0, 0.3)
    assert biased.q == pytest.approx(0.18, rel=1e-9)
    assert fixed_points("relu", 2**0.5, 0.3) == ()


def test_tanh_with_critical_weights_creeps_to_zero() -> None:
    (point,) = fixed_points("tanh", 1.0)
    assert (point.q, point.stability, point.phase) == (0, "stable", "critical")


def test_a_callable_has_the_fixed_points_of_its_name() -> None:
    named = fixed_points("tanh", 1.5, 0.2)
    for ours, theirs in zip(fixed_points(np.tanh, 1.5, 0.2), named, strict=True):
        assert ours.q == pytest.approx(theirs.q, rel=1e-9)
        assert ours.chi == pytest.approx(theirs.chi, rel=1e-9)


@pytest.mark.parametrize("sigma_w", [1.0, 1.5, 2.5])
def test_correlations_end_at_the_fixed_point(sigma_w: float) -> None:
    sigma_b = 0.3
    (point,) = fixed_points("tanh", sigma_w, sigma_b)
    end = correlation_fixed_point("tanh", point.q, sigma_w, sigma_b)
    scale = correlation_depth_scale("tanh", point.q, sigma_w, sigma_b)
    assert (end == 1) == (point.phase == "ordered")
    assert correlation_map("tanh", end, point.q, sigma_w, sigma_b) == pytest.approx(end, abs=1e-9)
    # A distance from it shrinks by e in one depth scale.
    c = end - 1e-5
    after = correlation_map("tanh", c, point.q, sigma_w, sigma_b)
    assert (end - after) / (end - c) == pytest.approx(math.exp(-1 / scale), rel=1e-4)


def test_odd_activations_without_bias_part_entirely() -> None:
    assert correlation_fixed_point("tanh", 1.0, 1.592537) == 0
    assert correlation_fixed_point("relu", 1.0, 2**0.5) == 1
    assert correlation_depth_scale("relu", 1.0, 2**0.5) > 1e4


def test_depth_scales_at_the_ends() -> None:
    assert depth_scale(1.0) == math.inf
    assert depth_scale(0.0) == 0
    assert depth_scale(math.exp(0.1)) == pytest.approx(10)
    assert depth_scale(math.exp(-0.1)) == pytest.approx(10)


def test_zeros_crossed_and_touched() -> None:
    grid = search_grid()

    def curve(x: float) -> float:
        return (x - 1.0) * (x - 4.001) * (x - 4.0) * (x + 7.3) ** 2 / 1e4

    height = np.array([curve(float(x)) for x in grid])
    found = zeros(curve, grid, height)
    assert [at for at, _ in found if at > 0] == pytest.approx([1.0, 4.0, 4.001], abs=1e-9)
    assert [side for at, side in found if at > 0] == [1, -1, 1]


def test_sigmoid_is_critical_when_it_is_saturated() -> None:
    """The point that rules of thumb miss: a sigmoid stack without bias whose gradients keep."""
    (point,) = critical_points("sigmoid")
    assert point.q == pytest.approx(45.624278, rel=1e-6)
    found = propagate("sigmoid", 30, point.sigma_w, q=1.0)
    assert found.lengths[-1] == pytest.approx(point.q, rel=1e-6)
    assert point.stable
