"""What a line's kernels hold against what would keep the size of a signal: the cause of a drift."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from fanin.checks.evidence import Evidence
from fanin.checks.families.depth.lines import Line, fitted
from fanin.checks.finding import Fix
from fanin.recipes import Role
from fanin.recipes.signal import feeding_gain
from fanin.theory import gain
from fanin.trace import Kind

RIGHT = 1.1
"""Factor off the right size that does not add up to harm in ten layers: 1.1^10 is below 3."""


@dataclass(frozen=True)
class Size:
    """What one kernel holds.

    Attributes:
        name: Its name.
        held: Root mean square of its values.
        wanted: The one that keeps the size of the signal.
        fan_in: Its fan_in.
        gain: The gain in it, ``wanted * sqrt(fan_in)``.
        fed_by: What feeds it, in a few words.
        frozen: Whether it is held constant in training.
    """

    name: str
    held: float
    wanted: float
    fan_in: float
    gain: float
    fed_by: str
    frozen: bool

    @property
    def ratio(self) -> float:
        """How many times larger it is than it should be."""
        return self.held / self.wanted


def sizes(evidence: Evidence, names: Sequence[str]) -> list[Size]:
    """Hold kernels against what keeps the size of a signal.

    Args:
        evidence: What was gathered.
        names: Names of kernels.

    Returns:
        One entry for each kernel of known fans that holds anything.
    """
    found = list[Size]()
    for name in names:
        slot, values = evidence.slot(name), evidence.values.get(name)
        if slot is None or values is None or slot.fans is None or not slot.fans.fan_in > 0:
            continue
        if slot.role not in (Role.KERNEL, Role.HEAD) or not values.rms > 0:
            continue
        number, words = feeding_gain(slot)
        own = gain(number) if isinstance(number, str) else number
        wanted = own / math.sqrt(slot.fans.fan_in)
        if wanted > 0 and math.isfinite(values.rms):
            fan_in, frozen = slot.fans.fan_in, slot.frozen
            found.append(Size(name, values.rms, wanted, fan_in, own, words, frozen))
    return found


def blame(evidence: Evidence, line: Line, growing: bool) -> str:
    """Say which kernels make a signal drift, and by how much.

    Args:
        evidence: What was gathered.
        line: The line.
        growing: Whether it grows.

    Returns:
        A clause with figures.
    """
    known = sizes(evidence, line.kernels)
    off = [own for own in known if (own.ratio > RIGHT if growing else own.ratio < 1 / RIGHT)]
    if not off:
        between = " and ".join(passed_by(evidence, line)) or "what stands"
        return f"its kernels hold what keeps the size of a signal, so it is {between} between them"
    middle = median(own.ratio for own in off)
    words = f"{middle:.3g}x too large" if growing else f"{1 / middle:.3g}x too small"
    typical = min(off, key=lambda own: abs(math.log(own.ratio / middle)))
    deviations = Counter(f"{own.held:.2g}" for own in off)
    held = next(iter(deviations)) if len(deviations) == 1 else f"{typical.held:.2g}"
    return (
        f"{len(off)} of {len(line.kernels)} kernels are {words}: std {held} where "
        f"{typical.wanted:.3g} keeps the size of a signal (gain {typical.gain:.3g} / "
        f"sqrt(fan_in {typical.fan_in:.4g}), {typical.fed_by})"
    )


def passed_by(evidence: Evidence, line: Line) -> tuple[str, ...]:
    """Name the norms and activations that a line passes.

    Args:
        evidence: With a trace.
        line: The line.

    Returns:
        Each once, in the order of execution.
    """
    ops = evidence.trace.ops if evidence.trace is not None else ()
    first, last = line.points[0].op, line.points[-1].op
    kinds = (Kind.NORM, Kind.ACTIVATION)
    names = [op.detail or op.function for op in ops[first : last + 1] if op.kind in kinds]
    return tuple(dict.fromkeys(names))


def mends(evidence: Evidence, line: Line, growing: bool) -> tuple[Fix, ...]:
    """List new values for the kernels that make a signal drift.

    Args:
        evidence: What was gathered.
        line: The line.
        growing: Whether it grows.

    Returns:
        One for each kernel that is off in that direction and is trained.
    """
    known = sizes(evidence, line.kernels)
    return tuple(
        Fix(own.name)
        for own in known
        if not own.frozen and (own.ratio > RIGHT if growing else own.ratio < 1 / RIGHT)
    )


def by_theory(evidence: Evidence, line: Line) -> float | None:
    """Compute the factor per layer that theory expects of the gradient, or else of the signal.

    Args:
        evidence: With a trace.
        line: The line.

    Returns:
        The factor, forward in the order of execution or backward against it; None where theory
        has nothing to say on this line.
    """
    trace = evidence.trace
    expected = trace.predicted() if trace is not None else ()
    if not expected:
        return None
    points = list[tuple[int, float]]()
    for place, point in enumerate(line.points):
        size = expected[point.op].backward
        if size is not None and size > 0:
            norm = math.log(size) + math.log(math.prod(point.forward.shape)) / 2
            points.append((-place, norm))
    if len(points) == len(line.points):
        return fitted(points)[0]
    known = [
        (place, math.log(size))
        for place, point in enumerate(line.points)
        if (size := expected[point.op].forward) is not None and size > 0
    ]
    return fitted(known)[0] if len(known) == len(line.points) else None
