"""The gains that undo what an activation does to the size of a signal, forward and backward.

With weights of standard deviation ``gain / sqrt(fan_in)`` and pre-activations ~ N(0, 1), the next
pre-activations have second moment 1 again: ``gain = 1 / sqrt(E[phi(z)^2])``. It is the second
moment about zero that counts, not the variance, because the mean of the activations goes through
the next layer too (He et al. 2015, equation 7). A gradient is multiplied by the slope instead, so
backward it is ``1 / sqrt(E[phi'(z)^2])``. A gain keeps the *size* of one layer; whether a deep
stack is stable there is another question, which `fanin.theory.stable_gain` answers.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from fanin.errors import FaninError
from fanin.theory.activations import activation
from fanin.theory.curves import curve
from fanin.theory.gaussian import Function, expectation


@dataclass(frozen=True)
class Moments:
    """What an activation makes of pre-activations ~ N(0, q).

    Attributes:
        mean: E[phi].
        second: E[phi^2], the second moment about zero.
        fourth: E[phi^4].
        slope: E[phi'^2], by which the mean square of a gradient is multiplied.

    Example:
        >>> round(moments("relu").variance, 6)
        0.340845
    """

    mean: float
    second: float
    fourth: float
    slope: float

    @property
    def variance(self) -> float:
        """Second moment about the mean."""
        return self.second - self.mean**2

    @property
    def kurtosis(self) -> float:
        """E[phi^4] / E[phi^2]^2: how much the squares of single units differ."""
        return self.fourth / self.second**2


def gain(of: str | Function, direction: Literal["forward", "backward"] = "forward") -> float:
    """Compute the gain of an activation for unit pre-activations.

    PyTorch's `calculate_gain` has other numbers for tanh (5/3), selu (3/4) and sigmoid (1): those
    were chosen by hand. These are the ones that keep the second moment at 1.

    Args:
        of: A name such as ``"tanh"`` or ``"leaky_relu(0.2)"``, or any function from a float64
            array to numbers of the same shape.
        direction: ``"forward"`` keeps the size of the signal; ``"backward"`` keeps the size of the
            gradient, which is multiplied by the slope of the activation.

    Returns:
        ``1 / sqrt(E[phi(z)^2])`` for z ~ N(0, 1), or ``1 / sqrt(E[phi'(z)^2])``: root 2 for relu in
        both directions, 1 for linear, 1 and 0.966 for selu.

    Raises:
        FaninError: There is no such activation or direction, or the function cannot be integrated,
            is zero, or is constant, so that no gradient passes.

    Example:
        >>> gain("relu") == 2**0.5
        True
        >>> round(gain("tanh"), 6), round(gain(abs), 6)
        (1.592537, 1.0)
        >>> round(gain("tanh", "backward"), 6)
        1.467414

    References:
        He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, equations 7 to 10 for relu,
        15 for leaky relu and 14 for the way back; the same argument with another activation gives
        the rest.
    """
    if direction == "forward":
        return math.sqrt(1 / second_moment(of))
    if direction == "backward":
        return math.sqrt(1 / _positive(mean_square_slope(of), "constant"))
    raise FaninError(f'direction is "forward" or "backward", got {direction!r}')


def variance_gain(of: str | Function) -> float:
    """Compute the gain that counts the spread of the activations about their mean only.

    It is the right one where the mean is taken away before the next layer: by a norm, or by
    centred biases. Without that it is too large for relu and its kin.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape.

    Returns:
        ``1 / sqrt(Var[phi(z)])`` for z ~ N(0, 1).

    Raises:
        FaninError: There is no such activation, or the function cannot be integrated or is
            constant.

    Example:
        >>> round(variance_gain("relu"), 6)
        1.712859

    References:
        Klambauer, Unterthiner, Mayr and Hochreiter (2017), Self-Normalizing Neural Networks, which
        follow mean and variance apart. For relu: 1 / sqrt(1/2 - 1/(2 pi)).
    """
    function = activation(of) if isinstance(of, str) else of
    mean = expectation(function)
    # About the mean, because the difference of two moments of a flat function is all rounding.
    variance = expectation(lambda z: (np.asarray(function(z)) - mean) ** 2)
    return math.sqrt(1 / _positive(variance, "constant"))


def moments(of: str | Function, q: float = 1.0) -> Moments:
    """Compute the moments of an activation and of its slope.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        q: Variance of the pre-activations.

    Returns:
        Mean, second and fourth moment of phi, second moment of phi'.

    Raises:
        FaninError: There is no such activation, the function has no slope, or q is not positive.

    Example:
        >>> found = moments("gelu")
        >>> round(found.mean, 6), round(found.second, 6), round(found.slope, 6)
        (0.282095, 0.425221, 0.455851)

    References:
        For gelu in closed form: 1 / (2 sqrt(pi)), 1/3 + 1 / (2 sqrt(3) pi) and
        1/3 + 2 / (3 sqrt(3) pi), by integrating Gaussians by parts.
    """
    found = curve(of)
    size = root(q)

    def power(exponent: int) -> float:
        return expectation(lambda z: np.asarray(found(size * z)) ** exponent, found.cuts(size))

    return Moments(power(1), power(2), power(4), mean_square_slope(found, q))


def mean_square_slope(of: str | Function, q: float = 1.0) -> float:
    """Compute E[phi'(z)^2] for z ~ N(0, q).

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        q: Variance of the pre-activations.

    Returns:
        The mean square, without rounding.

    Raises:
        FaninError: There is no such activation, the function has no slope, or q is not positive.

    Example:
        >>> mean_square_slope("relu")
        0.5
    """
    found = curve(of)
    size = root(q)
    return expectation(
        lambda z: np.asarray(found.slope(size * z)) ** 2, found.cuts(size), found.precision
    )


def root(q: float) -> float:
    """Take the root of a variance that must be positive.

    Args:
        q: Variance of the pre-activations.

    Returns:
        Their standard deviation.

    Raises:
        FaninError: q is zero, negative, infinite or no number.

    Example:
        >>> root(4.0)
        2.0
    """
    if not 0 < q < math.inf:
        raise FaninError(f"q, the variance of the pre-activations, must be positive, got {q!r}")
    return math.sqrt(q)


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
    return _positive(moment, "zero everywhere")


def _positive(moment: float, otherwise: str) -> float:
    """Round to 13 digits, which are the same on every processor."""
    if not moment > 0:
        raise FaninError(f"the activation is {otherwise}: no gain can make up for it")
    return float(f"{moment:.13g}")
