"""A value with its first two derivatives, carried through every operation.

This is forward-mode differentiation: each rule below is one line of calculus, and the derivatives
that come out are exact up to rounding, with no step size to choose.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Jet:
    """A function at some points.

    Attributes:
        value: f(x).
        slope: f'(x).
        bend: f''(x).
    """

    value: Values
    slope: Values
    bend: Values

    @classmethod
    def variable(cls, x: Values) -> "Jet":
        """The function x itself.

        Args:
            x: The points.

        Returns:
            Its value and derivatives.

        Example:
            >>> square = Jet.variable(np.array([3.0])).times(Jet.variable(np.array([3.0])))
            >>> square.value.item(), square.slope.item(), square.bend.item()
            (9.0, 6.0, 2.0)
        """
        return cls(x, np.ones_like(x), np.zeros_like(x))

    @classmethod
    def constant(cls, number: float, like: Values) -> "Jet":
        """A function that is the same everywhere.

        Args:
            number: Its value.
            like: The points.

        Returns:
            Its value and derivatives.
        """
        return cls(np.full_like(like, number), np.zeros_like(like), np.zeros_like(like))

    def plus(self, other: "Jet") -> "Jet":
        """Add."""
        return Jet(self.value + other.value, self.slope + other.slope, self.bend + other.bend)

    def minus(self, other: "Jet") -> "Jet":
        """Subtract."""
        return Jet(self.value - other.value, self.slope - other.slope, self.bend - other.bend)

    def times(self, other: "Jet") -> "Jet":
        """Multiply, by the rule of Leibniz."""
        u, v = self, other
        return Jet(
            u.value * v.value,
            u.slope * v.value + u.value * v.slope,
            u.bend * v.value + 2 * u.slope * v.slope + u.value * v.bend,
        )

    def over(self, other: "Jet") -> "Jet":
        """Divide."""
        v = other.value
        return self.times(other.through(1 / v, -1 / v**2, 2 / v**3))

    def power(self, exponent: float) -> "Jet":
        """Raise to a constant power."""
        v, n = self.value, exponent
        if n == 0:
            return Jet.constant(1.0, v)
        # A factor of 0 ends the derivatives before 0 is raised to a negative power.
        first = n * np.power(v, n - 1)
        second = n * (n - 1) * np.power(v, n - 2) if n != 1 else np.zeros_like(v)
        return self.through(np.power(v, n), first, second)

    def through(self, outer: Values, first: Values, second: Values) -> "Jet":
        """Apply a function, by the chain rule.

        Args:
            outer: The function at `value`.
            first: Its derivative there.
            second: Its second derivative there.

        Returns:
            The composition.
        """
        return Jet(outer, first * self.slope, second * self.slope**2 + first * self.bend)


def _tanh(v: Values) -> tuple[Values, Values, Values]:
    t = np.tanh(v)
    return t, 1 - t**2, -2 * t * (1 - t**2)


def _sigmoid(v: Values) -> tuple[Values, Values, Values]:
    s = 0.5 * (1 + np.tanh(v / 2))  # 1 / (1 + exp(-v)) without its overflow
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def _tan(v: Values) -> tuple[Values, Values, Values]:
    t = np.tan(v)
    return t, 1 + t**2, 2 * t * (1 + t**2)


def _sqrt(v: Values) -> tuple[Values, Values, Values]:
    root = np.sqrt(v)
    return root, 0.5 / root, -0.25 / (root * v)


FUNCTIONS: Mapping[str, Callable[[Values], tuple[Values, Values, Values]]] = {
    "sin": lambda v: (np.sin(v), np.cos(v), -np.sin(v)),
    "cos": lambda v: (np.cos(v), -np.sin(v), -np.cos(v)),
    "tan": _tan,
    "exp": lambda v: (np.exp(v), np.exp(v), np.exp(v)),
    "log": lambda v: (np.log(v), 1 / v, -1 / v**2),
    "sqrt": _sqrt,
    "abs": lambda v: (np.abs(v), np.sign(v), np.zeros_like(v)),
    "sinh": lambda v: (np.sinh(v), np.cosh(v), np.sinh(v)),
    "cosh": lambda v: (np.cosh(v), np.sinh(v), np.cosh(v)),
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "atan": lambda v: (np.arctan(v), 1 / (1 + v**2), -2 * v / (1 + v**2) ** 2),
    "relu": lambda v: (np.maximum(v, 0), (v > 0).astype(v.dtype), np.zeros_like(v)),
}
"""What a function can be made of, each with its first and second derivative."""
