"""From evidence to a report: every rule looks, findings with one cause become one, worst first."""

from collections.abc import Iterable

from fanin.checks.catalogue import rules
from fanin.checks.evidence import Evidence
from fanin.checks.finding import Finding
from fanin.checks.report import Report
from fanin.checks.rule import Rule


def examine(evidence: Evidence, chosen: Iterable[Rule] | None = None) -> Report:
    """Let the rules look at the evidence.

    Args:
        evidence: What was gathered.
        chosen: The rules; all of them by default.

    Returns:
        What they found, the worst first.

    Example:
        >>> examine(Evidence()).ok
        True
    """
    found = list[Finding]()
    for rule in rules() if chosen is None else chosen:
        if all(evidence.ran(probe) for probe in rule.probes):
            found.extend(rule.look(evidence))
    ordered = sorted(found, key=lambda finding: (finding.severity.rank, finding.code))
    return Report(tuple(ordered), evidence)
