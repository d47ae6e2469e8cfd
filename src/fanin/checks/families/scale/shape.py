"""The shape of the distribution: its centre, and elements far outside of it."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.gains import looks_up_gains
from fanin.checks.families.scale.looking import SIGMAS, few, fixes, held_slots, kernels
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.errors import FaninError
from fanin.recipes import Role, Slot
from fanin.recipes.network import KERNELS
from fanin.recipes.sampling import CHANCE

_FEWEST = 30

OUTWEIGHS = 2.0
"""Norms of an ordinary unit that one element is larger than, to be told on."""


@rule("FI304", "mean off zero", Severity.WARNING, Probe.VALUES)
def mean_off_zero(evidence: Evidence) -> Iterator[Finding]:
    """The weights have a common part: they scatter about a mean that is not zero.

    Why it hurts:
        The mean adds the same sum of all inputs to every unit. When it is larger than what the
        random part does in its strongest direction, all units answer nearly alike, and the output
        drifts with the number of inputs.

    Example:
        ``nn.Parameter(torch.rand(out, in))``: uniform from 0 to 1 instead of about 0.

    Mend:
        Draw about zero: `torch.randn` times a standard deviation, or an initialiser.

    When it is fine:
        Weights that have to be positive: convex or monotone networks, averaging filters. Patterns
        of few different numbers, such as an interpolation, are no draw and left alone, and so are
        tables in which the gains of a norm are looked up.

    Threshold:
        5 sigma of sampling error, and a mean whose matrix of ones has a larger singular value than
        the random part: ``|mean| sqrt(n m) > std (sqrt(n) + sqrt(m))`` for n by m. Below that the
        common part drowns in the random one.

    Source:
        Benaych-Georges and Nadakuditi (2012), The singular values and vectors of low rank
        perturbations of large rectangular random matrices: a common part stands out from the edge.
    """
    found = list[tuple[float, Slot, Values]]()
    for slot, values in held_slots(evidence):
        if slot.role not in (*KERNELS, Role.EMBEDDING) or values.count < _FEWEST:
            continue
        if values.patterned() or looks_up_gains(evidence, slot.name):
            continue
        edge = _edge(slot)
        away = abs(values.mean) / values.std
        if edge is not None and away > max(edge, SIGMAS / math.sqrt(values.count)):
            found.append((away, slot, values))
    for group in _alike(found):
        names = tuple(slot.name for _, slot, _ in group)
        away, _, values = group[0]
        law = _law(values)
        yield Finding(
            "FI304",
            Severity.WARNING,
            names,
            f"mean {values.mean:.3g} beside a std of {values.std:.3g} in {few(names)}{law}",
            "weights about zero",
            "every unit gets the same sum of all inputs on top, so all units answer nearly alike",
            f"draw {names[0]} about zero: torch.randn times a std, or an initialiser",
            title="weights are not centred on zero",
            fixes=fixes(evidence, names),
            facts={"mean": values.mean, "std": values.std, "means per std": away},
        )


def _edge(slot: Slot) -> float | None:
    """Tell the mean, in standard deviations, at which the common part of a matrix stands out."""
    if slot.layout is None:
        return None
    try:
        _, outputs, inputs, taps = slot.layout.stack(slot.shape)
    except FaninError:
        return None
    if inputs * taps < 2 or outputs < 1:
        return None
    return 1 / math.sqrt(outputs) + 1 / math.sqrt(inputs * taps)


def _alike(found: list[tuple[float, Slot, Values]]) -> Iterator[list[tuple[float, Slot, Values]]]:
    """Put those together whose means are the same number of standard deviations from zero."""
    groups = dict[str, list[tuple[float, Slot, Values]]]()
    for one in found:
        even = bool(_law(one[2]))
        groups.setdefault("even" if even else f"{round(4 * math.log(one[0]))}", []).append(one)
    yield from groups.values()


def _law(values: Values) -> str:
    # Both moments scatter, each by no more than 1 / sqrt(n) of the standard deviation.
    slack = 2 * SIGMAS / math.sqrt(values.count)
    if values.minimum >= 0 and abs(values.mean / values.std - math.sqrt(3)) < slack:
        return f": as drawn evenly from {values.minimum:.2g} to {values.maximum:.2g}"
    return ""


@rule("FI306", "far outside", Severity.WARNING, Probe.VALUES)
def far_outside(evidence: Evidence) -> Iterator[Finding]:
    """A few weights lie where no draw of this size and spread puts any.

    Why it hurts:
        One such weight says more than all others of its unit together; that unit, or that row,
        drowns the rest of the layer.

    Example:
        `trunc_normal_` in float32 with bounds 1000 sigma out: now and then it put an element on the
        bound itself. Memory that was only partly written looks the same.

    Mend:
        Draw the tensor again with bounds in proportion to its spread.

    When it is fine:
        Sparse starts and identity matrices hold few large weights, but none that outweighs an
        ordinary unit. Trained weights may have such outliers.

    Threshold:
        The largest weight is farther out than one draw in 3.5 million tensors of this size would
        have (``n erfc(x / sqrt 2) < 2.9e-7``), and larger than twice the whole norm of an ordinary
        unit; an identity matrix with noise has elements as large as that norm.

    Source:
        PyTorch pull request 174997 measured the outliers of `trunc_normal_`. The bound is that of
        n Gaussian draws (Leadbetter, Lindgren and Rootzen 1983, theorem 1.5.3).
    """
    for kernel in kernels(evidence).values():
        values, slot = kernel.values, kernel.slot
        fans = slot.fans
        if fans is None or values.count < _FEWEST:
            continue
        usual = values.unit_rms[1] if values.unit_rms is not None else 0.0
        reach = max(abs(values.minimum), abs(values.maximum))
        if not usual > 0 or reach <= OUTWEIGHS * usual * math.sqrt(fans.fan_in):
            continue
        # Of a sparse tensor the elements that are there are larger.
        drawn = usual / math.sqrt(1 - values.zero / values.count)
        if values.count * math.erfc(min(reach / drawn, 1e3) / math.sqrt(2)) < CHANCE:
            yield Finding(
                "FI306",
                Severity.WARNING,
                (slot.name,),
                f"largest element {reach:.3g}, {reach / usual:.0f} times the {usual:.3g} of an "
                "ordinary unit's weights",
                f"at most {_expected(values.count):.1f} times, for {values.count} draws",
                "one weight outweighs all others of its unit together",
                f"draw {slot.name} again, with bounds in proportion to its spread",
                title="elements far outside of the rest",
                fixes=fixes(evidence, (slot.name,)),
                facts={"largest": reach, "ordinary": usual},
            )


def _expected(count: int) -> float:
    """Bound the largest of Gaussian draws, in sigmas, by the chance of `CHANCE`."""
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if count * math.erfc(middle / 2**0.5) > CHANCE else (low, middle)
    return high
