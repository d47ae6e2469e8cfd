"""The gain for a given depth: one that holds although no layer is infinitely wide.

A real layer misses its variance by a few percent, and the layers after it multiply the error by the
slope of the length map, while each of them multiplies the gradient by chi_1, give or take the same
few percent. So a start has a reach: the number of layers over which both stay within bounds. The
simplest start whose reach is enough is the one to take. A gain without biases is the simplest, then
comes the point with biases at which gradients are critical, then the one at which the length is
neutral too, last the critical point of a large signal without biases, which sigmoid has.
"""

import math
from dataclasses import dataclass
from functools import partial

from fanin.errors import FaninError
from fanin.theory.activations import Activation
from fanin.theory.criticality import CriticalPoint, critical_at, critical_points, half_stable
from fanin.theory.curves import Curve, curve
from fanin.theory.gains import gain
from fanin.theory.gaussian import Function
from fanin.theory.maps import chi, length_slope

BOUND = math.log(4)
"""How far the logarithm of a mean square may go astray: a factor of 2 in size, either way."""

SPREAD = 2.0
"""The drift is bounded at this many standard deviations: 19 starts of 20 keep within."""

LAST_RESORT = math.log(1e6)
"""Change of the mean square gradient, 1000 in size, before units may start saturated.

Sigmoid reaches it after 7 layers. Measured on digits with 100 units per layer, Adam, 400 steps, one
seed: with 6 layers the forward gain is ahead (accuracy 0.89 to 0.85), with 10 the saturated start
(0.81 to 0.77), and with 20 it alone learns (0.77 to 0.10).
"""

LONGEST = 10**9
"""Layers that stand for any number: a length that is stable never leaves its bounds."""

ERROR = 0.05
"""Relative error of q per layer unless told: that of a layer of 900 (tanh) to 2000 (relu) units."""


@dataclass(frozen=True)
class StableGain:
    """A start for a plain stack, and why it was chosen.

    Attributes:
        gain: Standard deviation of the weights times sqrt(fan_in), of layers fed by the activation.
        bias_std: Standard deviation of the biases; 0 for none.
        q: Variance of the pre-activations that it holds.
        slope: Slope V'(q) of the length map, the factor of an error of q per layer.
        chi: chi_1, the factor of the mean square gradient per layer.
        reach: Layers over which signal and gradient keep their size within a factor of 2.
        holds: Whether the reach is enough for the depth asked for. If not, no plain start holds,
            and this is the one that comes furthest.
        reason: Why this one, in a sentence or two.

    Example:
        >>> stable_gain("relu", 20).reason
        'The forward gain without biases holds 20 layers: its reach is 192.'
    """

    gain: float
    bias_std: float
    q: float
    slope: float
    chi: float
    reach: int
    holds: bool
    reason: str

    @property
    def first_gain(self) -> float:
        """The gain of the first layer, which reads inputs of unit size, to start at q."""
        return math.sqrt(self.q - self.bias_std**2)


def stable_gain(of: str | Function, depth: int, error: float = ERROR) -> StableGain:
    """Choose the gain, and the biases if need be, for a plain stack of a given depth.

    Plain means: no norm, no skip. The stack is taken to be fed by unit signals.

    Args:
        of: A name such as ``"gelu"``, or any function from a float64 array to numbers of the same
            shape, smooth between its kinks.
        depth: Number of layers that are fed by the activation.
        error: Relative standard deviation of q that each layer adds because its width is finite;
            `length_error` computes it.

    Returns:
        The simplest start that holds; where none does, the one with the longest reach.

    Raises:
        FaninError: There is no such activation, the function has no slope, the depth is below 1,
            or the error is not positive.

    Example:
        >>> round(stable_gain("gelu", 5).gain, 4), stable_gain("gelu", 5).bias_std
        (1.5335, 0.0)
        >>> deep = stable_gain("gelu", 100)
        >>> round(deep.gain, 4), round(deep.bias_std, 4), round(deep.q, 3), deep.holds
        (1.4082, 0.4158, 3.562, True)
        >>> print(stable_gain("sigmoid", 10).reason)
        The forward gain without biases reaches 0: ... for a large signal holds 10 layers:...

    References:
        The signal: an error e_l of ln q obeys e_(l+1) = V'(q) e_l + noise, so after L layers its
        variance is error^2 times the sum of V'^(2 j) for j < L. The gradient: chi_1^L, and noise of
        the same size in every layer. Slopes after Schoenholz et al. (2017), sections 3 and 5, noise
        after Hanin and Rolnick (2018). The candidates: He et al. (2015), Poole et al. (2016), and
        Roberts, Yaida and Hanin (2022), chapter 5.
    """
    if depth < 1:
        raise FaninError(f"depth, the number of layers, must be at least 1, got {depth!r}")
    if not 0 < error < math.inf:
        raise FaninError(
            f"error, the relative error of q per layer, must be positive, got {error!r}"
        )
    found = curve(of)
    refused = list[_Candidate]()
    for build in (_forward, _critical, _neutral, partial(_large, depth=depth)):
        candidate = build(found, error)
        if candidate is None:
            continue
        if candidate.reach >= depth:
            reason = f"{candidate.title} holds {depth} layers: its reach is {candidate.reach}."
            return _answer(candidate, depth, " ".join([*(r.refusal for r in refused), reason]))
        refused.append(candidate)
    best = max(refused, key=lambda candidate: candidate.reach)
    name = str(of) if isinstance(of, str | Activation) else "this activation"
    reason = (
        f"No plain start of {name} holds {depth} layers. {best.refusal} Use a "
        "norm, residual branches or mirrored weights."
    )
    return _answer(best, depth, reason)


