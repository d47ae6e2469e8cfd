"""A kernel whose scale is off what its own use needs, where the signal shows it."""

import math
from collections.abc import Iterator, Mapping

from fanin.checks.cause import held_of, origin_of, scale_cause, wanted_std
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import (
    Kernel,
    absorbed,
    fixes,
    kernels,
    operation,
    signals,
    spelled,
)
from fanin.checks.families.scale.siblings import odd_ones
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes.network import around, stands
from fanin.recipes.slips import explaining, recognised
from fanin.trace import Place

CONVENTION = math.sqrt(6)
"""He's standard deviation over PyTorch's default: the widest gap between formulas in wide use."""

GROWN = 10.0
"""Growth of the signal that counts as harm; see the rule for both."""

SHRUNK = 100.0
"""Loss of signal that does."""


@rule("FI301", "scale off its use", Severity.WARNING, Probe.SIGNAL)
def off_its_use(evidence: Evidence) -> Iterator[Finding]:
    """Kernels are so much larger or smaller than their use needs that the signal shows it.

    Why it hurts:
        The output of a stretch of layers grows with the product of their scales, and so do the
        gradients of all of them. Too large, activations saturate, the loss starts high and only a
        tiny step is stable; too small, neither signal nor gradient gets through.

    Example:
        ``nn.Parameter(torch.randn(784, 128))``: standard deviation 1 where 0.05 was needed.

    Mend:
        Draw the weights with ``gain / sqrt(fan_in)``: `nn.init.kaiming_normal_` before a relu. The
        finding says what the present numbers match.

    When it is fine:
        Where a norm follows, or a factor in the forward pass makes up for it; the rule looks at the
        measured signal and is silent then. Formulas in wide use lie up to sqrt(6) apart and are not
        told on. A small last layer is a choice.

    Threshold:
        A kernel counts when it is more than sqrt(6) off (He's formula over PyTorch's default), or
        holds a recognised slip. What the kernels of one plain stretch are off by must multiply up
        to 10 above or 100 below, and the measured signal must have grown or shrunk as much. The
        curvature goes with the square of the signal, so a factor of 10 takes two decades off the
        largest stable step. Measured on the digits of scikit-learn, with 5 relu layers of 128 and
        300 steps of SGD at 0.1: He's scale learns all, 10 above still does, 30 above diverges; 30
        below loses 1 in 100, 100 below 8, and 1000 below 58. Adam gets through nearly all of it.
        The state of a recurrent layer without gates meets its kernel at every step, so its factor
        counts twice: of 64 tanh units in 20 steps, with clipped gradients, those 1.5 above learned
        to remember, those 3.2 above did not with SGD, and those 5 above with neither; LSTM and GRU
        did at 3.2 still, and no longer at 8.

    Source:
        He et al. (2015), section 2.2; LeCun et al. (1998), Efficient BackProp, section 4.6, on the
        scale of the signal and the curvature.
    """
    known = kernels(evidence)
    odd = {name for group in odd_ones(evidence) for name in group.names}
    told = dict[tuple[bool, str], list[str]]()
    for path in _paths(known):
        for name in _culprits(evidence, path, known):
            kernel = known[name]
            if name not in odd:
                cause = _ratio(kernel) > 1, origin_of(kernel.slot, kernel.values)
                if name not in told.setdefault(cause, []):
                    told[cause].append(name)
    for names in _joined(told, known):
        yield _finding(evidence, names, known)


def _joined(
    told: Mapping[tuple[bool, str], list[str]], known: Mapping[str, Kernel]
) -> list[tuple[str, ...]]:
    """Put kernels with the largest group whose cause explains them, the worst of the group first.

    Chance takes the spread of one of them off the number that was typed, or onto that of another
    formula.
    """
    joined = dict[tuple[bool, str], tuple[str, ...]]()
    for cause, named in sorted(told.items(), key=lambda own: -len(own[1])):
        own = list[str]()
        for name in sorted(named, key=lambda name: _order(known[name])):
            home = next(
                (
                    one
                    for one in joined
                    if one[0] is cause[0] and _explained(known[name], one, told, known)
                ),
                None,
            )
            if home is None:
                own.append(name)
            else:
                joined[home] += (name,)
        if own:
            joined[cause] = tuple(own)
    return list(joined.values())


def _explained(
    kernel: Kernel,
    cause: tuple[bool, str],
    told: Mapping[tuple[bool, str], list[str]],
    known: Mapping[str, Kernel],
) -> bool:
    """Tell whether a kernel has a spread of that group, or may hold the slip of it."""
    alike = any(
        abs(math.log(kernel.values.rms / known[other].values.rms))
        <= math.hypot(kernel.error, known[other].error)
        for other in told[cause]
    )
    slips = explaining(kernel.slot, held_of(kernel.values))
    return alike or any(cause[1] == f"is {slip.words}" for slip in slips)


def _order(kernel: Kernel) -> tuple[float, bool]:
    # To a tenth, so that chance does not choose; what the data feed has the less clear a need.
    return -round(abs(math.log(_ratio(kernel))), 1), around(kernel.slot).fed_by == "input"


