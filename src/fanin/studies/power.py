"""How many repeats it takes to tell two schemes apart.

The comparison is an exact sign test, so its power is a sum of binomial chances and no simulation is
needed. More repeats can mean a little less power, because the number of wins that the test asks for
jumps; what is given is therefore the number from which on the power is never below the one wanted.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fanin.errors import FaninError
from fanin.studies.comparison import LEVEL

POWER = 0.8
"""Chance of finding a difference that is there, by which repeats are counted."""

MOST = 1000
"""Repeats that are counted up to; a difference that needs more is of little use to anybody."""


def sign_test_power(pairs: ArrayLike, chance: float, level: float = LEVEL) -> NDArray[np.float64]:
    """Chance that a two-sided exact sign test calls a difference real.

    Args:
        pairs: Numbers of pairs without a tie, any shape.
        chance: Probability that the first of a pair is better.
        level: Largest p-value that is called real.

    Returns:
        The probabilities, of the shape of `pairs`.

    Example:
        >>> round(float(sign_test_power(20, 0.8)), 4)
        0.8042

    References:
        Dixon and Mood (1946), The statistical sign test. Conover (1999), Practical Nonparametric
        Statistics, 3rd edition, section 3.4.
    """
    from scipy.stats import binom

    number = np.asarray(pairs, dtype=np.int64)
    # The largest number of losses at which P(losses or fewer) is within half of the level.
    fewest = binom.ppf(level / 2, number, 0.5)
    fewest = np.where(binom.cdf(fewest, number, 0.5) > level / 2, fewest - 1, fewest)
    low = binom.cdf(fewest, number, chance)
    high = binom.cdf(fewest, number, 1 - chance)
    return np.asarray(low + high, dtype=np.float64)


def repeats_needed(
    better: float, worse: float, ties: float = 0, *, level: float = LEVEL, power: float = POWER
) -> float:
    """Count the repeats at which a difference like the one observed would be found.

    This takes the observed share of wins for the true one, which with few repeats it rarely is; the
    answer is a plan for the next study and not a result of this one.

    Args:
        better: Repeats in which the first was better, or any number in proportion.
        worse: Repeats in which it was worse.
        ties: Repeats without a winner, which say nothing in the test.
        level: Largest p-value that is called real; with several comparisons, what the correction
            leaves of it.
        power: Chance of finding the difference.

    Returns:
        The number of repeats, ties included; inf when it is above `MOST`.

    Raises:
        FaninError: A count is negative, or no pair has a winner.

    Example:
        >>> repeats_needed(13, 7), repeats_needed(18, 2), repeats_needed(10, 10)
        (97, 12, inf)

    References:
        Chernick and Liu (2002), The saw-toothed behavior of power versus sample size and software
        solutions: single binomial proportion using exact methods.
    """
    decided = better + worse
    if min(better, worse, ties) < 0 or decided == 0:
        raise FaninError(
            "repeats_needed wants counts of 0 or more with at least one winner, got "
            f"better={better}, worse={worse}, ties={ties}"
        )
    pairs = _pairs_needed(max(better, worse) / decided, level, power)
    repeats = math.ceil(pairs * (decided + ties) / decided - 1e-9)
    return repeats if repeats <= MOST else math.inf


@lru_cache(maxsize=1024)
def _pairs_needed(chance: float, level: float, power: float) -> int:
    """The same in pairs with a winner; the pairs of a study share few different chances."""
    numbers = np.arange(1, MOST + 1)
    short = numbers[sign_test_power(numbers, chance, level) < power]
    return int(short[-1]) + 1 if short.size else 1
