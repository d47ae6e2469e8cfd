"""Formulas gone wrong: what a kernel holds when a good formula was typed with one slip.

There are few slips, and people make them again and again: a standard deviation used as the bound of
a uniform law or the other way round, a variance used as a standard deviation, and fans read off the
shape of the tensor where the layer uses it otherwise (groups, packed matrices, transposed storage,
a vocabulary). Each slip of each formula is written down as a scheme of its own, so that moments can
be held against it as against any other.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fanin.errors import FaninError
from fanin.recipes.formulas import NUMBERS_TO_TELL, likeness
from fanin.recipes.held import Held
from fanin.recipes.sampling import explains
from fanin.recipes.slots import Slot
from fanin.schemes import Fans, Scheme, normal, uniform

FAMILIES = {"he": 2.0, "glorot": 1.0, "lecun": 1.0}
"""Family of formulas to fan times variance, with the fan of the family."""


@dataclass(frozen=True)
class Mistake:
    """A formula with one slip.

    Attributes:
        kind: ``"law"`` where spread, bound and variance were mixed up, ``"fans"`` where the fans
            are others than those of the use.
        words: What went wrong, such as ``"the std of he_normal used as a bound"``.
        scheme: What the parameter holds then.
        std: The standard deviation that the formula was to give.
    """

    kind: str
    words: str
    scheme: Scheme
    std: float

    @property
    def family(self) -> str:
        """What went wrong, without the figures of one kernel."""
        return self.words.partition(" (")[0].partition(", for ")[0]


def stored_fans(shape: tuple[int, ...]) -> Fans | None:
    """Read fans off a shape, as initialisers do that see nothing but the tensor.

    Args:
        shape: Shape of the stored tensor.

    Returns:
        The fans of ``(out, in, taps...)``; None for less than two axes.

    Example:
        >>> stored_fans((64, 1, 3, 3))
        Fans(fan_in=9.0, fan_out=576.0)

    References:
        PyTorch 2.13, `_calculate_fan_in_and_fan_out` of torch/nn/init.py.
    """
    if len(shape) < 2:
        return None
    taps = math.prod(shape[2:])
    return Fans(shape[1] * taps, shape[0] * taps)


def mistaken(slot: Slot) -> Iterator[Mistake]:
    """List what a kernel may hold by mistake.

    Args:
        slot: A kernel or a table.

    Yields:
        The slips, those of the law first.

    Example:
        >>> from fanin.recipes import Role
        >>> from fanin.schemes import Layout
        >>> slot = Slot("w", (64, 32), Role.KERNEL, Layout.linear(), Fans(32, 64), "Linear")
        >>> next(mistaken(slot)).words
        'the std of he_normal used as a bound'
    """
    fans, layout = _unstrided(slot), slot.layout
    if fans is None or layout is None or not fans.fan_in * fans.fan_out:
        return
    if not layout.lookup:
        yield from _laws(fans)
    stored = stored_fans(slot.shape)
    if stored is not None and stored != fans:
        yield from _fans(slot, stored, fans)
    elif not layout.lookup and not layout.kernel_axes and fans.fan_in != fans.fan_out:
        # 1 / sqrt(out) instead of 1 / sqrt(in); with a factor 2 it is a formula of its own.
        for std, law in ((1 / math.sqrt(3), "uniform"), (1.0, "normal")):
            wrong = _drawn(std / math.sqrt(fans.fan_out), law)
            words = f"1/sqrt(fan_out), for fan_out {fans.fan_out:g} and fan_in {fans.fan_in:g}"
            yield Mistake("fans", words, wrong, std / math.sqrt(fans.fan_in))


def _laws(fans: Fans) -> Iterator[Mistake]:
    for family in FAMILIES:
        std = _std(family, fans)
        if family != "lecun":  # that is PyTorch's default: a habit by now
            words = f"the std of {family}_normal used as a bound"
            yield Mistake("law", words, uniform(-std, std), std)
        bound = math.sqrt(3) * std
        yield Mistake("law", f"the bound of {family}_uniform used as a std", normal(0, bound), std)
        yield Mistake("law", f"the variance of {family}_normal used as a std", _drawn(std**2), std)
        words = f"the bound of {family}_uniform without its square root"
        yield Mistake("law", words, uniform(-(bound**2), bound**2), std)
        if std < 1:
            words = f"the std of {family}_normal taken for a variance"
            yield Mistake("law", words, _drawn(math.sqrt(std)), std)


def _unstrided(slot: Slot) -> Fans | None:
    """Count the fans as formulas do: nobody's divides by the stride."""
    if slot.layout is None or slot.fans is None or 0 in slot.shape:
        return None
    if slot.layout.stride == 1:
        return slot.fans
    try:
        return replace(slot.layout, stride=1).fans(slot.shape)
    except FaninError:
        return None


