"""Embedding tables whose scale comes from the size of the vocabulary."""

import math
from collections.abc import Iterator

from fanin.checks.cause import held_of
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.asked import asked
from fanin.checks.families.scale.looking import fixes, held_slots, spelled
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.recipes import Role, Slot
from fanin.recipes.network import around
from fanin.recipes.slips import recognised

SMALLEST = 0.05 / math.sqrt(3)
"""Standard deviation of Keras's embeddings, the smallest default of a framework."""


@rule("FI311", "the vocabulary as a fan", Severity.WARNING, Probe.VALUES)
def vocabulary_as_fan(evidence: Evidence) -> Iterator[Finding]:
    """An embedding was started with a formula that counts its rows as inputs.

    Why it hurts:
        One row is read, not a sum over all, so the vectors come out smaller the larger the
        vocabulary: with 50,000 words they are next to zero, and the layers behind see little more
        than their own biases or the positions.

    Example:
        ``nn.init.xavier_uniform_(embedding.weight)``.

    Mend:
        ``nn.init.normal_(embedding.weight, std=0.02)`` before a norm, or ``std=width**-0.5`` where
        the vectors are multiplied by ``sqrt(width)``.

    When it is fine:
        Where a norm follows, or the table is small, it is a remark.

    Threshold:
        The call was a Glorot one, or the moments fit Glorot's formula for (rows, width) at 5 sigma
        and no other. A warning where no norm follows and the standard deviation is below 0.029,
        that of Keras's embeddings and the smallest default of a framework.

    Source:
        Glorot and Bengio (2010), equation 12, whose fans are the terms of a sum; Keras 3,
        `Embedding`.
    """
    for slot, values in held_slots(evidence):
        if slot.role is not Role.EMBEDDING or slot.layout is None or not slot.layout.lookup:
            continue
        request = asked(evidence.births, slot.name)
        called = request is not None and request.name.startswith("xavier")
        slip = None if request is not None else recognised(slot, held_of(values))
        if called or (slip is not None and "vocabulary" in slip.words):
            yield _finding(evidence, slot, values)


def _finding(evidence: Evidence, slot: Slot, values: Values) -> Finding:
    rows, width = slot.shape[0], slot.shape[-1]
    seen = around(slot)
    small = values.std < SMALLEST and bool(seen.followed_by)
    harmful = small and seen.followed_by not in ("norm", "residual stream") and not slot.uses
    return Finding(
        "FI311",
        Severity.WARNING if harmful else Severity.INFO,
        (slot.name,),
        f"std {values.std:.3g}: Glorot's formula with {rows} rows and width {width} as fans",
        "a scale that does not depend on the rows, since one of them is read: 0.02 before a norm, "
        f"{1 / math.sqrt(width):.3g} (1/sqrt(width)) or 1 elsewhere",
        "the vectors are next to zero, and the layers behind see little of them"
        if harmful
        else "a norm follows, or the vectors are large enough",
        f"nn.init.normal_({spelled(slot.name)}, std={1 / math.sqrt(width):.3g})",
        title="the vocabulary was taken for a fan",
        fixes=fixes(evidence, (slot.name,)) if harmful else (),
        facts={"std": values.std, "rows": float(rows), "width": float(width)},
    )
