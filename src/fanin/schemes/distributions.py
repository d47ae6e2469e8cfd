"""Schemes that draw from one fixed distribution, whatever the layer.

They ignore the fans, so the same numbers are too large for a wide layer and too small for a narrow
one. They print all their arguments: a bare ``uniform`` says nothing.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from fanin.draws import Law, Normal, TruncatedNormal, Uniform
from fanin.schemes.arguments import FINITE, NOT_NEGATIVE, POSITIVE
from fanin.schemes.base import FixedScheme, Style


@dataclass(frozen=True)
class uniform(FixedScheme):
    """Even between two bounds.

    Without arguments these are the bounds of Keras's RandomUniform, -0.05 and 0.05, a standard
    deviation of 0.0289. PyTorch's `uniform_` without arguments is ``uniform(0, 1)``.

    Attributes:
        low: Lower bound.
        high: Upper bound.

    Example:
        >>> str(uniform()), str(uniform(-1, high=1))
        ('uniform(-0.05, 0.05)', 'uniform(-1, 1)')
    """

    style: ClassVar[Style] = "positions"

    low: float = field(default=-0.05, metadata=FINITE)
    high: float = field(default=0.05, metadata=FINITE)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fixed()

    def _fixed(self) -> Law:
        return Uniform(self.low, self.high)


@dataclass(frozen=True)
class normal(FixedScheme):
    """Gaussian.

    Without arguments these are the moments of Keras's RandomNormal, mean 0 and standard deviation
    0.05. PyTorch's `normal_` without arguments is ``normal(0, 1)``.

    Attributes:
        mean: Mean.
        std: Standard deviation.

    Example:
        >>> str(normal()), str(normal(std=0.02))
        ('normal(0, 0.05)', 'normal(0, 0.02)')
    """

    style: ClassVar[Style] = "positions"

    mean: float = field(default=0.0, metadata=FINITE)
    std: float = field(default=0.05, metadata=NOT_NEGATIVE)

    def _fixed(self) -> Law:
        return Normal(self.mean, self.std)


@dataclass(frozen=True)
class truncated_normal(FixedScheme):
    """Gaussian about 0 without its tails; the standard deviation asked for is the one obtained.

    The cut is in sigmas of the Gaussian before cutting, which is made wider to make up for the
    loss. Keras's TruncatedNormal and JAX's `truncated_normal` do not make up for it: cut at 2
    their values spread 0.8796 of what was asked. PyTorch's `trunc_normal_` takes absolute bounds,
    so its default cuts nothing at a standard deviation of 0.02.

    Attributes:
        std: Standard deviation after the cut; above 0.
        cut: Where it is cut, in sigmas, 0.1 or more.

    Example:
        >>> str(truncated_normal(0.02))
        'truncated_normal(std=0.02, cut=2)'
        >>> truncated_normal(0.02).promised()
        Moments(mean=0.0, std=0.02)
    """

    style: ClassVar[Style] = "keywords"

    std: float = field(default=0.05, metadata=POSITIVE)
    cut: float = field(default=2.0, metadata=POSITIVE)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._fixed()

    def _fixed(self) -> Law:
        return TruncatedNormal(0.0, self.std, self.cut)
