"""Special values that a later sweep wrote over, and tensors that are initialised twice."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from fanin.births import Birth, Births, Write
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.memory.sweeps import (
    PLACEHOLDER,
    Line,
    function,
    lines,
    place,
    purposeful,
    replaces,
    said,
    sampling_error,
)
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes import Role
from fanin.reports.document import counted, figure

STRUCTURED = ("eye_", "dirac_", "orthogonal_", "sparse_", "identity_", "delta_orthogonal_")
"""Functions whose values have a structure that no plain draw has."""

Pair = tuple[Birth, Write, Write]
"""A tensor, the write that was lost, and the one that came over it."""


@rule("FI106", "special value overwritten", Severity.WARNING, Probe.BIRTH)
def special_value_overwritten(evidence: Evidence) -> Iterator[Finding]:
    """A value that some line sets for a few tensors was lost to a later sweep over many.

    Why it hurts:
        What the special value was for does not happen: the zero branch is no identity, the time
        constants of a state space layer are all one, the prior of the output is gone.

    Example:
        A block sets `nn.init.zeros_(self.out.weight)`; then the model runs
        `self.apply(init_weights)`, which draws every Linear from `normal_(std=0.02)`.

    Mend:
        Sweep first and set the special values after it, or let the sweep skip marked layers.

    When it is fine:
        Where the general start is what is meant: then the line that sets the special value is dead
        code. What a layer's own constructor draws is a default and may be written over.

    Threshold:
        None on the values, but on who wrote: the line that came last wrote tensors that the first
        did not, in another function. Special is what no general formula makes of that tensor: a
        constant other than the usual one (0 for a bias, 1 for a gain), an identity, an orthogonal
        or sparse matrix, values copied in, and values centred off zero by more than five standard
        errors.

    Source:
        Goyal et al. (2017), section 5.1, for a zero gain that a sweep must not undo; Gu and Dao
        (2023), section 3.6, for the bias of the time step.
    """
    births = evidence.births
    if births is None:
        return
    groups = defaultdict[tuple[object, object], list[Pair]](list)
    for pair in _overwritten(evidence, births):
        groups[place(pair[1]), place(pair[2])].append(pair)
    for group in groups.values():
        birth, lost, last = group[0]
        yield Finding(
            "FI106",
            Severity.WARNING,
            tuple(birth.name for birth, _, _ in group),
            f"{said(lost)} set {_held(lost)}; then {said(last)} wrote {_held(last)} over it",
            f"{_held(lost)}, as {lost.frames[0] if lost.frames else lost.function} asks for",
            f"what the special value of {counted(len(group), 'tensor')} was for does not happen",
            "sweep first and set special values after it, or let the sweep skip these layers",
            title=f"special value of {_short(birth.name)} overwritten",
            location=last.frames[0] if last.frames else None,
            facts={"tensors": len(group), "before": said(lost), "after": said(last)},
        )


def _overwritten(evidence: Evidence, births: Births) -> Iterator[Pair]:
    known = lines(births)
    for birth in births.tensors:
        writes = purposeful(birth)
        last = birth.last
        if last is None or last not in writes or not replaces(last):
            continue
        earlier = [
            write
            for write in writes
            if write.order < last.order
            and write.changed
            and write.after.digest != last.after.digest
            and _special(evidence, birth, write)
        ]
        for lost in reversed(earlier):
            if _swept(known, lost, last):
                yield birth, lost, last
                break


def _swept(known: dict[tuple[str, int], Line], lost: Write, last: Write) -> bool:
    """Tell whether the last write belongs to a sweep that reaches further than the first line."""
    first, later = place(lost), place(last)
    if first is None or later is None or first == later or function(lost) == function(last):
        return False
    return bool(set(known[later].names) - set(known[first].names))


def _special(evidence: Evidence, birth: Birth, write: Write) -> bool:
    if not write.elements or write.after.unwritten > 0 or write.library:
        return False
    if PLACEHOLDER.search(write.function):
        return False
    short = write.function.rpartition(".")[2]
    if short in STRUCTURED:
        return True
    slot = evidence.slot(birth.name)
    role = Role.OTHER if slot is None else slot.role
    after = write.after
    if after.minimum == after.maximum:
        return len(birth.shape) > 1 or after.maximum != (1.0 if role is Role.NORM_GAIN else 0.0)
    if len(birth.shape) > 1 and short == "copy_":
        return True
    return role is not Role.NORM_GAIN and abs(after.mean) > 5 * sampling_error(write, write.of)


def _held(write: Write) -> str:
    after = write.after
    if after.minimum == after.maximum:
        return "zeros" if after.maximum == 0 else f"the constant {figure(after.maximum)}"
    if abs(after.mean) > after.std:
        return f"values from {figure(after.minimum)} to {figure(after.maximum)}"
    return f"values of std {figure(after.std)}"


def _short(name: str) -> str:
    return ".".join(name.split(".")[-2:])


@rule("FI107", "initialised twice", Severity.WARNING, Probe.BIRTH)
def initialised_twice(evidence: Evidence) -> Iterator[Finding]:
    """Two lines initialise the same tensors, one after the other; the first does not count.

    Why it hurts:
        One of the lines is probably meant for another tensor: two lines of one function that name
        the same tensor are the usual slip of copying a line. Otherwise only time is lost.

    Example:
        `nn.init.ones_(norm.weight)` and below it `nn.init.zeros_(norm.weight)`, which was to be
        `norm.bias`.

    Mend:
        Name the tensor that was meant, or remove the first line.

    When it is fine:
        A general sweep and then a special rule for a few tensors is good practice, and not
        reported; a block that initialises itself and a model that does it again is a remark.

    Threshold:
        The second line wrote every tensor that the first did. A warning where both stand in one
        function and a tensor beside it, in the same layer or of the same name and shape in a
        sister layer, was not initialised on purpose by anybody.

    Source:
        What compilers say of variables holds for tensors: a store that nothing reads before the
        next one is dead (Aho et al. (2006), Compilers, section 9.2.5, on live variables).
    """
    births = evidence.births
    if births is None:
        return
    known = lines(births)
    special = {(place(pair[1]), place(pair[2])) for pair in _overwritten(evidence, births)}
    pairs = defaultdict[tuple[tuple[str, int], tuple[str, int]], list[Pair]](list)
    for birth in births.tensors:
        whole = [write for write in purposeful(birth) if replaces(write)]
        for first, second in pairwise(whole):
            one, other = place(first), place(second)
            if one is not None and other is not None and one != other:
                pairs[one, other].append((birth, first, second))
    for line in known.values():
        again = _again(line)
        if again:
            yield _repeated(line, again)
    for (one, other), group in pairs.items():
        names = {birth.name for birth, _, _ in group}
        if (one, other) in special or names != set(known[one].names):
            continue
        yield _twice(births, group)


def _again(line: Line) -> dict[str, int]:
    """Count how often a sweep drew each tensor anew, where it did so more than once."""
    counts = Counter(b.name for b, write in line.writes if replaces(write) and write.stream)
    many = line.own and len(line.names) > 1
    return {name: times for name, times in counts.items() if times > 1} if many else {}


def _repeated(line: Line, again: dict[str, int]) -> Finding:
    most = max(again, key=lambda name: again[name])
    return Finding(
        "FI107",
        Severity.INFO,
        tuple(again),
        f"{said(line.writes[0][1])} drew {counted(len(again), 'tensor')} more than once, {most} "
        f"{again[most]} times",
        "",
        "the last draw counts; the others take time and move the random numbers of what follows",
        "let a callback write the parameters of its own module only (recurse=False)",
        title="drawn again by the same line",
        location=line.frame,
        facts={"tensors": len(again), "times": again[most]},
    )


def _twice(births: Births, group: list[Pair]) -> Finding:
    birth, first, second = group[0]
    same = first.scope == second.scope and function(first) == function(second)
    beside = _forgotten(births, birth, first, second) if same else ""
    return Finding(
        "FI107",
        Severity.WARNING if beside else Severity.INFO,
        tuple(birth.name for birth, _, _ in group),
        f"{said(first)} and then {said(second)} initialise it",
        f"one of them for {beside}, which nothing initialises" if beside else "",
        "the first line does not count"
        + (": probably a copied line whose name was not changed" if beside else ""),
        f"name {beside} in one of the two lines" if beside else "remove the first line",
        title="initialised twice",
        location=second.frames[0] if second.frames else None,
        facts={"tensors": len(group)},
    )


def _forgotten(births: Births, birth: Birth, first: Write, second: Write) -> str:
    """Find the tensor that one of the two lines was probably meant for.

    A line copied within a layer sets constants, one for the gain and one for the offset; a line
    copied from layer to layer says the same of both.
    """
    home, _, last = birth.name.rpartition(".")
    block = home.rpartition(".")[0]
    constants = all(write.after.minimum == write.after.maximum for write in (first, second))
    copied = (first.function, first.arguments) == (second.function, second.arguments)
    for other in births.tensors:
        if other.buffer or other is birth or purposeful(other):
            continue
        there, _, called = other.name.rpartition(".")
        alike = called == last and other.shape == birth.shape
        sister = there != home and there.rpartition(".")[0] == block and alike
        if (there == home and constants) or (sister and copied):
            return other.name
    return ""
