"""SARIF, which code scanning and editors read: rules with their pages, results with their lines.

References:
    OASIS, Static Analysis Results Interchange Format (SARIF) version 2.1.0 (2020), section 3.
"""

import json
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from fanin.checks.catalogue import rules
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import Rule

if TYPE_CHECKING:
    from fanin.checks.report import Report

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def as_sarif(report: "Report") -> str:
    """Write the report as SARIF 2.1.0.

    Args:
        report: The report.

    Returns:
        One object.
    """
    known = rules()
    places = {rule.code: place for place, rule in enumerate(known)}
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "fanin",
                        "version": version("fanin"),
                        "rules": [_rule(rule) for rule in known],
                    }
                },
                "results": [
                    *(_result(one, places, hidden=False) for one in report.findings),
                    *(_result(one, places, hidden=True) for one in report.hidden),
                ],
            }
        ],
    }
    return json.dumps(log, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.replace("-", " ").split()),
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": rule.page.split("\n\n")[0].replace("\n", " ")},
        "help": {"text": rule.page},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, places: dict[str, int], *, hidden: bool) -> dict[str, Any]:
    said = [
        f"{finding.title}: {finding.observed}." if finding.title else f"{finding.observed}.",
        f"Expected: {finding.expected}.",
        *(f"Hence: {consequence}." for consequence in finding.consequences),
        f"Why: {finding.why}.",
        f"Mend: {finding.mend}.",
    ]
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": " ".join(said)},
        "locations": [_location(finding)],
        "partialFingerprints": {"tensors/v1": f"{finding.code}:{','.join(finding.where)}"},
        "properties": {"where": list(finding.where)},
    }
    if finding.code in places:
        result["ruleIndex"] = places[finding.code]
    if hidden:
        result["suppressions"] = [{"kind": "inSource"}]
    return result


def _location(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [
            {"fullyQualifiedName": name, "kind": "parameter"} for name in finding.where
        ]
    }
    if finding.location is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": PurePath(finding.location.file).as_posix()},
            "region": {"startLine": max(1, finding.location.line)},
        }
    return location
