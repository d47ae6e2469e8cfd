"""The two counts that decide how large a weight may be.

They belong to the use of a tensor, not to its shape: the same (3, 3, 64, 64) numbers have other
fans in a plain, a depthwise and a transposed convolution. `Layout` computes them.
"""

import math
from dataclasses import dataclass

from fanin.errors import FaninError


@dataclass(frozen=True)
class Fans:
    """How many terms meet in an output, and how many outputs an input reaches.

    Averages where the count differs between elements, so they need not be whole numbers: in a
    convolution with stride 2 and a kernel of 3, an input reaches 3 / 2 output positions.

    Attributes:
        fan_in: Number of terms summed into one output element.
        fan_out: Number of output elements that one input element reaches.

    Raises:
        FaninError: A count is negative or not finite.

    Example:
        >>> Fans(64, 10).mean
        37.0
    """

    fan_in: float
    fan_out: float

    def __post_init__(self) -> None:
        for name in ("fan_in", "fan_out"):
            count = getattr(self, name)
            if not (math.isfinite(count) and count >= 0):
                raise FaninError(f"{name} must be a finite number, 0 or more, got {count!r}")
            object.__setattr__(self, name, float(count))

    @property
    def mean(self) -> float:
        """Half the sum of the two, the `fan_avg` of Glorot and Bengio (2010), equation 12."""
        return (self.fan_in + self.fan_out) / 2

    @property
    def geometric(self) -> float:
        """Square root of the product of the two, the `fan_geo_avg` of JAX."""
        return math.sqrt(self.fan_in * self.fan_out)
