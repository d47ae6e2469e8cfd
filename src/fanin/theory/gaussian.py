"""Expectations over a standard normal, by quadrature that finds the kinks itself.

One panel is integrated with 20 Gauss-Legendre points; where cutting it in two changes the answer
it stays cut, and both halves are tried again. Smooth functions need no cuts, and a kink or a jump
ends up in a panel too narrow to matter, so any activation is integrated to rounding error without
being told where it bends. A kink may hide between the end of a panel and its first point, so the
function is also looked at next to the ends.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError

Array = NDArray[np.float64]
Owners = NDArray[np.int64]

Function = Callable[[Array], Any]
"""Any function from a float64 array to numbers of the same shape."""

Integrand = Callable[[Array, Owners], Array]
"""A function of points, one row per panel, and of the integral that each panel belongs to."""

REACH = 14.0
"""Half-width of the interval: the density beyond is below 1e-43, and float64 sees none of it."""

POINTS = 20
"""Gauss-Legendre points on a panel: exact for polynomials up to degree 39."""

MARGIN = 1e-9
"""How far inside its ends a panel is looked at, in half-widths: a jump at an end stays outside."""

DEEPEST = 50
"""Halvings of a unit panel, after which two neighbouring float64 numbers cannot be told apart."""

MOST_PANELS = 4096
"""Cuts at one depth that no function of a few kinks and jumps needs, but a noisy one does."""


def expectation(function: Function, kinks: Sequence[float] = (), precision: float = 0.0) -> float:
    """Compute E[f(z)] for z ~ N(0, 1).

    Args:
        function: Takes a float64 array and returns numbers of the same shape; kinks and jumps are
            fine. The answer is as accurate as the type it returns.
        kinks: Where the function is known to bend or jump. To know it saves time.
        precision: Relative error of the function's values, where it is larger than the rounding
            of the type it returns.

    Returns:
        The expectation: for float64 functions exact to about 1e-14 of E[abs(f(z))].

    Raises:
        FaninError: The function returns another shape, something not finite, or noise.

    Example:
        >>> round(expectation(lambda z: z**4), 12)
        3.0
    """
    grid = np.arange(-REACH, REACH + 1)
    edges, owners = cut(grid, np.array([kinks], np.float64))
    rounding = max(precision, values_of(function, grid)[1])
    integrand = partial(_values, function)
    size = float(np.abs(_sums(integrand, edges, owners)[0]).sum())
    return float(integrate(integrand, edges, owners, 8 * rounding * size)[0])


def integrate(integrand: Integrand, edges: Array, owners: Owners, tolerance: float) -> Array:
    """Compute many Gaussian expectations at once, each over panels of its own.

    Args:
        integrand: Takes points, one row per panel, and the number of the integral that each panel
            belongs to; returns values of the shape of the points.
        edges: Start and end of each panel, shape (panels, 2).
        owners: Number of the integral that each panel belongs to, shape (panels,).
        tolerance: A panel is done when halving it changes its part of the integral by no more.

    Returns:
        The integral against the normal density over the panels of each owner.

    Raises:
        FaninError: The integrand is too rough.
    """
    count = int(owners.max()) + 1
    total = np.zeros(count)
    coarse, hidden = _sums(integrand, edges, owners)
    for depth in range(DEEPEST):
        middle = edges.mean(axis=1)
        halves = np.stack([edges[:, 0], middle, middle, edges[:, 1]], axis=1).reshape(-1, 2)
        fine, fine_hidden = _sums(integrand, halves, owners.repeat(2))
        pairs = fine.reshape(-1, 2)
        settled = np.maximum(np.abs(pairs.sum(axis=1) - coarse), hidden / 8) <= tolerance
        if depth == DEEPEST - 1:
            settled[:] = True
        total += np.bincount(owners[settled], pairs[settled].sum(axis=1), minlength=count)
        if settled.all():
            break
        again = (~settled).repeat(2)
        edges, owners = halves[again], owners.repeat(2)[again]
        coarse, hidden = fine[again], fine_hidden[again]
        if len(edges) > MOST_PANELS * count:
            raise FaninError(
                "the function is too rough to integrate: calling it again on nearby points gives "
                "unrelated values. Pass a deterministic activation"
            )
    return total


def cut(grid: Array, bends: Array) -> tuple[Array, Owners]:
    """Cut an interval into panels, on a grid and where each of several integrands bends.

    Args:
        grid: Ends of the panels that all integrals have in common, ascending.
        bends: Further ends, one row per integral; those outside of the grid are left out.

    Returns:
        The panels, shape (panels, 2), and the number of the integral that each belongs to.
    """
    rows = np.broadcast_to(grid, (len(bends), len(grid)))
    ends = np.sort(np.concatenate([rows, np.clip(bends, grid[0], grid[-1])], axis=1), axis=1)
    panels = np.stack([ends[:, :-1], ends[:, 1:]], axis=2)
    owners, place = np.nonzero(panels[:, :, 1] > panels[:, :, 0])
    return panels[owners, place], owners


def values_of(function: Function, z: Array) -> tuple[Array, float]:
    """Call a function and see that it returned what a function of numbers returns.

    Args:
        function: What to call.
        z: What to call it with.

    Returns:
        The values, and the rounding of the type in which they came.

    Raises:
        FaninError: It failed, or returned another shape, or something not finite.
    """
    try:
        returned = np.asarray(function(z))
    except TypeError as problem:
        raise FaninError(
            f"the function must take a float64 NumPy array, and failed on one: {problem}. A "
            "function of one number can be passed as numpy.vectorize(function)"
        ) from None
    if returned.shape != z.shape or returned.dtype.kind not in "biuf":
        raise FaninError(
            "the function must return one number per element, got "
            f"{returned.dtype} of shape {returned.shape} for an array of shape {z.shape}"
        )
    if not np.isfinite(returned).all():
        raise FaninError(f"the function is not finite somewhere in [{z.min():.3g}, {z.max():.3g}]")
    precise = returned.dtype if returned.dtype.kind == "f" else np.dtype(np.float64)
    return returned.astype(np.float64), float(np.finfo(precise).eps)


def _values(function: Function, z: Array, _: Owners) -> Array:
    return values_of(function, z)[0]


@cache
def panel_rule() -> tuple[Array, Array, Array]:
    """Set up the rule for one panel, on [-1, 1].

    Returns:
        The `POINTS` nodes, and two more next to the ends; the weights of the nodes; the matrix
        that takes values at the nodes to those of their polynomial at the two.
    """
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)
    ends = np.array([MARGIN - 1, 1 - MARGIN])
    series = np.linalg.inv(np.polynomial.legendre.legvander(nodes, POINTS - 1))
    to_ends = np.polynomial.legendre.legvander(ends, POINTS - 1) @ series
    return np.concatenate([nodes, ends]), weights, to_ends.T


def _sums(integrand: Integrand, edges: Array, owners: Owners) -> tuple[Array, Array]:
    """Integrate each panel; also what its polynomial misses next to its ends."""
    nodes, weights, to_ends = panel_rule()
    half = (edges[:, 1] - edges[:, 0])[:, None] / 2
    z = edges.mean(axis=1)[:, None] + half * nodes
    values = integrand(z, owners)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    inside = values[:, :POINTS]
    missed = np.abs(values[:, POINTS:] - inside @ to_ends) * half * density[:, POINTS:]
    return (half * weights * density[:, :POINTS] * inside).sum(axis=1), missed.max(axis=1)
