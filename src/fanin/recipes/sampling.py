"""Can these moments come from that scheme? The sampling error of what a tensor of a size shows.

Each figure of a parameter (mean, standard deviation, largest departure from the mean) is held
against the range in which it lies but for one chance in 3.5 million on either side, the 5 sigma of
a Gaussian. A model of a thousand parameters, drawn as planned, is then called wrong once in two
hundred times; and a kernel of ten thousand elements shows an error of 4 percent in its scale.
"""

import math

from fanin.draws import Constant, Law, TruncatedNormal, Uniform
from fanin.errors import FaninError
from fanin.recipes.held import Held
from fanin.recipes.slots import Slot
from fanin.schemes import (
    ElementwiseScheme,
    Moments,
    Scheme,
    blocks,
    centred_orthogonal,
    delta_orthogonal,
    dirac,
    eye,
    forget_gate,
    hadamard,
    listed,
    looks_linear,
    mirrored,
    orthogonal,
    scaled_orthogonal,
    sparse,
)

CHANCE = 2.87e-7
"""Probability that a Gaussian exceeds 5 sigma."""

SIGMAS = 5.0

ROUNDING = 2.0**-8
"""Relative error allowed for numbers that are no matter of chance: bfloat16 has half of it."""

FIXED = (dirac, eye, forget_gate, hadamard, listed)
"""Schemes whose values are the same for every seed, but not all alike."""

FIXED_LENGTH = (
    orthogonal,
    scaled_orthogonal,
    delta_orthogonal,
    looks_linear,
    mirrored,
    centred_orthogonal,
)
"""Random matrices whose sum of squares is no matter of chance."""


def misfit(scheme: Scheme, slot: Slot, held: Held) -> str:
    """Tell what about the moments of a parameter a scheme cannot explain.

    Args:
        scheme: What the parameter may have been drawn from.
        slot: The parameter.
        held: Its moments, of the slot's shape and finite.

    Returns:
        A few words; nothing if the scheme explains them.

    Raises:
        FaninError: The scheme cannot fill the parameter.

    References:
        The standard deviation of n values of a law with kurtosis k has a relative standard error of
        ``sqrt((k - 1) / (4 n))`` (Cramer 1946, Mathematical Methods of Statistics, section 28.1).
        It is taken with k = 3 for lighter tails too, because few values of theirs may lie as close
        together as those of a Gaussian.
    """
    count = math.prod(slot.shape)
    if count == 0:
        return ""
    promised = scheme.promised(slot.fans, shape=slot.shape, layout=slot.layout)
    drawn, expected = count, promised
    if slot.zero_row is not None:
        drawn = count - count // slot.shape[0]
        expected = _with_zeros(promised, drawn / count)
    if isinstance(scheme, FIXED) or promised.std == 0:
        return _fixed(expected, held)
    if held.minimum == held.maximum and count > 1:
        return f"every element is {held.mean:.4g}"
    if isinstance(scheme, FIXED_LENGTH) and slot.zero_row is None:
        return _length(expected, held) or _centre(expected, held, count)
    return (
        _scale(expected, held, drawn, _kurtosis(scheme, slot))
        or _centre(expected, held, count)
        or (_reach(_law(scheme, slot), held, drawn) if slot.zero_row is None else "")
    )


def _fixed(expected: Moments, held: Held) -> str:
    if expected.std == 0:
        slack = ROUNDING * abs(expected.mean)
        reach = max(abs(held.minimum - expected.mean), abs(held.maximum - expected.mean))
        if reach <= slack:
            return ""
        return f"from {held.minimum:.4g} to {held.maximum:.4g}, and not {expected.mean:.4g}"
    slack = ROUNDING * expected.rms
    if abs(held.std - expected.std) > slack:
        return f"std {held.std:.4g}, {held.std / expected.std:.3g} times the plan's"
    if abs(held.mean - expected.mean) > slack:
        return f"mean {held.mean:.4g} instead of {expected.mean:.4g}"
    return ""


