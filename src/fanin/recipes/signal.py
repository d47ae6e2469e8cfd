"""How large a kernel may be for its signal to keep its size, given what feeds it.

The one formula: weights of standard deviation ``gain / sqrt(fan_in)``, with the gain that makes up
for what the activation before takes away. Whatever a norm, an embedding or a residual stream hands
over has the size it is meant to have, so the gain there is 1.
"""

import math

from fanin.errors import FaninError
from fanin.recipes.network import KERNELS, around
from fanin.recipes.row import Row
from fanin.recipes.slots import Slot
from fanin.theory import activation, gain

GATED = "gated "
"""What stands before the activation where it multiplies another signal."""


def feeding_gain(slot: Slot) -> tuple[float | str, str]:
    """Tell the gain that keeps the size of a signal, and why.

    Args:
        slot: A kernel.

    Returns:
        A number or the name of an activation, and what feeds the kernel, in a few words.

    Example:
        >>> from fanin.recipes.slots import Role
        >>> from fanin.trace import Surroundings
        >>> fed = Surroundings(fed_by="tanh")
        >>> feeding_gain(Slot("w", (4, 4), Role.KERNEL, None, None, "Linear", around=fed))
        ('tanh', 'fed by tanh')
    """
    here = around(slot)
    if here.fed_by == "input":
        return _input_gain(here.input_rms)
    if not here.fed_by:
        return 1.0, "fed by what is not known"
    # A gate is worth as much as its activation: the other factor has the size it is meant to have.
    name = here.fed_by.removeprefix(GATED)
    try:
        known = str(activation(name))
    except FaninError:
        return 1.0, f"fed by {here.fed_by}"
    return 1.0 if known == "linear" else known, f"fed by {here.fed_by}"


def _input_gain(rms: float | None) -> tuple[float, str]:
    if rms is None or not (rms > 0 and math.isfinite(rms)):
        return 1.0, "fed by the input"
    # Three digits, so that two batches of the same data make the same plan.
    return float(f"{1 / rms:.3g}"), f"fed by the input, of rms {rms:.3g}"


def departure(row: Row) -> float:
    """Tell how far a planned kernel is from keeping the size of its signal.

    Args:
        row: A row of a plan.

    Returns:
        The logarithm of the ratio between its standard deviation and the one that keeps the size,
        without its sign: infinite for zeros, 0 for what is no kernel.

    Example:
        >>> from fanin.recipes.slots import Role
        >>> from fanin.schemes import Fans, normal
        >>> slot = Slot("w", (4, 100), Role.KERNEL, None, Fans(100, 4), "Linear")
        >>> round(departure(Row(slot, normal(0, 0.01), "")), 3)
        2.303
    """
    fans = row.fans
    if row.role not in KERNELS or fans is None or not fans.fan_in or math.isnan(row.std):
        return 0.0
    wanted, _ = feeding_gain(row.slot)
    number = gain(wanted) if isinstance(wanted, str) else wanted
    size = math.hypot(row.mean, row.std) * math.sqrt(fans.fan_in)
    return abs(math.log(size / number)) if size > 0 else math.inf
