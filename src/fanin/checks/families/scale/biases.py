"""Biases so wide that they say more than the input does."""

import math
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import few, fixes, held_slots, signals, spelled
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.recipes import Role, Slot
from fanin.recipes.network import around, stands
from fanin.trace import Place

_FEWEST = 16
"""Biases of a layer below which their spread says little."""


@rule("FI312", "wide biases", Severity.WARNING, Probe.SIGNAL)
def wide_biases(evidence: Evidence) -> Iterator[Finding]:
    """Random biases make up most of what a layer puts out.

    Why it hurts:
        A bias is the same for every example. Where it is more than half of the pre-activation, all
        examples look alike to the layers behind, and saturating units are stuck at one end.

    Example:
        ``nn.init.normal_(layer.bias)``: standard deviation 1, beside a signal of the same size.

    Mend:
        ``nn.init.zeros_(layer.bias)``.

    When it is fine:
        Phases of random features before a sine or cosine, biases of gates and of a last layer,
        and biases with one mean, such as those of a step size, are meant, and not told on; nor are
        constants, such as the 1 and 0 that a layer of gains and offsets begins with.

    Threshold:
        More than half of the mean square of the measured pre-activation is the bias's own, its
        mean is no larger than its spread, and that spread is, at 5 sigma, above PyTorch's default
        of ``1 / sqrt(3 fan_in)``, which outweighs the signal by itself in a deep plain stack.

    Source:
        Poole et al. (2016), section 3: the fixed point of the correlation of two inputs rises to 1
        with the variance of the bias.
    """
    wide = list[tuple[float, Slot, Values]]()
    for slot, values in held_slots(evidence):
        if slot.role is not Role.BIAS or values.count < _FEWEST or abs(values.mean) > values.std:
            continue
        if values.patterned():
            continue
        fans = slot.fans
        if fans is None or not fans.fan_in or _meant(slot):
            continue
        usual = (1 + 5 / math.sqrt(2 * values.count)) / math.sqrt(3 * fans.fan_in)
        measured = signals(evidence, slot.name)
        if values.std > usual and measured is not None and measured[1].rms > 0:
            share = values.rms**2 / measured[1].rms ** 2
            if share > 0.5:
                wide.append((share, slot, values))
    if not wide:
        return
    wide.sort(key=lambda one: -one[2].std)
    names = tuple(slot.name for _, slot, _ in wide)
    share, _, values = wide[0]
    yield Finding(
        "FI312",
        Severity.WARNING,
        names,
        f"std {values.std:.3g} in {few(names)}: {min(share, 1):.0%} of the pre-activation's mean "
        "square is bias",
        "biases at zero, or small beside the signal",
        "the bias is the same for every example, so all of them look alike to the layers behind",
        f"nn.init.zeros_({spelled(names[0])})",
        title="biases outweigh the signal",
        fixes=fixes(evidence, names),
        facts={"std": values.std, "share": share},
    )


def _meant(slot: Slot) -> bool:
    here = around(slot)
    periodic = any(word in here.followed_by for word in ("sin", "cos"))
    gated = stands(slot, Place.GATE, Place.LAST, Place.SCALE) or "softplus" in here.followed_by
    recurrent = slot.recurrent or slot.module.startswith(("LSTM", "GRU", "RNN"))
    return periodic or gated or recurrent
