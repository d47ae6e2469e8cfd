"""The scheme that draws nothing: a parameter that is to hold what it holds."""

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.schemes.base import Moments, Request, Scheme, Target


@dataclass(frozen=True)
class keep(Scheme):
    """Leave the values alone: of a pretrained part, or of a parameter that its own code sets.

    Nothing is promised of them, so both moments are nan.

    Example:
        >>> keep().promised()
        Moments(mean=nan, std=nan)
    """

    def _promised(self, target: Target) -> Moments:
        del target  # whatever it is, its values come from elsewhere
        return Moments(math.nan, math.nan)

    def _values(self, request: Request) -> NDArray[Any]:
        raise FaninError(f"{request.name} is to keep its values, so there are none to draw")
