"""The distribution of one element, as a value.

A law says what is drawn; a seed, a name and an index say which number it is. Schemes turn the
fans of a layer into a law, and every implementation of the draws (NumPy, Numba, torch, JAX) takes
the same laws, so there is one list of distributions in the house.
"""

import math
from dataclasses import dataclass

from fanin.errors import FaninError

SMALLEST_CUT = 0.1
"""Below it a truncated normal is a uniform to three digits, and nine draws in ten are wasted."""


@dataclass(frozen=True)
class Constant:
    """Every element is the same number."""

    value: float

    @property
    def mean(self) -> float:
        """Mean of an element."""
        return self.value

    @property
    def std(self) -> float:
        """Standard deviation of an element."""
        return 0.0


@dataclass(frozen=True)
class Uniform:
    """Even between two bounds, which only rounding to float32 can reach."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise FaninError(
                f"a uniform needs finite bounds with low <= high, got low={self.low}, "
                f"high={self.high}"
            )

    @property
    def mean(self) -> float:
        """Mean of an element."""
        return (self.low + self.high) / 2

    @property
    def std(self) -> float:
        """Standard deviation of an element: a twelfth of the squared width, rooted."""
        return (self.high - self.low) / math.sqrt(12)


@dataclass(frozen=True)
class Normal:
    """Gaussian."""

    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        _check_moments("normal", self.mean, self.std)


@dataclass(frozen=True)
class TruncatedNormal:
    """Gaussian without its tails.

    Attributes:
        mean: Mean of an element.
        std: Standard deviation of an element, *after* the cut.
        cut: Where the parent Gaussian is cut, in its own standard deviations on either side.
    """

    mean: float = 0.0
    std: float = 1.0
    cut: float = 2.0

    def __post_init__(self) -> None:
        _check_moments("truncated normal", self.mean, self.std)
        if not self.cut >= SMALLEST_CUT:
            raise FaninError(
                f"the cut of a truncated normal is in sigmas and at least {SMALLEST_CUT}, got "
                f"cut={self.cut}; for a narrower one take a uniform"
            )

    @property
    def parent_std(self) -> float:
        """Standard deviation of the Gaussian before the cut, larger than `std`.

        A standard normal kept on ``[-c, c]`` has variance ``1 - 2 c phi(c) / (2 Phi(c) - 1)``.

        References:
            Johnson, Kotz and Balakrishnan (1994), Continuous Univariate Distributions, volume 1,
            section 10.1.
        """
        if math.isinf(self.cut):
            return self.std
        density = math.exp(-(self.cut**2) / 2) / math.sqrt(2 * math.pi)
        kept = math.erf(self.cut / math.sqrt(2))
        return self.std / math.sqrt(1 - 2 * self.cut * density / kept)


Law = Constant | Uniform | Normal | TruncatedNormal
"""Any distribution of one element."""


def _check_moments(kind: str, mean: float, std: float) -> None:
    if not (math.isfinite(mean) and math.isfinite(std) and std >= 0):
        raise FaninError(
            f"a {kind} needs a finite mean and a finite std >= 0, got mean={mean}, std={std}"
        )
