"""Which of two schemes is better, and whether that is more than luck.

Two schemes meet the same repeats, so they are compared repeat by repeat: who was lower, how often,
by how much. Only the signs enter the test, which makes it exact for any distribution of losses,
infinite ones included, and lets the verdict be checked by counting.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fanin.errors import FaninError
from fanin.studies.statistics import CONFIDENCE, Estimate, median, proportion

LEVEL = 0.05
"""Chance, over all comparisons of a study together, of calling a lucky difference real."""


@dataclass(frozen=True)
class Paired:
    """Two schemes over the same repeats, lower is better.

    Attributes:
        better: Repeats in which the first was lower.
        ties: Repeats in which both were equal.
        worse: Repeats in which the first was higher.
        chance: Probability that the first is lower in a new repeat, ties counting half.
        difference: Median of second minus first: how much lower the first is.
        p_value: Two-sided exact sign test that neither is favoured; ties say nothing in it.
    """

    better: int
    ties: int
    worse: int
    chance: Estimate
    difference: Estimate
    p_value: float

    @property
    def pairs(self) -> int:
        """Repeats compared."""
        return self.better + self.ties + self.worse

    @property
    def turned(self) -> "Paired":
        """The same two, the second first."""
        chance, by = self.chance, self.difference
        return Paired(
            better=self.worse,
            ties=self.ties,
            worse=self.better,
            chance=Estimate(1 - chance.value, 1 - chance.high, 1 - chance.low, chance.confidence),
            difference=Estimate(-by.value, -by.high, -by.low, by.confidence),
            p_value=self.p_value,
        )


def paired(first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE) -> Paired:
    """Compare two schemes repeat by repeat; lower is better and two infinities are a tie.

    Args:
        first: One value per repeat.
        second: As many, of the same repeats; a repeat with a NaN on either side is left out.
        confidence: Confidence of the intervals.

    Returns:
        The counts, the chance of being better, the typical difference and the sign test.

    Raises:
        FaninError: The two do not have the same length.

    Example:
        >>> result = paired([1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 7])
        >>> result.better, result.difference.value, result.p_value
        (6, 1.0, 0.03125)

    References:
        Dixon and Mood (1946), The statistical sign test. The probability of improvement: Agarwal et
        al. (2021), Deep reinforcement learning at the edge of the statistical precipice, section
        4.4, here within pairs.
    """
    from scipy.stats import binomtest

    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise FaninError(
            f"a paired comparison needs one value per repeat on both sides, got shapes {a.shape} "
            f"and {b.shape}"
        )
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = a[both], b[both]
    better, worse, ties = int(np.sum(a < b)), int(np.sum(a > b)), int(np.sum(a == b))
    with np.errstate(invalid="ignore"):
        differences = np.where(a == b, 0.0, b - a)
    decided = better + worse
    return Paired(
        better=better,
        ties=ties,
        worse=worse,
        chance=proportion(better + ties / 2, a.size, confidence),
        difference=median(differences, confidence),
        p_value=float(binomtest(better, decided).pvalue) if decided else 1.0,
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values for having looked at all of them.

    Calling those at or below `LEVEL` real is wrong about even one of them with at most that
    probability, however the comparisons depend on each other.

    Args:
        p_values: One per comparison.

    Returns:
        The adjusted values, in the order given.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)

    References:
        Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    adjusted, running = [0.0] * len(p_values), 0.0
    ascending = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for place, index in enumerate(ascending):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = running
    return tuple(adjusted)


def fewest_pairs(comparisons: int, level: float = LEVEL) -> int:
    """Fewest repeats at which a scheme that wins every one can be called better.

    The smallest p-value of a two-sided sign test on n pairs is ``2^(1 - n)``; Holm's correction
    asks the smallest of m to be at most ``level / m``.

    Args:
        comparisons: How many pairs of schemes are compared in all.
        level: Chance of calling a lucky difference real.

    Returns:
        The number of repeats.

    Example:
        >>> fewest_pairs(1), fewest_pairs(10)
        (6, 9)
    """
    return math.ceil(1 + math.log2(max(comparisons, 1) / level) - 1e-9)
