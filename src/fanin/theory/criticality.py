"""Where a plain deep network can be trained: the line on which gradients keep their size.

The critical line asks for a variance q and answers with the weights and biases that hold it with
chi_1 = 1. Followed along q it gives everything else: the point for a wanted bias, the limit without
bias, and the place where the length map is neutral as well.
"""

import math
from dataclasses import dataclass

import numpy as np

from fanin.calls import format_number
from fanin.errors import FaninError
from fanin.theory.curves import Curve, curve
from fanin.theory.gains import mean_square_slope
from fanin.theory.gaussian import Function
from fanin.theory.maps import chi, length_map, length_slope, see_sigmas
from fanin.theory.roots import FLAT, search_grid, zeros


@dataclass(frozen=True)
class CriticalPoint:
    """Weights and biases with chi_1 = 1 at a fixed point of the length map.

    Attributes:
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.
        q: The variance of the pre-activations that they hold. Where they hold any, it is 1; where
            none but the limit of a small signal, it is 0.
        slope: Slope V'(q) of the length map: above 1 the signal drifts away, gradients and all.

    Example:
        >>> point = critical_line("gelu", 1.0)
        >>> point.stable, round(point.slope, 3)
        (False, 1.067)
    """

    sigma_w: float
    sigma_b: float
    q: float
    slope: float

    @property
    def stable(self) -> bool:
        """Whether a layer brings a small error of q back, or at least does not make it larger."""
        return self.slope <= 1 + 1e-6


def critical_line(of: str | Function, q: float) -> CriticalPoint:
    """Find the weights and biases that hold a variance with gradients of constant size.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        q: The wanted variance of the pre-activations.

    Returns:
        ``sigma_w^2 = 1 / E[phi'^2]`` and ``sigma_b^2 = q - sigma_w^2 E[phi^2]``.

    Raises:
        FaninError: There is no such activation, the function has no slope, q is not positive, or
            the biases would need a negative variance, as those of sigmoid do.

    Example:
        >>> point = critical_line("tanh", 1.0)
        >>> round(point.sigma_w, 5), round(point.sigma_b, 5), round(point.slope, 3)
        (1.46741, 0.38854, 0.391)

    References:
        Poole et al. (2016), section 2; Schoenholz et al. (2017), section 3; Hayou, Doucet and
        Rousseau (2019), On the Impact of the Activation Function, who call it the edge of chaos.
    """
    found = curve(of)
    point = critical_at(found, q)
    if point is None:
        sigma_w2, sigma_b2 = _variances(found, q)
        raise FaninError(
            f"there is no critical point with q = {format_number(q)}: the gradient keeps its size "
            f"with sigma_w = {sigma_w2**0.5:.4g} only, and then the signal is too large by "
            f"{-sigma_b2:.4g} even without biases. Use a norm before this activation, or residual "
            "branches around it"
        )
    return point


def critical_at(found: Curve, q: float) -> CriticalPoint | None:
    """Find the critical point of a curve for a variance, if there is one.

    Args:
        found: The activation.
        q: The wanted variance of the pre-activations.

    Returns:
        The point of `critical_line`, or None where the biases would need a negative variance.

    Raises:
        FaninError: The function has no slope, or q is not positive.

    Example:
        >>> critical_at(curve("sigmoid"), 1.0)
    """
    sigma_w2, sigma_b2 = _variances(found, q)
    if sigma_b2 < -FLAT * q:
        return None
    sigma_b = math.sqrt(sigma_b2) if sigma_b2 > FLAT * q else 0.0
    return _point(found, math.sqrt(sigma_w2), sigma_b, q)


