"""The signal and its gradient, growing or shrinking with depth."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.depth.causes import blame, by_theory, mends
from fanin.checks.families.depth.lines import Line, first_step, lines
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule

SLOW = 1e-3
"""Strength below which SGD has to wait for thousands of steps before anything moves."""

LOST = 1e-6
"""Strength at which even gradients of 1e-2, large ones, shrink to the epsilon of Adam, 1e-8."""

STEEP = 1e2
"""Strength above which the steps that are stable are 1e4 times smaller."""

TOO_STEEP = 1e4
"""Strength above which they are 1e8 times smaller, below the rounding of the weights."""


def exploding(line: Line) -> bool:
    """Tell whether the layers of a line receive too much to be trained with usual steps.

    Args:
        line: The line.

    Returns:
        Whether one of them does.
    """
    return line.strength > (TOO_STEEP if line.normalised else STEEP)


def vanishing(line: Line) -> bool:
    """Tell whether the layers of a line receive too little to learn from.

    Args:
        line: The line.

    Returns:
        Whether even the best placed layer does.
    """
    return line.strength < SLOW


@rule("FI401", "signal fades with depth", Severity.ERROR, Probe.SIGNAL, symptom=True)
def fades(evidence: Evidence) -> Iterator[Finding]:
    """What the inputs differ by, or the gradient, shrinks from layer to layer.

    A layer learns from the product of the signal it is fed and the gradient that comes back to it.
    The strength of a stretch is the largest such product among its layers, against what it would be
    if nothing changed with depth. The signal is what differs between examples: a bias keeps the
    size of an activation up, and carries nothing.

    Why it hurts:
        Every kernel of the stretch moves that many times more slowly than its size asks for. The
        loss stays where it is for thousands of steps, or for good.

    Example:
        Thirty layers of `nn.Linear` and relu as torch starts them: each keeps 0.41 of the signal.

    Mend:
        Start the kernels with the gain of the activation before them: `he_normal` behind relu,
        `glorot_normal` behind tanh; replace sigmoid; or put norms or skips between.

    When it is fine:
        Eight such layers train well. A single small layer does too: its own gradient is whole.

    Threshold:
        A warning below a strength of 1e-3, an error below 1e-6, from three points on. With steps
        of 0.1 and gradients a tenth of the weights, as at a sound start, 1e-3 is 1e5 steps to
        change a weight by itself; multilayer perceptrons on digits were stuck for 600 steps of SGD
        from there on, at any step size, while Adam mostly got through. At 1e-6 even gradients of
        1e-2 shrink to the 1e-8 that Adam adds to its denominator: of twenty relu layers as torch
        starts them, at 1e-7, Adam learned a half in 600 steps, and of thirty nothing.

    Source:
        Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
        networks, section 4.2; He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, section
        2.2; Schoenholz, Gilmer, Ganguli and Sohl-Dickstein (2017), Deep Information Propagation,
        section 5, on how far what two inputs differ by carries.
    """
    found = [line for line in lines(evidence) if vanishing(line)]
    if found:
        severe = any(line.strength < LOST for line in found)
        yield _finding(evidence, found, Severity.ERROR if severe else Severity.WARNING)


@rule("FI402", "signal grows with depth", Severity.ERROR, Probe.SIGNAL, symptom=True)
def grows(evidence: Evidence) -> Iterator[Finding]:
    """The signal or the gradient grows from layer to layer, or from branch to branch.

    Strength is meant as for FI401: what a layer learns from, against what it would be if nothing
    changed with depth. Branches that are as large as their stream double its square at every sum,
    and a batch norm without a skip makes gradients 1.2 times larger per layer.

    Why it hurts:
        The curvature of the loss grows with the square of it, and the steps that are stable shrink
        as much. With usual steps the loss jumps, and is soon nan.

    Example:
        Eight layers of width 64 and relu with weights of std 0.5: a factor of 2.8 each.

    Mend:
        Start the kernels with the gain of the activation before them; in a residual network start
        the last kernel of each branch at zero, or smaller by the square root of the number of
        branches.

    When it is fine:
        A norm at the start of every branch hides the size of the stream; such streams are not
        looked at. A sum of L branches of equal size grows by sqrt(L), and that is far below.

    Threshold:
        A warning above a strength of 1e2: stable steps are 1e4 times smaller then, beyond what lies
        between the smallest and the largest usual ones. An error above 1e4: such steps are lost in
        the rounding of float32 weights. With norms on the way a warning from 1e4 on: a kernel
        before a norm has no size of its own, and grows until its steps are stable. Batch norm
        reaches 1e4 at about fifty layers, beyond which such networks were not seen to train.

    Source:
        He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, section 2.2; Hanin and Rolnick
        (2018), How to Start Training, section 4, on residual networks; Yang, Pennington, Rao,
        Sohl-Dickstein and Schoenholz (2019), A Mean Field Theory of Batch Normalization, section 3;
        LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, section 5, on curvature and
        stable steps.
    """
    found = [line for line in lines(evidence) if exploding(line)]
    if found:
        severe = any(line.strength > TOO_STEEP and not line.normalised for line in found)
        yield _finding(evidence, found, Severity.ERROR if severe else Severity.WARNING)


def _finding(evidence: Evidence, found: list[Line], severity: Severity) -> Finding:
    """Make one finding of all lines that drift the same way, told by the worst."""
    growing = found[0].strength > 1
    worst = max(found, key=lambda line: abs(math.log(max(line.strength, 1e-300))))
    rate, error = worst.rate
    theory, backward = by_theory(evidence, worst), worst.backward
    names = [name for line in (worst, *found) for name in line.kernels]
    unit, units = ("branch", "branches") if worst.kind == "stream" else ("layer", "layers")
    count, where = len(worst.points), first_step(worst, 10.0 if growing else 0.1)
    whole = "what the inputs differ by" if worst.by_spread else "the signal"
    told = f"over {count} {units} {whole} goes {_times(worst.forward)} ({rate:.3g} +- {error:.1g} "
    told += f"per {unit})"
    if backward is not None:
        told += f", and the gradient on the way back {_times(backward)}"
    told += f"; tenfold at {where.kernels[0]}" if where.kernels else ""
    said = blame(evidence, worst, growing)
    expected = f"a factor near 1 per {unit}: {said}"
    if theory is not None and abs(math.log(theory)) > math.log(1.02):
        expected += f"; theory gives {theory:.3g} per {unit} for what they hold"
    strength, fixes = worst.strength, mends(evidence, worst, growing)
    return Finding(
        "FI402" if growing else "FI401",
        severity,
        tuple(dict.fromkeys(names)),
        told,
        expected,
        _harm(strength),
        _mend(worst, bool(fixes)),
        title="the signal grows with depth" if growing else "the signal fades with depth",
        fixes=fixes,
        facts={
            "strength": strength,
            "forward": worst.forward,
            "rate": rate,
            "rate_error": error,
            "points": count,
            **({} if backward is None else {"backward": backward}),
            **({} if theory is None else {"theory": theory}),
        },
    )


def _harm(strength: float) -> str:
    if strength > 1:
        return (
            f"a layer receives {strength:.2g} times the gradient it should, so that stable steps "
            f"are {strength**2:.1g} times smaller"
        )
    slow = "SGD leaves it where it is, and Adam is slow at best"
    return (
        f"even the best placed of these layers learns from {strength:.1e} of what it should, so "
        f"that {slow if strength < LOST else 'SGD crawls'}"
    )


def _mend(line: Line, off: bool) -> str:
    if line.kind == "stream":
        return (
            "start the last kernel of each branch at zero, or divided by the square root of the "
            "number of branches"
        )
    if off:
        return (
            "start each kernel with the gain of what feeds it (he_normal behind relu, "
            "glorot_normal behind tanh, lecun_normal behind a norm)"
        )
    return "put skips around every few layers, or take another activation or norm between them"


def _times(factor: float) -> str:
    if factor == 0:
        return "down to nothing"  # below what the digits of the dtype can tell
    if abs(math.log(factor)) < 0.1:
        return "on as it is"
    return f"up {factor:.2g} times" if factor >= 1 else f"down to {factor:.2g}"
