"""The maps of mean-field theory: what one wide random layer does to length and correlation.

In a wide network with weights ~ N(0, sigma_w^2 / fan_in) and biases ~ N(0, sigma_b^2) every
pre-activation is Gaussian, so one number, the variance q, says all about a signal, and a
correlation c all about a pair of them. A layer maps each to its next value; where the maps come to
rest, and how steep they are there, decides whether depth is survived.
"""

import math

import numpy as np

from fanin.errors import FaninError
from fanin.theory.curves import Curve, curve
from fanin.theory.gains import mean_square_slope, root
from fanin.theory.gaussian import Function, expectation
from fanin.theory.pairs import pair_expectation

NEAR_ZERO = 1e-5
"""Where one-sided slopes at 0 are read off: once and twice this far away, for a straight line."""


def length_map(of: str | Function, q: float, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Compute the variance of the next pre-activations.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape.
        q: Variance of the pre-activations; 0 for a signal that has died.
        sigma_w: Standard deviation of the weights times sqrt(fan_in): a gain.
        sigma_b: Standard deviation of the biases.

    Returns:
        ``V(q) = sigma_w^2 E[phi(sqrt(q) z)^2] + sigma_b^2``.

    Raises:
        FaninError: There is no such activation, the function cannot be integrated, or q or a
            sigma is negative.

    Example:
        >>> round(length_map("relu", 3.0, sigma_w=2.0, sigma_b=1.0), 12)
        7.0

    References:
        Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli (2016), equation 3.
    """
    see_sigmas(sigma_w, sigma_b)
    found, kinks, size = _scaled(of, q)
    second = expectation(lambda z: np.asarray(found(size * z)) ** 2, kinks)
    return sigma_w**2 * second + sigma_b**2


def length_slope(of: str | Function, q: float, sigma_w: float) -> float:
    """Compute the slope of the length map, by which a small error of q is multiplied.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape.
        q: Variance of the pre-activations; 0, for a signal that has died, where phi(0) = 0.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).

    Returns:
        ``V'(q)``. Between -1 and 1 at a fixed point, the layers after it bring q back.

    Raises:
        FaninError: There is no such activation, the function cannot be integrated, or q or sigma_w
            is negative.

    Example:
        >>> round(length_slope("gelu", 1.0, sigma_w=1.53353), 3)
        1.144

    References:
        Poole et al. (2016), section 2. Here by differentiating the Gaussian instead of phi,
        ``V' = sigma_w^2 E[phi(sqrt(q) z)^2 (z^2 - 1)] / (2 q)``, which holds for any phi.
    """
    see_sigmas(sigma_w, 0.0)
    found, kinks, size = _scaled(of, q)
    constant = float(np.asarray(found(np.zeros(1)))[0]) ** 2
    if q == 0 and not constant:
        return chi(found, q, sigma_w)
    if q == 0:
        raise FaninError("q must be positive for an activation that is not 0 at 0, got 0")
    # Of a constant nothing is left in theory, so it is taken away before it leaves rounding.
    moment = expectation(
        lambda z: (np.asarray(found(size * z)) ** 2 - constant) * (z**2 - 1), kinks
    )
    return sigma_w**2 * moment / (2 * q)


def chi(of: str | Function, q: float, sigma_w: float) -> float:
    """Compute chi_1, the factor of the mean square of a gradient per layer.

    It is also the slope of the correlation map at 1 where q is a fixed point: below 1 two close
    inputs come closer layer by layer (order), above 1 they part (chaos).

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        q: Variance of the pre-activations; at 0 the limit from above.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).

    Returns:
        ``sigma_w^2 E[phi'(sqrt(q) z)^2]``.

    Raises:
        FaninError: There is no such activation, the function has no slope, or q or sigma_w is
            negative.

    Example:
        >>> round(chi("tanh", 1.0, sigma_w=1.592537), 4)
        1.1778

    References:
        Poole et al. (2016), equation 6; Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017),
        section 5 for the gradients, whose mean square is also multiplied by fan_out / fan_in.
    """
    see_sigmas(sigma_w, 0.0)
    if q == 0:
        found = curve(of)
        # Half of the Gaussian lies on each side, where the slopes may differ.
        sides = np.array([-NEAR_ZERO, NEAR_ZERO])
        limits = 2 * np.asarray(found.slope(sides)) - np.asarray(found.slope(2 * sides))
        return sigma_w**2 * float((limits**2).mean())
    return sigma_w**2 * mean_square_slope(of, q)


def correlation_map(
    of: str | Function, c: float, q: float, sigma_w: float, sigma_b: float = 0.0
) -> float:
    """Compute the correlation of the next pre-activations of two inputs.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape.
        c: Correlation of the pre-activations of the two, from -1 to 1.
        q: Variance of the pre-activations of either.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.

    Returns:
        ``(sigma_w^2 E[phi(u) phi(v)] + sigma_b^2) / V(q)`` for u, v ~ N(0, q) with correlation c.

    Raises:
        FaninError: There is no such activation, the function cannot be integrated, q is not
            positive, c is no correlation, or a sigma is negative.

    Example:
        >>> round(correlation_map("relu", 0.0, 1.0, sigma_w=2**0.5), 6)
        0.31831

    References:
        Poole et al. (2016), equation 5. For relu the arc-cosine kernel of Cho and Saul (2009), for
        erf the arcsine of Williams (1997).
    """
    see_sigmas(sigma_w, sigma_b)
    found, kinks, size = _scaled(of, root(q) ** 2)
    product = pair_expectation(lambda z: np.asarray(found(size * z)), c, kinks)
    after = length_map(found, q, sigma_w, sigma_b)
    if after == 0:
        raise FaninError("the activation is zero everywhere: there is no signal to correlate")
    return (sigma_w**2 * product + sigma_b**2) / after


def correlation_slope(
    of: str | Function, c: float, q: float, sigma_w: float, sigma_b: float = 0.0
) -> float:
    """Compute the slope of the correlation map.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        c: Correlation of the pre-activations of the two, from -1 to 1.
        q: Variance of the pre-activations of either.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.

    Returns:
        ``sigma_w^2 q E[phi'(u) phi'(v)] / V(q)``, which at a fixed point q is the product of the
        slopes alone, and at c = 1 is chi_1.

    Raises:
        FaninError: There is no such activation, the function has no slope, q is not positive, c is
            no correlation, or a sigma is negative.

    Example:
        >>> round(correlation_slope("relu", 0.0, 1.0, sigma_w=2**0.5), 12)
        0.5

    References:
        Schoenholz et al. (2017), section 3.2.
    """
    see_sigmas(sigma_w, sigma_b)
    found, kinks, size = _scaled(of, root(q) ** 2)
    product = pair_expectation(
        lambda z: np.asarray(found.slope(size * z)), c, kinks, found.precision
    )
    return sigma_w**2 * q * product / length_map(found, q, sigma_w, sigma_b)


def see_sigmas(sigma_w: float, sigma_b: float) -> None:
    """Refuse what cannot be a standard deviation.

    Args:
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.

    Raises:
        FaninError: sigma_w is not positive, or sigma_b is negative.

    Example:
        >>> see_sigmas(1.5, 0.0)
    """
    if not 0 < sigma_w < math.inf:
        raise FaninError(
            f"sigma_w, the standard deviation of the weights times sqrt(fan_in), must be positive, "
            f"got {sigma_w!r}"
        )
    if not 0 <= sigma_b < math.inf:
        raise FaninError(
            f"sigma_b, the standard deviation of the biases, must not be negative, got {sigma_b!r}"
        )


def _scaled(of: str | Function, q: float) -> tuple[Curve, list[float], float]:
    """Resolve an activation of sqrt(q) z: the curve, where to cut the integral over z, sqrt(q)."""
    found = curve(of)
    size = root(q) if q else 0.0
    return found, found.cuts(size), size
