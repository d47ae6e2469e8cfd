"""What part of an axis is shown, and in what colours: the choices that decide what an eye can see.

A few wild runs must not flatten the rest, so limits are robust, and what lies outside is counted,
to be told in words. Colours are those of Okabe and Ito, and every series has a dash pattern beside
its colour, so that no reader needs the one or the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Okabe and Ito (2008) without yellow and black, which would vanish on white or on black."""

DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (4, 2, 1, 2, 1, 2))
"""Dash patterns; 5 of them against 7 colours make 35 different lines."""

INK = "#767676"
"""Readable on white and on black alike, as a chart cannot know where it will be shown."""


@dataclass(frozen=True)
class Limits:
    """What part of an axis is shown.

    Attributes:
        low: Lower end.
        high: Upper end.
        log: Whether the scale is logarithmic.
        outside: How many of the values lie outside, infinite ones included.
    """

    low: float
    high: float
    log: bool
    outside: int


def limits(values: ArrayLike) -> Limits:
    """Choose the scale of a loss axis.

    It is logarithmic when the values span more than a decade, and then ends at the far-out fences:
    three interquartile ranges beyond the quartiles of the logarithms.

    Args:
        values: Everything that will be drawn; NaN is left out.

    Returns:
        The limits; from 0 to 1 when there is nothing finite to draw.

    Example:
        >>> limits([0.5, 1.0, 2.0]).log, limits([0.05, 1.0, 2.0]).log
        (False, True)

    References:
        Tukey (1977), Exploratory data analysis, section 2D.
    """
    known = np.asarray(values, dtype=np.float64).ravel()
    known = known[~np.isnan(known)]
    finite = known[np.isfinite(known)]
    if finite.size == 0:
        return Limits(0.0, 1.0, log=False, outside=known.size)
    positive = finite[finite > 0]
    if positive.size == 0 or positive.max() <= 10 * positive.min():
        low, high = float(finite.min()), float(finite.max())
        room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
        low = max(0.0, low - room) if low >= 0 else low - room
        return Limits(low, high + room, log=False, outside=known.size - finite.size)
    logs = np.log10(positive)
    first, third = np.quantile(logs, (0.25, 0.75))
    # Half a decade at least, so that equal values do not fence off everything else.
    reach = 3 * max(float(third - first), 0.5)
    low = 0.9 * 10 ** float(max(first - reach, logs.min()))
    high = 1.1 * 10 ** float(min(third + reach, logs.max()))
    inside = int(np.sum((finite >= low) & (finite <= high)))
    return Limits(low, high, log=True, outside=known.size - inside)


def share_limits(values: ArrayLike) -> Limits:
    """Choose the scale of an axis of shares, such as accuracies.

    Args:
        values: Everything that will be drawn, between 0 and 1.

    Returns:
        The limits, never beyond 0 and 1.

    Example:
        >>> share_limits([0.5, 1.0]).high
        1.0
    """
    known = np.asarray(values, dtype=np.float64)
    low, high = float(np.min(known)), float(np.max(known))
    room = 0.05 * (high - low) or 0.05
    return Limits(max(0.0, low - room), min(1.0, high + room), log=False, outside=0)


def scale(shown: Limits) -> dict[str, Any]:
    """Write limits as a Vega-Lite scale.

    Args:
        shown: The limits.

    Returns:
        The ``scale`` of an encoding.
    """
    ends = {"domain": [shown.low, shown.high], "nice": False}
    return {"type": "log", **ends} if shown.log else {"zero": False, **ends}


def ticks(shown: Limits) -> dict[str, Any]:
    """Choose tick marks: 1, 2 and 5 on a logarithmic axis of few decades, else the decades.

    Args:
        shown: The limits.

    Returns:
        The ``axis`` of an encoding.

    Example:
        >>> ticks(Limits(0.3, 3.0, log=True, outside=0))["values"]
        [0.5, 1.0, 2.0]
    """
    if not shown.log:
        return {"tickCount": 6}
    low, high = math.floor(math.log10(shown.low)), math.ceil(math.log10(shown.high))
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    values = [float(f"{step}e{decade}") for decade in range(low, high + 1) for step in steps]
    return {"values": [v for v in values if shown.low <= v <= shown.high], "format": "~g"}


def colours(order: Sequence[str]) -> dict[str, Any]:
    """Give every series a colour.

    Args:
        order: The series, in the order of the legend.

    Returns:
        The ``scale`` of a colour encoding.
    """
    used = [COLOURS[place % len(COLOURS)] for place in range(len(order))]
    return {"domain": list(order), "range": used}


def dashes(order: Sequence[str]) -> dict[str, Any]:
    """Give every series a dash pattern.

    Args:
        order: The series, in the order of the legend.

    Returns:
        The ``scale`` of a dash encoding.
    """
    used = [list(DASHES[place % len(DASHES)]) for place in range(len(order))]
    return {"domain": list(order), "range": used}


def spread_out(count: int, most: int) -> NDArray[np.intp]:
    """Choose evenly spaced places among so many, both ends included.

    Args:
        count: How many there are.
        most: How many are wanted at most; fewer than two is read as two.

    Returns:
        The places, ascending.

    Example:
        >>> spread_out(11, 3).tolist(), spread_out(2, 9).tolist()
        ([0, 5, 10], [0, 1])
    """
    wanted = min(count, max(most, 2))
    return np.unique(np.round(np.linspace(0, count - 1, wanted)).astype(np.intp))
