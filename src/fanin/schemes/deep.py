"""Orthogonal starts for deep plain stacks, where an activation does more than bend.

A relu throws half of the signal away, a sigmoid adds a half to everything; hundreds of such layers
leave nothing to learn from. Both are undone by the matrix before and after: units in mirrored pairs
lose nothing, and a matrix that ignores what all inputs share passes no offset on.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from fanin.schemes.arguments import FACTOR, as_number, word
from fanin.schemes.base import Moments
from fanin.schemes.matrices import Draw, Matrices, MatrixScheme, Pile
from fanin.schemes.orthogonality import looks_linear, orthogonal_matrices


@dataclass(frozen=True)
class mirrored(looks_linear):
    """Units in mirrored pairs: looks-linear weights that keep the size of a unit in any shape.

    As `looks_linear`, with two differences that deep stacks of all kinds need: a wider layer is
    scaled by ``sqrt(out / in)``, so that each unit keeps its second moment, and a convolution has
    its matrix at the centre tap, so that it keeps lengths too (but for the first of a stack, which
    reads whole patches). Where ``phi(z) - phi(-z)`` is the identity (relu, gelu, silu, softplus)
    the whole stack starts as an isometry, at any depth.

    Attributes:
        gain: Factor on every singular value: a number or the name of an activation. A pair of relus
            loses nothing, so 1 keeps the size.
        mirror: ``both`` for a layer between two others, ``outputs`` for the first of a stack,
            ``inputs`` for the last. What is mirrored must be even.

    Example:
        >>> weight = mirrored().values((8, 4), seed=0, name="w", dtype=np.float64)
        >>> bool((weight[:4, :2] == weight[4:, 2:]).all()), bool((weight[:4] == -weight[4:]).all())
        (True, True)

    References:
        Balduzzi, Frean, Leary, Lewis, Ma and McWilliams (2017), The Shattered Gradients Problem,
        arXiv 1702.08591, on the looks-linear initialisation. Xiao et al. (2018), arXiv 1806.05393,
        for the centre tap, and Martens et al. (2021), arXiv 2110.01765, for how rectangles are
        scaled.
    """

    def _matrices(self, draw: Draw) -> Matrices:
        outputs, inputs = self._core(draw)
        tap, drawn = _centre(draw, outputs, inputs)
        if self.mirror == "outputs":
            tap, drawn = slice(None), draw.normals()[:, :outputs]
        terms = inputs * drawn.shape[-1]
        stretch = math.sqrt(max(outputs, terms) / terms)
        block = as_number(self.gain) * stretch * orthogonal_matrices(drawn, draw.layout)
        if self.mirror != "outputs":
            block = np.concatenate([block, -block], axis=2)
        if self.mirror != "inputs":
            block = np.concatenate([block, -block], axis=1)
        return _at(tap, block, draw)

    def _moments(self, pile: Pile) -> Moments:
        _, inputs = self._core(pile)
        return Moments(0.0, abs(as_number(self.gain)) / math.sqrt(inputs * pile.sizes[3]))


@dataclass(frozen=True)
class centred_orthogonal(MatrixScheme):
    """Orthogonal, and blind to what all inputs have in common: for sigmoids and their kind.

    After a sigmoid every unit sits near 0.5, and a plain matrix turns this common offset into a
    constant that swamps the signal. Here the rows sum to zero, so the offset is not passed on, and
    so do the columns, so nothing is lost to the next such layer: between the directions that sum to
    zero the matrix is orthogonal. Rectangles are scaled as in `scaled_orthogonal`, a convolution
    has its matrix at the centre tap.

    Attributes:
        gain: Factor on every singular value: a number or the name of an activation. A sigmoid has
            the slope 1/4 at 0, so 4 keeps small signals, and a little more makes up for its bend.
        sides: ``both`` where another such layer follows, ``inputs`` for the last of a stack.

    Example:
        >>> weight = centred_orthogonal().values((6, 4), seed=0, name="w", dtype=np.float64)
        >>> bool(np.allclose(weight.sum(axis=1), 0)), bool(np.allclose(weight.sum(axis=0), 0))
        (True, True)

    References:
        The scale of rectangles is that of Martens et al. (2021), arXiv 2110.01765. Taking out the
        mean that an activation adds is the bias centring of data-dependent starts (Mishkin and
        Matas 2016, arXiv 1511.06422, normalise the variance alone), done by the matrix.
    """

    gain: float | str = field(default=1.0, metadata=FACTOR)
    sides: str = field(default="both", metadata=word("both", "inputs"))

    def _matrices(self, draw: Draw) -> Matrices:
        _, outputs, inputs, _ = draw.sizes
        rows, columns = self._core(draw)
        tap, drawn = _centre(draw, rows, columns)
        core = orthogonal_matrices(drawn, draw.layout)[..., 0]
        whole = core @ _sum_free(inputs).T
        if self.sides == "both":
            whole = _sum_free(outputs) @ whole
        stretch = math.sqrt(outputs * columns / (inputs * min(rows, columns)))
        return _at(tap, as_number(self.gain) * stretch * whole[..., None], draw)

    def _moments(self, pile: Pile) -> Moments:
        _, _, inputs, taps = pile.sizes
        self._core(pile)
        return Moments(0.0, abs(as_number(self.gain)) * math.sqrt((inputs - 1) / taps) / inputs)

    def _core(self, pile: Pile) -> tuple[int, int]:
        """Size the matrix between the directions that sum to zero."""
        _, outputs, inputs, _ = pile.sizes
        if inputs < 2 or (outputs < 2 and self.sides == "both"):
            raise self._refusal(
                pile.shape,
                f"nothing sums to zero with {outputs} outputs and {inputs} inputs; sides=inputs "
                "is for a last layer, and two inputs are the least",
            )
        return outputs - (self.sides == "both"), inputs - 1


def _centre(draw: Draw, rows: int, columns: int) -> tuple[slice, Matrices]:
    """Pick the centre tap, and the normals that the matrix there is made from."""
    middle = draw.centre(early=True)
    tap = slice(middle, middle + 1)
    return tap, draw.normals()[:, :rows, :columns, tap]


def _at(tap: slice, block: Matrices, draw: Draw) -> Matrices:
    matrices = np.zeros(draw.sizes)
    matrices[..., tap] = block
    return matrices


def _sum_free(size: int) -> Matrices:
    """Make an orthonormal basis (size, size - 1) of the vectors that sum to zero: Helmert's."""
    columns = np.arange(1, size)
    basis = np.triu(np.full((size, size - 1), -1.0))
    basis[columns, columns - 1] = columns
    return basis / np.sqrt(columns * (columns + 1))
