"""The gain that undoes what an activation does to the size of a signal.

With weights of standard deviation ``gain / sqrt(fan_in)`` and pre-activations ~ N(0, 1), the next
pre-activations have second moment 1 again: ``gain = 1 / sqrt(E[phi(z)^2])``. It is the second
moment about zero that counts, not the variance, because the mean of the activations goes through
the next layer too (He et al. 2015, equation 7). The gain keeps the *size*; whether a deep stack is
stable there is another question (gelu, silu and mish drift away from 1 slowly).
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.theory.activations import activation
from fanin.theory.gaussian import expectation

Function = Callable[[NDArray[np.float64]], Any]


def gain(of: str | Function) -> float:
    """Compute the gain of an activation for unit pre-activations.

    PyTorch's `calculate_gain` has other numbers for tanh (5/3), selu (3/4) and sigmoid (1): those
    were chosen by hand. These are the ones that keep the second moment at 1.

    Args:
        of: A name such as ``"tanh"`` or ``"leaky_relu(0.2)"``, or any function from a float64
            array to numbers of the same shape.

    Returns:
        ``1 / sqrt(E[phi(z)^2])`` for z ~ N(0, 1): sqrt 2 for relu, 1 for linear and selu.

    Raises:
        FaninError: There is no such activation, or the function cannot be integrated or is zero.

    Example:
        >>> gain("relu") == 2**0.5
        True
        >>> round(gain("tanh"), 6), round(gain(abs), 6)
        (1.592537, 1.0)

    References:
        He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, equations 7 to 10 for relu and
        15 for leaky relu; the same argument with another activation gives the rest.
    """
    return math.sqrt(1 / second_moment(of))


def second_moment(of: str | Function) -> float:
    """Compute E[phi(z)^2] for z ~ N(0, 1).

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape.

    Returns:
        The second moment, rounded to 13 digits: the ones after it differ between processors, and
        weights must not.

    Raises:
        FaninError: There is no such activation, or the function cannot be integrated or is zero.

    Example:
        >>> second_moment("relu"), second_moment("leaky_relu(0.2)")
        (0.5, 0.52)
    """
    if isinstance(of, str):
        return _named(str(activation(of)))
    return _moment(of)


@lru_cache(maxsize=256)
def _named(name: str) -> float:
    return _moment(activation(name))


def _moment(function: Function) -> float:
    moment = expectation(lambda z: np.asarray(function(z)) ** 2)
    if not moment > 0:
        raise FaninError("the activation is zero everywhere: no gain can make up for it")
    return float(f"{moment:.13g}")
