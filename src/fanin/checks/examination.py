"""From evidence to a report: every rule looks, findings with one cause become one, worst first."""

from dataclasses import replace

from fanin.births import Births
from fanin.checks.catalogue import rules
from fanin.checks.causes import merged
from fanin.checks.evidence import Evidence
from fanin.checks.finding import Finding
from fanin.checks.report import Report
from fanin.checks.settings import Settings


def examine(evidence: Evidence, settings: Settings | None = None, seed: int = 0) -> Report:
    """Let the rules look at the evidence.

    Args:
        evidence: What was gathered.
        settings: What the person wants to hear of; everything by default.
        seed: Seed that it was gathered with.

    Returns:
        What they found, the worst first.

    Example:
        >>> examine(Evidence()).ok
        True
    """
    found = list[Finding]()
    for rule in rules():
        if all(evidence.ran(probe) for probe in rule.probes):
            found.extend(rule.look(evidence))
    located = [_located(finding, evidence.births) for finding in found]
    kept, hidden = (settings or Settings()).sift(located, evidence.births)
    return Report(tuple(merged(kept, evidence)), evidence, hidden, seed)


def _located(finding: Finding, births: Births | None) -> Finding:
    """Add the line that wrote the tensor last, where the rule did not name one."""
    if finding.location is not None or births is None or not finding.where:
        return finding
    birth = births.of(finding.where[0])
    last = None if birth is None else birth.last
    if last is None or not last.frames:
        return finding
    return replace(finding, location=last.frames[0])
