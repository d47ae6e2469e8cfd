"""The scheme of explicit numbers: what a measurement found, written down so that it stays."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.schemes.arguments import RULE, show
from fanin.schemes.base import Moments, Request, Scheme, Target


def _numbers(scheme: str, argument: str, given: Any) -> tuple[float, ...]:
    del scheme, argument
    return tuple(map(float, given))


@dataclass(frozen=True)
class listed(Scheme):
    """The numbers themselves, one for each element in C order.

    Attributes:
        numbers: As many as the tensor has elements.

    Example:
        >>> str(listed((0.5, -1.0)))
        'listed(0.5, -1)'
    """

    numbers: tuple[float, ...] = field(metadata={RULE: _numbers})

    def __str__(self) -> str:
        return f"listed({', '.join(map(show, self.numbers))})"

    def _promised(self, target: Target) -> Moments:
        del target  # the numbers are what they are
        held = np.asarray(self.numbers)
        return Moments(float(held.mean()), float(held.std()))

    def _values(self, request: Request) -> NDArray[Any]:
        if math.prod(request.shape) != len(self.numbers):
            raise FaninError(
                f"listed holds {len(self.numbers)} numbers, and {request.name} takes "
                f"{math.prod(request.shape)}"
            )
        whole = np.asarray(self.numbers).reshape(request.shape)[request.region or ()]
        return np.ascontiguousarray(whole.astype(np.float32), request.dtype)