def _finding(evidence: Evidence, names: tuple[str, ...], known: Mapping[str, Kernel]) -> Finding:
    worst = known[names[0]]
    wanted = wanted_std(worst.slot)
    ratio = _ratio(worst)
    large = ratio > 1
    std, formula = wanted if wanted is not None else (math.nan, "")
    more = f", and {len(names) - 1} more like it" if len(names) > 1 else ""
    return Finding(
        "FI301",
        Severity.WARNING,
        names,
        scale_cause(worst.slot, worst.values) + more,
        f"std {std:.3g}: {formula}",
        "the signal grows with every such layer, and the largest stable step shrinks with its "
        "square"
        if large
        else "neither the signal nor the gradient gets through at its size",
        f'nn.init.normal_({spelled(worst.name)}, std={std:.3g}), or fanin.init_(model, "auto")',
        title=f"weights {'far too large' if large else 'far too small'} for what they sum over",
        fixes=fixes(evidence, names),
        facts={"ratio": ratio, "std": worst.values.std, "wanted": std},
    )


def _ratio(kernel: Kernel) -> float:
    """By what a kernel is off; fed by the input, by the milder of two readings.

    Whether the weights or the data have the wrong size cannot be told there, so the kernel is held
    against what a unit signal needs, too.
    """
    wanted = wanted_std(kernel.slot)
    fans = kernel.slot.fans
    if wanted is None or fans is None:
        return 1.0
    ratio = kernel.values.rms / wanted[0]
    if around(kernel.slot).fed_by != "input":
        return ratio
    unit = kernel.values.rms * math.sqrt(fans.fan_in)
    if (ratio > 1) != (unit > 1):
        return 1.0
    return min(ratio, unit) if ratio > 1 else max(ratio, unit)


def _paths(known: Mapping[str, Kernel]) -> Iterator[list[Kernel]]:
    """Follow every plain stretch of kernels from its last back to its first."""
    for kernel in known.values():
        chain = around(kernel.slot).chain
        if chain is None:
            if kernel.slot.recurrent:
                yield [kernel]
            continue
        if any(name in known for name in chain.after):
            continue
        path, seen = [kernel], {kernel.name}
        while True:
            chain = around(path[0].slot).chain
            before = [n for n in (chain.before if chain else ()) if n in known and n not in seen]
            if not before:
                break
            path.insert(0, known[before[0]])
            seen.add(before[0])
        yield path


FEWEST = 3
"""Kernels that have to be too small: a network learns around one, which keeps its own gradient."""


def _culprits(evidence: Evidence, path: list[Kernel], known: Mapping[str, Kernel]) -> Iterator[str]:
    if absorbed(path[-1].slot, known):
        return
    large = [kernel.name for kernel in path if _ratio(kernel) > 1 and _counts(kernel)]
    if large:
        product = math.prod(_ratio(known[name]) for name in large) ** _repeats(path[0])
        if product >= GROWN and (path[0].slot.recurrent or _growth(evidence, path) >= GROWN):
            yield from large
    inner = path[:-1] if stands(path[-1].slot, Place.LAST) else path
    # A small branch beside a skip is no harm: the signal goes around it.
    if not inner or around(inner[-1].slot).branch is not None or inner[0].slot.recurrent:
        return
    small = [kernel.name for kernel in inner if _ratio(kernel) < 1 and _counts(kernel)]
    if len(small) >= FEWEST:
        product = math.prod(_ratio(known[name]) for name in small)
        if product <= 1 / SHRUNK and _shrinkage(evidence, inner) <= 1 / SHRUNK:
            yield from small


def _repeats(kernel: Kernel) -> int:
    """Count how often a state meets its kernel at least, where no gate holds it back."""
    layout = kernel.slot.layout
    return 2 if kernel.slot.recurrent and layout is not None and layout.blocks == 1 else 1


def _counts(kernel: Kernel) -> bool:
    off = abs(math.log(_ratio(kernel)))
    if off > math.log(CONVENTION) + kernel.error + 0.01:
        return True
    slip = recognised(kernel.slot, held_of(kernel.values)) if off > math.log(1.2) else None
    return slip is not None and slip.kind == "law"


def _growth(evidence: Evidence, path: list[Kernel]) -> float:
    """Measure the signal behind a stretch over that before it, or over a unit one if larger."""
    first, last = signals(evidence, path[0].name), signals(evidence, path[-1].name)
    if first is None or last is None:
        found = operation(evidence, path[-1].name)
        blown = found is not None and found[0].forward is not None and not found[0].forward.finite
        return math.inf if blown else 1.0
    return last[1].rms / max(first[0].rms, 1.0)


def _shrinkage(evidence: Evidence, path: list[Kernel]) -> float:
    """Measure what is left of the signal behind a stretch; before it, a unit one if that is less.

    A bias keeps the size of a signal up and carries nothing, so that what examples differ by
    counts, where there are several.
    """
    first, last = signals(evidence, path[0].name), signals(evidence, path[-1].name)
    if first is None or last is None:
        return 1.0
    before, after = first[0], last[1]
    if before.spread and after.spread is not None:
        return after.spread / min(before.spread, 1.0)
    return after.rms / min(before.rms, 1.0) if before.rms > 0 else 1.0
