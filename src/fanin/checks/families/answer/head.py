"""The parameters that an answer comes from, and what about them makes it too large."""

from fanin.checks.cause import scale_cause
from fanin.checks.evidence import Evidence
from fanin.recipes import Role, Slot
from fanin.recipes.network import around
from fanin.trace import Place


def heads(evidence: Evidence) -> list[Slot]:
    """List the kernels that the output of the network comes from.

    Args:
        evidence: With a trace.

    Returns:
        Kernels and tables that stand last, trained or not.
    """
    kernels = (Role.KERNEL, Role.HEAD, Role.EMBEDDING, Role.GATE)
    return [
        slot
        for slot in evidence.slots
        if slot.role in kernels and (slot.role is Role.HEAD or _last(slot))
    ]


def biases(evidence: Evidence) -> list[Slot]:
    """List the biases that are added to the output of the network.

    Args:
        evidence: With a trace.

    Returns:
        The biases that stand last.
    """
    owners = {slot.name.rpartition(".")[0] for slot in heads(evidence)}
    return [
        slot
        for slot in evidence.slots
        if slot.role is Role.BIAS and (_last(slot) or slot.name.rpartition(".")[0] in owners)
    ]


def _last(slot: Slot) -> bool:
    return any(Place.LAST in around(one).places for one in (slot, *slot.uses))


def cause(evidence: Evidence) -> tuple[tuple[str, ...], str]:
    """Tell what makes the output large: the biases, or the kernels of the head.

    Args:
        evidence: With an answer.

    Returns:
        Names, the culprit first, and a clause with figures.
    """
    answer = evidence.answer
    size = 0.0 if answer is None or answer.output is None else answer.output.rms
    means = () if answer is None else answer.mean_output
    constant = (sum(mean**2 for mean in means) / len(means)) ** 0.5 if means else 0.0
    loud = [
        slot
        for slot in biases(evidence)
        if (held := evidence.values.get(slot.name)) is not None and held.rms > size / 3
    ]
    if loud and constant > size / 2:
        held = evidence.values[loud[0].name]
        names = tuple(slot.name for slot in loud)
        return names, f"{loud[0].name} reaches from {held.minimum:.3g} to {held.maximum:.3g}"
    last = heads(evidence)
    said = [
        clause
        for slot in last
        if (held := evidence.values.get(slot.name)) is not None
        and (clause := scale_cause(slot, held))
    ]
    return tuple(slot.name for slot in last), said[0] if said else "what feeds the head is large"