@dataclass(frozen=True)
class _Candidate:
    """A start that might do, under a relative error of q in each layer."""

    name: str
    point: CriticalPoint
    chi: float
    error: float

    @property
    def title(self) -> str:
        return self.name[0].upper() + self.name[1:]

    @property
    def reach(self) -> int:
        """Layers until the length or the gradient is expected to leave its bounds."""
        return min(self.length_reach, self.gradient_reach)

    @property
    def gradient_reach(self) -> int:
        """Solve L rate + SPREAD error sqrt(L) <= BOUND for L."""
        rate, noise = abs(math.log(self.chi)), SPREAD * self.error / 2
        # Of the two forms of the solution the one that holds for a rate of 0 as well.
        return math.floor((BOUND / (noise + math.sqrt(noise**2 + rate * BOUND))) ** 2)

    @property
    def length_reach(self) -> int:
        """Solve SPREAD error sqrt(sum of slope^(2 j), j < L) <= BOUND for L."""
        most = (BOUND / (SPREAD * self.error)) ** 2
        square = self.point.slope**2
        if abs(square - 1) < 1e-9:
            return math.floor(most)
        rest = 1 - most * (1 - square)
        return LONGEST if rest <= 0 else math.floor(math.log(rest) / math.log(square))

    @property
    def refusal(self) -> str:
        """Say how far it comes, and what ends it."""
        reach = f"{self.title} reaches {self.reach}"
        if self.length_reach <= 2 * self.gradient_reach and not self.point.stable:
            slope = f"an error of q is multiplied by {self.point.slope:.4g} per layer"
            return f"{reach}: the length it holds is unstable, {slope}."
        rate = abs(math.log(self.chi))
        if rate * self.reach > BOUND / 2 or not self.reach:
            return f"{reach}: the mean square gradient is multiplied by {self.chi:.4g} per layer."
        return f"{reach}: the errors of its layers, none of which is infinitely wide, add up."


def _forward(found: Curve, error: float) -> _Candidate:
    sigma_w = gain(found)
    point = CriticalPoint(sigma_w, 0.0, 1.0, length_slope(found, 1.0, sigma_w))
    return _Candidate("the forward gain without biases", point, chi(found, 1.0, sigma_w), error)


def _critical(found: Curve, error: float) -> _Candidate | None:
    point = critical_at(found, 1.0)
    return point and _Candidate("the critical point with biases for q = 1", point, 1.0, error)


def _neutral(found: Curve, error: float) -> _Candidate | None:
    point = half_stable(found)
    return point and _Candidate("the point where the length is neutral", point, 1.0, error)


def _large(found: Curve, error: float, depth: int) -> _Candidate | None:
    if depth * abs(math.log(chi(found, 1.0, gain(found)))) < LAST_RESORT:
        return None
    points = [point for point in critical_points(found) if point.q > 1 and point.stable]
    name = "the critical point without biases for a large signal"
    return _Candidate(name, points[0], 1.0, error) if points else None


def _answer(candidate: _Candidate, depth: int, reason: str) -> StableGain:
    point, reach = candidate.point, candidate.reach
    return StableGain(
        point.sigma_w,
        point.sigma_b,
        point.q,
        point.slope,
        candidate.chi,
        reach,
        reach >= depth,
        reason,
    )
