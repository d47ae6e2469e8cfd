"""Figures with intervals, and what a curve did: arrived, stuck, or still falling.

Everything rests on order and counting. A loss that diverged is infinite, which has a rank but no
mean, so medians and counts are used throughout and infinity needs no special case. Where a few runs
cannot support the interval asked for, the estimate says which confidence it has.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fanin.errors import FaninError

CONFIDENCE = 0.95
"""Confidence of every interval, unless an estimate says otherwise."""

STUCK_MARGIN = 0.05
"""Share of the best constant guess's loss that a run must save to count as having learnt."""

RESAMPLES = 2000
"""Bootstrap resamples: the 2.5 % tail then holds 50 of them."""


@dataclass(frozen=True)
class Estimate:
    """A figure and how far it can be trusted.

    Attributes:
        value: The estimate; infinite when it does not exist as a number, NaN without data.
        low: Lower end of the interval, NaN when none can be given.
        high: Upper end of the interval, NaN when none can be given.
        confidence: Confidence of the interval, lower than asked for when the data are too few.
    """

    value: float
    low: float
    high: float
    confidence: float = CONFIDENCE


def median(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Median with the exact interval between two order statistics.

    The interval needs no assumption on the distribution, and infinite values are values like any
    other. Below six values the whole range holds the median with less than 95 % confidence; the
    range is then the interval, with the confidence it has.

    Args:
        values: One value per run, any shape; inf is allowed, NaN is left out.
        confidence: Probability, at least, that the interval holds the true median.

    Returns:
        The median, the interval and its confidence.

    Example:
        >>> median([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])
        Estimate(value=3.5, low=1.0, high=6.0, confidence=0.95)
        >>> median([0.2, float("inf"), float("inf")])
        Estimate(value=inf, low=0.2, high=inf, confidence=0.75)

    References:
        Conover (1999), Practical Nonparametric Statistics, 3rd edition, section 3.2.
    """
    from scipy.stats import binom

    ordered = np.sort(_known(values))
    n = ordered.size
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0.0)
    middle = float(np.median(ordered))
    if n == 1:
        return Estimate(middle, math.nan, math.nan, 0.0)
    tail = (1 - confidence) / 2
    # The median lies below the k-th smallest value with probability P(binomial(n, 1/2) < k).
    k = int(binom.ppf(tail, n, 0.5))
    if k < 1:
        return Estimate(middle, float(ordered[0]), float(ordered[-1]), 1 - 2.0 ** (1 - n))
    return Estimate(middle, float(ordered[k - 1]), float(ordered[n - k]), confidence)


def interquartile_mean(
    values: ArrayLike, confidence: float = CONFIDENCE, seed: int = 0
) -> Estimate:
    """Mean of the middle half, with a bootstrap interval.

    The interval is the bias-corrected and accelerated one; where that does not exist (infinite
    values, a middle half of equal ones) it is the plain percentile one. Below six values there is
    none.

    Args:
        values: One value per run, any shape; inf is allowed, NaN is left out.
        confidence: Probability that the interval holds the true value.
        seed: Seed of the resampling.

    Returns:
        The mean of the middle half and its interval.

    Example:
        >>> interquartile_mean([0, 1, 2, 3, 4, 5, 6, 1000]).value
        3.5

    References:
        Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical precipice,
        section 4.3. Efron (1987), Better bootstrap confidence intervals.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap, trim_mean

    known = _known(values)
    if known.size == 0:
        return Estimate(math.nan, math.nan, math.nan, 0.0)
    value = float(trim_mean(known, 0.25))
    if np.all(known == known[0]):
        return Estimate(value, value, value, confidence)
    if 2.0 ** (1 - known.size) > 1 - confidence:
        return Estimate(value, math.nan, math.nan, 0.0)

    def statistic(sample: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return np.asarray(trim_mean(sample, 0.25, axis=axis), dtype=np.float64)

    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        # Where the corrected interval does not exist scipy warns and gives NaN, met below.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        result = bootstrap(
            (known,),
            statistic,
            confidence_level=confidence,
            n_resamples=RESAMPLES,
            method="BCa" if np.all(np.isfinite(known)) else "percentile",
            rng=np.random.default_rng(seed),
        )
    low, high = (float(end) for end in result.confidence_interval)
    if not (math.isfinite(low) and math.isfinite(high)):
        # Interpolating towards infinity gives NaN; picking members of the distribution does not.
        tail = (1 - confidence) / 2
        ends = np.quantile(result.bootstrap_distribution, (tail, 1 - tail), method="inverted_cdf")
        low, high = float(ends[0]), float(ends[1])
    return Estimate(value, low, high, confidence)


def middle_half(values: ArrayLike) -> tuple[float, float]:
    """Quartiles, as members of the sample so that infinite values need no averaging.

    Args:
        values: One value per run, any shape; inf is allowed, NaN is left out.

    Returns:
        The lower and the upper quartile, NaN without values.

    Example:
        >>> middle_half([1, 2, 3, 4, 5, 6, 7, 8])
        (2.0, 6.0)
    """
    known = _known(values)
    if known.size == 0:
        return math.nan, math.nan
    low, high = np.quantile(known, (0.25, 0.75), method="inverted_cdf")
    return float(low), float(high)


def proportion(count: float, total: float, confidence: float = CONFIDENCE) -> Estimate:
    """A share of runs with its Wilson score interval.

    Args:
        count: How many; a tie may count half.
        total: Of how many; runs that are not independent count as fewer, see `share_of_runs`.
        confidence: Probability that the interval holds the true share, about.

    Returns:
        The share and its interval; ``[0, 1]`` when there are no runs.

    Raises:
        FaninError: The count is negative or larger than the total.

    Example:
        >>> share = proportion(0.0, 20)
        >>> f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
        '0.00 [0.00, 0.16]'

    References:
        Wilson (1927), Probable inference, the law of succession, and statistical inference.
        Brown, Cai and DasGupta (2001), Interval estimation for a binomial proportion, equation 4.
    """
    from scipy.special import ndtri

    if not 0 <= count <= total:
        raise FaninError(f"a share needs 0 <= count <= total, got count={count}, total={total}")
    if total == 0:
        return Estimate(math.nan, 0.0, 1.0, confidence)
    share, z2 = count / total, float(ndtri(0.5 + confidence / 2) ** 2)
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * total)) / total) / (1 + z2 / total)
    # The ends are exactly 0 and 1 at the borders; rounding must not move them.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == total else min(1.0, centre + half)
    return Estimate(share, low, high, confidence)


