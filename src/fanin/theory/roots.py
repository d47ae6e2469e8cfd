"""Zeros of a curve over many decades of q: those which it crosses and those which it touches.

A table of the curve brackets the crossings. Two crossings close together, or a touch, show as a
lowest point of the table, which is then followed down.
"""

import math
from collections.abc import Callable

import numpy as np

from fanin.theory.gaussian import Array

SMALLEST, LARGEST = 1e-6, 1e5
"""The range of q that is searched."""

PER_DECADE = 12
"""Points of the table."""

FLAT = 1e-10
"""Below this a relative difference counts as zero: quadrature gives both sides to about 1e-13."""

CLOSE = 0.05
"""Height from which a smooth curve cannot come down to zero and back between two points."""


def search_grid() -> Array:
    """List the logarithms of q at which a zero is looked for.

    Returns:
        Ascending, off the round numbers, where fixed points like to lie.

    Example:
        >>> len(search_grid())
        133
    """
    points = round(PER_DECADE * math.log10(LARGEST / SMALLEST)) + 1
    return np.linspace(math.log(SMALLEST), math.log(LARGEST), points) + 0.0123


def zeros(
    function: Callable[[float], float], grid: Array, height: Array
) -> list[tuple[float, int]]:
    """Find the zeros of a function of which a table is at hand.

    Args:
        function: A continuous function of a number.
        grid: Where it was called, ascending.
        height: What it returned.

    Returns:
        Each zero, with the sign of the function's slope there: 0 where it only touches.

    Example:
        >>> grid = np.linspace(-1, 1.3, 8)
        >>> [
        ...     (round(at, 6), side)
        ...     for at, side in zeros(lambda x: x * x - 0.25, grid, grid**2 - 0.25)
        ... ]
        [(-0.5, -1), (0.5, 1)]
    """
    from scipy.optimize import brentq, minimize_scalar

    sign = np.sign(height)
    found = list[tuple[float, int]]()
    brackets = [(grid[i], grid[i + 1]) for i in np.flatnonzero(sign[:-1] * sign[1:] < 0)]
    size = np.abs(height)
    for i in range(1, len(grid) - 1):
        low, high, side = float(grid[i - 1]), float(grid[i + 1]), float(sign[i])
        same = side and sign[i - 1] == side == sign[i + 1]
        if not same or size[i] > min(CLOSE, size[i - 1], size[i + 1]):
            continue

        def distance(x: float, side: float = side) -> float:
            return side * function(x)

        lowest = minimize_scalar(
            distance, bounds=(low, high), method="bounded", options={"xatol": 1e-9}
        )
        if lowest.fun == 0:
            found.append((float(lowest.x), 0))
        elif lowest.fun < 0:
            brackets += [(low, float(lowest.x)), (float(lowest.x), high)]
    for low, high in brackets:
        side = 1 if function(low) < function(high) else -1
        found.append((float(brentq(function, low, high, xtol=1e-13)), side))
    return sorted(found)
