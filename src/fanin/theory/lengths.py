"""Where the length of a deep signal comes to rest: the fixed points of the length map.

A fixed point is a zero of ``ln(V(q) / q)``, and whether that falls or rises through zero says
whether the layers lead to it or away. All of them are looked for over eleven decades of q, also
those which the curve only touches, since a gain that is right on paper may hold an unstable one.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fanin.theory.curves import curve
from fanin.theory.gaussian import Function
from fanin.theory.maps import chi, length_map, length_slope
from fanin.theory.roots import FLAT, search_grid, zeros

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
    """Find all fixed points of the length map from 1e-6 to 1e5, and the one at 0.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.

    Returns:
        The fixed points, smallest first; none where the signal always grows. One that the map only
        touches, within a fifth of another, may be missed.

    Raises:
        FaninError: There is no such activation, the function has no slope, or a sigma is negative.

    Example:
        >>> for point in fixed_points("selu", sigma_w=1.0):
        ...     print(f"{point.q:.4f} {point.slope:.3f} {point.chi:.3f} {point.stability}")
        0.0000 2.097 2.097 unstable
        1.0000 0.783 1.072 stable

    References:
        Poole et al. (2016), section 2.
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
        Schoenholz et al. (2017), section 3.
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
