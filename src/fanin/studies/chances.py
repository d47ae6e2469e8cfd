"""How many starts are enough, from the chance that one of them arrives."""

import math

from fanin.studies.statistics import Estimate

SURE = 0.99
"""How sure "enough" is."""


def starts_needed(chance: Estimate, sure: float = SURE) -> Estimate:
    """Say how many independent starts hold at least one that arrives, with some probability.

    All n of them miss with probability ``(1 - p)^n``, so ``n = log(1 - sure) / log(1 - p)``. The
    interval is that of p, carried through: the better the chance, the fewer starts.

    Args:
        chance: Probability p that one start arrives, with its interval.
        sure: The probability asked for.

    Returns:
        The number, whole and rounded up, with the ends that belong to the ends of the interval;
        inf where a chance of zero cannot be ruled out, NaN where nothing is known.

    Example:
        >>> starts_needed(Estimate(0.5, 0.4, 0.6))
        Estimate(value=7.0, low=6.0, high=10.0, confidence=0.95)
    """
    return Estimate(
        _needed(chance.value, sure),
        _needed(chance.high, sure),
        _needed(chance.low, sure),
        chance.confidence,
    )


def _needed(p: float, sure: float) -> float:
    if math.isnan(p):
        return math.nan
    if p <= 0:
        return math.inf
    if p >= sure:
        return 1.0
    return float(math.ceil(math.log(1 - sure) / math.log1p(-p) - 1e-9))
