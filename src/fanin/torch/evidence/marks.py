"""Figures of a tensor that its whole moments do not tell: those of its blocks, and its grid."""

import torch
from torch import Tensor

from fanin.errors import FaninError
from fanin.schemes import Layout

SAMPLE = 4096
"""Elements that are held against the grid of a coarser dtype."""


def block_moments(tensor: Tensor, layout: Layout | None) -> tuple[tuple[float, float], ...]:
    """Read the moments of matrices that are fused along the first output axis.

    Args:
        tensor: The stored tensor.
        layout: What its axes are for.

    Returns:
        Mean and standard deviation of each block, in order; empty where there is one alone.

    Example:
        >>> stacked = torch.cat([torch.zeros(2, 3), torch.ones(2, 3)])
        >>> block_moments(stacked, Layout.stacked(2))
        ((0.0, 0.0), (1.0, 0.0))
    """
    if layout is None or layout.blocks < 2 or tensor.is_complex() or not tensor.numel():
        return ()
    try:
        layout.stack(tuple(tensor.shape))
    except FaninError:
        return ()
    blocks = tensor.chunk(layout.blocks, layout.out_axes[0])
    return tuple(
        (part.mean().item(), part.std(correction=0).item()) for part in map(Tensor.double, blocks)
    )


def grid_of(tensor: Tensor) -> str:
    """Tell whether the numbers of a float32 or float64 tensor are all of a coarser dtype.

    Args:
        tensor: The tensor.

    Returns:
        ``"bfloat16"`` or ``"float16"`` where every element of a sample is such a number; empty
        otherwise.

    Example:
        >>> drawn = torch.randn(100, generator=torch.Generator().manual_seed(0))
        >>> grid_of(drawn), grid_of(drawn.bfloat16().float())
        ('', 'bfloat16')
    """
    if tensor.dtype not in (torch.float32, torch.float64) or not tensor.numel():
        return ""
    sample = _sampled(tensor)
    for dtype in (torch.bfloat16, torch.float16):
        if bool((sample.to(dtype).to(tensor.dtype) == sample).all()):
            return str(dtype).removeprefix("torch.")
    return ""


def _sampled(tensor: Tensor) -> Tensor:
    flat = tensor.detach().reshape(-1) if tensor.is_contiguous() else tensor.detach()[:1].flatten()
    return flat[:: max(1, flat.numel() // SAMPLE)]
