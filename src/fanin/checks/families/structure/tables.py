"""Rows of tables: the one that stands for padding, and rows that cannot be told apart."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.gains import looks_up_gains
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.modules import Padding
from fanin.checks.rule import rule
from fanin.checks.values import Equal
from fanin.recipes import Role
from fanin.reports.document import counted, figure
from fanin.trace import Kind, Part


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
        if not _is_table(padding.name, evidence):
            continue
        if padding.zero_tables and len(padding.zero_tables) < padding.tables:
            yield _whole_table(padding)
        elif padding.rms > 0:
            yield _not_zero(padding, masked=_attends(evidence))


def _is_table(name: str, evidence: Evidence) -> bool:
    """Tell a table of another name from what else stands beside a padding index: a class token."""
    if name.rpartition(".")[2] == "weight":
        return True
    traced = evidence.trace.parameters if evidence.trace is not None else ()
    return any(use.part is Part.TABLE for one in traced if one.name == name for use in one.uses)


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


@rule("FI712", "rows alike", Severity.WARNING, Probe.VALUES)
def rows_alike(evidence: Evidence) -> Iterator[Finding]:
    """Rows of an embedding are equal, or zero: the tokens that they stand for cannot be told apart.

    Why it hurts:
        The model sees one token where there are several, until their gradients have moved them
        apart. A zero row before a norm is worse: the norm divides by the root of its eps.

    Example:
        New tokens are put into spare rows of a padded vocabulary, and the lines that start new rows
        only run when the table grows.

    Mend:
        Draw the rows of the new tokens: `nn.init.normal_(embedding.weight[old:new], std=0.02)`,
        or the mean of the trained rows with a little noise.

    When it is fine:
        Spare rows that no token uses may be zero; zero rows are a remark. A table that is zero
        throughout, as positions often are, is silent, and so is one that gains of a norm are looked
        up in: conditional norms start as plain ones, and the signal does not come from there.

    Threshold:
        Bitwise equal rows of at least four numbers: of random ones no two ever are.

    Source:
        Hewitt (2021), Initializing new word embeddings for pretrained language models, for the
        mean of the trained rows.
    """
    for slot in evidence.slots:
        held = evidence.values.get(slot.name)
        table = slot.role is Role.EMBEDDING and len(slot.shape) == 2 and slot.shape[1] >= 4
        if held is None or not table or held.frozen or not held.finite:
            continue
        if looks_up_gains(evidence, slot.name):
            continue
        if held.constant:
            if held.mean != 0:
                yield _constant(slot.name, held.mean, slot.shape[0])
            continue
        for equal in held.equal:
            spare = equal.zero - (slot.zero_row is not None)
            alike = equal.count - equal.distinct - max(0, equal.zero - 1)
            if equal.what == "row" and alike > 0:
                yield _alike(slot.name, equal, alike)
            elif equal.what == "row" and spare > 0:
                yield _spare(slot.name, equal, spare)


def _constant(name: str, value: float, rows: int) -> Finding:
    return Finding(
        "FI712",
        Severity.WARNING,
        (name,),
        f"all {rows} rows are the same vector: every number is {value:.4g}",
        "a vector of its own for each token",
        "the model is blind to its input until the gradients have moved the rows apart",
        f"nn.init.normal_({name}, std=0.02), or 1 where nothing but layers read it",
        title="one vector for all tokens",
        fixes=(Fix(name),),
        facts={"rows": rows},
    )


def _alike(name: str, equal: Equal, alike: int) -> Finding:
    group = next(iter(equal.groups), ())
    rows = ", ".join(map(str, group[:6]))
    return Finding(
        "FI712",
        Severity.WARNING,
        (name,),
        f"{alike} of {equal.count} rows are copies of other rows"
        + (f", rows {rows} among them" if group else ""),
        "a vector of its own for each token",
        "the model cannot tell these tokens apart until their gradients have moved them",
        "draw the rows of new tokens: nn.init.normal_(embedding.weight[old:new], std=0.02)",
        title="tokens with the same vector",
        facts={"copies": alike, "rows": equal.count},
    )


def _spare(name: str, equal: Equal, spare: int) -> Finding:
    return Finding(
        "FI712",
        Severity.INFO,
        (name,),
        f"{spare} of {equal.count} rows are zero beside the padding row"
        if spare < equal.zero
        else f"{spare} of {equal.count} rows are zero",
        "",
        "fine if no token uses them; new tokens in such rows all start as the same vector",
        "",
        title="rows at zero",
        facts={"zero": spare, "rows": equal.count},
    )
