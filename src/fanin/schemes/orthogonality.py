"""Schemes that keep lengths: orthogonal matrices, and two ways to build deeper things from them.

A Gaussian matrix keeps the length of a vector on average and stretches some directions while it
shrinks others; stacked, the spread of the stretches grows with every layer. An orthogonal one
stretches nothing.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from fanin.schemes.arguments import FACTOR, as_number, word
from fanin.schemes.base import Moments
from fanin.schemes.layout import Layout
from fanin.schemes.matrices import Draw, Matrices, MatrixScheme, Pile


@dataclass(frozen=True)
class orthogonal(MatrixScheme):
    """A random orthogonal matrix, every one equally likely; rectangles are semi-orthogonal.

    The longer side has more rows than the shorter can span, so a matrix of (out, in) keeps all
    lengths when out >= in, and otherwise those of the vectors it does not send to zero. A
    convolution is taken as the matrix (out, in * taps) per group, which does not make the
    convolution itself keep lengths: `delta_orthogonal` does. Each block of a fused tensor and each
    batch index gets a matrix of its own.

    The matrix comes from the QR decomposition, in float64, of normals drawn in storage order, so a
    square or rectangular array of a given shape and name holds the same numbers whether it is
    stored as (out, in) or as (in, out). The last digits of float64 are those of the machine's
    linear algebra.

    Attributes:
        gain: Factor on every singular value: a number or the name of an activation.

    Example:
        >>> weight = orthogonal().values((3, 2), seed=0, name="w", dtype=np.float64)
        >>> bool(np.allclose(weight.T @ weight, np.eye(2)))
        True

    References:
        Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear dynamics of learning
        in deep linear neural networks, arXiv 1312.6120.
        Mezzadri (2007), How to generate random matrices from the classical compact groups,
        section 5, for the signs of the diagonal of R.
    """

    gain: float | str = field(default=1.0, metadata=FACTOR)

    def _matrices(self, draw: Draw) -> Matrices:
        return as_number(self.gain) * orthogonal_matrices(draw.normals(), draw.layout)

    def _moments(self, pile: Pile) -> Moments:
        _, outputs, inputs, taps = pile.sizes
        return Moments(0.0, abs(as_number(self.gain)) / math.sqrt(max(outputs, inputs * taps)))


@dataclass(frozen=True)
class scaled_orthogonal(MatrixScheme):
    """An orthogonal matrix, scaled so that a unit keeps its second moment whatever the shape.

    A semi-orthogonal matrix with fewer inputs than outputs spreads a length over more units, and
    each of them gets less. Multiplied by ``max(sqrt(out / in), 1)`` each unit gets the second
    moment of an input unit, times ``gain**2``, on average over the matrices; the elements have the
    standard deviation ``gain / sqrt(fan_in)``, as with `lecun_normal`, and lengths vary less.

    Kernels are flattened as in `orthogonal`. Where fewer terms meet than a matrix has inputs (the
    stride of a transposed convolution, the one row that an embedding reads), `fan_in` counts them.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer.

    Example:
        >>> wide = scaled_orthogonal().values((512, 128), seed=0, name="w", dtype=np.float64)
        >>> round(float((wide**2).sum(axis=1).mean()), 12)
        1.0

    References:
        Martens, Ballard, Desjardins, Swirszcz, Dalibard, Sohl-Dickstein and Schoenholz (2021),
        Rapid training of deep neural networks without skip connections or normalization layers
        using Deep Kernel Shaping, arXiv 2110.01765, on scaled uniform orthogonal weights.
    """

    gain: float | str = field(default=1.0, metadata=FACTOR)

    def _matrices(self, draw: Draw) -> Matrices:
        _, outputs, inputs, taps = draw.sizes
        stretch = math.sqrt(max(outputs, inputs * taps) / _terms(draw))
        return as_number(self.gain) * stretch * orthogonal_matrices(draw.normals(), draw.layout)

    def _moments(self, pile: Pile) -> Moments:
        return Moments(0.0, abs(as_number(self.gain)) / math.sqrt(_terms(pile)))


@dataclass(frozen=True)
class delta_orthogonal(MatrixScheme):
    """A convolution that is an isometry: an orthogonal matrix at the centre tap, zeros elsewhere.

    With tanh at its critical point it trains convolutional networks of 10 000 layers without
    skip connections. It needs at least as many outputs as inputs (per group); a layout without
    kernel axes gets `orthogonal` instead, so that one scheme can serve a whole network.

    The centre of an even kernel is its earlier middle tap, ``(k - 1) // 2``, as in JAX.

    Attributes:
        gain: Factor on every singular value: a number or the name of an activation.

    Example:
        >>> kernel = delta_orthogonal().values((4, 2, 3), seed=0, name="w", layout=Layout.conv(1))
        >>> [bool(kernel[:, :, tap].any()) for tap in range(3)]
        [False, True, False]

    References:
        Xiao, Bahri, Sohl-Dickstein, Schoenholz and Pennington (2018), Dynamical Isometry and a Mean
        Field Theory of CNNs, arXiv 1806.05393, on delta-orthogonal kernels.
    """

    gain: float | str = field(default=1.0, metadata=FACTOR)

    def _matrices(self, draw: Draw) -> Matrices:
        self._check(draw)
        drawn = draw.normals()
        middle = draw.centre(early=True)
        matrices = np.zeros_like(drawn)
        tap = slice(middle, middle + 1)
        matrices[..., tap] = as_number(self.gain) * orthogonal_matrices(
            drawn[..., tap], draw.layout
        )
        return matrices

    def _moments(self, pile: Pile) -> Moments:
        self._check(pile)
        _, outputs, inputs, taps = pile.sizes
        return Moments(0.0, abs(as_number(self.gain)) / math.sqrt(max(outputs, inputs) * taps))

    def _check(self, pile: Pile) -> None:
        _, outputs, inputs, _ = pile.sizes
        if pile.layout.kernel_axes and outputs < inputs:
            raise self._refusal(
                pile.shape,
                f"an isometry needs at least as many outputs as inputs, and this has {outputs} and "
                f"{inputs} per group; take orthogonal for it",
            )


@dataclass(frozen=True)
class looks_linear(MatrixScheme):
    """Mirrored blocks that make a network of relus linear at the start.

    A relu network loses half of its signal per layer; here every unit has a mirror image, and the
    pair ``relu(z), relu(-z)`` loses nothing. With an orthogonal Q, a hidden layer is
    ``[[Q, -Q], [-Q, Q]]``, the first layer ``[[Q], [-Q]]`` and the last one ``[Q, -Q]``, which is
    also what a layer after a concatenated relu (CReLU) takes. A tensor does not know its place, so
    it has to be told: mirror both for hidden layers, outputs for the first, inputs for the last.

    Attributes:
        gain: Factor on Q: a number or the name of an activation. Nothing is lost, so 1 keeps the
            size.
        mirror: ``both``, ``outputs`` or ``inputs``. What is mirrored must be even.

    Example:
        >>> weight = looks_linear(mirror="inputs").values((3, 6), seed=0, name="w")
        >>> bool((weight[:, :3] == -weight[:, 3:]).all())
        True

    References:
        Balduzzi, Frean, Leary, Lewis, Ma and McWilliams (2017), The Shattered Gradients Problem,
        arXiv 1702.08591, on the looks-linear initialisation.
    """

    gain: float | str = field(default=1.0, metadata=FACTOR)
    mirror: str = field(default="both", metadata=word("both", "outputs", "inputs"))

    def _matrices(self, draw: Draw) -> Matrices:
        outputs, inputs = self._core(draw)
        drawn = draw.normals()[:, :outputs, :inputs]
        block = as_number(self.gain) * orthogonal_matrices(drawn, draw.layout)
        if self.mirror != "outputs":
            block = np.concatenate([block, -block], axis=2)
        if self.mirror != "inputs":
            block = np.concatenate([block, -block], axis=1)
        return block

    def _moments(self, pile: Pile) -> Moments:
        outputs, inputs = self._core(pile)
        taps = pile.sizes[3]
        return Moments(0.0, abs(as_number(self.gain)) / math.sqrt(max(outputs, inputs * taps)))

    def _core(self, pile: Pile) -> tuple[int, int]:
        """Size the block that is mirrored."""
        _, outputs, inputs, _ = pile.sizes
        mirrors_out, mirrors_in = self.mirror != "inputs", self.mirror != "outputs"
        if (mirrors_out and outputs % 2) or (mirrors_in and inputs % 2):
            raise self._refusal(
                pile.shape,
                f"what is mirrored must be even, and this has {outputs} outputs and {inputs} "
                "inputs; mirror=outputs is for a first layer and mirror=inputs for a last one",
            )
        return outputs // (1 + mirrors_out), inputs // (1 + mirrors_in)


def orthogonal_matrices(drawn: Matrices, layout: Layout) -> Matrices:
    """Turn normals into orthogonal matrices of (outputs, inputs * taps)."""
    flat = drawn.reshape(*drawn.shape[:2], -1)
    rows, columns = flat.shape[1:]
    # A square could be taken either way: by storage, so that (out, in) and (in, out) agree.
    in_first = bool(layout.in_axes and layout.out_axes) and layout.in_axes < layout.out_axes
    across = rows < columns or (rows == columns and in_first)
    tall = flat.swapaxes(1, 2) if across else flat
    q, r = np.linalg.qr(tall)
    # QR alone favours some matrices; with positive diagonals of R all are equally likely.
    q = q * np.where(np.diagonal(r, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]
    return (q.swapaxes(1, 2) if across else q).reshape(drawn.shape)


def _terms(pile: Pile) -> float:
    """Count the terms that meet in an output."""
    return pile.layout.fans(pile.shape).fan_in
