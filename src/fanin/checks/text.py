"""A report as text: the anatomy of a finding, the same on a terminal and in a pipe.

A finding is a headline, the tensors with arrows, what was seen behind bars, and what follows from
it behind equal signs. In a pipe every field is one line and every name is full; a terminal wraps.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fanin.checks.evidence import Evidence
from fanin.checks.finding import Finding, Severity
from fanin.reports.document import counted

NAMES = 8
"""Tensors listed under one finding; the JSON has all."""

_LABEL = 10
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold"}


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        lead: What stands before the text, and is repeated as blanks where the text wraps.
        text: The text.
        style: How a terminal shows it, in the words of rich.
    """

    lead: str
    text: str
    style: str = ""


def lines(findings: Sequence[Finding], evidence: Evidence) -> Iterator[Line]:
    """Tell the findings.

    Args:
        findings: What was found, the worst first.
        evidence: What they were read from.

    Yields:
        The lines; an empty one between findings.
    """
    for finding in findings:
        yield from _finding(finding, evidence)
        yield Line("", "")


def plain(told: Iterator[Line]) -> str:
    """Write lines for a pipe.

    Args:
        told: The lines.

    Returns:
        The text.
    """
    return "\n".join((line.lead + line.text).rstrip() for line in told)


def wrapped(told: Iterator[Line], width: int) -> Iterator[Line]:
    """Wrap lines for a terminal.

    Args:
        told: The lines.
        width: Columns there are.

    Yields:
        Lines no longer than that, unless a single word is.
    """
    for line in told:
        room = max(20, width - len(line.lead))
        parts = textwrap.wrap(line.text, room, break_long_words=False, break_on_hyphens=False)
        bar = line.lead[:4] if line.lead[3:4] == "|" else ""
        for place, part in enumerate(parts or [""]):
            lead = line.lead if place == 0 else bar.ljust(len(line.lead))
            yield Line(lead, part, line.style)


def _finding(finding: Finding, evidence: Evidence) -> Iterator[Line]:
    title = finding.title or finding.observed
    yield Line(f"{finding.severity}[{finding.code}]: ", title, _STYLES[finding.severity])
    for name in finding.where[:NAMES]:
        yield Line("  --> ", f"{name}{_kind(name, evidence)}")
    rest = len(finding.where) - NAMES
    if rest > 0:
        yield Line("      ", f"and {rest} more, which --json lists")
    yield from _field("|", "observed", finding.observed if finding.title else "")
    yield from _field("|", "expected", finding.expected)
    if finding.location is not None:
        place = finding.location
        code = f": {place.text}" if place.text else ""
        yield from _field("|", "written", f"{place} in {place.function}{code}")
    yield from _field("=", "why", finding.why)
    for consequence in finding.consequences:
        yield from _field("=", "hence", consequence)
    safe = finding.fixes and all(fix.safe for fix in finding.fixes)
    yield from _field("=", "mend", finding.mend + (" [safe: --fix does it]" if safe else ""))
    if finding.severity is not Severity.INFO:
        yield from _field("=", "see", f"fanin explain {finding.code}")


def _field(mark: str, label: str, text: str) -> Iterator[Line]:
    if text:
        yield Line(f"   {mark}  {label.ljust(_LABEL)}", text)


def _kind(name: str, evidence: Evidence) -> str:
    held = evidence.values.get(name)
    if held is None:
        return ""
    return f"  {held.shape} {held.dtype}" + (" buffer" if held.buffer else "")


def summary(findings: Sequence[Finding], evidence: Evidence, hidden: int, seed: int) -> str:
    """Sum a report up.

    Args:
        findings: What was found.
        evidence: What it was read from.
        hidden: Findings that the person chose to ignore.
        seed: Seed of the check.

    Returns:
        One line.

    Example:
        >>> summary((), Evidence(), 0, 0)
        'nothing is wrong with 0 tensors; seed 0'
    """
    counts = [
        (severity, sum(one.severity is severity for one in findings)) for severity in Severity
    ]
    of = counted(len(evidence.values), "tensor")
    told = [counted(count, str(severity)) for severity, count in counts[:2] if count]
    infos = counts[2][1]
    said = f"{', '.join(told)} in {of}" if told else f"nothing is wrong with {of}"
    parts = [said + (f" ({counted(infos, 'remark')})" if infos else "")]
    safe = sum(bool(one.fixes) and all(fix.safe for fix in one.fixes) for one in findings)
    if safe:
        parts.append(f"{safe} safe fix" + ("es" if safe > 1 else ""))
    if hidden:
        parts.append(f"{hidden} ignored as you asked")
    parts += [f"{cost.probe} {cost.seconds:.2f} s" for cost in evidence.costs]
    return "; ".join((*parts, f"seed {seed}"))
