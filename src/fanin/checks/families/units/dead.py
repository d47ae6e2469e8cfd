"""Units that are zero for every example of the batch."""

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from scipy.stats import binom, norm

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.units.graph import graph_of, is_made, label
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.trace import Kind, Op, Part
from fanin.trace.structure.graph import Graph

CUT = frozenset({"relu", "relu2", "relu6", "threshold"})
"""Activations that are zero, and flat, for half of all inputs."""

CHANCE = 2.9e-7
"""Probability of five standard deviations, one-sided."""

MANY = 0.25
"""Part of the units of a layer beyond what chance explains, below which nothing is said."""


@rule("FI502", "dead units", Severity.ERROR, Probe.SIGNAL, symptom=True)
def dead(evidence: Evidence) -> Iterator[Finding]:
    """Units put out zero for every example and position of the batch, and receive no gradient.

    Why it hurts:
        A relu that is always off has slope zero: nothing that goes into it ever changes, unless
        other data wakes it. A layer in which all are off passes no gradient to anything before it.

    Example:
        A bias of -10 before relu, or all weights negative behind another relu.

    Mend:
        Start the bias at zero and the weights with mean zero (`he_normal`).

    When it is fine:
        In a small batch many units are off by chance: with n examples that have nothing in common
        2^-n of them, with examples that are alike up to a half.

    Threshold:
        For pre-activations that are Gaussian about zero, with the mean cosine c between examples
        that was measured before the kernel (and a bias as frameworks draw it), a unit is off for
        all n with probability E[Phi(-sqrt(c / (1 - c)) z)^n].
        A warning where the number of dead units is beyond that by 5 sigma of the binomial law and
        by a quarter of the layer: less than that costs width and no more. An error where the whole
        layer is dead and chance makes that less likely than 5 sigma.

    Source:
        Lu, Shin, Su and Karniadakis (2020), Dying ReLU and Initialization, theorem 3.1; Owen
        (1962), Moments of order statistics from the equicorrelated multivariate normal
        distribution, for the probability that all of n are negative.
    """
    trace = evidence.trace
    if trace is None:
        return
    graph = graph_of(trace)
    whole, parts = list[tuple[int, float, int]](), list[tuple[int, float, int]]()
    for index, op in enumerate(graph.ops):
        if op.kind is not Kind.ACTIVATION or op.detail.partition("(")[0] not in CUT:
            continue
        seen = _dead(graph, trace.moments, index, op)
        if seen is not None:
            (whole if seen[1] == 1 else parts).append(seen)
    for found, severity in ((whole, Severity.ERROR), (parts, Severity.WARNING)):
        if found:
            yield _finding(evidence, graph, found, severity)


def _dead(
    graph: Graph, moments: Mapping[str, tuple[float, float]], index: int, op: Op
) -> tuple[int, float, int] | None:
    """Tell the part of a layer that is dead, and its units; None for what chance explains."""
    signal = op.forward
    if signal is None or not signal.finite or not is_made(graph, index):
        return None
    cosine = _cosine(graph, moments, index)
    if cosine is None:
        return None
    units = _units(graph, index)
    part = signal.off
    if part is None:
        part, units = float(signal.zero == 1), max(units, 1)
    if not part > 0 or not units:
        return None
    examples = signal.shape[0] if len(signal.shape) > 1 else 1
    chance = all_off(examples, min(1.0, max(0.0, cosine)))
    count = round(part * units)
    if binom.sf(count - 1, units, chance) > CHANCE:
        return None
    return (index, part, units) if part - chance > MANY or part == 1 else None


def _cosine(graph: Graph, moments: Mapping[str, tuple[float, float]], index: int) -> float | None:
    """Compute how alike the pre-activations of two examples would be at a sound start.

    What the kernel is fed decides it. A bias is shared by all examples, and counts up to the size
    that frameworks draw it with; one that is larger is a cause of what is looked for.
    """
    at = graph.telling(graph.sources[index][0])
    if graph.ops[at].detail in ("batch_norm", "instance_norm"):
        return 0.0  # every unit is set about zero over the batch
    while graph.kind(at) is Kind.NORM and graph.sources[at]:
        at = graph.telling(graph.sources[at][0])
    own = graph.ops[graph.sources[index][0]].forward if not graph.is_kernel(at) else None
    if own is not None:
        return own.correlation if own.correlation is not None else 1.0
    feeder = graph.ops[graph.sources[at][0]].forward if graph.sources[at] else None
    if feeder is None or not feeder.finite or not feeder.rms > 0:
        return None  # what goes in is zero, so nothing is told of the unit
    if feeder.correlation is None:
        return 1.0
    kernel = next(((p, use) for p, use in graph.uses[at] if use.part is Part.KERNEL), None)
    if kernel is None or kernel[1].fans is None or kernel[0].name not in moments:
        return feeder.correlation
    fan_in = kernel[1].fans.fan_in
    square = _square(moments[kernel[0].name]) * fan_in * feeder.rms**2
    biases = [moments[p.name] for p, use in graph.uses[at] if use.part is Part.BIAS]
    shared = min(sum(map(_square, biases)), 1 / fan_in)
    total = square + shared
    return (square * feeder.correlation + shared) / total if total > 0 else None


