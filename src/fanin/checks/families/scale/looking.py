"""What the rules of the family ask of the evidence: kernels with their values, and what follows.

A norm behind a kernel takes its scale away, so an odd scale there does no harm to the signal. That
is asked by nearly every rule, and answered here once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fanin.checks.evidence import Evidence
from fanin.checks.finding import Fix
from fanin.checks.values import Values
from fanin.recipes import Slot
from fanin.recipes.network import KERNELS, around
from fanin.trace import Op, Signal, TracedParameter

SIGMAS = 5.0
"""Sampling error that is still chance: one tensor in 1.7 million."""


@dataclass(frozen=True)
class Kernel:
    """A parameter that is summed over, and what it holds.

    Attributes:
        slot: The parameter.
        values: What it holds: finite, and not one number throughout.
    """

    slot: Slot
    values: Values

    @property
    def name(self) -> str:
        """Its name."""
        return self.slot.name

    @property
    def error(self) -> float:
        """Sampling error of its standard deviation at 5 sigma, relative.

        References:
            Cramer (1946), Mathematical Methods of Statistics, section 28.1, with kurtosis 3.
        """
        return SIGMAS / (2 * max(self.values.count, 1)) ** 0.5


def kernels(evidence: Evidence) -> dict[str, Kernel]:
    """Pick out the kernels that have a scale.

    Args:
        evidence: What was gathered.

    Returns:
        By name, in the order of the model, without those that are held constant in training, are
        the same number throughout or hold what is no number: other rules see to them.
    """
    return {
        slot.name: Kernel(slot, values)
        for slot, values in held_slots(evidence)
        if slot.role in KERNELS and slot.fans is not None
    }


def held_slots(evidence: Evidence) -> Iterator[tuple[Slot, Values]]:
    """Pair the parameters with what they hold.

    Args:
        evidence: What was gathered.

    Yields:
        Those that are trained and hold finite numbers that differ.
    """
    for slot in evidence.slots:
        values = evidence.values.get(slot.name)
        if values is None or slot.frozen or values.frozen or not values.finite:
            continue
        # Started from a checkpoint: what training made of it is no matter of a formula.
        if values.std > 0 and not values.constant and slot.name not in evidence.pretrained:
            yield slot, values


def absorbed(slot: Slot, known: Mapping[str, Kernel]) -> bool:
    """Tell whether a norm takes away the scale of what a kernel puts out.

    Args:
        slot: The kernel.
        known: The kernels by name.

    Returns:
        Whether every way from it leads into a norm, with nothing but activations and further
        kernels of the same plain stretch before.
    """
    waiting, seen = [slot], set[str]()
    while waiting:
        here = waiting.pop()
        if here.name in seen:
            continue
        seen.add(here.name)
        chain = around(here).chain
        onward = [known[name].slot for name in (chain.after if chain else ()) if name in known]
        if not onward and around(here).followed_by != "norm":
            return False
        waiting += onward
    return True


def operation(evidence: Evidence, name: str) -> tuple[Op, TracedParameter] | None:
    """Find the operation that uses a parameter first.

    Args:
        evidence: What was gathered.
        name: The parameter.

    Returns:
        The operation and the parameter as the trace knows it; None where there is none.
    """
    if evidence.trace is None:
        return None
    for parameter in evidence.trace.parameters:
        if name == parameter.name or name in parameter.aliases:
            if not parameter.uses:
                return None
            return evidence.trace.ops[parameter.uses[0].op], parameter
    return None


def signals(evidence: Evidence, name: str) -> tuple[Signal, Signal] | None:
    """Find what goes into the operation of a parameter, and what comes out.

    Args:
        evidence: What was gathered.
        name: The parameter.

    Returns:
        The two; None where they were not measured, or are not finite.
    """
    found = operation(evidence, name)
    if found is None or evidence.trace is None or not found[0].inputs:
        return None
    op = found[0]
    before, after = evidence.trace.ops[op.inputs[0]].forward, op.forward
    if before is None or after is None or not (before.finite and after.finite):
        return None
    return before, after


def fixes(evidence: Evidence, names: tuple[str, ...]) -> tuple[Fix, ...]:
    """Offer to fill parameters anew, by the plan.

    Args:
        evidence: What was gathered.
        names: The parameters.

    Returns:
        One fix each; unsafe where a checkpoint was loaded into the parameter, or where it is tied.
    """
    made = list[Fix]()
    for name in names:
        birth = evidence.births.of(name) if evidence.births is not None else None
        loaded = birth is not None and any(write.by == "load" for write in birth.writes)
        slot = evidence.slot(name)
        made.append(Fix(name, safe=not loaded and slot is not None and not slot.uses))
    return tuple(made)


def spelled(name: str) -> str:
    """Write the name of a parameter as code.

    Args:
        name: Its name, as a plan has it.

    Returns:
        The expression that gives it.

    Example:
        >>> spelled("layers.3.fc1.weight")
        'model.layers[3].fc1.weight'
    """
    return "model" + "".join(
        f"[{part}]" if part.isdigit() else f".{part}" for part in name.split(".")
    )


def few(names: tuple[str, ...]) -> str:
    """Name some parameters in a sentence.

    Args:
        names: One or more.

    Returns:
        The first, and how many more.

    Example:
        >>> few(("a",)), few(("a", "b", "c"))
        ('a', 'a and 2 more')
    """
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
