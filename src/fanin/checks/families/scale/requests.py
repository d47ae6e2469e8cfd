"""What was asked of an initialiser, and what the tensor holds."""

import math
from collections.abc import Iterator

from fanin.checks.cause import held_of
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.asked import Asked, asked
from fanin.checks.families.scale.looking import fixes, held_slots, spelled
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.recipes import Slot
from fanin.recipes.sampling import misfit
from fanin.schemes import Scheme, constant

FAR = 1.5
"""Ratio of standard deviations from which on a tensor is not what was asked for."""


@rule("FI305", "not what was asked", Severity.WARNING, Probe.VALUES, Probe.BIRTH)
def not_as_asked(evidence: Evidence) -> Iterator[Finding]:
    """An initialiser was called with certain figures, and the tensor holds others.

    Why it hurts:
        The code says one thing and the network starts from another, so nobody looks there.

    Example:
        ``nn.init.trunc_normal_(w, std=0.02, a=-0.0008, b=0.0008)``: bounds of 2 std**2 where 2 std
        was meant leave a standard deviation of 0.0005.

    Mend:
        Pass bounds in proportion to the standard deviation, or draw in float32 and cast after.

    When it is fine:
        A cut at 2 sigma takes the standard deviation down to 0.88 of what was asked, everywhere in
        PyTorch; that much is not told on.

    Threshold:
        What was asked is read off the call. It is told on where the law of the call leaves less
        than two thirds of the standard deviation that was asked for, or where the moments do not
        come from that law at 5 sigma: a warning from a factor of 1.5 on, or where the tensor is one
        number throughout or another law; else a remark. A slope of a leaky relu beyond 1 is none:
        as `a` it divides where a person meant to multiply.

    Source:
        Johnson, Kotz and Balakrishnan (1994), volume 1, section 10.1, on the cut; PyTorch 2.13,
        torch/nn/init.py, on what each call promises.
    """
    for name, values in evidence.values.items():
        slot = evidence.slot(name)
        request = asked(evidence.births, name) if slot is not None and values.finite else None
        if slot is not None and request is not None and values.count > 1:
            yield from _unlike(evidence, slot, values, request)
    for slot, _ in held_slots(evidence):
        request = asked(evidence.births, slot.name)
        if request is not None:
            yield from _slope(evidence, slot, request)


def _unlike(evidence: Evidence, slot: Slot, values: Values, request: Asked) -> Iterator[Finding]:
    scheme = request.scheme
    if scheme is None or isinstance(scheme, constant):
        return
    promised = scheme.promised(slot.fans, shape=slot.shape, layout=slot.layout).std
    wanted = request.std or promised
    if not wanted > 0 or slot.shape != values.shape:
        return
    cut = promised < wanted / FAR
    wrong = "" if cut and not _misfit(scheme, slot, values) else _misfit(scheme, slot, values)
    if not (cut or wrong):
        return
    ratio = values.std / wanted
    far = not 1 / FAR < ratio < FAR or values.constant or "another law" in wrong
    if not far and values.zero:
        return  # a mask, or a row that stays zero, lies over what was drawn
    said = f"{request.write.function}({request.write.arguments})"
    reason = f"the bounds cut so close that little of std {wanted:.3g} is left" if cut else wrong
    yield Finding(
        "FI305",
        Severity.WARNING if far else Severity.INFO,
        (slot.name,),
        f"std {values.std:.3g} after {said}: {reason}",
        f"std {wanted:.3g}, as asked",
        "the code says one thing and the network starts from another",
        "pass bounds in proportion to the std: a=-2 * std, b=2 * std"
        if cut
        else f"draw {slot.name} in float32 on the CPU and cast it after, or report the initialiser",
        title="not what the initialiser was asked for",
        location=request.write.frames[0] if request.write.frames else None,
        fixes=fixes(evidence, (slot.name,)),
        facts={"ratio": ratio, "std": values.std, "asked": wanted},
    )


def _misfit(scheme: Scheme, slot: Slot, values: Values) -> str:
    return misfit(scheme, slot, held_of(values))


def _slope(evidence: Evidence, slot: Slot, request: Asked) -> Iterator[Finding]:
    slope = request.arguments.get("a")
    if not request.name.startswith("kaiming") or not isinstance(slope, int | float):
        return
    if request.arguments.get("nonlinearity", "leaky_relu") != "leaky_relu":
        return
    if slope <= 1 or abs(slope / math.sqrt(5) - 1) < 1e-3:
        return
    gain = math.sqrt(2 / (1 + slope**2))
    yield Finding(
        "FI305",
        Severity.WARNING,
        (slot.name,),
        f"{request.write.function}(a={slope:.4g}) multiplies by {gain:.3g}",
        "a slope of a leaky relu, from 0 to 1",
        "a larger a makes the weights smaller: it is the slope of the activation, no scale",
        "leave a out and multiply after: with torch.no_grad(): "
        f"{spelled(slot.name)}.mul_({slope:.3g})",
        title="a slope used as a scale",
        location=request.write.frames[0] if request.write.frames else None,
        fixes=fixes(evidence, (slot.name,)),
        facts={"a": float(slope), "gain": gain},
    )
