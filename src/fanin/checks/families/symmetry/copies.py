"""Tensors, blocks and streams that are copies of each other."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from fanin.births import Write
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.symmetry.order import before
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Equal, Values
from fanin.recipes import Role
from fanin.recipes.network import around
from fanin.trace import Place

FEWEST = 16
"""Elements below which equal draws say little: a vector of a few numbers may be a pattern."""

_CLONING = ("TransformerEncoder", "TransformerDecoder")
"""Containers of torch that copy the layer they are given, as their documentation warns."""


@rule("FI202", "copied blocks", Severity.ERROR, Probe.VALUES)
def copied_blocks(evidence: Evidence) -> Iterator[Finding]:
    """Matrices of one stack are bitwise equal: heads, experts, gates, members, shards.

    The stack may be one matrix: then its rows or columns come in pieces that repeat each other.

    Why it hurts:
        Copies that get equal gradients stay one matrix for ever. Copies that are told apart start
        with less than the network has, and an ensemble of them has no spread.

    Example:
        `torch.stack([drawn(key)] * experts)`; `vmap` over one key; shards drawn from one seed and
        put together.

    Mend:
        Draw every matrix of the stack on its own.

    When it is fine:
        Blocks of zeros or of another constant are left to FI201 and FI206. Identities and filters
        of few different numbers may stand in every channel of a grouped layer. The first layer may
        repeat itself along its inputs, as a trained stem does that is widened to more channels.

    Threshold:
        Bitwise equal and not constant: two draws of 16 numbers are equal once in 2**384 times.
        With equal gradients it is an error, without them a warning.

    Source:
        cases B62, B64 and B76 of the public record.
    """
    stuck, told = list[tuple[str, Equal]](), list[tuple[str, Equal]]()
    for slot in evidence.slots:
        held = evidence.values.get(slot.name)
        if held is None or slot.frozen:
            continue
        copied = _blocks(held.equal) or _repeated(held.equal)
        if copied is None or (copied.what == "row" and slot.role is not Role.EMBEDDING):
            continue
        if copied.what == "input" and Place.FIRST in around(slot).places:
            continue
        staying = _blocks(evidence.staying.get(slot.name, ())) is not None
        if staying or not held.patterned(copied.count / copied.distinct):
            (stuck if staying else told).append((slot.name, copied))
    for found, severity in ((stuck, Severity.ERROR), (told, Severity.WARNING)):
        if found:
            name, worst = found[0]
            equal = "with equal gradients" if severity is Severity.ERROR else "bitwise"
            yield Finding(
                "FI202",
                severity,
                tuple(one for one, _ in found),
                f"{name}: of {worst.count} {_NAMES[worst.what]} {worst.distinct} are different; "
                f"{_listed(worst.groups[0])} are equal, {equal}",
                f"{worst.count} different draws",
                "copies with equal gradients stay one matrix for ever"
                if severity is Severity.ERROR
                else "copies start with less than the network has",
                "draw every matrix of the stack on its own",
                title=f"{worst.count - worst.distinct} copies among {worst.count} "
                f"{_NAMES[worst.what]}",
                fixes=tuple(Fix(one) for one, _ in found),
                facts={"distinct": worst.distinct, "matrices": worst.count},
            )


@rule("FI203", "copied tensors", Severity.ERROR, Probe.VALUES)
def copied_tensors(evidence: Evidence) -> Iterator[Finding]:
    """Two random tensors hold the same numbers.

    Why it hurts:
        Layers, experts or members that were meant to be different start the same; with equal
        gradients they stay the same.

    Example:
        `[copy.deepcopy(block) for _ in range(4)]`; the same seed set before each layer.

    Mend:
        Initialise the copies anew: `block.apply(reset)`, or build each from its class.

    When it is fine:
        One of the two is frozen (a target or averaged network); towers or experts are copied on
        purpose from one that is there (a remark); `nn.TransformerEncoder` copies its layer, which
        trains, as its documentation says (a remark).

    Threshold:
        Bitwise equal, of one shape, not constant, at least 16 numbers. With equal gradients an
        error, drawn twice from one seed or copied in series a warning.

    Source:
        cases B61, B66, B67 and B71 of the public record; PyTorch documentation,
        nn.TransformerEncoder, warning on its layers.
    """
    groups = defaultdict[tuple[object, ...], list[Values]](list)
    for slot in evidence.slots:
        held = evidence.values.get(slot.name)
        kernel = slot.role not in (Role.BIAS, Role.NORM_GAIN, Role.NORM_OFFSET)
        if held is None or not kernel or held.constant or held.count < FEWEST or not held.digest:
            continue
        if not held.patterned():
            groups[held.digest, held.shape].append(held)
    found = defaultdict[Severity, list[Sequence[Values]]](list)
    for copies in groups.values():
        if len(copies) > 1:
            found[_harm(copies, evidence)].append(copies)
    for severity in Severity:
        if found[severity]:
            yield _copied(severity, found[severity])


def _copied(severity: Severity, groups: list[Sequence[Values]]) -> Finding:
    first = [held.name for held in groups[0]]
    names = tuple(held.name for copies in groups for held in copies)
    observed = f"{_listed(first)} hold the same {groups[0][0].count} numbers"
    if len(groups) > 1:
        observed += f", and so do {len(groups) - 1} further groups"
    why = {
        Severity.ERROR: "they get equal gradients as well, so they stay one for ever",
        Severity.WARNING: "what was meant to be different starts the same",
        Severity.INFO: "they are told apart by their gradients, or one of them is held constant: "
        "fine where it is on purpose",
    }
    return Finding(
        "FI203",
        severity,
        names,
        observed,
        "" if severity is Severity.INFO else "different draws",
        why[severity],
        "" if severity is Severity.INFO else "initialise the copies anew, or draw each on its own",
        title="copies of one draw",
        fixes=() if severity is Severity.INFO else tuple(Fix(n) for n in names if n != first[0]),
        facts={"copies": len(names)},
    )


def _harm(copies: Sequence[Values], evidence: Evidence) -> Severity:
    free = [held for held in copies if not held.frozen]
    some_frozen = any(slot.frozen for slot in evidence.slots)
    backs = [back for held in free if (back := evidence.gradients.get(held.name)) is not None]
    sizes = [back.rms for back in backs]
    alive = [back for back in backs if back.largest > 0]
    if len(alive) > 1 and _same_gradient(sizes, [back.largest for back in backs]):
        return Severity.ERROR
    if len(alive) < 2 and evidence.trace is not None:
        return Severity.INFO  # a network beside the one that is trained
    if some_frozen or _cloned_by_torch(free, evidence) or _taken_over(free, evidence):
        return Severity.INFO
    return Severity.WARNING


def _same_gradient(sizes: list[float], largest: list[float]) -> bool:
    return all(
        abs(one - numbers[0]) <= 1e-4 * max(numbers) for numbers in (sizes, largest)
        for one in numbers
    )  # fmt: skip


def _cloned_by_torch(copies: Sequence[Values], evidence: Evidence) -> bool:
    inside = tuple(
        f"{layer.path}." if layer.path else ""
        for layer in evidence.layers
        if any(f"torch.nn.modules.transformer.{kind}" in layer.classes for kind in _CLONING)
    )
    return all(held.name.startswith(inside) for held in copies)


def _taken_over(copies: Sequence[Values], evidence: Evidence) -> bool:
    """Tell whether the copies stand side by side and were copied, not drawn twice."""
    if evidence.births is None or evidence.trace is None:
        return False
    copied = [
        any(write.function in ("load_state_dict", "deepcopy", "copy_") for write in birth.writes)
        for held in copies
        if (birth := evidence.births.of(held.name)) is not None
    ]
    return sum(copied) >= len(copies) - 1 and not _one_after_the_other(copies, evidence)


def _one_after_the_other(copies: Sequence[Values], evidence: Evidence) -> bool:
    trace = evidence.trace
    if trace is None:
        return False
    places = [
        {use.op for use in own.uses}
        for held in copies
        for own in trace.parameters
        if own.name == held.name
    ]
    return any(
        other & before(trace.ops, own) for own in places for other in places if other is not own
    )


@rule("FI205", "one stream twice", Severity.INFO, Probe.BIRTH)
def stream_twice(evidence: Evidence) -> Iterator[Finding]:
    """Tensors of different shapes were drawn from the same state of the generator.

    Why it hurts:
        They hold the same numbers in another order or number: their units are correlated, which
        every theory of a random start takes to be excluded.

    Example:
        `torch.manual_seed(0)` before each layer is drawn.

    Mend:
        Seed once, before the first draw.

    When it is fine:
        It trains: correlations between layers of different shapes do little harm. That is why it is
        a remark. Equal shapes are copies, and FI203.

    Threshold:
        The same fingerprint of the state of the generator before two draws of at least 16 numbers.

    Source:
        Salmon et al. (2011), Parallel Random Numbers, section 2, on streams that must not overlap.
    """
    births = evidence.births
    if births is None:
        return
    groups = defaultdict[str, list[str]](list)
    for birth in births.tensors:
        held = evidence.values.get(birth.name)
        last = _drawn(birth.writes)
        if last is not None and held is not None and held.count >= FEWEST and not held.buffer:
            groups[last.stream].append(birth.name)
    for names in groups.values():
        shapes = {evidence.values[name].shape for name in names}
        if len(names) > 1 and len(shapes) > 1:
            yield Finding(
                "FI205",
                Severity.INFO,
                tuple(names),
                f"{_listed(names)} were drawn from one state of the generator",
                "",
                "they hold the same numbers in part, so they are not independent",
                "seed once, before the first draw",
                title="one stream drawn from twice",
            )


def _drawn(writes: Sequence[Write]) -> Write | None:
    return next((write for write in reversed(writes) if write.stream), None)


def _blocks(equal: Sequence[Equal]) -> Equal | None:
    return next(
        (
            one
            for one in equal
            if one.what == "block"
            and one.distinct < one.count
            and one.zero < one.count
            and one.constant < one.count
            and one.count - one.distinct > max(0, one.zero - 1)
        ),
        None,
    )


_NAMES = {"block": "matrices", "unit": "units", "input": "inputs", "row": "rows"}
"""What the slices of each kind are called."""


def _repeated(equal: Sequence[Equal]) -> Equal | None:
    """Find a matrix that is one piece repeated: slice i equals i + d, i + 2 d, and so on.

    Equal slices in other places are left alone: upsampling layers start in runs of equal units.
    """
    for one in equal:
        pieces, rest = divmod(one.count, one.distinct) if one.distinct else (0, 1)
        if one.what == "block" or rest or pieces < 2 or one.distinct < 2 or not one.groups:
            continue
        spaced = all(
            group == tuple(range(group[0], one.count, one.distinct))[: len(group)]
            for group in one.groups
        )
        if spaced and one.constant == 0:
            return one
    return None


def _listed(names: Sequence[object]) -> str:
    shown = [str(name) for name in names[:4]]
    return ", ".join(shown) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
