"""Where a deep signal comes to rest: the fixed points of the length map, and of the correlation map.

A fixed point of the length map is a zero of ``ln(V(q) / q)``, and whether that falls or rises
through zero says whether the layers lead to it or away. All of them are looked for over twelve
decades of q, also those which the curve only touches, since a gain that is right on paper may hold
an unstable one. The correlation map is convex (its Hermite coefficients are squares), so it has at
most one fixed point besides 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fanin.theory.curves import curve
from fanin.theory.gaussian import Function
from fanin.theory.maps import chi, correlation_map, correlation_slope, length_map, length_slope

SMALLEST, LARGEST = 1e-6, 1e6
"""The range of q that is searched."""

PER_DECADE = 16
"""Points of the search; two fixed points between two of them are found by the extremum between."""

FLAT = 1e-10
"""Below this ln(V/q) is zero: quadrature gives V to about 1e-13 of itself, twice rounded."""

CLOSE = 0.05
"""Height from which a smooth curve cannot come down to zero and back between two points."""

CRITICAL = 1e-4
"""Distance of chi_1 from 1 that takes 10 000 layers to show, which is deeper than networks are."""

Stability = Literal["stable", "unstable", "half-stable", "neutral"]


@dataclass(frozen=True)
class FixedPoint:
    """A variance of the pre-activations that a layer leaves as it is.

    Attributes:
        q: The variance. Where every q is fixed it is 1, which stands for all.
        slope: Slope V'(q) of the length map, by which a small error of q is multiplied per layer.
        chi: chi_1, by which the mean square of a gradient is multiplied per layer.
        stability: ``"stable"``: layers lead to it; ``"unstable"``: away from it;
            ``"half-stable"``: to it from one side, slowly, and away on the other; ``"neutral"``:
            neither, as for relu with sigma_w^2 = 2.

    Example:
        >>> FixedPoint(1.0, 0.78, 1.07, "stable").phase
        'chaotic'
    """

    q: float
    slope: float
    chi: float
    stability: Stability

    @property
    def phase(self) -> Literal["ordered", "critical", "chaotic"]:
        """What close inputs do: come together, neither, or part."""
        return phase(self.chi)

    @property
    def depth_scale(self) -> float:
        """Layers in which a small error of q shrinks, or grows, by a factor e: xi_q."""
        return depth_scale(self.slope)


def fixed_points(
    of: str | Function, sigma_w: float, sigma_b: float = 0.0
) -> tuple[FixedPoint, ...]:
    """Find all fixed points of the length map from 1e-6 to 1e6, and the one at 0.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.

    Returns:
        The fixed points, smallest first; none where the signal always grows.

    Raises:
        FaninError: There is no such activation, the function has no slope, or a sigma is negative.

    Example:
        >>> for point in fixed_points("selu", sigma_w=1.0):
        ...     print(f"{point.q:.4f} {point.slope:.3f} {point.chi:.3f} {point.stability}")
        0.0000 2.097 2.097 unstable
        1.0000 0.783 1.072 stable

    References:
        Poole et al. (2016), section 2.2, and figure 1.
    """
    found = curve(of)

    def excess(log_q: float) -> float:
        q = math.exp(log_q)
        value = math.log(max(length_map(found, q, sigma_w, sigma_b), 1e-300) / q)
        return 0.0 if abs(value) < FLAT else value

    def point(q: float, stability: Stability) -> FixedPoint:
        slope = length_slope(found, q, sigma_w)
        return FixedPoint(q, slope, chi(found, q, sigma_w), stability)

    grid = search_grid()
    height = np.array([excess(float(log_q)) for log_q in grid])
    if not height.any():
        return (point(1.0, "neutral"),)
    points = list[FixedPoint]()
    if length_map(found, 0.0, sigma_w, sigma_b) == 0:
        points.append(point(0.0, ("neutral", "unstable", "stable")[int(np.sign(height[0]))]))
    for log_q, side in zeros(excess, grid, height):
        points.append(point(math.exp(log_q), ("half-stable", "unstable", "stable")[side]))
    return tuple(points)


def correlation_fixed_point(
    of: str | Function, q: float, sigma_w: float, sigma_b: float = 0.0
) -> float:
    """Find the correlation that two different inputs end up with.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        q: Variance of the pre-activations, a fixed point of the length map.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.

    Returns:
        c*: 1 in the ordered phase and at criticality, less in the chaotic phase.

    Raises:
        FaninError: There is no such activation, the function has no slope, q is not positive, or a
            sigma is negative.

    Example:
        >>> correlation_fixed_point("tanh", 1.0, sigma_w=1.592537)
        0.0

    References:
        Poole et al. (2016), section 2.3. One fixed point at most below 1: Daniely, Frostig and
        Singer (2016), section 4, whose dual activation is a power series with coefficients >= 0.
    """
    from scipy.optimize import brentq

    found = curve(of)
    if correlation_slope(found, 1.0, q, sigma_w, sigma_b) <= 1 + CRITICAL:
        return 1.0

    def excess(c: float) -> float:
        return correlation_map(found, c, q, sigma_w, sigma_b) - c

    if excess(0.0) <= FLAT:
        return 0.0
    # Above c* the map lies below the diagonal, down to where chi_1 alone decides.
    for apart in np.geomspace(0.5, 1e-6, 20):
        if excess(1 - apart) < 0:
            return float(brentq(excess, 0.0, 1 - apart, xtol=1e-12))
    return 1.0


def correlation_depth_scale(
    of: str | Function, q: float, sigma_w: float, sigma_b: float = 0.0
) -> float:
    """Compute over how many layers a network tells inputs apart: xi_c.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        q: Variance of the pre-activations, a fixed point of the length map.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.

    Returns:
        Layers in which the distance of a correlation from its fixed point c* shrinks by a factor
        e; infinite at criticality. Networks were found to train up to about 6 times as deep.

    Raises:
        FaninError: There is no such activation, the function has no slope, q is not positive, or a
            sigma is negative.

    Example:
        >>> (point,) = fixed_points("tanh", sigma_w=1.5**0.5, sigma_b=0.05**0.5)
        >>> round(correlation_depth_scale("tanh", point.q, 1.5**0.5, 0.05**0.5), 1)
        15.8

    References:
        Schoenholz et al. (2017), equations 9 and 10, and section 5.2 for the factor 6.
    """
    found = curve(of)
    c = correlation_fixed_point(found, q, sigma_w, sigma_b)
    return depth_scale(correlation_slope(found, c, q, sigma_w, sigma_b))


def depth_scale(slope: float) -> float:
    """Turn the slope of a map at a fixed point into a number of layers.

    Args:
        slope: Factor of a small distance from the fixed point, per layer.

    Returns:
        ``1 / abs(ln(abs(slope)))``: layers for a factor e, down where the slope is below 1 and up
        where it is above; infinite for a slope of 1, and 0 for a slope of 0.

    Example:
        >>> round(depth_scale(0.5), 4), depth_scale(1.0), depth_scale(0.0)
        (1.4427, inf, 0.0)

    References:
        Schoenholz et al. (2017), equations 7 to 10.
    """
    if slope == 0:
        return 0.0
    rate = abs(math.log(abs(slope)))
    return 1 / rate if rate else math.inf


def phase(chi_1: float) -> Literal["ordered", "critical", "chaotic"]:
    """Name the phase that a value of chi_1 belongs to.

    Args:
        chi_1: Slope of the correlation map at 1.

    Returns:
        ``"critical"`` within 1e-4 of 1, for which more than 10 000 layers would be needed to tell.

    Example:
        >>> phase(1.07)
        'chaotic'
    """
    if abs(chi_1 - 1) <= CRITICAL:
        return "critical"
    return "ordered" if chi_1 < 1 else "chaotic"


def search_grid() -> np.ndarray:
    """List the logarithms of q at which a zero is looked for.

    Returns:
        Ascending, off the round numbers, where fixed points like to lie.

    Example:
        >>> len(search_grid())
        193
    """
    points = round(PER_DECADE * math.log10(LARGEST / SMALLEST)) + 1
    return np.linspace(math.log(SMALLEST), math.log(LARGEST), points) + 0.0123


def zeros(
    function: Callable[[float], float], grid: np.ndarray, height: np.ndarray
) -> list[tuple[float, int]]:
    """Find the zeros of a function of which a table is at hand.

    Args:
        function: A continuous function of a number.
        grid: Where it was called, ascending.
        height: What it returned.

    Returns:
        Each zero, with the sign of the function's slope there: 0 where it only touches.

    Example:
        >>> grid = np.linspace(-1, 1.3, 8)
        >>> [
        ...     (round(at, 6), side)
        ...     for at, side in zeros(lambda x: x * x - 0.25, grid, grid**2 - 0.25)
        ... ]
        [(-0.5, -1), (0.5, 1)]
    """
    from scipy.optimize import brentq, minimize_scalar

    sign = np.sign(height)
    found = list[tuple[float, int]]()
    brackets = [(grid[i], grid[i + 1]) for i in np.flatnonzero(sign[:-1] * sign[1:] < 0)]
    size = np.abs(height)
    for i in range(1, len(grid) - 1):
        low, high, side = float(grid[i - 1]), float(grid[i + 1]), float(sign[i])
        same = side and sign[i - 1] == side == sign[i + 1]
        if not same or size[i] > min(CLOSE, size[i - 1], size[i + 1]):
            continue
        lowest = minimize_scalar(
            lambda x, side=side: side * function(x),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-9},
        )
        if lowest.fun == 0:
            found.append((float(lowest.x), 0))
        elif lowest.fun < 0:
            brackets += [(low, float(lowest.x)), (float(lowest.x), high)]
    for low, high in brackets:
        side = 1 if function(low) < function(high) else -1
        found.append((float(brentq(function, low, high, xtol=1e-13)), side))
    return sorted(found)
