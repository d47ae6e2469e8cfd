"""A layer that is started unlike the others of its kind."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from fanin.checks.cause import scale_cause, times
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import Kernel, fixes, kernels, spelled
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes.network import around
from fanin.trace import Place

BESIDE = 2.0
"""A scaling by depth never changes by more between two neighbours: 1/l from the first to the
second."""

AT_THE_END = 10.0
"""First and last layers are special in many recipes, but not by a decade."""

FEWEST = 3


@dataclass(frozen=True)
class Odd:
    """Kernels that are unlike their siblings, by one factor.

    Attributes:
        names: The kernels.
        ratio: Their standard deviation over the middle one of the siblings.
        usual: That middle one.
        siblings: How many are alike.
    """

    names: tuple[str, ...]
    ratio: float
    usual: float
    siblings: int


@rule("FI302", "unlike its siblings", Severity.WARNING, Probe.VALUES)
def unlike_siblings(evidence: Evidence) -> Iterator[Finding]:
    """One layer has another scale than all the others of its kind, and no law of depth explains it.

    Why it hurts:
        The signal is cut off or blown up in that one place. Somebody wrote a loop that missed it,
        or a write that hit it twice.

    Example:
        ``for name, p in model.named_parameters(): if "layers.1" in name: p.data.mul_(0.1)``, which
        hits layers 1 and 10 to 19.

    Mend:
        Start it as the others are started.

    When it is fine:
        Scales that fall or rise steadily with depth, a special first or last layer, and layers
        that form a pattern (every second, every fourth) are on purpose, and are not told on.

    Threshold:
        The same name but for its numbers, the same shape, role and place; at least 3 of them, at
        most a quarter of them odd, or one. Odd is what differs from the median, and from its
        neighbours, by a factor of 2 beyond the sampling error at 5 sigma: 1/l, the steepest of the
        depth scalings, takes that step once, from the first layer to the second. At either end,
        and among three, it takes a factor of 10.

    Source:
        Depth scalings: Radford et al. (2019), section 2.3 (1/sqrt(N)); Zhang et al. (2019), Fixup,
        section 3; Zhang, Titov and Sennrich (2019), depth-scaled initialisation (1/sqrt(l)).
    """
    known = kernels(evidence)
    for odd in odd_ones(evidence):
        worst = known[odd.names[0]]
        yield Finding(
            "FI302",
            Severity.WARNING,
            odd.names,
            f"{times(odd.ratio)} the {odd.siblings} others of its kind; "
            f"{scale_cause(worst.slot, worst.values)}",
            f"std {odd.usual:.3g}, as in the others",
            "the signal is cut off or blown up in this one place",
            f"start it as the others: nn.init.normal_({spelled(worst.name)}, std={odd.usual:.3g})",
            title="scale unlike that of its siblings",
            fixes=fixes(evidence, odd.names),
            facts={"ratio": odd.ratio, "std": worst.values.std, "usual": odd.usual},
        )


def odd_ones(evidence: Evidence) -> Iterator[Odd]:
    """Find the kernels that are unlike their siblings.

    Args:
        evidence: What was gathered.

    Yields:
        One for each factor within one group of siblings.
    """
    groups = dict[tuple[object, ...], list[Kernel]]()
    for kernel in kernels(evidence).values():
        if kernel.slot.used is not False:
            groups.setdefault(_kind(kernel, evidence.trace is not None), []).append(kernel)
    for group in groups.values():
        yield from _odd(group)


def _kind(kernel: Kernel, traced: bool) -> tuple[object, ...]:
    slot = kernel.slot
    # Without a trace conv1 and conv2 may be for different things; layers.1 and layers.2 are not.
    number = r"\d+" if traced else r"(?<![^.])\d+(?![^.])"
    here = around(slot)
    ends = (Place.FIRST, Place.LAST)
    places = tuple(sorted(place for place in here.places if place not in ends))
    special = tuple(place for place in ends if place in here.places)
    return (
        re.sub(number, "*", slot.name),
        slot.shape,
        slot.role,
        slot.recurrent,
        places,
        special,
        here.branch is not None,
    )


def _odd(group: list[Kernel]) -> Iterator[Odd]:
    scales = [math.log(kernel.values.rms) for kernel in group]
    slack = 2 * max(kernel.error for kernel in group)
    if len(group) < FEWEST or _steady(scales, slack):
        return
    middle = median(scales)
    far = [place for place, scale in enumerate(scales) if abs(scale - middle) > _step(slack)]
    ordinary = [place for place in range(len(group)) if place not in far]
    if not far or len(far) > max(1, len(group) // 4) or len(ordinary) < 2:
        return
    found = dict[int, list[int]]()
    for place in far:
        away = scales[place] - middle
        if _lone(place, scales, ordinary, slack) and _enough(place, len(group), away, slack):
            # Those of one factor, to the nearest twentieth, have one cause.
            found.setdefault(round(away / 0.05), []).append(place)
    for places in found.values():
        names = tuple(group[place].name for place in places)
        ratio = math.exp(scales[places[0]] - middle)
        yield Odd(names, ratio, math.exp(middle), len(ordinary))


def _step(slack: float) -> float:
    return math.log(BESIDE) + slack


def _enough(place: int, count: int, away: float, slack: float) -> bool:
    inner = 0 < place < count - 1 and count > FEWEST
    return inner or abs(away) > math.log(AT_THE_END) + slack


def _lone(place: int, scales: list[float], ordinary: list[int], slack: float) -> bool:
    """Tell whether a scale is out of line with the nearest ordinary ones on either side."""
    before = [scales[other] for other in ordinary if other < place][-1:]
    after = [scales[other] for other in ordinary if other > place][:1]
    offs = [scales[place] - other for other in before + after]
    one_side = all(off > 0 for off in offs) or all(off < 0 for off in offs)
    return one_side and all(abs(off) > _step(slack) for off in offs)


def _steady(scales: list[float], slack: float) -> bool:
    """Tell whether scales only fall or only rise, and in more than one step."""
    steps = [later - earlier for earlier, later in pairwise(scales)]
    real = [step for step in steps if abs(step) > slack]
    return len(real) > 1 and (all(step > 0 for step in real) or all(step < 0 for step in real))
