"""The gates of one recurrent layer, stored as one tensor and started unlike each other."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import SIGMAS, Kernel, fixes, kernels, spelled
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule

FACTOR = 2.0
"""Gains of the activations of gates (sigmoid, tanh) in wide use differ by less."""


@rule("FI309", "gates of unlike scale", Severity.WARNING, Probe.VALUES)
def gates_of_unlike_scale(evidence: Evidence) -> Iterator[Finding]:
    """The gates of a recurrent layer have weights of different scale.

    Why it hurts:
        A gate with tiny weights does not see its input; one with large weights is open or shut for
        good. The layer still runs, so nobody looks.

    Example:
        A loop over the four gates of an LSTM that writes three of them.

    Mend:
        Fill every gate alike; what makes gates differ at the start is the bias.

    When it is fine:
        Query, key and value may differ on purpose (T5, DeepNet), so only recurrent layers are
        looked at. A gate that is zero throughout is not told on here.

    Threshold:
        A factor of 2 between the smallest and the largest standard deviation, beyond the sampling
        error of both at 5 sigma. PyTorch's own gains for sigmoid and tanh are 5/3 apart.

    Source:
        Jozefowicz, Zaremba and Sutskever (2015), section 3, on starting gates by their bias; the
        gains of `torch.nn.init.calculate_gain`.
    """
    for kernel in kernels(evidence).values():
        if not kernel.slot.module.startswith(("LSTM", "GRU", "RNN")) and not kernel.slot.recurrent:
            continue
        stds = [std for _, std in kernel.values.blocks]
        if len(stds) < 2 or min(stds) <= 0 or not all(map(math.isfinite, stds)):
            continue
        error = SIGMAS * math.sqrt(len(stds) / kernel.values.count)
        if max(stds) / min(stds) > FACTOR * (1 + error):
            yield _finding(evidence, kernel, stds)


def _finding(evidence: Evidence, kernel: Kernel, stds: list[float]) -> Finding:
    told = ", ".join(f"{std:.3g}" for std in stds)
    return Finding(
        "FI309",
        Severity.WARNING,
        (kernel.name,),
        f"std {told} in its {len(stds)} gates",
        "one scale for all gates",
        "a gate with tiny weights does not see its input, one with large weights never moves",
        f"fill every gate alike: for gate in {spelled(kernel.name)}.chunk({len(stds)}): ...",
        title="gates of one layer differ in scale",
        fixes=fixes(evidence, (kernel.name,)),
        facts={"ratio": max(stds) / min(stds)},
    )
