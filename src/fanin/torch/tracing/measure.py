"""The moments of a torch tensor, in one pass and without waiting for the device.

Figures stay on the device as one small vector until the pass is over. Only a few examples are
compared with each other: their cosine is a mean over pairs, and eight give twenty-eight.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
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


@dataclass(frozen=True)
class Measured:
    """Figures that still lie on the device.

    Attributes:
        shape: Shape of the tensor.
        figures: Mean, second moment, the three unit means, the three unit standard deviations, the
            dead fraction, zero, saturated, correlation; nan where there is none.
    """

    shape: tuple[int, ...]
    figures: Tensor

    def signal(self) -> Signal:
        """Fetch the figures.

        Returns:
            The signal.
        """
        return as_signal(self.shape, self.figures.tolist())


def as_signal(shape: tuple[int, ...], figures: Sequence[float]) -> Signal:
    """Name the figures of a measurement.

    Args:
        shape: Shape of the tensor.
        figures: As in `Measured`.

    Returns:
        The signal.
    """
    mean, square, *units, dead, zero, saturated, correlation = figures
    known = [None if math.isnan(value) else value for value in (dead, zero, saturated, correlation)]
    whole = not math.isnan(units[0])
    return Signal(
        shape,
        mean,
        math.sqrt(square) if square >= 0 else math.nan,
        (units[0], units[1], units[2]) if whole else None,
        (units[3], units[4], units[5]) if whole else None,
        *known,
        finite=math.isfinite(mean) and math.isfinite(square),
    )


def measure(tensor: Tensor, units: Sequence[int] = (), activation: str = "") -> Measured | None:
    """Measure a tensor.

    Args:
        tensor: Any tensor, the examples along its first axis.
        units: Axes along which its units lie; empty where that is not known.
        activation: Name of the activation it came from, to count what is saturated.

    Returns:
        The figures; None for a tensor that has no memory, no elements, or no plain numbers.
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
    missing = values.new_full((), math.nan, dtype=torch.float64)
    # Two plain sums: torch's variance takes twenty times as long.
    if units and rest:
        count = math.prod(values.shape[axis] for axis in rest)
        means = values.sum(rest).double().flatten() / count
        squares = values.square().sum(rest).double().flatten() / count
        square = squares.mean()
        stds = (squares - means**2).clamp(min=0).sqrt()
        close = stds <= CANCELLED * means.abs()
        if bool(close.any()):
            stds = torch.where(close, _exact_stds(values, units, rest, close), stds)
        spread = [*_three(means), *_three(stds)]
        dead = (stds == 0).double().mean()
    else:
        means = values.sum().double() / values.numel()
        square = values.square().sum().double() / values.numel()
        spread, dead = [missing] * 6, missing
    zero, saturated = missing, missing
    if activation:
        zero = (values == 0).double().mean()
        saturated = _saturated(values, activation, missing)
    figures = [means.mean(), square, *spread, dead, zero, saturated, _correlation(values, missing)]
    return Measured(tuple(tensor.shape), torch.stack(figures))


def _exact_stds(values: Tensor, units: Sequence[int], rest: Sequence[int], close: Tensor) -> Tensor:
    """Compute the deviations of units that hardly vary, where the two sums have lost them."""
    first = values.permute(*units, *rest).flatten(len(units)).flatten(0, len(units) - 1)
    stds = torch.zeros(len(first), dtype=torch.float64, device=values.device)
    chosen = first[close]
    varying = chosen.amax(1) > chosen.amin(1)
    stds[close] = torch.where(varying, chosen.double().std(1, correction=0), 0.0)
    return stds


def _three(values: Tensor) -> list[Tensor]:
    return [values.min(), values.median(), values.max()]


def _saturated(values: Tensor, activation: str, missing: Tensor) -> Tensor:
    if activation in LIMITS:
        return (values.abs() > LIMITS[activation]).double().mean()
    if activation == "sigmoid":
        return ((values < SIGMOID) | (values > 1 - SIGMOID)).double().mean()
    if activation in ENDS:
        low, high = ENDS[activation]
        return ((values <= low) | (values >= high)).double().mean()
    return missing


def _correlation(values: Tensor, missing: Tensor) -> Tensor:
    """Average the cosine over pairs of examples."""
    if values.ndim < 2 or values.shape[0] < 2:
        return missing
    few = values[:EXAMPLES].flatten(1)
    few = few[:, :: max(1, few.shape[1] // ELEMENTS)].float()
    lengths = few.norm(dim=1, keepdim=True)
    directions = few / lengths
    count = len(few)
    total = directions.sum(0).square().sum() - count
    return (total / (count * (count - 1))).double()
