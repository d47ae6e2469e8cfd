"""The moments of a torch tensor, in one pass over it.

The device forms a few sums, which are fetched at once; all figures follow from those on the host.
Only a few examples are compared with each other: their cosine is a mean over pairs, and eight give
twenty-eight.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fanin.trace import Signal

EXAMPLES = 8
"""Examples that are compared with each other."""

ELEMENTS = 2**12
"""Elements of an example that the comparison reads, about, evenly spread over it."""

CANCELLED = 3e-3
"""Deviation, as part of the mean, below which the difference of two sums in float32 is noise."""

FLAT = 0.01
"""Part of the largest slope below which an activation counts as saturated."""

LIMITS = {
    "tanh": math.sqrt(1 - FLAT),
    "erf": math.erf(math.sqrt(-math.log(FLAT))),
}
"""Output of an odd bounded activation whose slope is `FLAT` of the largest: 1 - y^2 for tanh."""

SIGMOID = (1 - math.sqrt(1 - FLAT)) / 2
"""Distance from 0 or 1 at which a sigmoid has `FLAT` of its largest slope: y (1 - y) = FLAT / 4."""

ENDS = {
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "hardtanh": (-1.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "relu2": (0.0, math.inf),
}
"""Values at which an activation is exactly flat."""


def measure(tensor: Tensor, units: Sequence[int] = (), activation: str = "") -> Signal | None:
    """Measure a tensor.

    Args:
        tensor: Any tensor, the examples along its first axis.
        units: Axes along which its units lie; empty where that is not known.
        activation: Name of the activation it came from, to count what is saturated.

    Returns:
        The figures; None for a tensor that has no memory, no elements, or no plain numbers.

    Example:
        >>> measure(torch.tensor([[1.0, 2.0], [3.0, 2.0]]), (1,)).unit_means
        (2.0, 2.0, 2.0)
    """
    values = tensor.detach()
    if values.is_nested or values.layout is not torch.strided:
        return None
    if values.is_complex():
        values = torch.view_as_real(values)
    if values.is_meta or not values.is_floating_point() or values.numel() == 0:
        return None
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    rest = [axis for axis in range(values.ndim) if axis not in units]
    whole = not units or not rest
    # Two plain sums: torch's variance takes twenty times as long.
    squared = values.square()
    sums = [values.sum(), squared.sum()] if whole else [values.sum(rest), squared.sum(rest)]
    counts = [values.count_nonzero(), _saturated(values, activation)] if activation else []
    few = _few(values)
    spread, products = _spread(few), few @ few.T
    parts = [part.double().flatten() for part in (*sums, *counts, spread, products)]
    fetched = np.split(
        torch.cat(parts).cpu().numpy(), np.cumsum([len(part) for part in parts])[:-1]
    )
    number = values.numel() / len(fetched[0])
    means, squares = fetched[0] / number, fetched[1] / number
    zero = saturated = None
    if activation:
        zero = 1 - float(fetched[2][0]) / values.numel()
        saturated = None if math.isnan(fetched[3][0]) else float(fetched[3][0]) / values.numel()
    mean, square = float(means.mean()), float(squares.mean())
    rms = math.sqrt(square) if square >= 0 else math.nan
    off = None
    if activation and not whole:
        off = float(_off(values, (tuple(units), rest), squares).mean())
    stds = None if whole else _deviations(values, (tuple(units), rest), means, squares)
    return Signal(
        tuple(tensor.shape),
        mean,
        rms,
        None if whole else _three(means),
        None if stds is None else _three(stds),
        None if stds is None else float((stds == 0).mean()),
        zero,
        saturated,
        _correlation(fetched[-1]),
        finite=math.isfinite(mean) and math.isfinite(square),
        spread=rms * float(fetched[-2][0]) if len(fetched[-2]) else None,
        off=off,
    )


def _deviations(
    values: Tensor,
    axes: tuple[tuple[int, ...], list[int]],
    means: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Compute the deviation of each unit; anew where it is lost in the difference of two sums."""
    with np.errstate(invalid="ignore"):
        stds = np.sqrt(np.maximum(squares - means**2, 0))
        close = stds <= CANCELLED * np.abs(means)
    if close.any():
        chosen = _of_units(values, axes, close)
        varying = chosen.amax(1) > chosen.amin(1)
        exact = torch.where(varying, chosen.double().std(1, correction=0), 0.0)
        stds[close] = exact.cpu().numpy()
    return stds


def _of_units(
    values: Tensor, axes: tuple[tuple[int, ...], list[int]], chosen: NDArray[np.bool_]
) -> Tensor:
    """Gather all that some units hold, one row for each."""
    units, rest = axes
    rows = values.permute(*units, *rest).flatten(len(units)).flatten(0, len(units) - 1)
    return rows[torch.tensor(chosen).to(rows.device)]


def _off(
    values: Tensor, axes: tuple[tuple[int, ...], list[int]], squares: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Tell which units are zero throughout; the squares of small numbers vanish before they do."""
    off = squares == 0
    if off.any():
        off[off] = (_of_units(values, axes, off) == 0).all(1).cpu().numpy()
    return off


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    ordered = np.sort(values)
    return float(ordered[0]), float(ordered[(len(ordered) - 1) // 2]), float(ordered[-1])


def _saturated(values: Tensor, activation: str) -> Tensor:
    """Count the elements where the activation is flat; nan for one that is not known."""
    if activation in LIMITS:
        return (values.abs() > LIMITS[activation]).sum()
    if activation == "sigmoid":
        return ((values < SIGMOID) | (values > 1 - SIGMOID)).sum()
    if activation in ENDS:
        low, high = ENDS[activation]
        flat = values <= low
        return (flat if math.isinf(high) else flat | (values >= high)).sum()
    return values.new_full((), math.nan)


def _few(values: Tensor) -> Tensor:
    """Take a few elements of a few examples, scaled to 1; empty where there are not two."""
    if values.ndim < 2 or values.shape[0] < 2:
        return values.new_empty(0, 0)
    few = values[:EXAMPLES].flatten(1)
    few = few[:, :: max(1, few.shape[1] // ELEMENTS)]
    return few / few.abs().amax().clamp(min=torch.finfo(few.dtype).tiny)


def _spread(few: Tensor) -> Tensor:
    """Compare what differs between examples with what they hold, by root mean squares.

    The first example is taken away before the mean, so that equal ones leave exactly nothing.
    """
    if not len(few):
        return few.flatten()
    apart = few - few[:1]
    apart = apart - apart.mean(0)
    count = len(few)
    size = few.square().sum().clamp(min=torch.finfo(few.dtype).tiny)
    return (apart.square().sum() * (count / (count - 1)) / size).sqrt().flatten()


def _correlation(products: NDArray[np.float64]) -> float | None:
    """Average the cosine over pairs of examples."""
    if not len(products):
        return None
    count = math.isqrt(len(products))
    table = products.reshape(count, count)
    lengths = np.sqrt(np.diagonal(table))
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = table / np.outer(lengths, lengths)
        mean = float((cosines.sum() - np.trace(cosines)) / (count * (count - 1)))
    return None if math.isnan(mean) else mean
