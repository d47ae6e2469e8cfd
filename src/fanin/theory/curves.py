"""An activation as the integrals need it: values, slope, and the places where it bends.

A named activation brings all three, and those of any other function are learnt from its values. So
everything in this room that takes the name of an activation takes a function as well.
"""

from dataclasses import dataclass
from typing import Any

from fanin.theory.activations import Activation, activation
from fanin.theory.gaussian import Array, Function
from fanin.theory.sampling import learn

GRADED = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Ends of the panels around 0 for a signal that is wider than the bends of the activation."""


@dataclass(frozen=True)
class Curve:
    """An activation with what quadrature needs to know of it.

    Attributes:
        value: The function.
        slope: Its derivative.
        kinks: Where it is not analytic, from left to right.
        precision: Relative error of `slope`; 0 where it is exact.

    Example:
        >>> curve("hardtanh").kinks
        (-1.0, 1.0)
    """

    value: Function
    slope: Function
    kinks: tuple[float, ...] = ()
    precision: float = 0.0

    def __call__(self, z: Array) -> Any:
        """Apply the activation to each element.

        Args:
            z: Pre-activations, any shape.

        Returns:
            What the function returns: numbers of the same shape.
        """
        return self.value(z)

    def cuts(self, size: float) -> list[float]:
        """List where an integral over z is to be cut when the activation takes ``size * z``.

        Args:
            size: Standard deviation of the pre-activations.

        Returns:
            The kinks, and for a wide signal panels that widen from 0, where activations bend.
        """
        if size == 0:
            return []
        graded = GRADED if size > GRADED[0] else ()
        return [at / size for at in (*self.kinks, *graded, *(-at for at in graded), 0.0)]


def curve(of: str | Function) -> Curve:
    """Learn what there is to know of an activation.

    Args:
        of: A name such as ``"tanh"`` or ``"leaky_relu(0.2)"``, or any function from a float64
            array to numbers of the same shape, smooth between its kinks.

    Returns:
        Values, slope and kinks.

    Raises:
        FaninError: There is no such activation, or the function is noise. One that jumps or is
            infinitely steep somewhere raises it when its slope is asked for.

    Example:
        >>> import numpy as np
        >>> kinks = curve(lambda z: np.clip(z, -0.5, 2)).kinks
        >>> [round(kink, 9) for kink in kinks]
        [-0.5, 2.0]
    """
    if isinstance(of, Curve):
        return of
    if isinstance(of, str):
        of = activation(of)
    if isinstance(of, Activation):
        return Curve(of, of.slope, of.kinks)
    learnt = learn(of)
    return Curve(of, learnt.slope, learnt.kinks, learnt.precision)


def derivative(of: str | Function) -> Function:
    """Find the derivative of an activation.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.

    Returns:
        A function of arrays. For a name it is exact. Of a float64 function, relative to the size
        of the function: within 1e-11 (1e-14 in the median), near a kink within 1e-13 over the
        distance to it, beyond 32 within 1e-10. Mean squares of it are good to about 1e-11.

    Raises:
        FaninError: There is no such activation, or the function has no slope.

    Example:
        >>> import numpy as np
        >>> slope = derivative(lambda z: np.maximum(z, 0) ** 2)
        >>> [round(float(value), 9) for value in slope(np.array([1.0, 3.0]))]
        [2.0, 6.0]
    """
    return curve(of).slope
