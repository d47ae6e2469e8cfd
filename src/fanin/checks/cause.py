"""The cause behind a scale: by what a kernel is off, and what formula it comes from.

A rule that sees a signal shrink or grow can say no more than that it does. Here the figures of one
parameter are put into the words that explain it, so that every rule that blames a scale says it in
the same way.
"""

import math

from fanin.checks.values import Values
from fanin.recipes import Held, Role, Slot, likeness, recognised
from fanin.recipes.network import KERNELS
from fanin.recipes.signal import feeding_gain
from fanin.schemes import Scheme, as_scheme
from fanin.theory import gain

ALIKE = 1.05
"""Ratio up to which two scales are called the same in words."""


def held_of(values: Values) -> Held:
    """Give the moments of a tensor as recipes take them.

    Args:
        values: What the tensor holds.

    Returns:
        The moments.
    """
    return Held(
        values.mean, values.std, values.minimum, values.maximum, values.finite, values.shape
    )


def wanted_std(slot: Slot) -> tuple[float, str] | None:
    """Tell the standard deviation with which a kernel keeps the size of its signal.

    Args:
        slot: The kernel.

    Returns:
        The standard deviation and the name of the formula; None for what is no kernel or sums over
        nothing.

    Example:
        >>> from fanin.schemes import Fans
        >>> from fanin.trace import Surroundings
        >>> fed = Surroundings(fed_by="relu")
        >>> wanted_std(Slot("w", (4, 128), Role.KERNEL, None, Fans(128, 4), "Linear", around=fed))
        (0.125, 'he_normal for fan_in 128')

    References:
        He et al. (2015), equation 10; LeCun et al. (1998), Efficient BackProp, equation 16.
    """
    fans = slot.fans
    if slot.role not in KERNELS or fans is None or not fans.fan_in:
        return None
    needed, why = feeding_gain(slot)
    number = gain(needed) if isinstance(needed, str) else needed
    std = number / math.sqrt(fans.fan_in)
    if not (std > 0 and math.isfinite(std)):
        return None
    # Leaky and capped rectifiers are He's case too: their gain is root 2 within a hundredth.
    if isinstance(needed, str) and abs(number / math.sqrt(2) - 1) < 0.01:
        name = "he_normal"
    elif needed == 1:
        name = "lecun_normal"
    else:
        name = f"{number:.3g}/sqrt(fan_in) ({why})"
    return std, f"{name} for fan_in {fans.fan_in:g}"


def ratio_of(slot: Slot, values: Values) -> float | None:
    """Tell how many times the wanted standard deviation a kernel holds.

    Args:
        slot: The kernel.
        values: What it holds.

    Returns:
        The ratio; None for what is no kernel, or holds no scale: constants, zeros, no numbers.
    """
    wanted = wanted_std(slot)
    if wanted is None or not values.finite or not values.std > 0:
        return None
    return values.rms / wanted[0]


def times(ratio: float) -> str:
    """Say a ratio as a person does.

    Args:
        ratio: Above 0.

    Returns:
        Such as ``"12x below"``, ``"3.2x above"``, ``"equal to"``.

    Example:
        >>> times(1 / 12), times(3.21), times(1.01)
        ('12x below', '3.2x above', 'equal to')
    """
    if 1 / ALIKE < ratio < ALIKE:
        return "equal to"
    factor, side = (ratio, "above") if ratio > 1 else (1 / ratio, "below")
    return f"{factor:.2g}x {side}" if factor < 100 else f"{factor:.0f}x {side}"


def origin_of(slot: Slot, values: Values) -> str:
    """Say which formula explains what a parameter holds.

    Args:
        slot: The parameter.
        values: What it holds.

    Returns:
        Such as ``"matches normal(0, 0.01)"``, or the slip that was made; empty where nothing does.
    """
    held = held_of(values)
    if not (held.finite and held.std > 0):
        return ""
    looks = likeness(slot, held)
    if looks:
        return f"matches {looks}"
    slip = recognised(slot, held)
    if slip is not None:
        return f"is {slip.words}"
    round_one = _round(held.std)
    return f"matches {round_one}" if round_one is not None else ""


def _round(std: float) -> Scheme | None:
    """Find the normal law of a standard deviation with one digit, if it is as near as chance."""
    digits = float(f"{std:.1g}")
    return as_scheme(f"normal(0, {digits:g})") if abs(std / digits - 1) < 0.01 else None


def scale_cause(slot: Slot, values: Values) -> str:
    """Say why a kernel is as large as it is, in one clause.

    Args:
        slot: The kernel or table.
        values: What it holds.

    Returns:
        Such as ``"std 0.01 is 12x below he_normal for fan_in 128; it matches normal(0, 0.01)"``.

    Example:
        >>> from fanin.schemes import Fans, Layout
        >>> from fanin.trace import Surroundings
        >>> fed = Surroundings(fed_by="relu")
        >>> layout, fans = Layout.linear(), Fans(128, 64)
        >>> slot = Slot("w", (64, 128), Role.KERNEL, layout, fans, "Linear", around=fed)
        >>> held = Values("w", (64, 128), "float32", 8192, std=0.01, minimum=-0.04, maximum=0.04)
        >>> scale_cause(slot, held)
        'std 0.01 is 12x below he_normal for fan_in 128; it matches normal(0, 0.01)'
    """
    if not values.finite:
        return "it holds nan or infinity"
    if values.constant:
        return f"every element is {values.mean:.4g}"
    origin = origin_of(slot, values)
    ending = f"; it {origin}" if origin else ""
    mean = "" if abs(values.mean) <= values.std else f" about a mean of {values.mean:.3g}"
    wanted = wanted_std(slot)
    if slot.role is Role.EMBEDDING and slot.fans is not None and slot.fans.fan_out:
        # Tied to a head, the table sums over the width.
        std = 1 / math.sqrt(slot.fans.fan_out)
        told = f"{times(values.rms / std)} 1/sqrt({slot.fans.fan_out:g}), the width"
        return f"std {values.std:.3g}{mean} is {told}{ending}"
    if wanted is None:
        return f"std {values.std:.3g}{mean}{ending}"
    told = f"{times(values.rms / wanted[0])} {wanted[1]}"
    return f"std {values.std:.3g}{mean} is {told}{ending}"