def _square(moments: tuple[float, float]) -> float:
    mean, std = moments
    return mean**2 + std**2


def _units(graph: Graph, index: int) -> int:
    """Count the units of an activation: those of the kernel before, or else along the channels."""
    signal = graph.ops[index].forward
    if signal is None or len(signal.shape) < 2:
        return math.prod(signal.shape) if signal is not None else 0
    at = graph.telling(graph.sources[index][0])
    channels = graph.kind(at) is Kind.CONVOLUTION or len(signal.shape) in (4, 5)
    return signal.shape[1] if channels else signal.shape[-1]


@lru_cache(maxsize=1024)
def all_off(examples: int, cosine: float) -> float:
    """Compute how likely a centred Gaussian unit is negative for every example.

    Args:
        examples: Number of examples.
        cosine: Correlation between any two, from 0 to 1.

    Returns:
        The probability.

    Example:
        >>> round(all_off(3, 0.0), 6), round(all_off(2, 0.5), 6), all_off(9, 1.0)
        (0.125, 0.333333, 0.5)

    References:
        Owen (1962), equation 1.3: given what all share, the examples are independent.
    """
    if cosine >= 1 or examples == 1:
        return 0.5
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    inside = np.exp(examples * norm.logcdf(-math.sqrt(cosine / (1 - cosine)) * points))
    return float(weights @ inside / math.sqrt(2 * math.pi))


def _shutting(graph: Graph, moments: Mapping[str, tuple[float, float]], index: int) -> list[str]:
    """Name the biases that hold the units of a layer below zero: more than half of what is seen."""
    signal = graph.ops[graph.sources[index][0]].forward
    if signal is None:
        return []
    return [
        parameter.name
        for parameter, use in graph.uses[graph.telling(graph.sources[index][0])]
        if use.part in (Part.BIAS, Part.OFFSET, Part.TERM)
        and (held := moments.get(parameter.name)) is not None
        and held[0] < 0
        and _square(held) > signal.rms**2 / 2
    ]


def _finding(
    evidence: Evidence, graph: Graph, found: list[tuple[int, float, int]], severity: Severity
) -> Finding:
    moments = evidence.trace.moments if evidence.trace is not None else {}
    shut = [name for index, _, _ in found for name in _shutting(graph, moments, index)]
    kernels = [name for index, _, _ in found for name in label(graph, index)]
    names = tuple(dict.fromkeys((*shut, *kernels)))
    index, part, units = max(found, key=lambda own: own[1])
    op = graph.ops[index]
    before = graph.ops[graph.sources[index][0]].forward
    examples = op.forward.shape[0] if op.forward is not None else 0
    mean = "" if before is None else f"; the pre-activations have mean {before.mean:.3g} and std "
    mean += "" if before is None else f"{before.std:.3g}"
    if shut:
        mean += f", for {shut[0]} has a mean of {moments[shut[0]][0]:.3g}"
    if severity is Severity.ERROR:
        more = f" (and {len(found) - 1} more layers)" if len(found) > 1 else ""
        said = f"every one of {units} units is zero for all {examples} examples{more}{mean}"
        why = "it passes no gradient: neither it nor what comes before it through it ever learns"
    else:
        said = f"{part:.0%} of {units} units are zero for all {examples} examples{mean}"
        why = "a relu that is always off has no slope, so those units stay as they are"
    return Finding(
        "FI502",
        severity,
        names,
        said,
        "units that are on for about half of the examples: pre-activations about zero",
        why,
        f"start {shut[0]} at zero"
        if shut
        else "start the bias at zero and the weights about zero (he_normal)",
        title="a whole layer is dead" if severity is Severity.ERROR else "many units are dead",
        fixes=tuple(
            Fix(name, "zeros")
            for name in dict.fromkeys(shut)
            if (slot := evidence.slot(name)) is not None and not slot.frozen
        ),
        facts={"dead": part, "units": units, "layers": len(found)},
    )