def critical_points(of: str | Function, sigma_b: float = 0.0) -> tuple[CriticalPoint, ...]:
    """Find all critical points with a given standard deviation of the biases.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        sigma_b: Standard deviation of the biases.

    Returns:
        The points with q from 1e-6 to 1e5, smallest q first. Without biases also the limit of a
        small signal, q = 0, where phi(0) = 0: from q = 1 such a network only creeps towards it.
        For relu and its kin, which hold any q, one point with q = 1.

    Raises:
        FaninError: There is no such activation, the function has no slope, or sigma_b is negative.

    Example:
        >>> [(round(point.sigma_w, 6), round(point.q, 6)) for point in critical_points("relu")]
        [(1.414214, 1.0)]
        >>> [(round(point.sigma_w, 6), round(point.q, 6)) for point in critical_points("sigmoid")]
        [(10.149264, 45.624278)]

    References:
        Hayou, Doucet and Rousseau (2019), On the Impact of the Activation Function. Roberts, Yaida
        and Hanin (2022), The Principles of Deep Learning Theory, chapter 5, for the limit of a
        small signal.
    """
    see_sigmas(1.0, sigma_b)
    found = curve(of)
    grid = search_grid()

    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        value = (_variances(found, q)[1] - sigma_b**2) / q
        return 0.0 if abs(value) < FLAT else value

    height = np.array([excess(float(log_q)) for log_q in grid])
    if not height.any():
        return (critical_line(found, 1.0),)
    points = list[CriticalPoint]()
    at_zero = chi(found, 0.0, 1.0)
    if sigma_b == 0 and at_zero and length_map(found, 0.0, 1.0) == 0:
        points.append(_point(found, at_zero**-0.5, 0.0, 0.0))
    for log_q, _ in zeros(excess, grid, height):
        q = math.exp(log_q)
        points.append(_point(found, math.sqrt(_variances(found, q)[0]), sigma_b, q))
    return tuple(points)


def critical_sigma_w(of: str | Function, sigma_b: float = 0.0) -> float:
    """Find the critical weights for given biases.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        sigma_b: Standard deviation of the biases.

    Returns:
        sigma_w of the first point of `critical_points` whose length is stable, or of the first one
        where none is.

    Raises:
        FaninError: There is no critical point with these biases, no such activation, the function
            has no slope, or sigma_b is negative.

    Example:
        >>> round(critical_sigma_w("tanh", 0.05**0.5) ** 2, 5)
        1.76095
        >>> round(critical_sigma_w("erf") ** 2 * 4, 6)
        3.141593

    References:
        Schoenholz et al. (2017), whose tanh networks are critical at 1.76 with sigma_b^2 = 0.05.
    """
    points = critical_points(of, sigma_b)
    if not points:
        raise FaninError(
            f"there is no sigma_w with chi_1 = 1 for sigma_b = {format_number(sigma_b)}: no "
            "length of the signal is kept. Use a norm before this activation, or residual branches "
            "around it"
        )
    stable = [point for point in points if point.stable]
    return (stable or points)[0].sigma_w


def half_stable(of: str | Function) -> CriticalPoint | None:
    """Find the critical point at which the length map is neutral as well.

    It is the best plain start there is for gelu, silu and mish: at smaller q the critical length is
    unstable, and here an error of q grows neither in layers nor shrinks.

    Args:
        of: A name such as ``"gelu"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.

    Returns:
        The point with chi_1 = V'(q) = 1 and q > 0; None for activations without one, such as tanh,
        whose critical lengths are all stable, and relu, where all are neutral.

    Raises:
        FaninError: There is no such activation, or the function has no slope.

    Example:
        >>> point = half_stable("gelu")
        >>> round(point.q, 6), round(point.sigma_w**2, 6), round(point.sigma_b**2, 6)
        (3.561553, 1.983058, 0.172922)

    References:
        Roberts, Yaida and Hanin (2022), The Principles of Deep Learning Theory, section 5.3.4. For
        gelu q is (3 + sqrt 17) / 2.
    """
    found = curve(of)
    grid = search_grid()

    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        value = length_slope(found, q, _variances(found, q)[0] ** 0.5) - 1
        return 0.0 if abs(value) < FLAT else value

    height = np.array([excess(float(log_q)) for log_q in grid])
    for log_q, _ in zeros(excess, grid, height):
        point = critical_at(found, math.exp(log_q))
        if point is not None:
            return point
    return None


def _variances(found: Curve, q: float) -> tuple[float, float]:
    """Compute sigma_w^2 and sigma_b^2 of the critical line, the second of which may be negative."""
    slope = mean_square_slope(found, q)
    if slope == 0:
        raise FaninError("the activation is constant: no weights can bring a gradient through it")
    return 1 / slope, q - length_map(found, q, 1.0) / slope


def _point(found: Curve, sigma_w: float, sigma_b: float, q: float) -> CriticalPoint:
    return CriticalPoint(sigma_w, sigma_b, q, length_slope(found, q, sigma_w))