def share_of_runs(happened: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """A share of runs with its interval, where runs of one start may have the same fate.

    The starts are the sample. If the runs of a start always agree, they tell no more than one of
    them would; how much they do tell is read off how much the starts differ. The orders of the data
    are taken as given.

    Args:
        happened: Whether it happened, shape (start, order), one order or several.
        confidence: Probability that the interval holds the true share, about.

    Returns:
        The share and its interval. With one order it is that of `proportion`.

    Example:
        >>> alike = share_of_runs([[True] * 10] * 3 + [[False] * 10] * 9)
        >>> alike == proportion(3.0, 12)
        True

    References:
        Korn and Graubard (1998), Confidence intervals for proportions with small expected number of
        positive counts estimated from survey data (the effective number of runs). Dean and Pagano
        (2015), Evaluating confidence interval methods for binomial proportions in clustered surveys
        (with the Wilson interval).
    """
    flags = np.asarray(happened, dtype=np.float64)
    starts, runs = flags.shape[0], flags.size
    share = float(flags.mean()) if runs else 0.0
    counted = effective_number(share, _variance_of_mean(flags.mean(axis=1)), starts, runs)
    return proportion(share * counted, counted, confidence)


def effective_number(share: float, variance: float, fewest: int, most: int) -> float:
    """How many independent runs would give a share the variance that it has.

    Args:
        share: The share.
        variance: Its variance; 0 where nothing is known of it, as at a share of 0 or 1.
        fewest: Runs that are independent for certain: the starts.
        most: Runs in all.

    Returns:
        A number between the two.
    """
    if fewest == most or variance <= 0:
        return float(fewest)
    return min(max(share * (1 - share) / variance, float(fewest)), float(most))


def _variance_of_mean(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) / values.size if values.size > 1 else 0.0


def constant_loss(target: ArrayLike, loss: str) -> float:
    """Loss of the best prediction that ignores the features.

    Args:
        target: Classes from 0, shape (example,), for ``"bce"`` and ``"cross_entropy"``; numbers,
            shape (example,) or (example, output), for ``"mse"``.
        loss: ``"bce"``, ``"cross_entropy"`` or ``"mse"``.

    Returns:
        The entropy of the class frequencies in nats, or the mean variance.

    Raises:
        FaninError: The loss is not one of the three, or there are no examples.

    Example:
        >>> round(constant_loss([0, 1, 1, 0], "bce"), 4)
        0.6931
        >>> constant_loss([1.0, 3.0], "mse")
        1.0
    """
    array = np.asarray(target)
    if array.size == 0:
        raise FaninError("the best constant guess needs at least one example, got none")
    if loss == "mse":
        return float(np.var(np.asarray(target, dtype=np.float64), axis=0).mean())
    if loss in ("bce", "cross_entropy"):
        _, counts = np.unique(array, return_counts=True)
        shares = counts / array.size
        return abs(float(-np.sum(shares * np.log(shares))))
    raise FaninError(f'loss must be "bce", "cross_entropy" or "mse", got {loss!r}')


def late_fall(curves: NDArray[np.floating], steps: ArrayLike) -> NDArray[np.float64]:
    """How much each curve fell over the second half of the training.

    Args:
        curves: Losses, shape (..., point); inf where a run diverged.
        steps: Step of each point, ascending, shape (point,).

    Returns:
        Loss at the last point not after half of the steps, minus the final loss; shape (...).
        NaN for a curve that is infinite at both.

    Example:
        >>> late_fall(np.array([4.0, 3.0, 1.0]), [0, 5, 10]).tolist()
        2.0
    """
    at = np.asarray(steps, dtype=np.float64)
    middle = int(np.sum(at <= at[-1] / 2)) - 1
    losses = np.asarray(curves, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(losses[..., max(middle, 0)] - losses[..., -1])


def stuck(
    curves: NDArray[np.floating], steps: ArrayLike, baseline: float, margin: float = STUCK_MARGIN
) -> NDArray[np.bool_]:
    """Tell which runs have learnt nothing and are not about to.

    A run is stuck when it ends less than `margin` below the loss of the best constant guess *and*
    saved less than `margin` of that loss over the second half of the training. One minus the ratio
    of the two losses is R squared for the squared error and McFadden's for the cross-entropies.

    Args:
        curves: Training losses, shape (..., point).
        steps: Step of each point, ascending, shape (point,).
        baseline: Loss of the best constant guess, see `constant_loss`.
        margin: Share of `baseline` that counts as something.

    Returns:
        True for a stuck run, shape (...). A diverged run (final loss inf or NaN) is not stuck.

    Example:
        >>> stuck(np.array([[0.9, 0.69, 0.69], [0.9, 0.5, 0.1]]), [0, 5, 10], 0.69).tolist()
        [True, False]

    References:
        McFadden (1974), Conditional logit analysis of qualitative choice behavior.
    """
    final = np.asarray(curves, dtype=np.float64)[..., -1]
    flat = np.nan_to_num(late_fall(curves, steps), nan=0.0) < margin * baseline
    return np.isfinite(final) & (final > (1 - margin) * baseline) & flat


def _known(values: ArrayLike) -> NDArray[np.float64]:
    flat = np.asarray(values, dtype=np.float64).ravel()
    return flat[~np.isnan(flat)]
