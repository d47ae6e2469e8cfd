"""The functions of `torch.nn.init` that draw a matrix as a whole: orthogonal and sparse ones."""

import math
from typing import cast

import numpy as np
import torch
from torch import Tensor

from fanin.errors import FaninError
from fanin.schemes import Layout, Scheme, orthogonal, sparse
from fanin.torch.init.origin import (
    Key,
    Origin,
    check_dtype,
    check_std,
    choose_origin,
    draw_normal_,
)

FACTORED = (torch.float32, torch.float64, torch.complex64, torch.complex128)
"""Dtypes that LAPACK factors; the others are computed in float32 and cast last."""


def orthogonal_(
    tensor: Tensor,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Fill a weight with an orthogonal matrix, or the part of one that its shape can hold.

    The rows are orthonormal (times `gain`) if there are no more rows than columns, the columns
    otherwise. Axes after the second are flattened, as in torch; for a convolution this does not
    make the layer orthogonal, the scheme ``delta_orthogonal`` does. A complex tensor gets a unitary
    matrix. Half precisions are computed in float32 and cast last.

    Args:
        tensor: Shape (out, in, ...), floating point or complex, any strides.
        gain: Factor on the matrix, dimensionless.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has fewer than 2 dimensions, its dtype holds no such values (also a
            `NotImplementedError`, as in torch), or `generator`, `seed` and `name` contradict each
            other.

    Example:
        >>> w = orthogonal_(torch.empty(3, 5), gain=2, seed=0, name="w")
        >>> torch.allclose(w @ w.T, 4 * torch.eye(3), atol=1e-5)
        True

    References:
        Saxe, McClelland and Ganguli (2013), Exact solutions to the nonlinear dynamics of learning
        in deep linear neural networks, section 3; Mezzadri (2007), How to generate random matrices
        from the classical compact groups, section 5, for the signs that make the matrix uniform.
    """
    origin = choose_origin(tensor, generator, seed, name)
    if tensor.dim() < 2:
        raise FaninError(
            f"orthogonal_ fills a weight with 2 or more dimensions, got shape {tuple(tensor.shape)}"
        )
    check_dtype(tensor)
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    with torch.no_grad():
        return tensor.copy_(_orthogonal(tensor, gain, origin).reshape(tensor.shape))


def sparse_(
    tensor: Tensor,
    sparsity: float,
    std: float = 0.01,
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Fill a matrix from a normal and set a share of every column to zero.

    A column of torch's (out, in) matrix holds the outgoing weights of one input.

    Args:
        tensor: Matrix of shape (out, in), floating point or complex.
        sparsity: Share of each column that is zero, from 0 to 1, rounded up to whole elements.
        std: Standard deviation of the elements that are not zero.
        generator: Generator of torch to draw values and places with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has not exactly 2 dimensions, `sparsity` is not a share, `std` is
            negative (also a `RuntimeError`, as in torch), the dtype holds no such values (also a
            `NotImplementedError`), or `generator`, `seed` and `name` contradict each other.

    Example:
        >>> w = sparse_(torch.empty(10, 3), sparsity=0.8, seed=0, name="w")
        >>> (w == 0).sum(dim=0)
        tensor([8, 8, 8])

    References:
        Martens (2010), Deep learning via Hessian-free optimization, section 5, which limits the
        connections *into* each unit, the rows; torch, followed here, limits the columns.
    """
    origin = choose_origin(tensor, generator, seed, name)
    if tensor.dim() != 2:
        raise FaninError(f"sparse_ fills a matrix (2 dimensions), got shape {tuple(tensor.shape)}")
    if not 0 <= sparsity <= 1:
        raise FaninError(
            f"sparsity is the share of zeros in each column, from 0 to 1, got {sparsity}"
        )
    check_std(std)
    check_dtype(tensor)
    if tensor.is_meta:
        return tensor
    with torch.no_grad():
        if isinstance(origin, Key):
            return _sparse_keyed_(tensor, sparsity, std, origin)
        draw_normal_(tensor, 0.0, std, origin)
        rows, columns = tensor.shape
        device = "cpu" if origin is None else origin.device
        for column in range(columns):
            # The zeros come from the generator of the values, which torch forgets here.
            order = torch.randperm(rows, generator=origin, device=device).to(tensor.device)
            tensor[:, column].index_fill_(0, order[: math.ceil(sparsity * rows)], 0)
    return tensor


def _sparse_keyed_(tensor: Tensor, sparsity: float, std: float, key: Key) -> Tensor:
    values = _matrix(sparse(sparsity, std), tuple(tensor.shape), key)
    if tensor.is_complex():
        zero = (values == 0).to(tensor.device)
        return draw_normal_(tensor, 0.0, std, key).masked_fill_(zero, 0)
    return tensor.copy_(values)


def _orthogonal(tensor: Tensor, gain: float, origin: Origin) -> Tensor:
    """Compute the matrix for a tensor, flattened to two axes."""
    rows = tensor.shape[0]
    shape = (rows, tensor.numel() // rows)
    if isinstance(origin, Key) and not tensor.is_complex():
        return _matrix(orthogonal(), shape, origin) * gain
    if tensor.dtype in FACTORED:
        dtype = tensor.dtype
    else:
        dtype = torch.complex64 if tensor.is_complex() else torch.float32
    normals = draw_normal_(tensor.new_empty(shape, dtype=dtype), 0.0, 1.0, origin)
    wide = shape[0] < shape[1]
    tall = normals.mT if wide else normals
    unitary, triangle = cast(
        "tuple[Tensor, Tensor]",
        torch.linalg.qr(tall),  # pyright: ignore[reportUnknownMemberType]  # torch gives no type
    )
    diagonal = triangle.diagonal()
    # The sign of 0 is 0, which would lose the column.
    unitary *= torch.where(diagonal == 0, 1, diagonal.sgn())
    return (unitary.mT if wide else unitary) * gain


def _matrix(scheme: Scheme, shape: tuple[int, ...], key: Key) -> Tensor:
    """Draw the float64 matrix of a scheme; torch casts it to lower precisions through float32."""
    values = scheme.values(
        shape, seed=key.seed, name=key.name, layout=Layout.linear(), dtype=np.float64
    )
    return torch.as_tensor(values, device="cpu")
