"""Expectations over a standard normal, by quadrature that finds the kinks itself.

One panel is integrated with 20 Gauss-Legendre points; where cutting it in two changes the answer
it stays cut, and both halves are tried again. Smooth functions need no cuts, and a kink or a jump
ends up in a panel too narrow to matter, so any activation is integrated to rounding error without
being told where it bends.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError

REACH = 14.0
"""Half-width of the interval: the density beyond is below 1e-43, and float64 sees none of it."""

POINTS = 20
"""Gauss-Legendre points on a panel: exact for polynomials up to degree 39."""

DEEPEST = 50
"""Halvings of a unit panel, after which two neighbouring float64 numbers cannot be told apart."""

MOST_PANELS = 4096
"""Cuts at one depth that no function of a few kinks and jumps needs, but a noisy one does."""


def expectation(function: Callable[[NDArray[np.float64]], Any]) -> float:
    """Compute E[f(z)] for z ~ N(0, 1).

    Args:
        function: Takes a float64 array and returns numbers of the same shape; kinks and jumps are
            fine. The answer is as accurate as the type it returns.

    Returns:
        The expectation: for float64 functions exact to about 1e-14 of E[abs(f(z))].

    Raises:
        FaninError: The function returns another shape, something not finite, or noise.

    Example:
        >>> round(expectation(lambda z: z**4), 12)
        3.0
    """
    nodes, weights = np.polynomial.legendre.leggauss(POINTS)

    def panels(edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Integrate each panel (start, end); also the rounding of what the function returned."""
        half = (edges[:, 1] - edges[:, 0])[:, None] / 2
        z = edges.mean(axis=1)[:, None] + half * nodes
        values, rounding = _values(function, z)
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        return (half * weights * density * values).sum(axis=1), rounding

    grid = np.arange(-REACH, REACH + 1)
    edges = np.stack([grid[:-1], grid[1:]], axis=1)
    coarse, rounding = panels(edges)
    tolerance = 8 * rounding * float(np.abs(coarse).sum())
    done = list[float]()
    for depth in range(DEEPEST):
        middle = edges.mean(axis=1)
        halves = np.stack([edges[:, 0], middle, middle, edges[:, 1]], axis=1).reshape(-1, 2)
        fine = panels(halves)[0].reshape(-1, 2)
        settled = np.abs(fine.sum(axis=1) - coarse) <= tolerance
        if depth == DEEPEST - 1:
            settled[:] = True
        done.append(float(fine[settled].sum()))
        edges, coarse = (
            halves.reshape(-1, 2, 2)[~settled].reshape(-1, 2),
            fine[~settled].reshape(-1),
        )
        if not coarse.size:
            break
        if coarse.size > MOST_PANELS:
            raise FaninError(
                "the function is too rough to integrate: calling it again on nearby points gives "
                "unrelated values. Pass a deterministic activation"
            )
    return float(sum(done))


def _values(
    function: Callable[[NDArray[np.float64]], Any], z: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
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
        raise FaninError(f"the function is not finite somewhere in [-{REACH:g}, {REACH:g}]")
    precise = returned.dtype if returned.dtype.kind == "f" else np.dtype(np.float64)
    return returned.astype(np.float64), float(np.finfo(precise).eps)
