"""The ground that a descent moves on: where its minima are, and whether there can be only one.

Between two neighbouring maxima lies one valley with one minimum. Which valley a run ends in is a
matter of position, so runs are told apart without asking how close to the bottom they came.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial import polynomial

from fanin.studies.functions.expression import Function, Polynomial
from fanin.studies.functions.jets import Values

GRID = 20_000
"""Pieces that an interval is cut into; two minima inside one piece are not told apart."""


@dataclass(frozen=True)
class Valley:
    """A minimum and the ground that leads down to it.

    Attributes:
        x: Where the minimum is.
        value: The function there.
        bend: Its second derivative there; nan at a kink and where it is zero.
        low: Where the valley begins: a maximum, or the end of the ground looked at.
        high: Where it ends.
    """

    x: float
    value: float
    bend: float
    low: float
    high: float

    @property
    def largest_rate(self) -> float:
        """Rate of gradient descent above which no run settles here, 2 / f''; nan if unknown.

        Near the minimum a step multiplies the distance to it by 1 - rate f'' (Nesterov 2004,
        Introductory lectures on convex optimization, section 1.2.3).
        """
        return 2 / self.bend if self.bend > 0 else float("nan")


@dataclass(frozen=True)
class Landscape:
    """A function over an interval.

    Attributes:
        low: Lower end of the interval.
        high: Upper end.
        valleys: The minima inside, from left to right.
        convex: Whether the second derivative is nowhere negative.
        proven: Whether `convex` was decided for all x, from the coefficients of a polynomial; else
            it was looked up at the points of a grid.
    """

    low: float
    high: float
    valleys: tuple[Valley, ...]
    convex: bool
    proven: bool


def survey(function: Function, low: float, high: float) -> Landscape:
    """Look over a function from one end of an interval to the other.

    A minimum is where the slope changes from negative to positive, found on a grid of `GRID` pieces
    and then to the last digit by Brent's method.

    Args:
        function: The function.
        low: Lower end.
        high: Upper end, above it.

    Returns:
        Its minima and whether it is convex.

    Example:
        >>> ground = survey(Function.parse("5x^2 + 3x - 4"), -10.0, 10.0)
        >>> [(round(v.x, 12), round(v.value, 12), v.largest_rate) for v in ground.valleys]
        [(-0.3, -4.45, 0.2)]
        >>> ground.convex, ground.proven
        (True, True)

    References:
        Brent (1973), Algorithms for minimization without derivatives, chapter 4.
    """
    grid = np.linspace(low, high, GRID + 1)
    jet = function(grid)
    slope = np.where(np.isfinite(jet.value), jet.slope, np.nan)
    minima = [x for x in _changes(function, grid, slope, rising=True) if _is_settled(function, x)]
    maxima = [low, *_changes(function, grid, slope, rising=False), high]
    valleys = list[Valley]()
    for x in minima:
        there = function(x)
        valleys.append(
            Valley(
                x=x,
                value=float(there.value),
                bend=_bend(function, x, (high - low) / 1000),
                low=max(edge for edge in maxima if edge <= x),
                high=min(edge for edge in maxima if edge >= x),
            )
        )
    exact = function.polynomial
    if exact is not None:
        return Landscape(low, high, tuple(valleys), is_convex(exact), proven=True)
    bend = jet.bend
    rounding = 1e-6 * (1 + np.nanmax(np.abs(np.where(np.isfinite(bend), bend, 0.0))))
    convex = bool(np.isfinite(jet.value).all() and (bend >= -rounding).all())
    # A second derivative does not see a kink; a slope that falls on the way does.
    convex = convex and bool((np.diff(jet.slope) >= -rounding).all())
    return Landscape(low, high, tuple(valleys), convex, proven=False)


def is_convex(coefficients: Polynomial) -> bool:
    """Decide whether a polynomial is convex on the whole line.

    Its second derivative can only change sign at a real root. It is computed exactly between all
    neighbouring roots, beyond the outermost ones, and at the real part of every complex pair, where
    two roots that rounding has torn apart would hide a dip.

    Args:
        coefficients: The constant first.

    Returns:
        Whether the second derivative is nowhere negative.

    Example:
        >>> is_convex((Fraction(-4), Fraction(3), Fraction(5)))
        True
        >>> is_convex((Fraction(0), Fraction(0), Fraction(-1), Fraction(0), Fraction(1)))
        False
    """
    second = [k * (k - 1) * c for k, c in enumerate(coefficients)][2:]
    if not second:
        return True
    places = sorted(set(polynomial.polyroots([float(c) for c in second]).real.tolist()))
    between = [(a + b) / 2 for a, b in pairwise(places)]
    outside = [places[0] - 1, places[-1] + 1] if places else [0.0]
    for x in (*outside, *between):
        point = Fraction(x)
        if sum(c * point**k for k, c in enumerate(second)) < 0:
            return False
    return True


def _bend(function: Function, x: float, near: float) -> float:
    """The second derivative, unless it vanishes beside those around it, as for x^4 at 0."""
    there = float(function(x).bend)
    around = float(np.nanmax(np.abs(function(np.array([x - near, x + near])).bend)))
    return there if np.isfinite(there) and there > 1e-3 * around else float("nan")


def _changes(function: Function, grid: Values, slope: Values, *, rising: bool) -> list[float]:
    """Find where the slope goes through zero, upwards or downwards."""
    from scipy.optimize import brentq

    signs = np.sign(slope) * (1 if rising else -1)
    known = np.flatnonzero(np.isfinite(signs) & (signs != 0))
    found = list[float]()
    for before, after in pairwise(known.tolist()):
        if signs[before] < 0 < signs[after] and not np.isnan(slope[before : after + 1]).any():
            root: Any = brentq(
                lambda x: float(function(x).slope),
                grid[before],
                grid[after],
                xtol=1e-15,
                maxiter=500,
                disp=False,
            )
            found.append(float(root))
    return found


def _is_settled(function: Function, x: float) -> bool:
    """Tell a minimum from a pole, where the slope changes its sign as well."""
    near = 1e-9 * max(1.0, abs(x))
    around = function(np.array([x - near, x, x + near]))
    away = function(np.array([x - 1e3 * near, x + 1e3 * near]))
    flat = np.abs(around.slope).max() <= 10 * np.abs(away.slope).max() + 1e-12
    return bool(np.isfinite(around.value).all() and np.isfinite(away.value).all() and flat)
