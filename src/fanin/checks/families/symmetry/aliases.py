"""One tensor where several were meant."""

import re
from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.symmetry.order import before
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes import Slot

_PLACE = re.compile(r"(^|\.)\d+(?=\.|$)")


@rule("FI204", "one tensor in several places", Severity.WARNING, Probe.VALUES)
def one_tensor_twice(evidence: Evidence) -> Iterator[Finding]:
    """Members of a list of layers are one layer: the same tensor under names that only count up.

    Why it hurts:
        The network has a fraction of the parameters it seems to have, and one gradient for all.

    Example:
        `nn.ModuleList([nn.Linear(8, 8)] * 3)` repeats the reference, not the layer.

    Mend:
        `nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])`.

    When it is fine:
        Layers shared on purpose are mostly one attribute that is called several times. Where they
        are listed on purpose, say so with `# fanin: ignore[FI204]` at the line that makes them.

    Threshold:
        Names that are equal but for a number, of one memory, each of them applied one after the
        other or not at all. A table that is the head as well has names of two kinds.

    Source:
        case B69 of the public record.
    """
    shared = [slot for slot in evidence.slots if _counted(slot) and _in_series(slot, evidence)]
    if not shared:
        return
    first = shared[0]
    yield Finding(
        "FI204",
        Severity.WARNING,
        tuple(name for slot in shared for name in slot.names),
        f"{len(first.names)} names are one tensor: {', '.join(first.names[:4])}",
        "a tensor for each layer of the list",
        "the layers are one layer, with one gradient and a fraction of the parameters",
        "build the list with a comprehension: [Layer() for _ in range(n)], not [Layer()] * n",
        title="layers of a list are one layer",
        facts={"names": len(first.names)},
    )


def _counted(slot: Slot) -> bool:
    kinds = {_PLACE.sub(".#", name) for name in slot.names}
    return len(slot.names) > 1 and len(kinds) == 1


def _in_series(slot: Slot, evidence: Evidence) -> bool:
    """Tell whether the uses follow each other; heads shared between outputs stand side by side."""
    trace = evidence.trace
    if trace is None:
        return True
    found = next((own for own in trace.parameters if own.name == slot.name), None)
    ops = [] if found is None else sorted({use.op for use in found.uses})
    if len(ops) < 2:
        return True
    return ops[0] in before(trace.ops, ops[-1:])
