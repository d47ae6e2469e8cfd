"""A scheme for each block of a fused tensor.

Query, key and value are three matrices, and so are the gates of an LSTM, however they are stored.
A recipe that treats them unlike each other still has to write one tensor.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.schemes.arguments import SCHEMES
from fanin.schemes.base import Moments, Request, Scheme, Style, Target
from fanin.schemes.keep import keep
from fanin.schemes.layout import Layout


@dataclass(frozen=True)
class blocks(Scheme):
    """Equal blocks along the output axis, each with a scheme of its own: ``blocks(a, b, c)``.

    Each block is drawn as that part of a whole tensor of its scheme, so ``blocks(a, a, a)`` holds
    the same numbers as ``a`` does where the blocks are matrices of their own. A vector is cut along
    its one axis.

    Attributes:
        parts: The schemes, in order; two or more.

    Example:
        >>> from fanin.schemes import normal, zeros
        >>> fused = blocks((normal(0, 0.02), normal(0, 0.02), zeros()))
        >>> str(fused)
        'blocks(normal(0, 0.02), normal(0, 0.02), zeros)'
        >>> weight = fused.values((6, 2), seed=0, name="w", layout=Layout.linear())
        >>> bool(weight[:4].all()), bool(weight[4:].any())
        (True, False)
    """

    style: ClassVar[Style] = "list"

    parts: tuple[Scheme, ...] = field(metadata=SCHEMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(isinstance(part, keep) for part in self.parts):
            raise FaninError("blocks: a tensor is written as a whole, so no part of it can be kept")

    def _promised(self, target: Target) -> Moments:
        each = [
            part.promised(settled.fans, shape=settled.shape, layout=settled.layout)
            for part, settled, _ in self._cut(target)
        ]
        mean = math.fsum(moments.mean for moments in each) / len(each)
        square = math.fsum(moments.rms**2 for moments in each) / len(each)
        return Moments(mean, math.sqrt(max(0.0, square - mean**2)))

    def _values(self, request: Request) -> NDArray[Any]:
        axis = _axis(request.layout)
        drawn = [
            part.values(
                request.shape,
                seed=request.seed,
                name=request.name,
                layout=settled.layout,
                fans=settled.fans,
                region=region,
                dtype=request.dtype,
            )
            for part, settled, region in self._cut(request)
        ]
        return np.ascontiguousarray(np.concatenate(drawn, axis)[request.region or ()])

    def _cut(self, target: Target) -> Iterator[tuple[Scheme, Target, tuple[slice, ...]]]:
        """Pair each scheme with the whole tensor as it sees it, and the region it fills."""
        shape, layout, axis = target.shape, target.layout, _axis(target.layout)
        if shape is None:
            raise FaninError(f"{self}: what it promises depends on the tensor: pass shape=")
        count = len(self.parts)
        if len(shape) <= axis or shape[axis] % count:
            raise FaninError(
                f"{self} cannot fill a tensor of shape {shape}: it needs {count} equal blocks "
                f"along axis {axis}"
            )
        settled = target
        if layout is not None and layout.blocks != count:
            if layout.blocks > 1 or layout.groups > 1:
                raise FaninError(
                    f"{self} cannot fill a tensor of shape {shape}: its layout has "
                    f"{layout.blocks} blocks and {layout.groups} groups, and {count} schemes came"
                )
            fused = replace(layout, blocks=count)
            summed = fused.in_axes or fused.kernel_axes
            settled = replace(
                target, layout=fused, fans=fused.fans(shape) if summed else target.fans
            )
        size = shape[axis] // count
        for place, part in enumerate(self.parts):
            here = slice(place * size, (place + 1) * size)
            yield part, settled, (*(slice(None),) * axis, here)


def _axis(layout: Layout | None) -> int:
    return layout.out_axes[0] if layout is not None and layout.out_axes else 0
