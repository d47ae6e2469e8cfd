"""Rows of tables that stand for something: padding."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.modules import Padding
from fanin.checks.rule import rule
from fanin.reports.document import counted, figure
from fanin.trace import Kind


@rule("FI703", "padding row", Severity.WARNING, Probe.VALUES)
def padding_row(evidence: Evidence) -> Iterator[Finding]:
    """The row of an embedding that stands for padding is not zero, or another one is in its place.

    Why it hurts:
        The gradient of that row is masked, so it keeps its random vector for ever, and every padded
        position adds it to sums and means. Where another row was zeroed in its place, a real token
        starts without a vector.

    Example:
        `nn.init.normal_(embedding.weight)` after `nn.Embedding(1000, 64, padding_idx=0)`: the layer
        zeroed the row when it was made, and the new values cover it.

    Mend:
        Zero the row again after the table is initialised:
        `with torch.no_grad(): embedding.weight[embedding.padding_idx].zero_()`.

    When it is fine:
        Where padded positions are masked everywhere, as attention with a mask does, nothing reads
        the row: with an attention in the traced pass this is a remark. A frozen table keeps what
        its checkpoint has there.

    Threshold:
        Exact: torch makes the row zero, and its gradient too.

    Source:
        Documentation of torch.nn.Embedding, padding_idx.
    """
    for layer in evidence.layers:
        padding = layer.padding
        held = None if padding is None else evidence.values.get(padding.name)
        if padding is None or (held is not None and (held.frozen or not held.finite)):
            continue
        if padding.zero_tables and len(padding.zero_tables) < padding.tables:
            yield _whole_table(padding)
        elif padding.rms > 0:
            yield _not_zero(padding, masked=_attends(evidence))


def _attends(evidence: Evidence) -> bool:
    trace = evidence.trace
    return trace is not None and any(op.kind is Kind.ATTENTION for op in trace.ops)


def _not_zero(padding: Padding, *, masked: bool) -> Finding:
    others = [row for row in padding.zero_rows if row != padding.row]
    instead = f"; row {others[0]} is zero in its place" if len(others) == 1 else ""
    return Finding(
        "FI703",
        Severity.INFO if masked and not instead else Severity.WARNING,
        (padding.name,),
        f"row {padding.row}, which padding_idx names, has rms {figure(padding.rms)}{instead}",
        f"zeros in row {padding.row}",
        "its gradient is masked: the random vector stays for ever, and padded positions add it"
        + ("; fine if the attention masks them" if masked else ""),
        f"with torch.no_grad(): {padding.name}[{padding.row}].zero_() after the table is drawn",
        title="wrong row is zero" if instead else "padding row is not zero",
        facts={"row": padding.row, "rms": padding.rms},
    )


def _whole_table(padding: Padding) -> Finding:
    return Finding(
        "FI703",
        Severity.WARNING,
        (padding.name,),
        f"table {padding.zero_tables[0]} of {padding.tables} is all zero"
        + (f", and row {padding.row} of the others is not" if padding.rms > 0 else ""),
        f"zeros in row {padding.row} of each of the {counted(padding.tables, 'table')}",
        "the index of the padding row was applied to the axis of the tables: one of the fused "
        "models starts without an embedding",
        f"weight[:, {padding.row}].zero_() in place of weight[{padding.row}].zero_()",
        title="a whole table is zero",
        facts={"row": padding.row, "tables": padding.tables},
    )
