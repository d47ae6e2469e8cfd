"""Different inputs that become one with depth."""

from collections.abc import Iterator
from itertools import pairwise

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.depth.lines import Line, lines
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule

SLOWER = 1e4
"""How many times more slowly the network may learn what inputs differ by than what they share."""

CARRIED = 0.03
"""Strength below which a stretch fades, and what it fades to is only what is left."""

ROUNDING = 1e-7
"""Part of a cosine that float32 cannot tell from 1."""

DEEP = 6
"""Points below which an odd layer, and not depth, is what makes inputs alike."""

ALIKE = 0.1
"""Part of the difference between inputs that must be gone before anything is said."""


@rule("FI403", "inputs become alike", Severity.WARNING, Probe.SIGNAL, symptom=True)
def collapses(evidence: Evidence) -> Iterator[Finding]:
    """Different inputs give nearly the same signal at the end of a deep stretch.

    The size of the signal is kept, as it should be, but the angle between the signals of different
    examples closes: a relu makes any two of them more alike, and a hundred leave one direction.

    Why it hurts:
        The step size is bounded by the curvature along what all examples share. What they differ
        by has a curvature smaller by 1 - c, with the mean cosine c between examples, and is learned
        that many times more slowly. The depth over which the gradient is spread bounds the step
        once more.

    Example:
        A hundred layers of relu, started by `he_normal`: the sizes are right all along, the cosine
        between any two inputs is above 0.99, and it does not train.

    Mend:
        Put skips around every few layers, a norm between them, or shape the start so that the
        stretch is near linear (`looks_linear`, tanh with `orthogonal`).

    When it is fine:
        Ten or twenty such layers; inputs that are alike from the start; anything with skips.

    Threshold:
        The slow-down is the sum over layers of the squared gradient norm, in units of the last
        one's, times the loss of 1 - c. A warning from 1e4 on, where a tenth or less of 1 - c is
        left: 1e4 is the ratio between a long training in steps and the few that a network needs
        for what all examples share. In trials on digits twenty He layers stay near 1e3 and train,
        fifty lie on both sides of 1e4 and need smaller steps, a hundred are far above it and fail
        at usual steps. A stretch of strength below 0.03 fades, which is FI401's to tell.

    Source:
        Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017), Deep Information Propagation,
        section 3; Hayou, Doucet and Rousseau (2019), On the Impact of the Activation Function on
        Deep Neural Networks Training, proposition 2, for the rate of relu; LeCun, Bottou, Orr and
        Mueller (1998), Efficient BackProp, section 5.1, for the mean of a signal and the spread of
        the curvature.
    """
    for line in lines(evidence):
        found = _slower(line)
        if found is None or line.strength < CARRIED:
            continue
        slower, before, after = found
        if slower < SLOWER or after > ALIKE * before:
            continue
        count = len(line.points)
        yield Finding(
            "FI403",
            Severity.WARNING,
            line.kernels,
            f"over {count} layers without a skip the mean cosine between different inputs goes "
            f"from {1 - before:.3g} to {1 - after:.7g}, while the signal keeps its size",
            f"a cosine that leaves more than {ALIKE:g} of the difference, or fewer layers",
            f"what the inputs differ by is learned about {slower:.1g} times more slowly than what "
            "they share, which bounds the step size",
            "put skips around every few layers or norms between them, or start the stretch near "
            "linear (looks_linear, or tanh with orthogonal)",
            title="different inputs become one",
            facts={"slower": slower, "before": 1 - before, "after": 1 - after, "points": count},
        )
        return


def _slower(line: Line) -> tuple[float, float, float] | None:
    """Tell how much more slowly differences are learned, and 1 - c before and after."""
    if line.kind != "stretch" or not line.by_spread or line.backward is None:
        return None
    if len(line.points) < DEEP:
        return None
    parts = [
        (point.forward.rms * following.gradient) ** 2 for point, following in pairwise(line.points)
    ]
    if not parts[-1] > 0:
        return None
    cosines = [line.points[end].forward.correlation for end in (0, -1)]
    before, after = (ROUNDING if c is None else max(ROUNDING, 1 - c) for c in cosines)
    return sum(parts) / parts[-1] * before / after, before, after
