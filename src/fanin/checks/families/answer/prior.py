"""Answers that do not start at what is known without looking: the base rate, the mean."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.answer.head import biases, heads
from fanin.checks.families.answer.loss import well_above
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule

RARE = 0.05
"""Base rate from which one side is so rare that the network learns first to say no."""

TIMES = 5.0
"""Loss against the entropy of the base rate."""

FEWEST = 5
"""Positives that a base rate is estimated from."""

FAR = 10.0
"""Distance of the targets from the output, in units of their spread."""


@rule("FI602", "base rate ignored", Severity.WARNING, Probe.SIGNAL, symptom=True)
def prior_missing(evidence: Evidence) -> Iterator[Finding]:
    """A sigmoid answers one half where hardly any target is positive.

    Why it hurts:
        The loss starts many times above what the base rate alone gives, and comes from the many
        negatives: the first thousands of steps teach the bias, with gradients that swamp the rare
        positives.

    Example:
        A detection head over thousands of anchors, of which one in a hundred holds something.

    Mend:
        Start the bias of the last layer at `-log((1 - p) / p)` for a base rate p.

    When it is fine:
        Balanced targets; the rare class with a weight that makes up for it.

    Threshold:
        A base rate below 0.05 or above 0.95, at least five targets of the rarer kind, and a loss
        above five times the entropy of the base rate, beyond five standard errors: at 0.05 an
        answer of one half costs 3.5 times the entropy, at 0.01 twelve times.

    Source:
        Lin, Goyal, Girshick, He and Dollar (2017), Focal Loss for Dense Object Detection, section
        3.3, on the prior of the last layer.
    """
    answer = evidence.answer
    if answer is None or answer.loss != "binary cross entropy" or answer.target is None:
        return
    rate, prior = answer.target[0], answer.prior or 0.0
    count = math.prod(answer.output.shape) if answer.output is not None else 0
    rarer = min(rate, 1 - rate)
    if not 0 < rarer < RARE or rarer * count < FEWEST or not well_above(answer, prior, TIMES):
        return
    names = tuple(slot.name for slot in (*biases(evidence), *heads(evidence)))
    mean = answer.mean_output[0] if answer.mean_output else 0.0
    wanted = math.log(rate / (1 - rate))
    yield Finding(
        "FI602",
        Severity.WARNING,
        names,
        f"{100 * rate:.2g}% of the targets are 1, and the mean logit is {mean:.2g}: the loss "
        f"starts at {answer.value:.3g}",
        f"{prior:.3g}, the entropy of the base rate, with a bias of {wanted:.3g}",
        "the first steps teach the bias what is known beforehand, and swamp the rare targets",
        f"nn.init.constant_(head.bias, {wanted:.3g}), which is log(p / (1 - p))",
        title="the output does not start at the base rate",
        facts={"loss": answer.value or 0.0, "reference": prior, "rate": rate},
    )


@rule("FI603", "targets far from the output", Severity.WARNING, Probe.SIGNAL, symptom=True)
def targets_far(evidence: Evidence) -> Iterator[Finding]:
    """The targets are far from what the network says, measured by their own spread.

    Why it hurts:
        The error is one constant for all examples. Its gradient goes into every layer and says
        nothing about the inputs; only the bias of the last layer needs it.

    Example:
        Prices around 200 with a spread of 5, and an output that starts near 0.

    Mend:
        Normalise the targets, or start the last bias at their mean.

    When it is fine:
        Targets that were normalised, whatever their distribution.

    Threshold:
        A squared error of a hundred times the variance of the targets, or Huber's of ten
        times their mean distance from the median, beyond five standard errors: the constant part
        outweighs what can be learned by ten to one in size.

    Source:
        Karpathy (2019), A Recipe for Training Neural Networks, "init well".
    """
    answer = evidence.answer
    if answer is None or answer.target is None or not answer.prior:
        return
    power = {"squared error": 2, "absolute error": 1}.get(answer.loss)
    if power is None or not well_above(answer, answer.prior, FAR**power):
        return
    mean, spread = answer.target
    names = tuple(slot.name for slot in (*biases(evidence), *heads(evidence)))
    size = answer.output.rms if answer.output is not None else 0.0
    large = size > abs(mean)
    yield Finding(
        "FI603",
        Severity.WARNING,
        names,
        f"the loss starts at {answer.value:.3g}; targets are {mean:.3g} +- {spread:.3g}, and the "
        f"output has a root mean square of {size:.3g}",
        f"a loss near {answer.prior:.3g}, that of the best constant answer",
        "the error is one constant with next to nothing of the inputs in it, and only one bias "
        "needs its gradient",
        "start the last kernel smaller"
        if large
        else f"normalise the targets, or start the last bias at {mean:.3g}",
        title="the output is too large for its targets" if large else "the targets are far away",
        facts={"loss": answer.value or 0.0, "reference": answer.prior},
    )
