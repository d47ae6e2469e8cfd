"""The scheme of explicit numbers: what a measurement found, written down so that it stays."""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.schemes.arguments import NUMBERS
from fanin.schemes.base import Moments, Request, Scheme, Style, Target


@dataclass(frozen=True)
class listed(Scheme):
    """The numbers themselves, one for each element in C order: ``listed(0.1, -0.2)``.

    What is read off a batch, such as a bias that centres its unit, becomes part of a plan this way:
    the plan then gives the same weights without the batch.

    Attributes:
        numbers: As many as the tensor has elements.

    Example:
        >>> str(listed((0.5, -1.0)))
        'listed(0.5, -1)'
        >>> listed((0.5, -1.0)).values((2,), seed=0, name="bias").tolist()
        [0.5, -1.0]
    """

    style: ClassVar[Style] = "list"

    numbers: tuple[float, ...] = field(metadata=NUMBERS)

    def _promised(self, target: Target) -> Moments:
        if target.shape is not None:
            self._check(target.shape)
        held = np.asarray(self.numbers)
        return Moments(float(held.mean()), float(held.std()))

    def _values(self, request: Request) -> NDArray[Any]:
        self._check(request.shape)
        whole = np.asarray(self.numbers).reshape(request.shape)
        part = whole[request.region or ()]
        if request.dtype != np.float64:
            part = part.astype(np.float32)
        return np.ascontiguousarray(part, request.dtype)

    def _check(self, shape: tuple[int, ...]) -> None:
        if math.prod(shape) != len(self.numbers):
            raise FaninError(
                f"listed holds {len(self.numbers)} numbers, and a tensor of shape {shape} takes "
                f"{math.prod(shape)}"
            )
