"""Schemes that make the matrices of a tensor as wholes.

One matrix is made for each group, fused block and batch index, in float64, and stored as the layout
says. A region is cut out of the whole.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.draws import Normal, sample, words
from fanin.errors import FaninError
from fanin.schemes.base import Moments, Request, Scheme, Target
from fanin.schemes.layout import Layout

Matrices = NDArray[np.float64]
"""The matrices of a tensor: (matrices, outputs, inputs, taps)."""


@dataclass(frozen=True)
class Pile:
    """The matrices of one tensor, as sizes.

    Attributes:
        shape: Shape of the stored tensor.
        layout: What its axes are for.
    """

    shape: tuple[int, ...]
    layout: Layout

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Matrices, and the outputs, inputs and taps of each."""
        return self.layout.stack(self.shape)

    def centre(self, *, early: bool = False) -> int:
        """Find the middle tap of the kernel.

        Args:
            early: Which of the two middle taps of an even kernel: the first instead of the second.

        Returns:
            Its flat index.

        Example:
            >>> Pile((1, 1, 3, 3), Layout.conv(2)).centre()
            4
            >>> even = Pile((1, 1, 4), Layout.conv(1))
            >>> even.centre(), even.centre(early=True)
            (2, 1)
        """
        flat = 0
        for size in self.layout.kernel(self.shape):
            flat = flat * size + (size - early) // 2
        return flat

    def moments(self, total: float, square: float) -> Moments:
        """Turn sums over one matrix into moments.

        Args:
            total: Expected sum of the elements.
            square: Expected sum of their squares.

        Returns:
            The moments.
        """
        count = math.prod(self.sizes[1:])
        mean = total / count
        return Moments(mean, math.sqrt(max(0.0, square / count - mean**2)))


@dataclass(frozen=True)
class Draw(Pile):
    """The matrices of one tensor, with the stream that fills them.

    Attributes:
        seed: The one seed.
        name: The parameter's name.
    """

    seed: int
    name: str

    def normals(self) -> Matrices:
        """Draw standard normals in storage order.

        Returns:
            The float32 draws of `fanin.draws`, widened, as matrices.
        """
        drawn = sample(Normal(), self.seed, self.name, self.shape)
        return self.layout.split(drawn.astype(np.float64))

    def words(self, purpose: str) -> NDArray[np.uint32]:
        """Draw random words from a stream of their own.

        Args:
            purpose: What tells the stream from the one of the values.

        Returns:
            One word per element, as matrices.
        """
        return self.layout.split(words(self.seed, f"{self.name}/{purpose}", self.shape))


class MatrixScheme(Scheme):
    """A scheme that makes the matrices of a tensor as wholes.

    Its float64 numbers are kept when float64 is asked for; other types are cast from float32, as
    everywhere.
    """

    @abstractmethod
    def _matrices(self, draw: Draw) -> Matrices:
        """Make the matrices of a tensor that has elements."""

    @abstractmethod
    def _moments(self, pile: Pile) -> Moments:
        """Tell the moments over a tensor that has elements."""

    def _promised(self, target: Target) -> Moments:
        if target.shape is not None:
            return self._moments(Pile(target.shape, self._layout(target.shape, target.layout)))
        fans = target.fans
        if fans is None or fans.fan_in % 1 or fans.fan_out % 1 or not fans.fan_in * fans.fan_out:
            raise FaninError(
                f"{self}: what it promises depends on the whole tensor: pass shape= and layout=, "
                f"got fans={fans}"
            )
        return self._moments(Pile((int(fans.fan_out), int(fans.fan_in)), Layout.linear()))

    def _values(self, request: Request) -> NDArray[Any]:
        layout = self._layout(request.shape, request.layout)
        draw = Draw(request.shape, layout, request.seed, request.name)
        part = layout.join(self._matrices(draw), request.shape)[request.region or ()]
        if request.dtype != np.float64:
            part = part.astype(np.float32)
        return np.ascontiguousarray(part, request.dtype)

    def _layout(self, shape: tuple[int, ...], layout: Layout | None) -> Layout:
        """Settle what the axes are for, and refuse what has no matrices."""
        if layout is None and len(shape) != 2:
            raise self._refusal(
                shape,
                "it makes matrices: pass layout=, such as Layout.conv(2), to say which axes are "
                "inputs, outputs and kernel. For biases and scales take zeros, ones or normal",
            )
        settled = layout or Layout.linear()
        if not (settled.in_axes or settled.kernel_axes):
            raise self._refusal(
                shape,
                "it makes matrices, and nothing is summed over here; for biases and scales take "
                "zeros, ones or normal",
            )
        try:
            settled.stack(shape)
        except FaninError as problem:
            raise self._refusal(shape, str(problem)) from None
        return settled

    def _refusal(self, shape: tuple[int, ...], reason: str) -> FaninError:
        return FaninError(f"{self} cannot fill a tensor of shape {shape}: {reason}")
