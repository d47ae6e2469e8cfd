"""Schemes about the identity: a layer that starts by passing its input on.

Where outputs and inputs differ in number, as many inputs as fit are passed on; `hadamard` mixes
them so that no output starts at zero.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fanin.schemes.arguments import COUNT, FACTOR, NOT_NEGATIVE, as_number
from fanin.schemes.base import Moments, Style
from fanin.schemes.matrices import Draw, Matrices, MatrixScheme, Pile


@dataclass(frozen=True)
class eye(MatrixScheme):
    """The identity matrix: ones on the main diagonal, zeros elsewhere.

    A matrix that is not square has ones as far as the shorter side goes, as in PyTorch. One matrix
    for each block and batch index. For convolutions take `dirac`.

    Attributes:
        gain: What stands on the diagonal: a number or the name of an activation.

    Example:
        >>> eye().values((2, 3), seed=0, name="w").tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    gain: float | str = field(default=1.0, metadata=FACTOR)

    def _matrices(self, draw: Draw) -> Matrices:
        self._check(draw)
        return as_number(self.gain) * _identity(draw)

    def _moments(self, pile: Pile) -> Moments:
        self._check(pile)
        return _identity_moments(pile, as_number(self.gain))

    def _check(self, pile: Pile) -> None:
        if pile.layout.kernel_axes:
            raise self._refusal(pile.shape, "it is for matrices; for a convolution take dirac")


@dataclass(frozen=True)
class dirac(MatrixScheme):
    """The identity as a convolution: a one at the centre tap from each input to its output.

    With "same" padding the layer passes its channels on. The centre of an even kernel is its later
    middle tap, ``k // 2``, as in PyTorch. A layout without kernel axes gets the identity matrix.

    Attributes:
        groups: Equal groups of outputs, each of which passes on the same inputs. A grouped
            convolution brings its own groups with its layout, and needs none here.

    Example:
        >>> from fanin.schemes import Layout
        >>> dirac().values((2, 1, 3), seed=0, name="w", layout=Layout.conv(1)).tolist()
        [[[0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]]]
    """

    groups: int = field(default=1, metadata=COUNT)

    def _matrices(self, draw: Draw) -> Matrices:
        return _identity(draw, self._per_matrix(draw))

    def _moments(self, pile: Pile) -> Moments:
        return _identity_moments(pile, 1.0, self._per_matrix(pile))

    def _per_matrix(self, pile: Pile) -> int:
        """Settle how many groups of outputs share one matrix of the layout."""
        if self.groups == pile.layout.groups:
            return 1
        outputs = pile.sizes[1]
        if pile.layout.groups > 1 and self.groups > 1:
            raise self._refusal(
                pile.shape,
                f"its layer has {pile.layout.groups} groups; leave groups out to take them",
            )
        if outputs % self.groups:
            raise self._refusal(
                pile.shape, f"{outputs} outputs cannot be cut into {self.groups} equal groups"
            )
        return self.groups


@dataclass(frozen=True)
class identity_plus_noise(MatrixScheme):
    """The identity (at the centre tap of a kernel) with Gaussian noise added everywhere.

    The noise tells apart the units that the identity leaves unconnected.

    Attributes:
        std: Standard deviation of the noise.
        gain: What stands on the diagonal before the noise: a number or the name of an activation.

    Example:
        >>> identity_plus_noise(std=0).values((2, 2), seed=0, name="w").tolist()
        [[1.0, 0.0], [0.0, 1.0]]

    References:
        Le, Jaitly and Hinton (2015), A Simple Way to Initialize Recurrent Networks of Rectified
        Linear Units, arXiv 1504.00941, starts recurrent matrices at the identity.
    """

    style: ClassVar[Style] = "keywords"

    std: float = field(default=0.01, metadata=NOT_NEGATIVE)
    gain: float | str = field(default=1.0, metadata=FACTOR)

    def _matrices(self, draw: Draw) -> Matrices:
        noise = self.std * draw.normals()
        return as_number(self.gain) * _identity(draw) + noise

    def _moments(self, pile: Pile) -> Moments:
        plain = _identity_moments(pile, as_number(self.gain))
        return Moments(plain.mean, math.hypot(plain.std, self.std))


