"""A signal followed layer by layer, as the theory predicts it for a wide network.

The maps applied again and again from a given input: what a measured trace is held against.
"""

import math
from dataclasses import dataclass

from fanin.errors import FaninError
from fanin.theory.curves import curve
from fanin.theory.gaussian import Function
from fanin.theory.maps import chi, correlation_map, length_map, see_sigmas

LARGEST = 1e76
"""A variance beyond the square of the largest float32 has exploded: it counts as infinite."""

SMALLEST = 1e-76
"""One below the square of the smallest has died: it counts as zero."""


@dataclass(frozen=True)
class Propagation:
    """What a wide plain network does to a signal.

    Attributes:
        lengths: Variance of the pre-activations of each layer, the first of them given.
        gradients: Mean square of the gradient at the pre-activations of each layer, relative to
            that at the last; for layers of equal width.
        correlations: Correlation of the pre-activations of two inputs; None where none was given.

    Example:
        >>> [round(q, 12) for q in propagate("relu", 3, sigma_w=1.0).lengths]
        [1.0, 0.5, 0.25, 0.125]
    """

    lengths: tuple[float, ...]
    gradients: tuple[float, ...]
    correlations: tuple[float, ...] | None = None


def propagate(
    of: str | Function,
    depth: int,
    sigma_w: float,
    sigma_b: float = 0.0,
    q: float = 1.0,
    correlation: float | None = None,
) -> Propagation:
    """Follow length, gradient and correlation through a plain network.

    Args:
        of: A name such as ``"tanh"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        depth: Number of layers after the first.
        sigma_w: Standard deviation of the weights times sqrt(fan_in).
        sigma_b: Standard deviation of the biases.
        q: Variance of the pre-activations of the first layer.
        correlation: Correlation of the pre-activations of two inputs in the first layer; left out,
            none is followed, which is much faster.

    Returns:
        ``depth + 1`` figures of each kind. A variance that leaves the range of 1e-76 to 1e76 is 0
        or infinite from there on, and its gradients and correlations are nan.

    Raises:
        FaninError: There is no such activation, the function has no slope, q is not positive, or a
            sigma or the depth is negative.

    Example:
        >>> found = propagate("tanh", 50, sigma_w=5 / 3)  # PyTorch's gain
        >>> round(found.lengths[-1], 3), f"{found.gradients[0]:.1e}"
        (1.178, '1.5e+04')

    References:
        Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017), sections 3 and 5.
    """
    see_sigmas(sigma_w, sigma_b)
    if depth < 0:
        raise FaninError(f"depth, the number of layers, must not be negative, got {depth!r}")
    found = curve(of)
    lengths, slopes = [q], list[float]()
    correlations = None if correlation is None else [correlation]
    for _ in range(depth):
        q = lengths[-1]
        alive = 0 < q < math.inf
        slopes.append(chi(found, q, sigma_w) if alive else math.nan)
        if correlations is not None:
            c = min(1.0, max(-1.0, correlations[-1]))
            following = correlation_map(found, c, q, sigma_w, sigma_b) if alive else math.nan
            correlations.append(following)
        lengths.append(_settled(length_map(found, q, sigma_w, sigma_b)) if alive else q)
    gradients = [1.0]
    for slope in reversed(slopes):
        gradients.append(gradients[-1] * slope)
    pairs = None if correlations is None else tuple(correlations)
    return Propagation(tuple(lengths), tuple(reversed(gradients)), pairs)


def _settled(q: float) -> float:
    if q < SMALLEST:
        return 0.0
    return q if q < LARGEST else math.inf
