"""What mirrored weights see of an activation: its odd part.

When units come in pairs with pre-activations z and -z, a kernel made of blocks [[Q, -Q], [-Q, Q]]
takes the difference of each pair, so the next pre-activations are plus and minus Q psi(z) with
``psi(z) = phi(z) - phi(-z)``. For relu that is z itself: a relu network that starts as a linear
one, through which any depth of signal passes.
"""

from dataclasses import dataclass

import numpy as np

from fanin.theory.curves import Curve, curve
from fanin.theory.gaussian import Array, Function

NEAR_ZERO = 1e-4
"""Where the slope at 0 is read off: psi is odd, so its slope there is off by 1e-8 at most."""


@dataclass(frozen=True)
class Mirrored(Curve):
    """The odd part of an activation; whatever takes an activation takes it.

    Attributes:
        initial_slope: Slope of psi at 0, the gain of the mirrored network for a small signal.
        linear: Whether psi is a straight line, so that the network starts exactly linear.

    Example:
        >>> mirrored("leaky_relu(0.2)").linear, mirrored("tanh").linear
        (True, False)
    """

    initial_slope: float = 0.0
    linear: bool = False


def mirrored(of: str | Function) -> Mirrored:
    """Take the odd part of an activation, as pairs of mirrored units compute it.

    Args:
        of: A name such as ``"relu"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.

    Returns:
        ``psi(z) = phi(z) - phi(-z)``, to be passed wherever an activation is taken: its `gain` is
        that of the block Q for pre-activations of unit variance.

    Raises:
        FaninError: There is no such activation, or the function has no slope.

    Example:
        >>> from fanin.theory import gain
        >>> odd = mirrored("gelu")
        >>> odd.linear, round(odd.initial_slope, 12), round(gain(odd), 12)
        (True, 1.0, 1.0)

    References:
        Balduzzi, Frean, Leary, Lewis, Ma and McWilliams (2017), The Shattered Gradients Problem
        (looks-linear initialisation, for relu). That gelu, silu, hardswish and softplus
        give a line as well follows from f(z) + f(-z) = 1 for their sigmoids.
    """
    found = curve(of)

    def value(z: Array) -> Array:
        return np.asarray(found(z)) - np.asarray(found(-z))

    def slope(z: Array) -> Array:
        return np.asarray(found.slope(z)) + np.asarray(found.slope(-z))

    kinks = tuple(sorted({*found.kinks, *(-kink for kink in found.kinks)}))
    z = np.linspace(-20, 20, 1001)
    at_one = float(value(np.ones(1))[0])
    rounding = max(found.precision, 1e-13) * max(abs(at_one), float(np.abs(found(z)).max()))
    linear = bool(np.abs(value(z) - at_one * z).max() <= rounding)
    initial = at_one if linear else float(slope(np.array([NEAR_ZERO]))[0])
    return Mirrored(value, slope, kinks, found.precision, initial, linear)
