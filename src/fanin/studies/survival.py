"""When the runs arrive at a target, and how many never do.

A run that has not arrived when its training ends would take longer, nobody knows how much: it is
censored, kept among those still on the way and never dropped. One that diverged is on the way for
ever: counting it only until it diverged would be to assume that it might still have arrived.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fanin.errors import FaninError
from fanin.studies.statistics import CONFIDENCE, Estimate, effective_number, median

ROUNDING = 1e-9
"""A product of many factors may miss a half that it is by that much, and no more."""


@dataclass(frozen=True)
class SurvivalCurve:
    """The share of a scheme's runs that have not yet arrived, as the steps go by.

    Attributes:
        scheme: The scheme, printed in full.
        runs: Runs that were measured, to the end or not.
        arrived: Runs that arrived.
        step: The measured steps, ascending, 0 first.
        share: Share of the runs not yet arrived after each.
        low: Lower end of its interval, for each step by itself.
        high: Upper end.
        median: Step by which half of the runs have arrived, with interval; inf when fewer did, and
            an upper end of inf when fewer may have.
    """

    scheme: str
    runs: int
    arrived: int
    step: tuple[int, ...]
    share: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    median: Estimate


@dataclass(frozen=True)
class Survival:
    """How a study's runs arrive at a target.

    Attributes:
        target: The loss that counts as arriving.
        measure: What it is a loss of: ``"held-out loss"`` or ``"training loss"``.
        curves: One per scheme, in the order of the design; without the schemes of which no run was
            measured.
        cut_short: Runs that were stopped before they arrived and before the last step.
    """

    target: float
    measure: str
    curves: tuple[SurvivalCurve, ...]
    cut_short: int


def first_arrival(
    curves: NDArray[np.floating], steps: ArrayLike, target: float
) -> NDArray[np.float64]:
    """Step of the first measured point at which each curve is at or below a target.

    Args:
        curves: Losses, shape (..., point).
        steps: Step of each point, shape (point,).
        target: The loss to reach.

    Returns:
        One step per curve, shape (...); inf for a curve that never arrives, which keeps it in every
        median as a run of unknown but longer time.

    Example:
        >>> first_arrival(np.array([[3.0, 1.0, 2.0], [3.0, 3.0, 3.0]]), [0, 10, 20], 1.5).tolist()
        [10.0, inf]
    """
    arrived = np.asarray(curves) <= target
    when = np.asarray(steps, dtype=np.float64)[np.argmax(arrived, axis=-1)]
    return np.where(arrived.any(axis=-1), when, np.inf)


def half_arrived(arrivals: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Step by which half of the runs have arrived, with the exact interval of a median.

    Args:
        arrivals: One step per run, any shape; inf for a run that never arrives.
        confidence: Probability, at least, that the interval holds the true one.

    Returns:
        The estimate. It is inf when fewer than half arrive, and the upper end is inf when the data
        cannot exclude that fewer would.

    Example:
        >>> half_arrived([10.0, 20.0, 30.0, float("inf"), float("inf"), float("inf")])
        Estimate(value=30.0, low=10.0, high=inf, confidence=0.95)
    """
    known = np.asarray(arrivals, dtype=np.float64).ravel()
    found = median(known, confidence)
    if not known.size:
        return found
    return replace(found, value=float(np.quantile(known, 0.5, method="inverted_cdf")))


