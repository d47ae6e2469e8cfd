"""The first layer of a sine network, started by the formula of the hidden ones."""

import math
from collections.abc import Iterator
from statistics import median

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import Kernel, fixes, kernels, signals, spelled
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes.network import around

FREQUENCY = 5.0
"""Frequency from which on the two formulas are far apart; the paper's is 30."""


@rule("FI314", "first sine layer", Severity.WARNING, Probe.SIGNAL)
def first_sine_layer(evidence: Evidence) -> Iterator[Finding]:
    """The first layer of a sine network has the small bound of the hidden layers.

    Why it hurts:
        The frequencies that the network can draw start in the first layer. With the bound of the
        hidden ones they span a fraction of a period, and fine detail is learned slowly or never.

    Example:
        ``bound = math.sqrt(6 / n) / 30`` in all layers, where the first, of n inputs, takes 1 / n.

    Mend:
        ``nn.init.uniform_(first.weight, -1 / n, 1 / n)``.

    When it is fine:
        The official code and the paper differ in what the first layer is given; both are larger
        than the hidden formula for few inputs, and are not told on.

    Threshold:
        The first kernel before a sine, fed by the input, has the ``std * sqrt(fan_in)`` of all the
        hidden ones within 5 sigma and 2 percent, that is ``sqrt(2) / w`` with w of 5 or more, and
        ``1 / n`` is at least twice as large as its bound.

    Source:
        Sitzmann et al. (2020), Implicit Neural Representations with Periodic Activation Functions,
        section 3.2 and supplement 1.5; their code, for the first layer.
    """
    before_sine = [one for one in kernels(evidence).values() if _sine(one)]
    first = [one for one in before_sine if around(one.slot).fed_by == "input"]
    hidden = [one for one in before_sine if around(one.slot).fed_by == "sin"]
    if not first or not hidden:
        return
    sizes_of = [_size(one) for one in hidden]
    usual = median(sizes_of)
    if usual > math.sqrt(2) / FREQUENCY or max(sizes_of) > 1.1 * min(sizes_of):
        return
    for one in first:
        fans = one.slot.fans
        if fans is None or abs(_size(one) / usual - 1) > one.error + hidden[0].error + 0.02:
            continue
        bound = 1 / fans.fan_in
        if bound / math.sqrt(3) < 2 * one.values.std:
            continue
        measured = signals(evidence, one.name)
        told = f"; its output has an rms of {measured[1].rms:.2g}" if measured is not None else ""
        yield Finding(
            "FI314",
            Severity.WARNING,
            (one.name,),
            f"std {one.values.std:.3g}, by the formula of the hidden layers (sqrt(6/n)/w with w = "
            f"{math.sqrt(2) / usual:.3g}){told}",
            f"even within 1/{fans.fan_in:g}, a std of {bound / math.sqrt(3):.3g}",
            "the first layer sets the frequencies, and these span a fraction of a period",
            f"nn.init.uniform_({spelled(one.name)}, -{bound:.4g}, {bound:.4g})",
            title="first sine layer started like a hidden one",
            fixes=fixes(evidence, (one.name,)),
            facts={"std": one.values.std, "wanted": bound / math.sqrt(3)},
        )


def _sine(kernel: Kernel) -> bool:
    return around(kernel.slot).followed_by == "sin" and kernel.slot.fans is not None


def _size(kernel: Kernel) -> float:
    fans = kernel.slot.fans
    return kernel.values.rms * math.sqrt(fans.fan_in) if fans is not None else 0.0
