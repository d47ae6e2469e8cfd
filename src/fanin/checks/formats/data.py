"""A report as JSON, by a schema that is published with it.

JSON has no infinity and no nan: such a figure is the text ``"inf"``, or null.
"""

import dataclasses
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fanin.checks.finding import Finding
from fanin.reports.numbers import jsonable

if TYPE_CHECKING:
    from fanin.checks.report import Report

FORMAT = "fanin check 1"
"""Name and version of the layout; a change of its meaning changes it."""

_TEXT = {"type": "string"}
_NUMBER = {"anyOf": [{"type": ["number", "null"]}, {"enum": ["inf", "-inf"]}]}
_NAMES = {"type": "array", "items": _TEXT}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


_LOCATION = _object({"file": _TEXT, "line": {"type": "integer"}, "function": _TEXT, "text": _TEXT})

_FINDING = _object(
    {
        "code": {"type": "string", "pattern": "^FI[0-9]{3}$"},
        "severity": {"enum": ["error", "warning", "info"]},
        "title": _TEXT,
        "where": _NAMES,
        "observed": _TEXT,
        "expected": _TEXT,
        "why": _TEXT,
        "mend": _TEXT,
        "location": {"anyOf": [_LOCATION, {"type": "null"}]},
        "fixes": {
            "type": "array",
            "items": _object({"name": _TEXT, "scheme": _TEXT, "safe": {"type": "boolean"}}),
        },
        "consequences": _NAMES,
        "facts": {
            "type": "object",
            "additionalProperties": {"type": ["number", "string", "null"]},
        },
    }
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "What fanin check found",
    **_object(
        {
            "format": {"const": FORMAT},
            "fanin": _TEXT,
            "ok": {"type": "boolean"},
            "seed": {"type": "integer"},
            "findings": {"type": "array", "items": _FINDING},
            "hidden": {"type": "array", "items": _FINDING},
            "fixed": _NAMES,
            "notes": _NAMES,
            "probes": {
                "type": "array",
                "items": _object({"probe": _TEXT, "seconds": {"type": "number"}}),
            },
            "loss": _object({"name": _TEXT, "value": _NUMBER, "reference": _NUMBER}),
            "tensors": {
                "type": "array",
                "items": _object(
                    {
                        "name": _TEXT,
                        "shape": {"type": "array", "items": {"type": "integer"}},
                        "dtype": _TEXT,
                        "buffer": {"type": "boolean"},
                        "mean": _NUMBER,
                        "std": _NUMBER,
                        "minimum": _NUMBER,
                        "maximum": _NUMBER,
                        "gradient": _NUMBER,
                    }
                ),
            },
        }
    ),
}
"""JSON Schema (draft 2020-12) of what `as_json` writes."""


def as_json(report: "Report") -> str:
    """Write the report as JSON.

    Args:
        report: The report.

    Returns:
        One object, as `SCHEMA` says.
    """
    evidence = report.evidence
    answer, trace = evidence.answer, evidence.trace
    content = {
        "format": FORMAT,
        "fanin": version("fanin"),
        "ok": report.ok,
        "seed": report.seed,
        "findings": [_finding(one) for one in report.findings],
        "hidden": [_finding(one) for one in report.hidden],
        "fixed": list(report.fixed),
        "notes": list(evidence.notes),
        "probes": [
            {"probe": str(cost.probe), "seconds": round(cost.seconds, 4)} for cost in evidence.costs
        ],
        "loss": {
            "name": trace.loss if trace is not None else "",
            "value": trace.loss_value if trace is not None else None,
            "reference": answer.uniform if answer is not None else None,
        },
        "tensors": [
            {
                "name": held.name,
                "shape": list(held.shape),
                "dtype": held.dtype,
                "buffer": held.buffer,
                "mean": held.mean,
                "std": held.std,
                "minimum": held.minimum,
                "maximum": held.maximum,
                "gradient": gradient.rms
                if (gradient := evidence.gradients.get(held.name)) is not None
                else None,
            }
            for held in evidence.values.values()
        ],
    }
    return json.dumps(jsonable(content), allow_nan=False)


def _finding(finding: Finding) -> dict[str, Any]:
    listed = dataclasses.asdict(finding)
    order: dict[str, Any] = _FINDING["properties"]
    return {name: listed[name] for name in order}
