"""What each axis of a stored tensor is for, and the fans and matrices that follow from it.

A weight is a pile of matrices, however it is stored: one for each batch index, group or fused
block, each with its outputs, its inputs and the taps of its kernel. A layout says which axes are
which, so that a scheme can be stated once for the matrix and hold for every storage.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.schemes.fans import Fans


@dataclass(frozen=True)
class Layout:
    """Which axes are summed over, produced, independent, or slid along.

    Attributes:
        in_axes: Axes that are summed over.
        out_axes: Axes that are produced.
        batch_axes: Axes whose every index is a matrix of its own: heads, experts.
        kernel_axes: Axes of a convolution's window.
        groups: Groups of a convolution. All of them lie along the first of `out_axes`, or along
            the first of `in_axes` when transposed, as the frameworks store them.
        blocks: Equal blocks along the first of `out_axes`, each a matrix of its own that was fused
            for speed: query, key and value; the gates of an LSTM.
        stride: Product of the strides of a convolution over its axes.
        transposed: Whether it is a transposed convolution, whose stride spreads its inputs.
        lookup: Whether one row is read instead of summing over them all: an embedding.

    Raises:
        FaninError: The axes overlap or leave one out, or a count is below 1.

    Example:
        >>> Layout.linear().fans((10, 64))
        Fans(fan_in=64.0, fan_out=10.0)
        >>> Layout.conv(2, groups=64).fans((64, 1, 3, 3))
        Fans(fan_in=9.0, fan_out=9.0)
        >>> experts = Layout(in_axes=(2,), out_axes=(1,), batch_axes=(0,))
        >>> experts.fans((8, 10, 64))
        Fans(fan_in=64.0, fan_out=10.0)
    """

    in_axes: tuple[int, ...]
    out_axes: tuple[int, ...]
    batch_axes: tuple[int, ...] = ()
    kernel_axes: tuple[int, ...] = ()
    groups: int = 1
    blocks: int = 1
    stride: int = 1
    transposed: bool = False
    lookup: bool = False

    def __post_init__(self) -> None:
        if sorted(self._order) != list(range(len(self._order))):
            raise FaninError(
                "a layout names every axis of the tensor once, counted from 0, got "
                f"in_axes={self.in_axes}, out_axes={self.out_axes}, "
                f"batch_axes={self.batch_axes}, kernel_axes={self.kernel_axes}"
            )
        for name in ("groups", "blocks", "stride"):
            if getattr(self, name) < 1:
                raise FaninError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.groups > 1 and self.blocks > 1:
            raise FaninError(
                f"a layout has groups or blocks, not both, got groups={self.groups}, "
                f"blocks={self.blocks}"
            )
        if self._parts > 1 and not (self.in_axes if self._grouped_inputs else self.out_axes):
            raise FaninError("groups and blocks need an axis to lie along, and there is none")

    @staticmethod
    def linear() -> "Layout":
        """Describe (out, in): torch's Linear."""
        return Layout(in_axes=(1,), out_axes=(0,))

    @staticmethod
    def dense() -> "Layout":
        """Describe (in, out): the dense layers of Keras and Flax, and Conv1D of GPT-2."""
        return Layout(in_axes=(0,), out_axes=(1,))

    @staticmethod
    def stacked(blocks: int) -> "Layout":
        """Describe (blocks * out, in): fused matrices as torch's attention and LSTM store them.

        Args:
            blocks: How many matrices are stacked: 3 for query, key and value, 4 for an LSTM.

        Returns:
            The layout.

        Example:
            >>> Layout.stacked(3).fans((3 * 64, 64))
            Fans(fan_in=64.0, fan_out=64.0)
        """
        return Layout(in_axes=(1,), out_axes=(0,), blocks=blocks)

    @staticmethod
    def conv(spatial: int, groups: int = 1, stride: int = 1) -> "Layout":
        """Describe (out, in / groups, kernel...): torch's convolutions.

        Args:
            spatial: Number of kernel axes.
            groups: Groups; as many as inputs for a depthwise convolution.
            stride: Product of the strides: 4 for a stride of 2 in two dimensions.

        Returns:
            The layout.
        """
        kernel = tuple(range(2, 2 + spatial))
        return Layout((1,), (0,), kernel_axes=kernel, groups=groups, stride=stride)

    @staticmethod
    def conv_transpose(spatial: int, groups: int = 1, stride: int = 1) -> "Layout":
        """Describe (in, out / groups, kernel...): torch's transposed convolutions.

        Args:
            spatial: Number of kernel axes.
            groups: Groups.
            stride: Product of the strides.

        Returns:
            The layout.

        Example:
            >>> Layout.conv_transpose(2, stride=4).fans((64, 32, 4, 4))
            Fans(fan_in=256.0, fan_out=512.0)
        """
        kernel = tuple(range(2, 2 + spatial))
        return Layout((0,), (1,), (), kernel, groups=groups, stride=stride, transposed=True)

    @staticmethod
    def embedding() -> "Layout":
        """Describe (rows, width): one row is read, so a single term makes an output."""
        return Layout(in_axes=(0,), out_axes=(1,), lookup=True)

    @staticmethod
    def vector() -> "Layout":
        """Describe one axis: a bias or a scale, which sums over nothing and has no fans."""
        return Layout(in_axes=(), out_axes=(0,))

    def fans(self, shape: Sequence[int]) -> Fans:
        """Count the fans of a tensor of this layout, per group and per block.

        Args:
            shape: Shape of the stored tensor.

        Returns:
            For a convolution ``fan_in = in / groups * taps`` and
            ``fan_out = out / groups * taps / stride``; a transposed one divides `fan_in` by the
            stride instead.

        Raises:
            FaninError: The shape does not fit the layout, or nothing is summed over.
        """
        if not (self.in_axes or self.kernel_axes):
            raise FaninError(
                f"nothing is summed over in a tensor of shape {tuple(shape)}, so it has no fans"
            )
        _, outputs, inputs, taps = self.stack(shape)
        forward, backward = (1, self.stride) if not self.transposed else (self.stride, 1)
        terms = 1.0 if self.lookup else inputs * taps / forward
        return Fans(terms, outputs * taps / backward)

    def stack(self, shape: Sequence[int]) -> tuple[int, int, int, int]:
        """Count the matrices in a tensor, and their sizes.

        Args:
            shape: Shape of the stored tensor.

        Returns:
            (matrices, outputs, inputs, taps), each of them per matrix.

        Raises:
            FaninError: The shape does not fit the layout.

        Example:
            >>> Layout.conv(2, groups=4).stack((8, 3, 5, 5))
            (4, 2, 3, 25)
        """
        batch, outputs, inputs, taps = self._sizes(shape)
        if self._grouped_inputs:
            return batch * self._parts, outputs, inputs // self._parts, taps
        return batch * self._parts, outputs // self._parts, inputs, taps

    def kernel(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Pick out the sizes of the kernel axes.

        Args:
            shape: Shape of the stored tensor.

        Returns:
            One size per kernel axis.
        """
        return tuple(shape[axis] for axis in self.kernel_axes)

    def split(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """View a stored tensor as its pile of matrices.

        Args:
            tensor: Stored tensor.

        Returns:
            The same numbers as (matrices, outputs, inputs, taps).

        Raises:
            FaninError: The shape does not fit the layout.

        Example:
            >>> Layout.dense().split(np.array([[1, 2, 3], [4, 5, 6]]))[0, :, :, 0].tolist()
            [[1, 4], [2, 5], [3, 6]]
        """
        batch, outputs, inputs, taps = self._sizes(tensor.shape)
        ordered = tensor.transpose(self._order)
        if self._grouped_inputs:
            parts = ordered.reshape(batch, outputs, self._parts, inputs // self._parts, taps)
            parts = parts.swapaxes(1, 2)
        else:
            parts = ordered.reshape(batch, self._parts, outputs // self._parts, inputs, taps)
        return parts.reshape(self.stack(tensor.shape))

    def join(self, matrices: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
        """Store a pile of matrices: the inverse of `split`.

        Args:
            matrices: (matrices, outputs, inputs, taps).
            shape: Shape of the stored tensor.

        Returns:
            The tensor of that shape.

        Raises:
            FaninError: The shape does not fit the layout.
        """
        batch, *_ = self._sizes(shape)
        parts = matrices.reshape(batch, self._parts, *matrices.shape[1:])
        if self._grouped_inputs:
            parts = parts.swapaxes(1, 2)
        ordered = parts.reshape([shape[axis] for axis in self._order])
        return ordered.transpose(np.argsort(self._order))

    @property
    def _order(self) -> tuple[int, ...]:
        return (*self.batch_axes, *self.out_axes, *self.in_axes, *self.kernel_axes)

    @property
    def _parts(self) -> int:
        return self.groups * self.blocks

    @property
    def _grouped_inputs(self) -> bool:
        return self.transposed and self.groups > 1

    def _sizes(self, shape: Sequence[int]) -> tuple[int, int, int, int]:
        """Multiply up the axes of each kind, before groups and blocks are told apart."""
        if len(shape) != len(self._order):
            raise FaninError(
                f"this layout is for a tensor with {len(self._order)} axes, got shape "
                f"{tuple(shape)}"
            )
        kinds = (self.batch_axes, self.out_axes, self.in_axes, self.kernel_axes)
        batch, outputs, inputs, taps = (math.prod(shape[axis] for axis in kind) for kind in kinds)
        if self._parts > 1:
            axis = (self.in_axes if self._grouped_inputs else self.out_axes)[0]
            if shape[axis] % self._parts:
                kind = "groups" if self.groups > 1 else "blocks"
                raise FaninError(
                    f"axis {axis} of shape {tuple(shape)} cannot be cut into {self._parts} equal "
                    f"{kind}"
                )
        return batch, outputs, inputs, taps
