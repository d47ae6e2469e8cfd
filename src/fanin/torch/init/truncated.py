"""A normal distribution kept between two absolute bounds, wherever the bounds lie.

With torch's generator the values are proposed and the misfits proposed again, in the order in which
torch does it, so float32 numbers equal torch's. Two things differ: the number of rounds is bounded,
and whatever is left after them, or would be too rarely accepted to begin with, comes from the
inverse distribution function, which always answers. With fanin's draws there are no rounds.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fanin.draws import Normal, TruncatedNormal, words
from fanin.draws.laws import SMALLEST_CUT
from fanin.torch.init.origin import Key, Origin, draw_law_

MOSTLY_KEPT = 0.3
"""Share of a normal between the bounds above which torch proposes from the normal itself."""

SELDOM = 0.1
"""Acceptance below which proposing would be slower than the inverse distribution function."""

CERTAINTY = 40.0
"""The rounds are enough to leave an element over with a chance of exp(-40), once in 10^17."""

REACH = 6.5
"""Sigmas that no draw of fanin reaches (the farthest is 6.23): bounds beyond cut nothing."""

TOO_FAR = 1e7
"""Sigmas from the mean beyond which the tail has no width."""

FLAT = 1e-9
"""Change of the logarithm between two bounds below which the density between them is constant."""

BLOCK = 2**18
"""Elements whose quantiles are computed at a time, so that the memory stays small."""


@dataclass(frozen=True)
class Window:
    """What a normal distribution leaves between two bounds.

    Attributes:
        mean: Mean of the whole normal.
        std: Standard deviation of the whole normal, 0 or more.
        low: Lower bound, in the units of the values.
        high: Upper bound, not below `low`.
    """

    mean: float
    std: float
    low: float
    high: float

    @property
    def sigmas(self) -> tuple[float, float]:
        """The bounds in standard deviations from the mean."""
        return (self.low - self.mean) / self.std, (self.high - self.mean) / self.std

    @property
    def share(self) -> float:
        """Probability that the whole normal falls between the bounds."""
        lower, upper = ((1 + math.erf(side / math.sqrt(2))) / 2 for side in self.sigmas)
        return upper - lower

    @property
    def nearest(self) -> float:
        """The most likely value: the one between the bounds that is nearest to the mean."""
        return max(self.low, min(self.mean, self.high))

    @property
    def is_a_point(self) -> bool:
        """Whether no spread is left that a float64 could show.

        So far in the tail it is exponential, and its width relative to the distance is the square
        of one over the sigmas: 10^-14.
        """
        return self.low == self.high or abs(self.nearest - self.mean) >= TOO_FAR * self.std

    @property
    def peak(self) -> float:
        """Square of the smallest distance from the mean between the bounds, in sigmas, halved."""
        return 0.5 * ((self.nearest - self.mean) / self.std) ** 2

    @property
    def even_acceptance(self) -> float:
        """Share of evenly proposed values that is accepted: the mean height over the peak's."""
        lower, upper = self.sigmas
        log_area = _log_share(lower, upper) + 0.5 * math.log(2 * math.pi)
        return math.exp(min(0.0, log_area + self.peak - _log_width(lower, upper)))

    def quantile(self, chance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the values below which given shares of the distribution lie.

        Everything is done with logarithms and in the lower tail, so bounds 1000 sigmas away from
        the mean work like any others.

        Args:
            chance: Between 0 and 1, exclusive, any shape.

        Returns:
            Values between the bounds, same shape.

        Example:
            >>> Window(0.0, 1.0, 30.0, math.inf).quantile(np.array([0.5])).round(4)
            array([30.0231])
        """
        from scipy.special import log_ndtr, ndtri_exp

        lower, upper = self.sigmas
        mirrored = lower > 0
        if mirrored:
            lower, upper, chance = -upper, -lower, 1 - chance
        log_chance = np.logaddexp(log_ndtr(lower), np.log(chance) + _log_share(lower, upper))
        sigmas = np.asarray(ndtri_exp(np.minimum(log_chance, 0.0)))
        values = self.mean + self.std * (-sigmas if mirrored else sigmas)
        return np.clip(values, self.low, self.high)


def draw_window_(tensor: Tensor, window: Window, origin: Origin) -> Tensor:
    """Fill a tensor from a normal kept between two bounds.

    Args:
        tensor: Real floating point, any shape. Lower precisions than float32 are drawn in float32
            and cast last.
        window: The distribution.
        origin: Where the numbers come from.

    Returns:
        The tensor, within the bounds as its dtype rounds them.
    """
    with torch.no_grad():
        if window.is_a_point:
            return tensor.fill_(window.nearest)
        if isinstance(origin, Key):
            return _draw_keyed_(tensor, window, origin)
        narrow = tensor.dtype not in (torch.float32, torch.float64)
        wide = torch.empty_like(tensor, dtype=torch.float32) if narrow else tensor
        drawn = _draw_in_rounds(wide, window, origin)
        return tensor if drawn is tensor else tensor.copy_(drawn)


def _draw_keyed_(tensor: Tensor, window: Window, key: Key) -> Tensor:
    """Take a law of fanin's draws where one fits, and the quantiles of the words elsewhere."""
    lower, upper = window.sigmas
    cut = min(-lower, upper)
    if cut > REACH:
        return draw_law_(tensor, Normal(window.mean, window.std), key)
    if cut >= SMALLEST_CUT and math.isclose(-lower, upper, rel_tol=1e-9):
        # The law is told the deviation after the cut; torch's argument is the one before it.
        std = window.std / TruncatedNormal(cut=cut).parent_std
        draw_law_(tensor, TruncatedNormal(window.mean, std, cut), key)
        return tensor.clamp_(*_rounded(window, tensor.dtype))
    drawn = words(key.seed, key.name, tensor.shape).reshape(-1)
    values = np.empty(drawn.size, np.float32)
    for start in range(0, drawn.size, BLOCK):
        block = drawn[start : start + BLOCK].astype(np.float64)
        values[start : start + BLOCK] = window.quantile((block + 0.5) / 2.0**32)
    return tensor.copy_(torch.as_tensor(values, device="cpu").view(tensor.shape))


def _draw_in_rounds(values: Tensor, window: Window, generator: torch.Generator | None) -> Tensor:
    """Propose into `values`, keep what fits, propose again for the rest; finish with quantiles."""
    share = window.share
    if share > MOSTLY_KEPT:
        acceptance, propose = share, _from_normal
    else:
        acceptance, propose = window.even_acceptance, _evenly
    if acceptance < SELDOM:
        return _finish_(values, torch.ones_like(values, dtype=torch.bool), window, generator)
    rounds = math.ceil(CERTAINTY / -math.log1p(-min(acceptance, 0.99)))
    missing = ~propose(values, window, generator)
    if not bool(missing.any()):
        return values
    proposal = torch.empty_like(values)
    for _ in range(rounds):
        fits = propose(proposal, window, generator)
        values = torch.where(missing, proposal, values)
        missing &= ~fits
        if not bool(missing.any()):
            return values
    return _finish_(values, missing, window, generator)


def _from_normal(proposal: Tensor, window: Window, generator: torch.Generator | None) -> Tensor:
    low, high = _rounded(window, proposal.dtype)
    proposal.normal_(window.mean, window.std, generator=generator)
    return (proposal >= low) & (proposal <= high)


def _evenly(proposal: Tensor, window: Window, generator: torch.Generator | None) -> Tensor:
    proposal.uniform_(window.low, window.high, generator=generator)
    height = window.peak - ((proposal - window.mean) / window.std).square() / 2
    return torch.empty_like(proposal).uniform_(generator=generator).log() <= height


def _finish_(
    values: Tensor, missing: Tensor, window: Window, generator: torch.Generator | None
) -> Tensor:
    count = int(missing.sum())
    chance = torch.rand(count, dtype=torch.float64, generator=generator, device=values.device)
    # rand can give an exact 0, whose logarithm the quantile could not take.
    chance = chance.clamp_(min=2.0**-60).cpu().numpy()
    values[missing] = torch.as_tensor(window.quantile(chance), device="cpu").to(values)
    return values


def _rounded(window: Window, dtype: torch.dtype) -> tuple[float, float]:
    """Round the bounds to a dtype, so that a value on a bound counts as inside."""
    bounds = torch.tensor([window.low, window.high], dtype=torch.float64, device="cpu").to(dtype)
    return bounds[0].item(), bounds[1].item()


def _log_share(lower: float, upper: float) -> float:
    """Logarithm of the probability between two bounds in sigmas, exact in both tails."""
    from scipy.special import log_ndtr

    if lower > 0:
        lower, upper = -upper, -lower
    below, above = float(log_ndtr(lower)), float(log_ndtr(upper))
    if above - below < FLAT:
        return _log_width(lower, upper) - 0.5 * (lower**2 + math.log(2 * math.pi))
    return above + math.log(-math.expm1(below - above))


def _log_width(lower: float, upper: float) -> float:
    # Bounds that differ can meet when they are rounded to sigmas of a distant mean.
    return math.log(max(upper - lower, math.ulp(0.0)))
