"""The scheme of what is left alone: pretrained parts, and parameters that only their author knows.

A plan has a row for every parameter. This one says that nothing is written there, so that leaving a
parameter out is a decision that can be read, and no accident.
"""

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.schemes.base import Moments, Request, Scheme, Target


@dataclass(frozen=True)
class keep(Scheme):
    """The parameter holds what it holds: nothing is drawn and nothing is written.

    It promises nothing, so its moments are nan, and it has no values to draw.

    Example:
        >>> keep().promised(shape=(3,))
        Moments(mean=nan, std=nan)
    """

    def _promised(self, target: Target) -> Moments:
        del target  # whatever it holds
        return Moments(math.nan, math.nan)

    def _values(self, request: Request) -> NDArray[Any]:
        raise FaninError(
            f"keep draws nothing: {request.name} holds what its model gave it. Name a scheme to "
            'draw it, such as "normal(0, 0.02)"'
        )
