"""Inputs of a size that no start of a network expects."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.units.graph import graph_of
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.trace import Kind, Signal
from fanin.trace.structure.graph import Graph

LARGE = 10.0
"""Root mean square from which the first layer's curvature is 100 times that of the others."""

SMALL = 1e-3
"""Root mean square below which the first layer's curvature is 1e-6 of that of the others."""

DOMINATES = 100.0
"""Ratio of deviations from which one feature bounds the step of another to 1e-4 of its own."""


@dataclass(frozen=True)
class _Fed:
    """A signal from outside and the kernel that takes it."""

    path: str
    kernels: tuple[str, ...]
    signal: Signal
    normalised: bool


@rule("FI504", "inputs not normalised", Severity.WARNING, Probe.SIGNAL)
def inputs(evidence: Evidence) -> Iterator[Finding]:
    """The numbers that the first kernel is fed are far from size 1, or far from each other.

    Why it hurts:
        The curvature of the loss along the weights of a feature goes with the square of that
        feature. The step that is stable for the largest is too small for all others, in this layer
        and in every other.

    Example:
        Pixels from 0 to 255; a column of incomes next to columns of ratios.

    Mend:
        Take the mean of each feature away and divide by its deviation, as found on the training
        set; pixels by 255 at least.

    When it is fine:
        Numbers of tokens, and inputs that meet a norm before any kernel, are not looked at. Where a
        norm stands right behind the first kernel the size cancels, and this is an info.

    Threshold:
        Root mean squares above 10: curvatures 100 times larger than the layers behind, which is
        what lies between a usual step and its hundredth. Below 1e-3: a layer that has a millionth
        of it, and does not move. Deviations of features a hundred times larger than the middle one,
        and above 10: a ratio of 1e4 between curvatures, the number of steps of a whole training.

    Source:
        LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, sections 4.3 and 5.1.
    """
    trace = evidence.trace
    if trace is None:
        return
    graph = graph_of(trace)
    for fed in _first(graph):
        finding = _looked_at(fed)
        if finding is not None:
            yield finding


def _first(graph: Graph) -> Iterator[_Fed]:
    """Find each input that reaches a kernel as the numbers it is, and what the kernel takes."""
    told = set[int]()
    for index in range(len(graph.ops)):
        sources = graph.sources[index]
        if graph.kind(index) not in (Kind.LINEAR, Kind.CONVOLUTION) or not sources:
            continue
        origin, signal = graph.telling(sources[0]), graph.ops[sources[0]].forward
        if graph.kind(origin) is not Kind.INPUT or origin in told or signal is None:
            continue
        if len(signal.shape) < 2 or not signal.finite or not signal.rms > 0:
            continue
        told.add(origin)
        behind = [graph.kind(reader) for reader in graph.readers[index]]
        yield _Fed(
            graph.ops[index].path,
            tuple(own.name for own in graph.kernels(index)),
            signal,
            bool(behind) and all(kind is Kind.NORM for kind in behind),
        )


def _looked_at(fed: _Fed) -> Finding | None:
    signal = fed.signal
    stds = signal.unit_stds
    if stds is not None and stds[1] > 0 and stds[2] > max(LARGE, DOMINATES * stds[1]):
        said = (
            f"one feature has a deviation of {stds[2]:.3g}, {stds[2] / stds[1]:.2g} times that of "
            f"the middle one ({stds[1]:.3g})"
        )
        title = "one input feature dwarfs the others"
        why = (
            "the step that is stable for it is too small for the others by the square of that ratio"
        )
        return _finding(fed, said, title, why, Severity.WARNING)
    if signal.rms > LARGE:
        said = f"inputs of rms {signal.rms:.3g} (mean {signal.mean:.3g}, std {signal.std:.3g})"
        why = (
            f"the first layer is {signal.rms**2:.1g} times more curved than the others, and bounds "
            "the step"
        )
        if fed.normalised:
            why = "fine, because a norm stands right behind the first kernel and takes the size out"
        severity = Severity.INFO if fed.normalised else Severity.WARNING
        return _finding(fed, said, "inputs are large", why, severity)
    if signal.rms < SMALL and not fed.normalised:
        said = f"inputs of rms {signal.rms:.3g}"
        why = "the first layer receives next to no gradient, and its bias rules what it puts out"
        return _finding(fed, said, "inputs are next to zero", why, Severity.WARNING)
    return None


def _finding(fed: _Fed, said: str, title: str, why: str, severity: Severity) -> Finding:
    signal = fed.signal
    facts: dict[str, float | str] = {"rms": signal.rms, "mean": signal.mean, "std": signal.std}
    if signal.unit_stds is not None and math.isfinite(signal.unit_stds[2]):
        facts |= {"middle_std": signal.unit_stds[1], "largest_std": signal.unit_stds[2]}
    return Finding(
        "FI504",
        severity,
        fed.kernels or (fed.path,),
        said,
        "features of mean 0 and deviation 1, near enough",
        why,
        "take the mean of each feature away and divide by its deviation on the training set",
        title=title,
        facts=facts,
    )
