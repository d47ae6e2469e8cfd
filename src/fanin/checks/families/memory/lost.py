"""Writes that reached nothing: a temporary, a derived tensor, a placeholder, an empty selection."""

import re
from collections import defaultdict
from collections.abc import Iterator

from fanin.births import Births, Lost, Write
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.memory.sweeps import lines, place, purposeful, replaces, said
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.reports.document import counted

PIECES = re.compile(r"(?:parametrizations\.)?(\w+?)(?:\.original\d*|_[gvuo]|_orig)$")
"""What a parametrised weight is computed from: the name of the weight, and of the piece."""

MEND = {
    "a temporary": "write into the parameter itself: indexing with a list or a mask, .clone(), "
    ".float() and .to() make a new tensor; assign with weight[index] = values, or weight.copy_",
    "a derived tensor": "initialise before weight_norm or the parametrisation is put on, or assign "
    "to the attribute (layer.weight = values) where the parametrisation can be turned round",
    "an empty placeholder": "gather the shards first (deepspeed.zero.GatheredParameters with "
    "modifier_rank=0), or initialise inside the constructor",
    "memory that was replaced": "initialise after the memory is replaced: to_empty, .data = and a "
    "new layer under the old name all drop what was written before",
}


@rule("FI104", "write lost", Severity.WARNING, Probe.BIRTH)
def write_lost(evidence: Evidence) -> Iterator[Finding]:
    """A line that initialises wrote to something that is no tensor of the model.

    Why it hurts:
        The line runs, no error is raised, and the tensor it was meant for keeps what it had.

    Example:
        `nn.init.normal_(layer.weight)` under `weight_norm`, where `.weight` is computed anew at
        every use; `nn.init.zeros_(weight[[0, 2]])`, which writes to a copy.

    Mend:
        Write into the parameter itself; how depends on where the write went, and is said there.

    When it is fine:
        A layer that was replaced after it was initialised, as a new head is: a remark only, as are
        values that were worked out in a temporary and copied in later, which are not reported.
        What an installed library loses in its own code is a remark too: it is not yours to mend.

    Threshold:
        None: the write is seen, and no tensor of the model holds it.

    Source:
        Documentation of torch.nn.utils.parametrizations.weight_norm; documentation of PyTorch on
        tensor views, for what makes a copy.
    """
    births = evidence.births
    if births is None:
        return
    groups = defaultdict[tuple[object, ...], list[Lost]](list)
    for lost in births.lost:
        if lost.write.by == "init" and not _made_good(births, lost):
            groups[place(lost.write), lost.into].append(lost)
    for (_, into), group in groups.items():
        names = tuple(dict.fromkeys(_known_as(evidence, lost.of) for lost in group if lost.of))
        write = group[0].write
        known = bool(names) or into in ("a derived tensor", "an empty placeholder")
        sure = known and into != "memory that was replaced" and not write.library
        does = f"{write.library} does so; " if write.library else ""
        many = f", {len(group)} times" if len(group) > 1 else ""
        yield Finding(
            "FI104",
            Severity.WARNING if sure else Severity.INFO,
            names,
            f"{said(write)} went to {into}{many}",
            "a write that a tensor of the model holds" if sure else "",
            f"{does}the tensor it was meant for keeps what it had before, without an error",
            MEND.get(str(into), "write into the parameter itself"),
            title=f"write lost to {into}",
            location=write.frames[0] if write.frames else None,
            facts={"writes": len(group)},
        )


def _known_as(evidence: Evidence, name: str) -> str:
    """Name the weight that a tensor is a piece of: ``fc.weight`` for ``fc.weight_g``."""
    weight = PIECES.sub(r"\1", name)
    return weight if weight in evidence.values else name


def _made_good(births: Births, lost: Lost) -> bool:
    """Tell whether the tensor was written on purpose later: a temporary that was copied in."""
    birth = births.of(lost.of) if lost.of else None
    return birth is not None and any(
        write.order > lost.write.order and replaces(write) for write in purposeful(birth)
    )


@rule("FI105", "write without effect", Severity.WARNING, Probe.BIRTH)
def write_without_effect(evidence: Evidence) -> Iterator[Finding]:
    """A line that initialises reached no element of the tensor, or scaled zeros.

    Why it hurts:
        The code reads as if the tensor were set, and it is not.

    Example:
        `weight[mask] = 0` where the mask selects nothing; `weight.mul_(0.1)` before anything but
        zeros is in the weight.

    Mend:
        Look at the selection, or at the order of the lines.

    When it is fine:
        Ones written over ones and zeros over zeros change nothing either and are as they should be:
        not reported. A sweep that scales every weight, zeros among them, is fine as well.

    Threshold:
        No element reached, or no element other than zero to scale; exact.

    Source:
        Documentation of PyTorch on indexing: an empty selection is no error.
    """
    births = evidence.births
    if births is None:
        return
    for line in lines(births).values():
        wasted = [pair for pair in line.writes if line.own and _wasted(pair[1])]
        if len(wasted) < len(line.writes):
            continue
        _, write = wasted[0]
        reached = "reached no element" if not write.elements else "scaled nothing but zeros"
        yield Finding(
            "FI105",
            Severity.WARNING,
            line.names,
            f"{said(write)} {reached} of {counted(len(line.names), 'tensor')}",
            "a line that changes what it names",
            "the code reads as if the tensor were set, and it is not",
            "look at what the index selects, or move the line behind the one that fills the tensor",
            title="write without effect",
            location=line.frame,
        )


def _wasted(write: Write) -> bool:
    if write.of and not write.elements:
        return True
    scales = write.function.rpartition(".")[2] in ("mul_", "div_", "__imul__", "__itruediv__")
    before = write.before
    return (
        scales
        and before is not None
        and before.unwritten == 0
        and before.minimum == before.maximum == 0
        and not write.changed
    )