def _scale(expected: Moments, held: Held, count: int, kurtosis: float) -> str:
    if count < 2:
        return ""
    slack = SIGMAS * math.sqrt((kurtosis - 1) / (4 * count)) + ROUNDING
    ratio = held.std / expected.std
    if abs(ratio - 1) <= slack:
        return ""
    return f"std {held.std:.4g}, {ratio:.3g} times the plan's"


def _length(expected: Moments, held: Held) -> str:
    ratio = math.hypot(held.mean, held.std) / expected.rms
    if abs(ratio - 1) <= ROUNDING:
        return ""
    return f"std {held.std:.4g}, {ratio:.3g} times the plan's"


def _centre(expected: Moments, held: Held, count: int) -> str:
    slack = SIGMAS * expected.std / math.sqrt(count) + ROUNDING * abs(expected.mean)
    if abs(held.mean - expected.mean) <= slack:
        return ""
    return f"mean {held.mean:.4g} instead of {expected.mean:.4g}"


def _reach(law: Law | None, held: Held, count: int) -> str:
    """Hold the largest of `count` departures from the mean against its distribution."""
    if law is None or isinstance(law, Constant):
        return ""
    reach = max(abs(held.minimum - law.mean), abs(held.maximum - law.mean))
    inside, outside = _within(law, reach)
    # All inside by chance, or at least one of them so far out by chance.
    if inside <= 0 or count * math.log(inside) < math.log(CHANCE):
        return f"no element is farther than {reach:.3g} from the mean: another law"
    if count * outside < CHANCE:
        return f"an element is {reach:.3g} from the mean: another law"
    return ""


def _within(law: Law, reach: float) -> tuple[float, float]:
    """Tell the probability of an element within some distance of the mean, and of one beyond."""
    if isinstance(law, Uniform):
        share = reach / ((law.high - law.low) / 2)
        return min(share, 1.0), 1.0 if share <= 1 + ROUNDING else 0.0
    if isinstance(law, TruncatedNormal):
        sigmas = reach / law.parent_std
        if sigmas > law.cut * (1 + ROUNDING):
            return 1.0, 0.0
        whole = math.erf(law.cut / math.sqrt(2))
        return min(math.erf(sigmas / math.sqrt(2)) / whole, 1.0), 1.0
    return math.erf(reach / (law.std * math.sqrt(2))), math.erfc(reach / (law.std * math.sqrt(2)))


def _law(scheme: Scheme, slot: Slot) -> Law | None:
    return scheme.law(slot.fans) if isinstance(scheme, ElementwiseScheme) else None


def _kurtosis(scheme: Scheme, slot: Slot) -> float:
    """Fourth moment over the squared second; 3 for all that varies no more than a Gaussian does."""
    if isinstance(scheme, sparse):
        return 3 / max(1 - scheme.sparsity, 1 / math.prod(slot.shape))
    if isinstance(scheme, blocks):
        return _kurtosis_of_blocks(scheme, slot)
    return 3.0


def _kurtosis_of_blocks(scheme: blocks, slot: Slot) -> float:
    whole = scheme.promised(slot.fans, shape=slot.shape, layout=slot.layout)
    fourth = 0.0
    for part in scheme.parts:
        # The rest at zero leaves the moments of one part.
        alone = blocks(tuple(part for _ in scheme.parts))
        moments = alone.promised(slot.fans, shape=slot.shape, layout=slot.layout)
        off = moments.mean - whole.mean
        kurtosis = _kurtosis(part, slot)
        fourth += kurtosis * moments.std**4 + 6 * moments.std**2 * off**2 + off**4
    return fourth / len(scheme.parts) / whole.std**4


def _with_zeros(moments: Moments, share: float) -> Moments:
    """Tell the moments of a tensor of which only a share is drawn, and the rest is zero."""
    mean = share * moments.mean
    return Moments(mean, math.sqrt(max(0.0, share * moments.rms**2 - mean**2)))


def explains(scheme: Scheme, slot: Slot, held: Held) -> bool:
    """Tell whether the moments of a parameter may come from a scheme.

    Args:
        scheme: Any scheme; one that cannot fill the parameter explains nothing.
        slot: The parameter.
        held: Its moments.

    Returns:
        Whether they fit.
    """
    try:
        return not misfit(scheme, slot, held)
    except FaninError:
        return False