def _fans(slot: Slot, stored: Fans, fans: Fans) -> Iterator[Mistake]:
    where = _reading(slot, stored, fans)
    families = ("glorot",) if slot.layout is not None and slot.layout.lookup else tuple(FAMILIES)
    for family in families:
        for law in ("normal", "uniform"):
            yield Mistake(
                "fans",
                f"{family}_{law} {where}",
                _drawn(_std(family, stored), law),
                _std(family, fans),
            )
    for gain, name in ((2.0, "he_normal"), (1 / 3, "torch's default")):
        law = "normal" if gain == 2 else "uniform"
        if gain == 2:
            std = math.sqrt(gain / fans.fan_out)
            words = f"{name} for fan_out {where}"
            yield Mistake("fans", words, _drawn(math.sqrt(gain / stored.fan_out), law), std)
        elif families != ("glorot",):
            std = math.sqrt(gain / fans.fan_in)
            words = f"{name} {where}"
            yield Mistake("fans", words, _drawn(math.sqrt(gain / stored.fan_in), law), std)


def _reading(slot: Slot, stored: Fans, fans: Fans) -> str:
    """Say how the shape was read, and what the use has instead."""
    layout = slot.layout
    figures = (
        f"fans {stored.fan_in:g} and {stored.fan_out:g}, "
        f"where the use has {fans.fan_in:g} and {fans.fan_out:g}"
    )
    if layout is None:
        return f"of the shape alone ({figures})"
    if layout.lookup:
        return f"with the vocabulary as a fan ({figures})"
    if layout.groups > 1:
        return f"without regard to the groups ({figures})"
    if layout.blocks > 1:
        return f"of the packed tensor ({figures})"
    if layout.batch_axes:
        return f"of the stack read as a convolution ({figures})"
    if stored.fan_in == fans.fan_out or layout.transposed:
        return f"of the transposed tensor ({figures})"
    return f"of the shape alone ({figures})"


def _std(family: str, fans: Fans) -> float:
    fan = fans.mean if family == "glorot" else fans.fan_in
    return math.sqrt(FAMILIES[family] / fan)


def _drawn(std: float, law: str = "normal") -> Scheme:
    bound = math.sqrt(3) * std
    return uniform(-bound, bound) if law == "uniform" else normal(0, std)


def recognised(slot: Slot, held: Held) -> Mistake | None:
    """Find the slip that explains what a kernel holds.

    Args:
        slot: The kernel.
        held: Its moments.

    Returns:
        The slip; None where a good formula explains the moments as well, where no slip does, and
        where there are too few numbers to tell.

    Example:
        >>> from fanin.recipes import Role
        >>> from fanin.schemes import Layout
        >>> slot = Slot("w", (64, 32), Role.KERNEL, Layout.linear(), Fans(32, 64), "Linear")
        >>> held = Held(0.0, 2 / 32, -0.23, 0.23, True, (64, 32))
        >>> recognised(slot, held).words
        'the variance of he_normal used as a std'
    """
    fits = explaining(slot, held)
    return fits[0] if fits and not likeness(slot, held) else None


def explaining(slot: Slot, held: Held) -> tuple[Mistake, ...]:
    """Find every slip that explains what a kernel holds, whatever else does.

    Args:
        slot: The kernel.
        held: Its moments.

    Returns:
        The slips, the nearest first; none where there are too few numbers to tell.
    """
    if math.prod(slot.shape) < NUMBERS_TO_TELL or not (held.finite and held.std > 0):
        return ()
    fits = [
        (abs(math.log(wrong.scheme.promised().std / held.std)), place, wrong)
        for place, wrong in enumerate(mistaken(slot))
        if explains(wrong.scheme, slot, held)
    ]
    return tuple(wrong for _, _, wrong in sorted(fits))
