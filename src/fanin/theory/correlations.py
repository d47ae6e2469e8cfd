"""Where the correlation of two inputs comes to rest, and how fast.

The correlation map is convex on [0, 1]: its coefficients as a power series are the squares of
Hermite coefficients. So besides 1 it has at most one fixed point there, and the slope at 1 alone
decides whether there is one.
"""

import numpy as np

from fanin.theory.curves import curve
from fanin.theory.gaussian import Function
from fanin.theory.lengths import CRITICAL, depth_scale
from fanin.theory.maps import correlation_map, correlation_slope
from fanin.theory.roots import FLAT


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
        Poole et al. (2016), on the propagation of a pair of inputs. One fixed point at most below
        1: Daniely, Frostig and Singer (2016), whose dual activation is a power series with
        coefficients >= 0.
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
        >>> from fanin.theory import fixed_points
        >>> (point,) = fixed_points("tanh", sigma_w=1.5**0.5, sigma_b=0.05**0.5)
        >>> round(correlation_depth_scale("tanh", point.q, 1.5**0.5, 0.05**0.5), 1)
        15.8

    References:
        Schoenholz et al. (2017), section 3, and their experiments for the factor 6.
    """
    found = curve(of)
    c = correlation_fixed_point(found, q, sigma_w, sigma_b)
    return depth_scale(correlation_slope(found, c, q, sigma_w, sigma_b))
