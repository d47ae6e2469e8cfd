"""Expectations over two correlated Gaussians, accurate also for kinked functions of close pairs.

Of the two variables one is integrated out first: what is left is a smooth function of the other,
but it bends within sqrt(1 - c^2) of every kink, which for close pairs is a very short way. So both
integrals halve their panels until halving changes nothing, the inner one for all values of the
outer variable at once, and the inner panels are cut where the kinks lie.
"""

import math
from collections.abc import Sequence

import numpy as np

from fanin.errors import FaninError
from fanin.theory.gaussian import (
    Array,
    Function,
    Owners,
    cut,
    expectation,
    integrate,
    values_of,
)

PANELS = 10
"""Panels of an interval before any is halved; 20 points on a width of 2 see a smooth function."""

REACH = 10.0
"""Half-width of either interval: the mass beyond is 1.5e-23."""


def pair_expectation(
    function: Function, correlation: float, kinks: Sequence[float] = (), precision: float = 0.0
) -> float:
    """Compute E[f(x) f(y)] for standard Gaussians x and y with a correlation.

    Args:
        function: Takes a float64 array and returns numbers of the same shape.
        correlation: Between x and y, from -1 to 1.
        kinks: Where the function bends or jumps. One that is left out costs time, not accuracy.
        precision: Relative error of the function's values, where it is larger than rounding.

    Returns:
        The expectation; for float64 functions exact to about 1e-13 of E[f(x)^2].

    Raises:
        FaninError: The correlation lies outside of [-1, 1], or the function cannot be integrated.

    Example:
        >>> round(pair_expectation(lambda z: z**2, 0.5), 12)
        1.5
    """
    if not -1 <= correlation <= 1:
        raise FaninError(f"a correlation lies between -1 and 1, got {correlation!r}")
    square = expectation(lambda z: np.asarray(function(z)) ** 2, kinks, precision)
    if correlation == 1 or square == 0:
        return square
    if correlation == -1:
        both = [*kinks, *(-kink for kink in kinks)]
        return expectation(
            lambda z: np.asarray(function(z)) * np.asarray(function(-z)), both, precision
        )
    rest = math.sqrt((1 - correlation) * (1 + correlation))
    grid = np.linspace(-REACH, REACH, PANELS + 1)
    bends = np.array(kinks, np.float64)
    tolerance = 8 * max(values_of(function, grid)[1] / 2, precision)

    def outer(x: Array, _: Owners) -> Array:
        centres = correlation * x.reshape(-1)
        smoothed = integrate(
            lambda y, owners: values_of(function, centres[owners, None] + rest * y)[0],
            *cut(grid, (bends - centres[:, None]) / rest),
            tolerance * math.sqrt(square),
        )
        return values_of(function, x)[0] * smoothed.reshape(x.shape)

    # The inner integral crosses a kink within a few times `rest`: that way is cut out.
    crossings = (bends[:, None] + rest * np.array([-REACH, 0, REACH])) / (correlation or np.inf)
    panels = cut(grid, np.concatenate([bends, crossings.reshape(-1)])[None, :])
    return float(integrate(outer, *panels, 4 * tolerance * square)[0])
