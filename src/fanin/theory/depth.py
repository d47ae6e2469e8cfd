"""What depth does beyond the maps: finite width, residual branches, batch norm.

Each of these multiplies something per layer or per block by a factor with a closed form, so a few
lines say how deep one can go.
"""

import math
from collections.abc import Sequence

import numpy as np

from fanin.errors import FaninError
from fanin.theory.curves import curve
from fanin.theory.gains import moments
from fanin.theory.gaussian import Function


def length_error(of: str | Function, width: int, q: float = 1.0) -> float:
    """Compute how far the length of one layer's signal is off because the layer is not infinite.

    Args:
        of: A name such as ``"relu"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        width: Units of the layer.
        q: Variance of their pre-activations.

    Returns:
        Standard deviation over starts of the mean of phi^2 over the units, relative to
        E[phi^2]: ``sqrt((E[phi^4] / E[phi^2]^2 - 1) / width)``.

    Raises:
        FaninError: There is no such activation, the function cannot be integrated, q is not
            positive, or the width is below 1.

    Example:
        >>> round(length_error("relu", 500), 12)
        0.1

    References:
        The variance of a mean of independent terms; units are independent given the layer before
        (Hanin and Rolnick 2018).
    """
    if width < 1:
        raise FaninError(f"width, the number of units, must be at least 1, got {width!r}")
    return math.sqrt((moments(of, q).kurtosis - 1) / width)


def length_spread(of: str | Function, widths: Sequence[int]) -> float:
    """Compute how much the squared length at the end of a stack differs between starts.

    Args:
        of: A name such as ``"relu"``, or any function from a float64 array to numbers of the same
            shape; one for which ``phi(2 z) = 2 phi(z)`` for every z.
        widths: Units of each hidden layer.

    Returns:
        ``E[M^2] / E[M]^2`` for the squared length M and Gaussian weights: the product of
        ``1 + (E[phi^4] / E[phi^2]^2 - 1) / n``, which for relu is that of ``1 + 5 / n``. Much above
        1 most starts are far below the mean, and a few far above.

    Raises:
        FaninError: There is no such activation, it does not scale with its argument, or a width is
            below 1.

    Example:
        >>> round(length_spread("relu", [100] * 20), 4)
        2.6533

    References:
        Hanin and Rolnick (2018), How to Start Training, who bound it by an exponential of the sum
        of 1 / n. Exactly for Gaussian weights: given the layer before, the
        units are independent and identically distributed.
    """
    found = curve(of)
    z = np.linspace(-3, 3, 25)
    if np.abs(np.asarray(found(2 * z)) - 2 * np.asarray(found(z))).max() > 1e-6:
        raise FaninError(
            "the spread of lengths has this closed form only for activations that scale with their "
            "argument, such as relu, leaky_relu and linear. For others length_error gives the "
            "spread of one layer, and length_slope says what the next layers make of it"
        )
    return math.prod(1 + length_error(found, width) ** 2 for width in widths)


def batch_norm_gradient(of: str | Function) -> float:
    """Compute the factor of the mean square gradient of linear, batch norm, activation.

    Batch norm fixes the length, and pays for it here: the factor is above 1 for every activation
    but a linear one, whatever the weights, so a deep stack without skips explodes backwards.

    Args:
        of: A name such as ``"relu"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.

    Returns:
        ``E[phi'^2] / Var[phi]`` per layer, for wide layers and large batches of unrelated inputs.

    Raises:
        FaninError: There is no such activation, or the function has no slope or is constant.

    Example:
        >>> round(batch_norm_gradient("relu"), 6) == round(math.pi / (math.pi - 1), 6)
        True

    References:
        Yang, Pennington, Rao, Sohl-Dickstein and Schoenholz (2019), A Mean Field Theory of Batch
        Normalization, who give pi / (pi - 1) for relu. In general: the norm divides by the spread
        about the mean of the batch, sigma_w^2 Var[phi], and the weights bring sigma_w^2 E[phi'^2].
        That it is at least 1 is the Poincare inequality of the Gaussian.
    """
    found = moments(of)
    if not found.variance > 0:
        raise FaninError("the activation is constant: a norm would divide by zero")
    return found.slope / found.variance


def residual_growth(
    blocks: int, branch: float = 1.0, scale: float = 1.0, normalised: bool = False
) -> float:
    """Compute how much a residual stream grows.

    Args:
        blocks: Number of residual additions: two for each block of a Transformer.
        branch: Mean square that a branch makes of a stream of mean square 1.
        scale: Factor of every branch before it is added.
        normalised: Whether each branch starts with a norm, so that it sees a stream of size 1.

    Returns:
        Factor of the mean square of the stream: ``(1 + scale^2 branch)^blocks``, or with a norm
        ``1 + blocks scale^2 branch``.

    Raises:
        FaninError: A count or a mean square is negative.

    Example:
        >>> residual_growth(10)
        1024.0
        >>> round(residual_growth(1000, scale=1000**-0.5), 3)  # near e, however deep
        2.717
        >>> residual_growth(10, normalised=True)
        11.0

    References:
        Zhang, Dauphin and Ma (2019), Fixup, section 2; Hanin and Rolnick (2018); De and Smith
        (2020), for the linear growth with a norm in the branch. Branch and stream
        are uncorrelated at the start, so their mean squares add.
    """
    if blocks < 0 or branch < 0:
        raise FaninError(
            f"blocks and branch must not be negative, got blocks={blocks!r}, branch={branch!r}"
        )
    added = scale**2 * branch
    return 1 + blocks * added if normalised else (1 + added) ** blocks