def kaplan_meier(
    curves: NDArray[np.floating],
    steps: ArrayLike,
    target: float,
    scheme: str = "",
    confidence: float = CONFIDENCE,
) -> SurvivalCurve:
    """Estimate the share of runs that have not yet arrived after each measured step.

    This is the product-limit estimate. Its interval is the exact binomial one at the number of
    independent runs that would give the estimate its variance: with one order for each start, and
    as long as no run was cut short, that is the plain binomial interval. The runs of one start
    count as a cluster, as in `statistics.share_of_runs`.

    Args:
        curves: Losses, shape (start, order, point); NaN where a run was not measured, from some
            point on or altogether; inf where it diverged.
        steps: Step of each point, ascending, shape (point,).
        target: The loss to reach.
        scheme: What the curves belong to.
        confidence: Confidence of the intervals.

    Returns:
        The curve.

    Raises:
        FaninError: No run was measured.

    Example:
        >>> runs = np.array([[[3.0, 1.0, 1.0]], [[3.0, 3.0, 1.0]], [[3.0, 3.0, 3.0]]])
        >>> kaplan_meier(runs, [0, 10, 20], 1.5).median.value
        20.0

    References:
        Kaplan and Meier (1958), Nonparametric estimation from incomplete observations. The variance
        is the infinitesimal jackknife, over clusters: Therneau and Grambsch (2000), Modeling
        survival data, section 2.2.3; without clusters that of Greenwood (1926). Rothman (1978),
        Estimation of confidence limits for the cumulative probability of survival in life table
        analysis; Korn and Graubard (1998), Confidence intervals for proportions with small expected
        number of positive counts (the number of runs). The median: Brookmeyer and Crowley (1982), A
        confidence interval for the median survival time.
    """
    losses = np.asarray(curves, dtype=np.float64)
    measured = np.logical_and.accumulate(~np.isnan(losses), axis=-1)
    begun = measured[..., 0]
    if not begun.any():
        raise FaninError(f"no run{f' of {scheme}' if scheme else ''} was measured")
    at = np.asarray(steps, dtype=np.int64)
    here = measured & (losses <= target)
    before = np.concatenate([np.zeros_like(here[..., :1]), here[..., :-1]], axis=-1)
    waiting = measured & ~np.logical_or.accumulate(before, axis=-1)
    arriving = waiting & here
    exposed, events = waiting.sum(axis=(0, 1)), arriving.sum(axis=(0, 1))
    hazard = events / np.maximum(exposed, 1)
    share = np.asarray(np.multiply.accumulate(1 - hazard), dtype=np.float64)
    # How the logarithm of the share moves with the weight of each run.
    moved = (arriving - waiting * hazard) / np.maximum(exposed - events, 1)
    influence = share * np.add.accumulate(moved, axis=-1).sum(axis=1)
    several = int(begun.any(axis=1).sum())
    correction = several / max(several - 1, 1) if begun.sum() > several else 1.0
    variance = correction * np.sum(influence**2, axis=0)
    # A run says something at a step when it has arrived by then, or is still looked at.
    telling = np.logical_or.accumulate(arriving, axis=-1) | measured
    independent = telling.any(axis=1).sum(axis=0)
    numbers = [
        effective_number(float(s), float(v), int(n), int(begun.sum()))
        for s, v, n in zip(share, variance, independent, strict=True)
    ]
    low, high = _exact(share, np.array(numbers), confidence)
    return SurvivalCurve(
        scheme=scheme,
        runs=int(begun.sum()),
        arrived=int(events.sum()),
        step=tuple(at.tolist()),
        share=tuple(share.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        median=Estimate(
            _first(at, share, 0.5 + ROUNDING),
            _first(at, low, 0.5),
            _first(at, high, 0.5 - ROUNDING),
            confidence,
        ),
    )


def _exact(
    share: NDArray[np.float64], number: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The binomial limits of Clopper and Pearson (1934), for so many runs, whole number or not."""
    from scipy.special import betaincinv

    tail, left, gone = (1 - confidence) / 2, number * share, number * (1 - share)
    none, every = gone <= 0, left <= 0
    low = betaincinv(np.where(every, 1.0, left), gone + 1, tail)
    high = betaincinv(left + 1, np.where(none, 1.0, gone), 1 - tail)
    return np.where(every, 0.0, low), np.where(none, 1.0, high)


def _first(steps: NDArray[np.int64], falling: NDArray[np.float64], to: float) -> float:
    reached = falling <= to
    return float(steps[int(np.argmax(reached))]) if bool(reached.any()) else math.inf
