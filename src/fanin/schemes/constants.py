"""Schemes without randomness: the same number everywhere."""

from dataclasses import dataclass, field
from typing import ClassVar

from fanin.draws import Constant, Law
from fanin.schemes.arguments import FINITE
from fanin.schemes.base import FixedScheme, Style


@dataclass(frozen=True)
class zeros(FixedScheme):
    """Every element is 0: the start of biases and of norm offsets.

    A kernel of zeros in front of a hidden layer leaves all its units alike for ever: they receive
    the same gradient. The last layer of a residual branch may well start at zero.

    Example:
        >>> zeros().values((2,), seed=0, name="bias").tolist()
        [0.0, 0.0]
    """

    def _fixed(self) -> Law:
        return Constant(0.0)


@dataclass(frozen=True)
class ones(FixedScheme):
    """Every element is 1: the start of norm gains.

    Example:
        >>> ones().values((2,), seed=0, name="gain").tolist()
        [1.0, 1.0]
    """

    def _fixed(self) -> Law:
        return Constant(1.0)


@dataclass(frozen=True)
class constant(FixedScheme):
    """Every element is the same number.

    Attributes:
        value: The number.

    Example:
        >>> str(constant(0.5)), constant(0.5).promised()
        ('constant(0.5)', Moments(mean=0.5, std=0.0))
    """

    style: ClassVar[Style] = "positions"

    value: float = field(metadata=FINITE)

    def _fixed(self) -> Law:
        return Constant(self.value)
