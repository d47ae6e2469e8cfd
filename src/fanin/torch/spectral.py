"""The singular vectors that spectral norm keeps beside its weight.

A layer with spectral norm divides its weight by an estimate of the largest singular value, made
from two vectors it stores. They belong to one weight: with those of another the estimate is far too
small and the layer far too large, so a new weight needs new vectors.
"""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fanin.draws import Normal
from fanin.torch.draws import sample_
from fanin.torch.places import cannot_hold

ITERATIONS = 15
"""As many as `torch.nn.utils.parametrizations.spectral_norm` makes for its first estimate."""

NOTE = "spectral_norm divides these values by their largest singular value"
"""What the reader of a plan has to know: the values are those of the original."""


def singular_vectors(matrix: Tensor, seed: int, name: str) -> tuple[Tensor, Tensor]:
    """Estimate the first left and right singular vector by power iteration.

    The start of the iteration is drawn, so that the vectors too are a function of seed and name.

    Args:
        matrix: The weight as (rows, columns).
        seed: The one seed.
        name: Name of the parameter.

    Returns:
        Vectors of unit length, of the matrix's dtype: (rows,) and (columns,).

    Raises:
        FaninError: The matrix is zero, and nothing can be divided by its norm.

    Example:
        >>> left, right = singular_vectors(torch.diag(torch.tensor([5.0, 2.0])), 0, "weight")
        >>> abs(round(float(left[0]), 3)), abs(round(float(right[0]), 3))
        (1.0, 1.0)

    References:
        Miyato et al. (2018), Spectral Normalization for Generative Adversarial Networks,
        algorithm 1.
    """
    wide = matrix.float()
    left = sample_(torch.empty_like(wide[:, 0]), Normal(), seed, f"{name}/singular vector")
    right = torch.zeros_like(wide[0])
    for _ in range(ITERATIONS):
        right = normalize(wide.mT @ left, dim=0)
        left = normalize(wide @ right, dim=0)
    if not left @ wide @ right > 0:
        raise cannot_hold(name, "spectral_norm")
    return left.to(matrix.dtype), right.to(matrix.dtype)
