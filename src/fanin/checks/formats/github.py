"""Workflow commands of GitHub Actions: a finding appears at the line of the pull request.

References:
    GitHub documentation, "Workflow commands for GitHub Actions", setting an error message.
"""

from typing import TYPE_CHECKING

from fanin.checks.finding import Finding, Severity

if TYPE_CHECKING:
    from fanin.checks.report import Report

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def as_github(report: "Report") -> str:
    """Write one command for each finding.

    Args:
        report: The report.

    Returns:
        The lines; empty where nothing was found.
    """
    return "\n".join(map(_command, report.findings))


def _command(finding: Finding) -> str:
    at = [f"title={_property(f'{finding.code} {finding.title}')}"]
    if finding.location is not None:
        at.insert(0, f"file={_property(finding.location.file)},line={finding.location.line}")
    said = (
        f"{', '.join(finding.where)}: {finding.observed}",
        f"expected: {finding.expected}",
        *finding.consequences,
        f"mend: {finding.mend}",
    )
    return f"::{_LEVELS[finding.severity]} {','.join(at)}::{_text(chr(10).join(said))}"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
