"""A report as one HTML file that needs no network: findings, the signal by depth, every tensor."""

import math
from typing import TYPE_CHECKING, Any

from fanin.checks.finding import Finding, Severity
from fanin.checks.formats.data import as_json
from fanin.checks.text import summary
from fanin.reports.depth import Level, depth_chart
from fanin.reports.document import Document, Entry, Table, figure
from fanin.reports.page import fragment as drawn
from fanin.reports.page import page

if TYPE_CHECKING:
    from fanin.checks.report import Report

TENSORS = 2000
"""Rows of the table of tensors; the data behind the page has all."""


def as_html(report: "Report") -> str:
    """Write the report as a page.

    Args:
        report: The report.

    Returns:
        The text of an HTML file.

    Raises:
        MissingExtra: vl-convert is not installed.
    """
    tensors = _tensors(report)
    facts = {str(cost.probe): f"{cost.seconds:.2f} s" for cost in report.evidence.costs}
    return page(
        _document(report),
        _charts(report),
        (tensors,) if tensors.rows else (),
        {**facts, "seed": str(report.seed)},
        as_json(report),
        entries=[_entry(one) for one in report.findings],
        name="check.json",
    )


def fragment(report: "Report") -> str:
    """Write the report for the output of a notebook cell.

    Args:
        report: The report.

    Returns:
        An HTML fragment.
    """
    import importlib.util

    charts = list(_charts(report).values()) if importlib.util.find_spec("vl_convert") else []
    return drawn(_document(report), charts, [_entry(one) for one in report.findings])


def _document(report: "Report") -> Document:
    told = summary(report.findings, report.evidence, len(report.hidden), report.seed)
    first, _, rest = told.partition("; ")
    loss = report.evidence.trace.document().verdict if report.evidence.trace is not None else ()
    return Document(
        title="Is this network started right?",
        verdict=(f"{first[0].upper()}{first[1:]}.", *loss),
        notes=(*report.evidence.notes, rest),
    )


def _entry(finding: Finding) -> Entry:
    said = [("observed", finding.observed), ("expected", finding.expected)]
    if finding.location is not None:
        said.append(("written", f"{finding.location}: {finding.location.text}"))
    said.append(("why", finding.why))
    said += [("hence", consequence) for consequence in finding.consequences]
    said.append(("mend", finding.mend))
    if finding.severity is not Severity.INFO:
        said.append(("see", f"fanin explain {finding.code}"))
    return Entry(
        str(finding.severity),
        f"{finding.code} {finding.title}",
        finding.where,
        tuple((label, text) for label, text in said if text),
    )


def _charts(report: "Report") -> dict[str, dict[str, Any]]:
    trace = report.evidence.trace
    if trace is None or not any(op.forward is not None for op in trace.ops):
        return {}
    expected = trace.predicted()
    levels = list[Level]()
    for place, op in enumerate(trace.ops):
        theory = expected[place] if expected else None
        sizes = {
            "signal": op.forward.rms if op.forward is not None else None,
            "gradient": op.backward.rms if op.backward is not None else None,
            "signal, by theory": theory.forward if theory is not None else None,
            "gradient, by theory": theory.backward if theory is not None else None,
        }
        name = f"{op.path or 'the model'}: {op.detail or op.kind}"
        levels.append(Level(name, {key: size for key, size in sizes.items() if size is not None}))
    return {"The signal by depth": depth_chart(levels)}


def _tensors(report: "Report") -> Table:
    rows = [
        (
            held.name,
            str(held.shape),
            held.dtype,
            figure(held.mean),
            figure(held.std),
            figure(gradient.rms if gradient is not None else math.nan),
        )
        for held in list(report.evidence.values.values())[:TENSORS]
        for gradient in [report.evidence.gradients.get(held.name)]
    ]
    return Table(
        "Every tensor", ("name", "shape", "dtype", "mean", "std", "gradient rms"), tuple(rows)
    )
