"""What an activation makes of a Gaussian pre-activation of any size, forward and backward.

A signal is told by its second moment q alone: behind a wide layer it is close to N(0, q). Sizes are
rounded to four digits, so that a deep network asks for each expectation once.
"""

from functools import lru_cache

import numpy as np

from fanin.errors import FaninError
from fanin.theory import activation, expectation

_STEP = 1e-4
"""Half the distance of the two points of a slope, in standard deviations of the pre-activation up
to 1: where a kink lies between them the slope is in between, for a part of about 1e-4 of all z."""

_SMALLEST = 1e-6
"""Second moment below which an activation has the slopes it has at zero."""


def passed(name: str, q: float) -> float | None:
    """Compute E[phi(sqrt(q) z)^2] for z ~ N(0, 1).

    Args:
        name: An activation as `fanin.theory` reads it.
        q: Second moment of the pre-activation.

    Returns:
        The second moment of the activation, to about four digits; None for an activation that is
        not known, or a q for which there is none.

    Example:
        >>> round(passed("relu", 2.0), 12), passed("snake", 1.0)
        (1.0, None)

    References:
        Poole, Lahiri, Raghu, Sohl-Dickstein and Ganguli (2016), Exponential expressivity in deep
        neural networks through transient chaos, equation 3, for the length map.
    """
    return _passed(name, float(f"{q:.4g}"))


def slope(name: str, q: float) -> float | None:
    """Compute E[phi'(sqrt(q) z)^2] for z ~ N(0, 1).

    Args:
        name: An activation as `fanin.theory` reads it.
        q: Second moment of the pre-activation.

    Returns:
        The second moment of the slope, to about four digits; None as in `passed`.

    Example:
        >>> round(slope("relu", 4.0), 3), slope("linear", 1.0)
        (0.5, 1.0)

    References:
        Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017), Deep Information Propagation,
        equation 11: sigma_w^2 times this is the factor of a gradient per layer.
    """
    return _slope(name, max(_SMALLEST, float(f"{q:.4g}")))


@lru_cache(maxsize=4096)
def _passed(name: str, q: float) -> float | None:
    root = np.sqrt(q)
    try:
        phi = activation(name)
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is refused below
            return expectation(lambda z: phi(root * z) ** 2)
    except FaninError:
        return None


@lru_cache(maxsize=4096)
def _slope(name: str, q: float) -> float | None:
    root = np.sqrt(q)
    step = _STEP * min(1.0, float(root))
    try:
        phi = activation(name)
        with np.errstate(over="ignore", invalid="ignore"):
            # In float32, so that the rounding of the difference is not taken for a rough function.
            return expectation(
                lambda z: np.float32(
                    ((phi(root * z + step) - phi(root * z - step)) / (2 * step)) ** 2
                )
            )
    except FaninError:
        return None
