"""Memory that was taken as it was found, and never filled."""

import math
from collections import defaultdict
from collections.abc import Iterator

from fanin.births import Birth, Frame
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.reports.document import counted


@rule("FI101", "never written", Severity.ERROR, Probe.BIRTH)
def never_written(evidence: Evidence) -> Iterator[Finding]:
    """A parameter or buffer, or a part of it, holds whatever was in memory before.

    Why it hurts:
        The values are those that some other program left behind: sometimes zeros, sometimes huge
        numbers, sometimes nan, and never the same twice. Runs differ although the seed is the same.

    Example:
        `self.u = nn.Parameter(torch.empty(heads, width))` with no line that fills it; a custom
        `Linear` without `reset_parameters`; a buffer of a model that came from the meta device by
        `to_empty`.

    Mend:
        Write it where it is made: `nn.init.zeros_(self.u)`, or `torch.zeros` in place of
        `torch.empty`.

    When it is fine:
        A buffer that the forward pass fills before it reads it, such as a cache. Where a pass was
        made and came out finite although the memory was filled with nan, this is a remark only.

    Threshold:
        One element is enough. The build runs with poisoned memory, so this is no guess: what is
        still poison at the end was written by nobody.

    Source:
        Documentation of torch.empty: "returns a tensor filled with uninitialized data".
    """
    births = evidence.births
    if births is None:
        return
    groups = defaultdict[tuple[object, ...], list[Birth]](list)
    for birth in births.tensors:
        if birth.unwritten > 0 and math.prod(birth.shape) > 0:
            harmless = birth.buffer and _filled_before_it_is_read(evidence, birth)
            groups[harmless, birth.buffer, _cause(birth)].append(birth)
    for (harmless, *_), group in groups.items():
        yield _finding(group, harmless=bool(harmless))


def _cause(birth: Birth) -> object:
    """Tell what line made the memory, or else the last part of the name: equal layers share it."""
    frame = _frame(birth)
    return (frame.file, frame.line) if frame is not None else birth.name.rpartition(".")[2]


def _frame(birth: Birth) -> Frame | None:
    made = birth.allocation
    return made.frames[0] if made is not None and made.frames else None


def _filled_before_it_is_read(evidence: Evidence, birth: Birth) -> bool:
    """Poison is nan, and spreads: a pass that stayed finite did not read it."""
    trace = evidence.trace
    if trace is None or not birth.dtype.startswith(("float", "bfloat")):
        return False
    signals = [signal for op in trace.ops for signal in (op.forward, op.backward)]
    return all(signal is None or signal.finite for signal in signals)


def _finding(group: list[Birth], *, harmless: bool) -> Finding:
    first = max(group, key=lambda birth: birth.unwritten)
    what = "buffer" if first.buffer else "parameter"
    count = math.prod(first.shape)
    missing = max(1, round(first.unwritten * count))
    part = f"{missing} of" if missing < count else "any of"
    source = f", which came from {first.allocation.function}" if first.allocation else ""
    observed = f"nobody wrote {part} its {counted(count, 'element')}{source}"
    if len(group) > 1:
        observed += f"; {counted(len(group), what)} in all"
    if harmless:
        return Finding(
            "FI101",
            Severity.INFO,
            tuple(birth.name for birth in group),
            observed,
            "",
            "fine, because the pass came out finite although the memory held nan: it is filled "
            "before it is read",
            "",
            title="a buffer that the forward pass fills",
            location=_frame(first),
        )
    return Finding(
        "FI101",
        Severity.ERROR,
        tuple(birth.name for birth in group),
        observed,
        "every element written before the model is handed over",
        "it holds what other programs left in memory: other values in every run, or nan",
        _mend(first),
        title=f"{what} never written" if missing == count else f"{what} written in part",
        location=_frame(first),
        fixes=() if first.buffer else tuple(Fix(birth.name) for birth in group),
        facts={"unwritten": first.unwritten, "tensors": len(group)},
    )


def _mend(birth: Birth) -> str:
    last = birth.name.rpartition(".")[2]
    if birth.buffer:
        return (
            f"fill {last} where it is made, and again after to_empty: buffers are not in every "
            "checkpoint, and reset_parameters must know of them"
        )
    if len(birth.shape) < 2:
        return f"nn.init.zeros_(self.{last}) where it is made, or nn.init.ones_ for a gain"
    return f"initialise self.{last} where it is made, or call reset_parameters after to_empty"
