"""A good formula with one slip in it: the wrong fan, or a bound for a standard deviation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fanin.checks.cause import held_of, ratio_of, times, wanted_std
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.asked import asked
from fanin.checks.families.scale.looking import Kernel, absorbed, fixes, kernels, spelled
from fanin.checks.families.scale.use import CONVENTION
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes import Held, Mistake, mistaken
from fanin.recipes.formulas import likeness
from fanin.recipes.network import around, stands
from fanin.recipes.slips import explaining
from fanin.schemes import Scheme, normal, uniform
from fanin.trace import Place

SAME = 1e-3
"""Relative difference up to which a number that was typed is the number of a formula."""


@dataclass(frozen=True)
class _Slip:
    kernel: Kernel
    mistake: Mistake

    @property
    def telling(self) -> bool:
        """Whether the number is one that hardly any other formula gives.

        People choose numbers of two digits, and powers of root 2 come of many formulas.
        """
        number = _number(self.mistake.scheme)
        if number is None:
            return False
        chosen = abs(float(f"{number:.2g}") / number - 1) < SAME
        halvings = 2 * math.log2(number)
        return not chosen and abs(halvings - round(halvings)) > SAME


@rule("FI303", "a slip in the formula", Severity.WARNING, Probe.VALUES)
def slip_in_formula(evidence: Evidence) -> Iterator[Finding]:
    """The weights hold what comes of a well-known formula with one slip in it.

    Why it hurts:
        The scale is not the one that was meant, by a factor that differs from layer to layer. Deep
        networks multiply these factors up.

    Example:
        ``bound = math.sqrt(2 / fan_in); nn.init.uniform_(w, -bound, bound)``: that is He's standard
        deviation, and the bound of a uniform law is sqrt(3) times as large.

    Mend:
        Use the initialiser of the framework, or the factor that is missing. For packed matrices
        fill each part alone; for groups and transposed storage pass the fans of the use.

    When it is fine:
        Where a norm follows, the scale is taken away: then it is a remark. He for the fan_out of a
        depthwise convolution, without regard to its groups, is what MobileNet does, with a norm
        behind it. PyTorch's defaults hold such slips by habit, and are never told on.

    Threshold:
        The moments fit the slip at 5 sigma, and no good formula. One tensor proves nothing: either
        the number that was typed equals the slip's to 1 in 1000, has more than two digits and is no
        power of root 2, which many formulas give, or at least two tensors of different spread show
        the same slip. It is a warning where no norm
        follows and law and spread were mixed up, or where wrong fans make the kernel more than
        sqrt(6) off its need, the gap between formulas in wide use.

    Source:
        Bounds and standard deviations: He et al. (2015), equation 10; Glorot and Bengio (2010),
        equations 12 and 16. Fans of the use: PyTorch issue 23854 on groups, 171361 on packed
        projections.
    """
    known = kernels(evidence)
    for group in _groups(evidence, known):
        for harmful in (True, False):
            part = [slip for slip in group if _harmful(slip, known) is harmful]
            if part:
                yield _finding(evidence, part, harmful)


def _groups(evidence: Evidence, known: dict[str, Kernel]) -> Iterator[list[_Slip]]:
    """Put kernels together that show one slip, the slip that explains the most of them first."""
    typed, fitting = dict[str, list[_Slip]](), dict[str, list[_Slip]]()
    certain = set[tuple[str, str]]()
    for kernel in known.values():
        request = asked(evidence.births, kernel.name)
        if request is not None and request.scheme is not None and request.name in _TYPED:
            slip = _typed(kernel, request.scheme)
            if slip is not None:
                typed.setdefault(slip.family, []).append(_Slip(kernel, slip))
        elif request is None or "gain" not in request.arguments:
            held = held_of(kernel.values)
            looks = likeness(kernel.slot, held)
            # A fixed number such as 0.05 explains a kernel, but not why its neighbours differ.
            if looks and not looks.startswith(_FIXED):
                continue
            for slip in _explaining(kernel, held):
                fitting.setdefault(slip.family, []).append(_Slip(kernel, slip))
                if not looks:
                    certain.add((slip.family, kernel.name))
    for group in typed.values():
        if any(slip.telling for slip in group) or _spreads(group) > 1:
            yield group
    taken = set[str]()
    for family in sorted(fitting, key=lambda family: -len(fitting[family])):
        group = [slip for slip in fitting[family] if slip.kernel.name not in taken]
        sure = any((family, slip.kernel.name) in certain for slip in group)
        if sure and _spreads(group) > 1:
            taken |= {slip.kernel.name for slip in group}
            yield group


def _explaining(kernel: Kernel, held: Held) -> list[Mistake]:
    return [slip for slip in explaining(kernel.slot, held) if not _by_gain(kernel, slip)]


def _by_gain(kernel: Kernel, slip: Mistake) -> bool:
    """Tell whether the gain of tanh explains the factor: 5 / 3 is next to the root of 3."""
    here = around(kernel.slot)
    near = abs(math.log(kernel.values.std / slip.std * 3 / 5)) < kernel.error + 0.05
    return near and "tanh" in (here.fed_by, here.followed_by)


_FIXED = ("normal(", "uniform(", "truncated_normal(")
"""What the formulas without fans begin with."""

_TYPED = ("normal_", "uniform_")
"""Initialisers whose numbers the person worked out."""


def _typed(kernel: Kernel, scheme: Scheme) -> Mistake | None:
    """Find the slip whose numbers were typed."""
    number = _number(scheme)
    if number is None or likeness(kernel.slot, held_of(kernel.values)):
        return None
    for mistake in mistaken(kernel.slot):
        if type(mistake.scheme) is type(scheme):
            other = _number(mistake.scheme)
            if other is not None and abs(number / other - 1) < SAME:
                return mistake
    return None


def _number(scheme: Scheme) -> float | None:
    if isinstance(scheme, normal) and scheme.mean == 0 and scheme.std > 0:
        return scheme.std
    if isinstance(scheme, uniform) and scheme.low == -scheme.high and scheme.high > 0:
        return scheme.high
    return None


def _spreads(group: list[_Slip]) -> int:
    """Count the different spreads, to a tenth of their logarithm."""
    return len({round(math.log(slip.mistake.scheme.promised().std), 1) for slip in group})


def _harmful(slip: _Slip, known: dict[str, Kernel]) -> bool:
    slot = slip.kernel.slot
    # How large the logits of an attention are to be is a matter of design.
    if absorbed(slot, known) or stands(slot, Place.QUERY) or stands(slot, Place.KEY):
        return False
    if slip.mistake.kind == "law":
        return True
    ratio = ratio_of(slot, slip.kernel.values) or 1.0
    last = stands(slot, Place.LAST) and ratio < 1
    return not last and abs(math.log(ratio)) > math.log(CONVENTION) + slip.kernel.error


def _off(one: _Slip) -> float:
    return round(abs(math.log(one.kernel.values.std / one.mistake.std)), 1)


def _finding(evidence: Evidence, group: list[_Slip], harmful: bool) -> Finding:
    group = sorted(group, key=lambda one: -_off(one))
    names = tuple(one.kernel.name for one in group)
    worst = group[0]
    ratio = worst.kernel.values.std / worst.mistake.std
    wanted = wanted_std(worst.kernel.slot)
    use = f"; its use needs {wanted[0]:.3g} ({wanted[1]})" if wanted is not None else ""
    return Finding(
        "FI303",
        Severity.WARNING if harmful else Severity.INFO,
        names,
        f"std {worst.kernel.values.std:.3g}, {times(ratio)} what was meant: {worst.mistake.words}",
        f"std {worst.mistake.std:.3g}{use}",
        "the scale is off by a factor that differs from layer to layer and multiplies up with depth"
        if harmful
        else "it is mild here, or a norm behind it takes the scale away",
        f"nn.init.normal_({spelled(worst.kernel.name)}, std={worst.mistake.std:.3g})",
        title="a known formula with one slip in it",
        fixes=fixes(evidence, names) if harmful else (),
        facts={"ratio": ratio, "std": worst.kernel.values.std, "meant": worst.mistake.std},
    )
