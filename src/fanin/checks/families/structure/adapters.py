"""New branches on a frozen network that change what it puts out before the first step."""

import math
from collections import defaultdict
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.reports.document import counted, figure
from fanin.trace import WEIGHTED, Kind, Op, Part, Trace

LARGEST = 0.1
"""Ratio of branch to base below which a start is close enough to the frozen network."""


@rule("FI707", "adapter is not the identity", Severity.WARNING, Probe.SIGNAL)
def adapter_not_identity(evidence: Evidence) -> Iterator[Finding]:
    """A trainable branch is added inside a frozen network, and is not zero at the start.

    Why it hurts:
        The frozen layers above were trained on what the layers below put out. Noise on top of it
        takes away what they know, and training has to find the way back first, or never does.

    Example:
        LoRA with both factors random; `x + adapter(x)` with the default start in its last layer.

    Mend:
        Zero the last kernel of the branch, and only that one: `nn.init.zeros_(lora_B.weight)`. Its
        gradient is not zero, because the kernel before it is random.

    When it is fine:
        An adapter that was trained already. A new head on a frozen trunk has no frozen layer above
        it and is not looked at.

    Threshold:
        The branch is more than a tenth of what it is added to. Independent perturbations of a share
        e in each of L layers add up to e sqrt(L): from a tenth on, ten layers change the output by
        a third.

    Source:
        Hu et al. (2022), LoRA, section 4.1; Houlsby et al. (2019), section 2.1, on an adapter that
        is near the identity at first.
    """
    trace = evidence.trace
    frozen = {slot.name: slot.frozen for slot in evidence.slots}
    kernels = {} if trace is None else _kernels(trace)
    ours = {at: names for at, names in kernels.items() if not any(map(frozen.get, names))}
    theirs = {at for at, names in kernels.items() if any(map(frozen.get, names))}
    if trace is None or not ours or not theirs:
        return
    mostly = _mostly_frozen(evidence)
    before = _ancestors(trace.ops)
    above = set[int]()
    for at in theirs:
        above |= {index for index in range(len(trace.ops)) if before[at] >> index & 1}
    found = defaultdict[str, list[tuple[float, str]]](list)
    for index, op in enumerate(trace.ops):
        if op.kind is not Kind.ADD or len(op.inputs) != 2 or index not in above:
            continue
        for branch, base in (op.inputs, op.inputs[::-1]):
            inside = before[branch] & ~before[base]
            parallel = any((before[base] & ~before[branch]) >> at & 1 for at in theirs)
            added = [at for at in ours if inside >> at & 1]
            if not added or any(inside >> at & 1 for at in theirs) or not (parallel or mostly):
                continue
            ratio = _ratio(trace.ops[branch], trace.ops[base])
            last = ours[max(added)][0]
            if ratio > LARGEST and not _loaded(evidence, last):
                found[op.path].append((ratio, last))
    writers = sorted((pair for pairs in found.values() for pair in pairs), reverse=True)
    if writers:
        yield _finding(writers)


def _finding(writers: list[tuple[float, str]]) -> Finding:
    names = tuple(dict.fromkeys(name for _, name in writers))
    return Finding(
        "FI707",
        Severity.WARNING,
        names,
        f"what {counted(len(names), 'trainable kernel')} on the frozen network put out is up to "
        f"{figure(writers[0][0])} times as large as what it is added to",
        "0, so that the network starts as it was trained",
        "the frozen layers above do not know this signal: what they learnt is lost at first",
        f"nn.init.zeros_({names[0]}), the last kernel of the branch, and no other",
        title="adapter is not the identity",
        fixes=tuple(Fix(name, "zeros") for name in names),
        facts={"ratio": writers[0][0]},
    )


def _kernels(trace: Trace) -> dict[int, list[str]]:
    """Sort the kernels by the operation that uses them."""
    found = defaultdict[int, list[str]](list)
    for parameter in trace.parameters:
        for use in parameter.uses:
            if use.part in (Part.KERNEL, Part.STATE_KERNEL) and trace.ops[use.op].kind in WEIGHTED:
                found[use.op].append(parameter.name)
    return found


def _ancestors(ops: tuple[Op, ...]) -> list[int]:
    """List what comes before each operation, itself included, as the bits of a number."""
    found = list[int]()
    for index, op in enumerate(ops):
        bits = 1 << index
        for inner in op.inputs:
            bits |= found[inner]
        found.append(bits)
    return found


def _ratio(branch: Op, base: Op) -> float:
    if branch.forward is None or base.forward is None or not base.forward.rms > 0:
        return 0.0
    ratio = branch.forward.rms / base.forward.rms
    return ratio if math.isfinite(ratio) else 0.0


def _mostly_frozen(evidence: Evidence) -> bool:
    """Tell whether the frozen part is the network, and the rest is what was added to it."""
    frozen = sum(math.prod(slot.shape) for slot in evidence.slots if slot.frozen)
    return 2 * frozen > sum(math.prod(slot.shape) for slot in evidence.slots)


def _loaded(evidence: Evidence, name: str) -> bool:
    birth = None if evidence.births is None else evidence.births.of(name)
    return birth is not None and any(write.by == "load" for write in birth.writes)
