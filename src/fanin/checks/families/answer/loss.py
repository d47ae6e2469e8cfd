"""A loss that starts far above that of an answer which knows nothing."""

from collections.abc import Iterator

from fanin.checks.evidence import Answer, Evidence, Probe
from fanin.checks.families.answer.head import cause
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.recipes import Role

NATS = 2.0
"""Excess of the loss from which random logits have a standard deviation of 2."""

PART = 0.5
"""Excess in parts of the reference: with many classes two nats are little."""

SIGMAS = 5.0


@rule("FI601", "loss starts too high", Severity.WARNING, Probe.SIGNAL, symptom=True)
def loss_too_large(evidence: Evidence) -> Iterator[Finding]:
    """The loss at the start is far above that of equal probabilities for all classes.

    A network that knows nothing should say so. Logits of standard deviation s that have nothing to
    do with the targets cost s^2 / 2 above ln C while s is small, and about s * sqrt(2 ln C) when it
    is large: the network is sure of itself, and wrong.

    Why it hurts:
        The first steps only undo the head. Their gradients are the largest of the whole training
        and go through all layers, and with momentum or Adam they are remembered.

    Example:
        An embedding of standard deviation 1 that is tied to the head: with a width of 512 the
        logits have a standard deviation of 22, and the loss starts above 100.

    Mend:
        Start the head at 1 / sqrt(fan_in) or smaller, or at zero; its biases at zero.

    When it is fine:
        A network that was trained before, on other classes.

    Threshold:
        Two nats and half of ln C above ln C, and five standard errors of the mean over the
        examples. Two nats are logits of standard deviation 2; the head of torch's default has less
        than 1, one with unit logits costs half a nat.

    Source:
        Karpathy (2019), A Recipe for Training Neural Networks, "verify loss at init"; for the mean
        of log-sum-exp of Gaussian logits, Derrida (1981), Random-energy model, section III.
    """
    answer = evidence.answer
    if answer is None or not answer.logits or answer.value is None or answer.uniform is None:
        return
    excess = answer.value - answer.uniform
    slack = SIGMAS * (answer.batch_loss or 0.0)
    if not excess > max(NATS, PART * answer.uniform) or excess <= slack:
        return
    names, said = cause(evidence)
    spread = answer.output.rms if answer.output is not None else float("nan")
    yield Finding(
        "FI601",
        Severity.WARNING,
        names,
        f"the loss starts at {answer.value:.3g}; logits have a standard deviation of {spread:.3g}",
        f"{answer.uniform:.3g} = ln {answer.classes}, the loss of equal probabilities: {said}",
        "the first steps only undo the head, with the largest gradients of the whole training",
        "start the head at 1 / sqrt(fan_in) or at zero, and its biases at zero",
        title=f"the loss starts {answer.value / answer.uniform:.3g} times too high",
        fixes=_fixes(evidence, names),
        facts={"loss": answer.value, "reference": answer.uniform, "logits": spread},
    )


def _fixes(evidence: Evidence, names: tuple[str, ...]) -> tuple[Fix, ...]:
    found = list[Fix]()
    for name in names:
        slot = evidence.slot(name)
        if slot is None or slot.frozen:
            continue
        bias = slot.role is Role.BIAS
        tied = bool(slot.aliases)
        found.append(Fix(name, "zeros" if bias else "", safe=not tied))
    return tuple(found)


def well_above(answer: Answer, reference: float, times: float) -> bool:
    """Tell whether a loss is above a reference by a factor, beyond its sampling error.

    Args:
        answer: The answer.
        reference: What it is held against.
        times: The factor.

    Returns:
        Whether it is.
    """
    if answer.value is None:
        return False
    return answer.value - SIGMAS * (answer.batch_loss or 0.0) > times * reference
