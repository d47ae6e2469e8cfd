"""What `auto` does in a plain stack, where nothing but activations stands between kernels.

A gain keeps the size of a signal on average. Over tens of layers that is not enough: the sizes of
different directions drift apart, and different inputs become the same. Two ways out need neither a
norm nor a skip. Units in mirrored pairs see only the odd part of their activation, which for relu,
gelu, silu and softplus is a straight line, so that the stack starts as an isometry. A bounded
activation that is odd already (tanh), or odd about its middle (sigmoid), keeps small signals by an
orthogonal kernel with the inverse of its slope.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from fanin.errors import FaninError
from fanin.recipes.network import KERNELS, Network, around
from fanin.recipes.rules import Decision, tidy
from fanin.recipes.signal import feeding_gain
from fanin.recipes.slots import Slot
from fanin.schemes import (
    Scheme,
    centred_orthogonal,
    delta_orthogonal,
    mirrored,
    scaled_orthogonal,
)
from fanin.theory import activation, gain
from fanin.theory import mirrored as odd_part

DEEP = 8
"""Kernels in a row from which units are mirrored: in a shorter stack a gain does as well, and the
pairs would only halve the number of different units at the start (docs/auto.md has the table)."""

LARGEST_LIFT = 0.1
"""By how much a gain may exceed the one that keeps an infinitely small signal, at most."""


@dataclass(frozen=True)
class Bend:
    """What an activation is to a stack.

    Attributes:
        kind: ``"mirror"`` where the odd part of it carries the signal, ``"odd"``, ``"centred"``
            where it is odd about its value at 0, ``"other"`` where none of that helps.
        slope: Slope at 0 of what carries the signal.
        straight: Whether that is a straight line.
        offset: Whether it adds the same to every unit: its value at 0 is not 0.
    """

    kind: str
    slope: float
    straight: bool
    offset: bool = False


@cache
def bend(name: str) -> Bend:
    """Tell what an activation is to a stack.

    Args:
        name: As `fanin.theory` reads it.

    Returns:
        The answer, ``"other"`` for an activation that is not known.

    Example:
        >>> bend("gelu").straight, bend("sigmoid").kind, bend("tanh").kind
        (True, 'centred', 'odd')
    """
    try:
        known = activation(name)
        half = odd_part(name)
    except FaninError:
        return Bend("other", 1.0, straight=False)
    z = np.linspace(-6, 6, 601)
    middle = float(known(np.zeros(1))[0])
    odd = bool(np.abs(known(z) + known(-z) - 2 * middle).max() < 1e-9)
    if odd:
        kind = "odd" if abs(middle) < 1e-12 else "centred"
        return Bend(kind, tidy(half.initial_slope / 2), half.linear)
    if half.linear:
        return Bend("mirror", tidy(half.initial_slope), straight=True, offset=middle != 0)
    # A line that bends down is held by its slope at 0; one that bends up would run away from it.
    bends_down = bool((np.diff(np.abs(half(z[301:])) / z[301:]) <= 1e-9).all())
    if half.initial_slope > 0 and bends_down:
        return Bend("mirror", tidy(half.initial_slope), straight=False)
    return Bend("other", 1.0, straight=False)


def stacked(slot: Slot, network: Network) -> Decision | None:
    """Decide for a kernel in a plain stack.

    Args:
        slot: A kernel.
        network: All parameters.

    Returns:
        The scheme with the reason; None where the stack asks for nothing special.
    """
    chain, here = around(slot).chain, around(slot)
    if chain is None or chain.of < 2 or slot.layout is None or slot.recurrent:
        return None
    before, after = _mirrors_inputs(slot, network), _mirrors_outputs(slot, network)
    if before or after:
        return _mirrored(slot, before, after, chain.of)
    kind = bend(here.fed_by)
    if kind.kind not in ("odd", "centred") or here.fed_by == "linear":
        return None
    value = tidy(lift(chain.of) / kind.slope)
    reason = f"{_position(chain.index, chain.of)}, fed by {here.fed_by}: a little above 1 / slope"
    if kind.kind == "centred":
        sides = "both" if bend(here.followed_by).kind == "centred" else "inputs"
        if _sizes(slot)[1] < 2 or (sides == "both" and _sizes(slot)[0] < 2):
            return None
        return centred_orthogonal(value, sides), f"{reason}, blind to the common offset"
    return _isometry(slot, value, chain.of), reason


def lift(depth: int) -> float:
    """Tell how far above the critical gain a stack of a given depth may be.

    At a gain of 1 + e, tanh settles at a signal of mean square about e and multiplies the mean
    square of the gradient by about ``1 + 4 e**2 / 3`` per layer: with e = 0.7 / sqrt(depth) that is
    a factor below 2 from end to end, and small signals grow instead of dying out.

    Args:
        depth: Kernels in the stack.

    Returns:
        The factor.

    Example:
        >>> lift(20), round(lift(196), 3)
        (1.1, 1.05)

    References:
        Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017), arXiv 1611.01232, equations 3 and 9,
        expanded to second order in q: V(q) = g**2 (q - 2 q**2 + 17 q**3 / 3), and
        chi_1 = g**2 (1 - 2 q + 7 q**2).
    """
    return 1 + min(LARGEST_LIFT, 0.7 / math.sqrt(depth))


def _mirrored(slot: Slot, before: bool, after: bool, depth: int) -> Decision:
    here = around(slot)
    sides = "both" if before and after else "inputs" if before else "outputs"
    number, words = feeding_gain(slot)
    value = gain(number) if isinstance(number, str) else number
    if before:
        known = bend(here.fed_by)
        value = 1 / known.slope if known.straight else lift(depth) / known.slope
        words = f"fed by {here.fed_by} in mirrored pairs"
    chain = here.chain
    place = "" if chain is None else f"{_position(chain.index, chain.of)}, "
    return mirrored(tidy(value), sides), f"{place}{words}"


def _position(index: int, of: int) -> str:
    return f"kernel {index + 1} of {of} in a row"


def _isometry(slot: Slot, value: float, depth: int) -> Scheme:
    """Take the centre tap in a deep stack of convolutions: whole kernels would not keep lengths."""
    outputs, inputs = _sizes(slot)
    deep = depth >= DEEP and slot.layout is not None and bool(slot.layout.kernel_axes)
    if deep and outputs >= inputs and around(slot).fed_by != "input":
        return delta_orthogonal(tidy(value * math.sqrt(outputs / inputs)))
    return scaled_orthogonal(value)


def _sizes(slot: Slot) -> tuple[int, int]:
    """Count outputs and inputs of one matrix."""
    if slot.layout is None:
        return 0, 0
    _, outputs, inputs, _ = slot.layout.stack(slot.shape)
    return outputs, inputs


def _mirrors_outputs(slot: Slot, network: Network) -> bool:
    """Tell whether the units of a kernel come in pairs: the next kernel has to know."""
    chain = around(slot).chain
    if chain is None or len(chain.after) != 1 or not around(slot).paired:
        return False
    return _pair(slot, network.slot(chain.after[0]), chain.of)


def _mirrors_inputs(slot: Slot, network: Network) -> bool:
    chain = around(slot).chain
    if chain is None or len(chain.before) != 1:
        return False
    first = network.slot(chain.before[0])
    return around(first).paired and _pair(first, slot, chain.of)


def _pair(first: Slot, second: Slot, depth: int) -> bool:
    """Tell whether the units between two kernels are mirrored."""
    between = around(first).followed_by
    # A common offset (of softplus) swamps the signal after a few layers already.
    if depth < DEEP and not bend(between).offset:
        return False
    alike = all(
        own.role in KERNELS
        and own.layout is not None
        and own.layout.blocks == 1
        and own.layout.groups == 1
        and not own.uses
        for own in (first, second)
    )
    if not alike or bend(between).kind != "mirror" or around(second).fed_by != between:
        return False
    return _sizes(first)[0] % 2 == 0 and _sizes(second)[1] % 2 == 0
