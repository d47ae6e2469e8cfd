"""Every number of the literature survey's tables on moments, critical points and gains in use."""

import pytest

from fanin.errors import FaninError
from fanin.theory import (
    chi,
    correlation_depth_scale,
    critical_line,
    critical_points,
    critical_sigma_w,
    fixed_points,
    gain,
    half_stable,
    length_slope,
    moments,
    propagate,
    variance_gain,
)
from theory_cases import (
    CRITICAL_AT_ONE,
    CRITICAL_ERF,
    CRITICAL_TANH,
    CRITICAL_WITHOUT_BIAS,
    DEPTH_SCALES,
    HALF_STABLE,
    MOMENTS,
)


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_and_gains(name: str) -> None:
    mean, second, variance, slope, forward, about_mean, backward = MOMENTS[name]
    found = moments(name)
    assert found.mean == pytest.approx(mean, abs=6e-7)
    assert found.second == pytest.approx(second, abs=6e-7)
    assert found.variance == pytest.approx(variance, abs=6e-7)
    assert found.slope == pytest.approx(slope, abs=6e-7)
    assert gain(name) == pytest.approx(forward, abs=6e-7)
    assert variance_gain(name) == pytest.approx(about_mean, abs=6e-7)
    assert gain(name, "backward") == pytest.approx(backward, abs=6e-7)


@pytest.mark.parametrize("name", CRITICAL_AT_ONE)
def test_critical_line_at_one(name: str) -> None:
    sigma_w, sigma_b, slope = CRITICAL_AT_ONE[name]
    point = critical_line(name, 1.0)
    assert point.sigma_w == pytest.approx(sigma_w, abs=6e-6)
    assert point.sigma_b == pytest.approx(sigma_b, abs=6e-6)
    assert point.slope == pytest.approx(slope, abs=6e-4)
    assert point.stable == (slope <= 1)
    assert chi(name, 1.0, point.sigma_w) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", CRITICAL_WITHOUT_BIAS)
def test_critical_limit_of_a_small_signal(name: str) -> None:
    (point,) = critical_points(name)
    assert (point.q, point.sigma_b) == (0, 0)
    assert point.sigma_w == pytest.approx(CRITICAL_WITHOUT_BIAS[name], abs=6e-5)


@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu(0.2)", 0.2)])
def test_relu_is_critical_at_one_point_only(name: str, slope: float) -> None:
    (point,) = critical_points(name)
    assert point.sigma_w**2 == pytest.approx(2 / (1 + slope**2), rel=1e-12)
    assert (point.sigma_b, point.q) == (0, 1)
    assert critical_points(name, 0.1) == ()
    assert half_stable(name) is None


@pytest.mark.parametrize("sigma_b2", CRITICAL_TANH)
def test_critical_tanh(sigma_b2: float) -> None:
    found = critical_sigma_w("tanh", sigma_b2**0.5) ** 2
    assert found == pytest.approx(CRITICAL_TANH[sigma_b2], abs=6e-6)


@pytest.mark.parametrize("sigma_b2", CRITICAL_ERF)
def test_critical_erf(sigma_b2: float) -> None:
    found = critical_sigma_w("erf", sigma_b2**0.5) ** 2
    assert found == pytest.approx(CRITICAL_ERF[sigma_b2], abs=6e-6)


def test_critical_tanh_elsewhere_in_the_literature() -> None:
    assert critical_sigma_w("tanh", 0.2) == pytest.approx(1.30415, abs=6e-6)
    (point,) = critical_points("tanh", 0.05**0.5)
    assert point.q == pytest.approx(0.5701, abs=6e-5)


@pytest.mark.parametrize("name", HALF_STABLE)
def test_half_stable_points(name: str) -> None:
    q, sigma_w2, sigma_b2 = HALF_STABLE[name]
    point = half_stable(name)
    assert point is not None
    assert point.q == pytest.approx(q, rel=3e-8)
    assert point.sigma_w**2 == pytest.approx(sigma_w2, abs=6e-9)
    assert point.sigma_b**2 == pytest.approx(sigma_b2, abs=6e-9)
    assert point.slope == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_no_critical_point_at_one(name: str) -> None:
    with pytest.raises(FaninError, match="no critical point with q = 1"):
        critical_line(name, 1.0)


@pytest.mark.parametrize(
    ("name", "sigma_w", "q", "factor", "growth"),
    [
        ("tanh", 5 / 3, 1.178, 1.2098, 1.4e4),
        ("tanh", 1.592537, 1.0, 1.1778, 3.6e3),
        ("selu", 0.75, 0.0230, 1.0037, 1.2),
        ("selu", 1.0, 1.0, 1.0716, 31.7),
        ("elu", 1.245198, 1.0, 1.0359, 5.8),
        ("sigmoid", 1.0, 0.265, 0.0557, 2e-63),
    ],
)
def test_what_gains_in_use_do(
    name: str, sigma_w: float, q: float, factor: float, growth: float
) -> None:
    *_, point = fixed_points(name, sigma_w)
    assert point.stability == "stable"
    assert point.q == pytest.approx(q, abs=6e-4)
    assert point.chi == pytest.approx(factor, abs=6e-5)
    assert point.chi**50 == pytest.approx(growth, rel=0.06)
    started = propagate(name, 50, sigma_w, q=point.q)
    assert started.lengths[-1] == pytest.approx(point.q, rel=1e-6)
    assert started.gradients[0] == pytest.approx(point.chi**50, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "slope", "factor"),
    [("gelu", 1.144, 1.0720), ("silu", 1.173, 1.0666), ("mish", 1.076, 1.0591)],
)
def test_forward_gains_that_hold_an_unstable_length(name: str, slope: float, factor: float) -> None:
    sigma_w = gain(name)
    assert length_slope(name, 1.0, sigma_w) == pytest.approx(slope, abs=6e-4)
    dead, unit = fixed_points(name, sigma_w)
    assert (dead.q, dead.stability) == (0, "stable")
    assert unit.q == pytest.approx(1, rel=1e-6)
    assert unit.stability == "unstable"
    assert unit.chi == pytest.approx(factor, abs=6e-5)


@pytest.mark.parametrize("sigma_w2", DEPTH_SCALES)
def test_depth_scales_of_tanh(sigma_w2: float) -> None:
    (point,) = fixed_points("tanh", sigma_w2**0.5, 0.05**0.5)
    found = correlation_depth_scale("tanh", point.q, sigma_w2**0.5, 0.05**0.5)
    assert found == pytest.approx(DEPTH_SCALES[sigma_w2], rel=6e-3)
