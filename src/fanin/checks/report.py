"""What a check found; prints as a text that says what to do."""

from dataclasses import dataclass

from fanin.checks.evidence import Evidence
from fanin.checks.finding import Finding, Severity


@dataclass(frozen=True)
class Report:
    """The result of a check.

    Attributes:
        findings: What is wrong, the worst first.
        evidence: What it was read from.
    """

    findings: tuple[Finding, ...]
    evidence: Evidence

    @property
    def ok(self) -> bool:
        """Whether there is no error and no warning."""
        return all(finding.severity is Severity.INFO for finding in self.findings)

    def __str__(self) -> str:
        return "\n\n".join(map(_told, self.findings)) or "nothing found"


def _told(one: Finding) -> str:
    return f"{one.severity}[{one.code}] {one.title}\n  {', '.join(one.where)}\n  {one.observed}"
