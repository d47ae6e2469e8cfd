"""What a model holds now: the moments of every parameter, in one pass.

The values are those that the layers compute with, behind parametrisations and hooks too, and are
read a block at a time in float64, so that a large table costs no memory and a half-precision one no
digits. Against a plan they tell whether an initialisation was applied.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from fanin.errors import FaninError
from fanin.recipes import Held
from fanin.torch.layouts import survey

BLOCK = 2**20
"""Elements read at a time: 8 MB in float64."""


def held(model: nn.Module) -> dict[str, Held]:
    """Read the moments of every parameter.

    Args:
        model: Any module with memory, on any device, of any dtype; left alone.

    Returns:
        Name, as a plan has it, to the moments. A tied weight is read once.

    Raises:
        FaninError: A parameter has no memory, or its numbers cannot be ordered.

    Example:
        >>> moments = held(nn.LayerNorm(4))["weight"]
        >>> moments.mean, moments.std, moments.shape
        (1.0, 0.0, (4,))
    """
    read = dict[str, Held]()
    with torch.no_grad():
        for site in survey(model):
            now = site.place.current()
            if now.is_meta or now.is_complex() or is_traceable_wrapper_subclass(now):
                raise FaninError(
                    f"{site.slot.name} cannot be read: it is {_kind(now)}. Read the model before "
                    "it is sharded or after it has memory"
                )
            read[site.slot.name] = _moments(now)
    return read


def _kind(tensor: Tensor) -> str:
    if tensor.is_meta:
        return "on the meta device and has no values"
    return "complex" if tensor.is_complex() else "a tensor of a wrapped kind (sharded or quantised)"


def _moments(tensor: Tensor) -> Held:
    """Merge the moments of the blocks.

    References:
        Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance, equations 2.1.
    """
    count, mean, squares = 0, 0.0, 0.0
    least, most, finite = math.inf, -math.inf, True
    for block in _blocks(tensor):
        size, own = block.numel(), block.mean().item()
        finite = finite and bool(block.isfinite().all())
        shift = own - mean
        squares += (block - own).square().sum().item()
        squares += shift**2 * count * size / (count + size)
        mean += shift * size / (count + size)
        count += size
        numbers = block[~block.isnan()]
        if numbers.numel():
            least, most = min(least, numbers.min().item()), max(most, numbers.max().item())
    if count == 0 or least > most:
        return Held(math.nan, math.nan, math.nan, math.nan, finite, tuple(tensor.shape))
    std = math.sqrt(squares / count) if finite else math.nan
    return Held(mean if finite else math.nan, std, least, most, finite, tuple(tensor.shape))


def _blocks(tensor: Tensor) -> Iterator[Tensor]:
    """Cut a tensor into float64 blocks, in the order of its memory where it is dense."""
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    # Moments do not depend on the order, and a transposed tensor need not be copied.
    axes = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    flat = tensor.permute(axes).reshape(-1)
    for start in range(0, flat.numel(), BLOCK):
        yield flat[start : start + BLOCK].double()
