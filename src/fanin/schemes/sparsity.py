"""A scheme that connects each input to a few outputs only."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from fanin.schemes.arguments import NOT_NEGATIVE, SHARE
from fanin.schemes.base import Moments, Style
from fanin.schemes.matrices import Draw, Matrices, MatrixScheme, Pile


@dataclass(frozen=True)
class sparse(MatrixScheme):
    """Gaussian, with the same number of randomly placed zeros in every column of (out, in).

    A column holds the weights from one input (of one kernel tap) to the outputs; rounded up,
    ``sparsity * out`` of them are zero, as in PyTorch's `sparse_`. Martens counts the other way: a
    fixed number of connections, 15, *into* each unit.

    Attributes:
        sparsity: Share of each column that is zero, from 0 to 1.
        std: Standard deviation of the rest. The variance of an element is ``std**2`` times the
            share that is left.

    Example:
        >>> weight = sparse(0.5).values((4, 3), seed=0, name="w")
        >>> (weight == 0).sum(axis=0).tolist()
        [2, 2, 2]

    References:
        Martens (2010), Deep learning via Hessian-free optimization, on random initialisation.
    """

    style: ClassVar[Style] = "keywords"

    sparsity: float = field(default=0.9, metadata=SHARE)
    std: float = field(default=0.01, metadata=NOT_NEGATIVE)

    def _matrices(self, draw: Draw) -> Matrices:
        matrices = self.std * draw.normals()
        # A stream of its own for the places, so that they say nothing about the values.
        ranks = draw.words("places of zeros")
        places = np.argsort(ranks, axis=1, kind="stable")[:, : self._zeros(draw)]
        np.put_along_axis(matrices, places, 0.0, axis=1)
        return matrices

    def _moments(self, pile: Pile) -> Moments:
        kept = 1 - self._zeros(pile) / pile.sizes[1]
        return Moments(0.0, self.std * math.sqrt(kept))

    def _zeros(self, pile: Pile) -> int:
        return math.ceil(self.sparsity * pile.sizes[1])
