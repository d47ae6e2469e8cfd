"""JUnit's XML: every rule that ran is a test case, which fails where it found something.

References:
    The schema of Apache Ant's JUnit task, which CI servers read.
"""

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fanin.checks.catalogue import rules
from fanin.checks.finding import Finding, Severity
from fanin.checks.text import lines, plain

if TYPE_CHECKING:
    from fanin.checks.report import Report

_CONTROL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (section 2.2)."""


def as_junit(report: "Report") -> str:
    """Write the report as JUnit's XML.

    Args:
        report: The report.

    Returns:
        The text of the file.
    """
    evidence = report.evidence
    skipped = {
        rule.code: ", ".join(probe for probe in rule.probes if not evidence.ran(probe))
        for rule in rules()
        if not all(evidence.ran(probe) for probe in rule.probes)
    }
    failed = [one for one in report.findings if one.severity is not Severity.INFO]
    suite = ET.Element(
        "testsuite",
        name="fanin check",
        tests=str(len(rules())),
        failures=str(len({one.code for one in failed})),
        errors="0",
        skipped=str(len(skipped)),
        time=f"{sum(cost.seconds for cost in evidence.costs):.3f}",
    )
    for rule in rules():
        name = f"{rule.code} {rule.name}"
        case = ET.SubElement(suite, "testcase", classname="fanin.check", name=name)
        own = [one for one in failed if one.code == rule.code]
        if own:
            case.append(_failure(own, report))
        elif rule.code in skipped:
            ET.SubElement(case, "skipped", message=f"needs {skipped[rule.code]}")
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, "unicode")


def _failure(findings: list[Finding], report: "Report") -> ET.Element:
    first = findings[0]
    message = _clean(f"{', '.join(first.where[:3])}: {first.observed}")
    failure = ET.Element("failure", type=str(first.severity), message=message)
    failure.text = _clean(plain(lines(findings, report.evidence)))
    return failure


def _clean(text: str) -> str:
    return _CONTROL.sub("?", text)
