"""Layers that one step size cannot serve."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.depth.drift import exploding, vanishing
from fanin.checks.families.depth.lines import lines
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes import Role
from fanin.recipes.slots import Slot
from fanin.trace import Place

APART = 1e6
"""Ratio of relative gradients from which no step size serves both layers."""

BY_DESIGN = frozenset({Place.QUERY, Place.KEY, Place.GATE, Place.SCALE, Place.POSITION})
"""Places whose gradient is small at the start of a sound network."""


@rule("FI405", "updates orders apart", Severity.INFO, Probe.SIGNAL, symptom=True)
def apart(evidence: Evidence) -> Iterator[Finding]:
    """The gradients of two kernels, each against the size of the kernel, are orders apart.

    Why it hurts:
        With one step size for all, SGD either leaves the one where it is or throws the other out.

    Example:
        A branch that is multiplied by 1e-4 twice, next to one that is not.

    Mend:
        Bring the kernel to the size that its fan_in asks for, take constant factors out of the
        network, or train with an optimiser that scales each gradient by itself.

    When it is fine:
        With Adam and its kin, which scale each gradient by itself: this is an info. A branch may be
        scaled by 1e-6 on purpose, as with layer scale. Kernels of queries, keys and gates, whose
        gradients are small while an attention looks everywhere alike, are not compared; neither is
        what is zero or frozen.

    Threshold:
        A ratio above 1e6 between the largest and the smallest. Usual steps move a weight by 1e-3 of
        itself; with 1e-6 of that in one layer, float32, which has seven digits, no longer stores
        the difference. Nothing is said where FI401 or FI402 tell why.

    Source:
        You, Gitman and Ginsburg (2017), Large Batch Training of Convolutional Networks, section 4,
        on the ratio of weights and gradients; IEEE 754-2019, table 3.5, on the digits of float32.
    """
    if any(vanishing(line) or exploding(line) for line in lines(evidence)):
        return
    relative = {
        name: ratio
        for name, gradient in evidence.gradients.items()
        if (slot := evidence.slot(name)) is not None
        and _is_compared(slot)
        and (values := evidence.values.get(name)) is not None
        and values.finite
        and values.rms > 0
        and gradient.rms > 0
        and math.isfinite(ratio := gradient.rms / values.rms)
    }
    if len(relative) < 2:
        return
    slow, fast = min(relative, key=relative.__getitem__), max(relative, key=relative.__getitem__)
    ratio = relative[fast] / relative[slow]
    if ratio < APART:
        return
    yield Finding(
        "FI405",
        Severity.INFO,
        (slow, fast),
        f"the gradient of {slow} is {relative[slow]:.2g} of its weights, that of {fast} "
        f"{relative[fast]:.2g}: a ratio of {ratio:.1g}",
        f"ratios within {APART:.0g} of each other",
        f"fine with Adam; with SGD a step that suits {fast} leaves {slow} where it is, to the last "
        "digit of float32",
        f"bring both to the size their fan_in asks for, or look for a constant factor on the way "
        f"from {slow} to the loss",
        title="updates are orders apart",
        facts={"ratio": ratio},
    )


def _is_compared(slot: Slot) -> bool:
    places = slot.around.places if slot.around is not None else frozenset[Place]()
    in_branch = slot.around is not None and slot.around.branch is not None
    chooses = slot.around is not None and slot.around.followed_by in ("product", "softmax")
    apart = in_branch or chooses or not places.isdisjoint(BY_DESIGN)
    return slot.role is Role.KERNEL and not slot.frozen and not apart
