"""Slope and kinks of a function of which only values can be had.

Panels are halved until a polynomial through 20 points describes each of them. The polynomials give
the slope, far better than differences would, and where halving never ends there is a kink.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from fanin.errors import FaninError
from fanin.theory.gaussian import MOST_PANELS, POINTS, Array, Function, panel_rule, values_of

WIDEST = 32.0
"""Half-width of the sampled interval; beyond it the slope is that of a central difference."""

OFFSET = 0.1234567891
"""Panels start off the round numbers, so that a kink lies inside a panel and not between two."""

NARROW = 2.0**-12
"""A panel that must be halved beyond this width holds a kink."""

NARROWEST = 2.0**-36
"""Halving ends here: a narrower polynomial's slope would be mostly rounding."""

TOO_NARROW = 2.0**-26
"""A panel below this width gives no slope: its neighbour does, up to the kink between them."""

STEEP = 25.0
"""Growth of the secants at a kink, from 1e-4 to 1e-7 away, above which phi'^2 has no integral.

For abs(z)^p they grow by 1000^(1 - p); E[phi'^2] diverges for p <= 1/2, where that is 31.6.
"""


@dataclass(frozen=True)
class Learnt:
    """What the values of a function tell.

    Attributes:
        slope: The derivative; it raises a `FaninError` where the function jumps.
        kinks: Where it is not analytic, from left to right.
        precision: Relative error of the slope.
    """

    slope: Function
    kinks: tuple[float, ...]
    precision: float


def learn(function: Function) -> Learnt:
    """Find kinks and slope of a function by halving panels until each is a polynomial.

    Args:
        function: Takes a float64 array and returns numbers of the same shape.

    Returns:
        What was found.

    Raises:
        FaninError: The function returns something else, or is noise.

    Example:
        >>> round(learn(np.abs).kinks[0], 9) + 0.0
        0.0
    """
    nodes, _, to_ends = panel_rule()
    to_series = np.linalg.inv(legendre.legvander(nodes[:POINTS], POINTS - 1)).T
    # Where values are small, as those of gelu far to the left, their rounding need not be.
    typical = np.abs(values_of(function, np.linspace(-1, 1, POINTS))[0]).max()
    grid = np.arange(-WIDEST, WIDEST + 2) - OFFSET
    open_panels = np.stack([grid[:-1], grid[1:]], axis=1)
    done, series = list[Array](), list[Array]()
    rounding = float(np.finfo(np.float64).eps)
    while open_panels.size:
        if len(open_panels) > MOST_PANELS:
            raise FaninError(
                "the function is too rough to have a slope: it bends everywhere, or calling it "
                "again gives other values. Pass a deterministic activation with few kinks"
            )
        middle = open_panels.mean(axis=1)[:, None]
        half = (open_panels[:, 1] - open_panels[:, 0])[:, None] / 2
        values, rounding = values_of(function, middle + half * nodes)
        inside, ends = values[:, :POINTS], values[:, POINTS:]
        found = inside @ to_series
        floor = typical * np.maximum(1, np.abs(middle[:, 0]))
        size = np.maximum(np.abs(values).max(axis=1), floor)
        # Coefficients this small are rounding. That the last ones are says that none is missing.
        noise = 4 * rounding * size
        rest = np.abs(found[:, -4:]).max(axis=1)
        missed = np.abs(ends - inside @ to_ends).max(axis=1)
        described = (rest <= noise) & (missed <= 25 * noise)
        settled = described | (half[:, 0] <= NARROWEST / 2)
        done.append(open_panels[settled])
        clean = np.where(np.abs(found) > noise[:, None], found, 0.0)
        series.append(legendre.legder(clean[settled], axis=1) / half[settled])
        low, high, centre = open_panels[~settled, 0], open_panels[~settled, 1], middle[~settled, 0]
        open_panels = np.stack([low, centre, centre, high], axis=1).reshape(-1, 2)
    panels = np.concatenate(done)
    order = np.argsort(panels[:, 0])
    panels, slopes = panels[order], np.concatenate(series)[order]
    kinks = _kinks(panels)
    wide = panels[:, 1] - panels[:, 0] >= TOO_NARROW
    panels, slopes = panels[wide], slopes[wide]
    starts = panels[:, 0].copy()
    for kink in kinks:
        following = int(np.searchsorted(panels[:, 0], kink))
        if panels[following - 1, 1] < kink:
            starts[following] = kink
    steep = _steep(function, kinks, rounding)

    def slope(z: Array) -> Array:
        if steep:
            raise FaninError(
                f"the function jumps or is infinitely steep at {steep[0]:.6g}, so its squared "
                "slope has no mean. Only what needs no slope exists for it: the forward gain, the "
                "length map, the correlation map"
            )
        return _slope(function, starts, panels, slopes, z, rounding)

    return Learnt(slope, kinks, 500 * rounding)


def _kinks(panels: Array) -> tuple[float, ...]:
    """Find the narrow panels and keep the middle of the narrowest of each run of neighbours."""
    width = panels[:, 1] - panels[:, 0]
    narrow = np.flatnonzero(width < NARROW)
    if not narrow.size:
        return ()
    runs = np.split(narrow, np.flatnonzero(np.diff(narrow) > 1) + 1)
    deepest = [run[np.argmin(width[run])] for run in runs]
    return tuple(float(panels[index].mean()) for index in deepest)


def _steep(function: Function, kinks: tuple[float, ...], rounding: float) -> list[float]:
    """Find the jumps and infinite slopes among the kinks."""
    steps = max(1.0, (rounding / np.finfo(np.float64).eps) ** 0.25) * np.array([1e-4, 1e-7])
    found = list[float]()
    for kink in kinks:
        around = values_of(function, kink + np.array([0.0, *steps, *-steps]))[0]
        rises = np.abs(around[1:] - around[0]).reshape(2, 2).max(axis=0)
        far, near = rises / steps
        if near > STEEP * max(far, 1e-6):
            found.append(kink)
    return found


def _slope(
    function: Function, starts: Array, panels: Array, slopes: Array, z: Array, rounding: float
) -> Array:
    """Evaluate at each point the polynomial that starts to its left."""
    flat = z.reshape(-1)
    index = np.maximum(np.searchsorted(starts, flat, side="right") - 1, 0)
    low, high = panels[index, 0], panels[index, 1]
    place = np.clip((2 * flat - low - high) / (high - low), -4, 4)
    result = np.asarray(legendre.legval(place, slopes[index].T, tensor=False), np.float64)
    beyond = (flat < panels[0, 0]) | (flat > panels[-1, 1])
    if beyond.any():
        far = flat[beyond]
        step = np.abs(far) * rounding ** (1 / 3)
        rise = values_of(function, far + step)[0] - values_of(function, far - step)[0]
        result[beyond] = rise / (2 * step)
    return result.reshape(z.shape)
