"""Moments of a tensor from one read, a block at a time.

Power sums are taken about the mean of the first block, which is near enough to the mean of all that
nothing cancels. Blocks are float32, whose pairwise sums are good to six digits, and float64 where
the numbers are too large for a fourth power.

References:
    Chan, Golub and LeVeque (1983), Algorithms for computing the sample variance, section 2, on
    pairwise sums and on shifting by an estimate of the mean.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 2**20
"""Elements read at a time."""


@dataclass(frozen=True)
class Moments:
    """What one read tells; moments are those of the finite elements.

    Attributes:
        count: Number of elements.
        mean: Mean.
        std: Standard deviation.
        minimum: Smallest element.
        maximum: Largest element.
        kurtosis: Fourth standardised moment.
        nan: Elements that are nan.
        infinite: Elements that are infinite.
        zero: Elements that are zero.
        denormal: Elements too small for the dtype's normal numbers.
    """

    count: int = 0
    mean: float = math.nan
    std: float = math.nan
    minimum: float = math.nan
    maximum: float = math.nan
    kurtosis: float = math.nan
    nan: int = 0
    infinite: int = 0
    zero: int = 0
    denormal: int = 0


def moments(tensor: Tensor) -> Moments:
    """Read a tensor once.

    Args:
        tensor: Real numbers, on any device.

    Returns:
        Its moments.

    Example:
        >>> read = moments(torch.tensor([1.0, 2.0, float("nan"), 0.0]))
        >>> read.mean, read.nan, read.zero
        (1.0, 1, 1)
    """
    count, nan, infinite, zero, denormal = 0, 0, 0, 0, 0
    pivot: float | None = None
    sums = [0.0, 0.0, 0.0, 0.0]
    low, high = math.inf, -math.inf
    tiny = torch.finfo(tensor.dtype).tiny if tensor.is_floating_point() else 0.0
    for block in _blocks(tensor):
        finite = block
        if not math.isfinite(block.sum().item()):
            mask = block.isfinite()
            nan += int(block.isnan().sum())
            infinite += block.numel() - int(mask.sum()) - int(block.isnan().sum())
            finite = block[mask]
        if finite.numel() == 0:
            continue
        if pivot is None:
            pivot = finite.double().mean().item()
        least, most = (bound.item() for bound in torch.aminmax(finite))
        low, high = min(low, least), max(high, most)
        nought = int((finite == 0).sum())
        zero += nought
        if tiny and -tiny < most and least < tiny:
            denormal += int((finite.abs() < tiny).sum()) - nought
        if max(abs(least), abs(most)) > 1e8:
            finite = finite.double()
        centred = finite - pivot
        square = centred * centred
        sums[0] += centred.sum().item()
        sums[1] += square.sum().item()
        sums[2] += torch.dot(square, centred).item()
        sums[3] += torch.dot(square, square).item()
        count += finite.numel()
    if count == 0 or pivot is None:
        return Moments(tensor.numel(), nan=nan, infinite=infinite)
    shift, second, third, fourth = (total / count for total in sums)
    variance = max(0.0, second - shift**2)
    central = fourth - 4 * shift * third + 6 * shift**2 * second - 3 * shift**4
    constant = low == high
    return Moments(
        tensor.numel(),
        low if constant else pivot + shift,
        0.0 if constant else math.sqrt(variance),
        low,
        high,
        math.nan if constant or variance == 0 else central / variance**2,
        nan,
        infinite,
        zero,
        denormal,
    )


def _blocks(tensor: Tensor) -> Iterator[Tensor]:
    # Moments do not depend on the order, and a transposed tensor need not be copied.
    axes = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
    flat = tensor.permute(axes).reshape(-1)
    wide = flat.dtype == torch.float64 or not flat.is_floating_point()
    for start in range(0, flat.numel(), BLOCK):
        block = flat[start : start + BLOCK]
        yield block.double() if wide else block.float()