@dataclass(frozen=True)
class hadamard(MatrixScheme):
    """Zeros, ones and nothing random: the identity, or a Hadamard matrix where outputs outnumber.

    With out <= in the matrix is the identity as far as it goes. With more outputs, a partial
    identity would leave some of them at zero and alike for ever, so every output gets a sum of
    inputs with signs: the first (out, in) entries of the Sylvester matrix H of side ``2**m``, the
    smallest power of two that is at least out. A convolution has it at its centre tap, ``k // 2``.

    H is divided by ``2**(m / 2)``, so that its columns have length 1 and lengths are kept when out
    is a power of two (and lost in part otherwise). The authors' code does the same. The paper
    prints the constant ``2**(-(m - 1) / 2)``, larger by sqrt 2: that is ``gain=relu``.

    Attributes:
        gain: Factor on the matrix: a number or the name of an activation.

    Example:
        >>> hadamard().values((4, 2), seed=0, name="w").tolist()
        [[0.5, 0.5], [0.5, -0.5], [0.5, 0.5], [0.5, -0.5]]

    References:
        Zhao, Schaefer and Anandkumar (2022), ZerO Initialization, arXiv 2110.12661.
    """

    gain: float | str = field(default=1.0, metadata=FACTOR)

    def _matrices(self, draw: Draw) -> Matrices:
        count, outputs, inputs, taps = draw.sizes
        if outputs <= inputs:
            return as_number(self.gain) * _identity(draw)
        signs = _sylvester(outputs, inputs)
        matrices = np.zeros((count, outputs, inputs, taps))
        matrices[..., draw.centre()] = _entry(self.gain, outputs) * signs
        return matrices

    def _moments(self, pile: Pile) -> Moments:
        _, outputs, inputs, _ = pile.sizes
        if outputs <= inputs:
            return _identity_moments(pile, as_number(self.gain))
        entry = _entry(self.gain, outputs)
        total = entry * _sum_of_corner(outputs, inputs)
        return pile.moments(total, entry**2 * outputs * inputs)


def _identity(pile: Pile, groups: int = 1) -> Matrices:
    """Put a one at the centre tap from each input to its output, again for each group."""
    count, outputs, inputs, taps = pile.sizes
    matrices = np.zeros((count, outputs, inputs, taps))
    place = np.arange(min(outputs // groups, inputs))
    for first in range(0, outputs, outputs // groups):
        matrices[:, first + place, place, pile.centre()] = 1.0
    return matrices


def _identity_moments(pile: Pile, diagonal: float, groups: int = 1) -> Moments:
    _, outputs, inputs, _ = pile.sizes
    entries = groups * min(outputs // groups, inputs)
    return pile.moments(diagonal * entries, diagonal**2 * entries)


def _entry(gain: float | str, outputs: int) -> float:
    """Size of the entries: columns of the power of two at or above `outputs` have length gain."""
    return as_number(gain) / math.sqrt(2 ** math.ceil(math.log2(outputs)))


def _sylvester(rows: int, columns: int) -> NDArray[np.float64]:
    """Build a corner of Sylvester's matrix: entry (i, j) is (-1)**(ones in the bits of i & j)."""
    shared = np.arange(rows)[:, None] & np.arange(columns)
    for shift in (32, 16, 8, 4, 2, 1):
        shared ^= shared >> shift
    return np.where(shared & 1, -1.0, 1.0)


def _sum_of_corner(rows: int, columns: int) -> int:
    """Add up a corner of Sylvester's matrix without building it.

    The matrix is four copies of the one of half the side, the last negated, and all columns (and
    rows) of a copy add up to nothing but the first.
    """
    rows, columns = max(rows, columns), min(rows, columns)
    if rows == 1:
        return 1
    half = 2 ** ((rows - 1).bit_length() - 1)
    if columns <= half:
        return half + _sum_of_corner(rows - half, columns)
    return 3 * half - _sum_of_corner(rows - half, columns - half)
