"""A trace as tables: what each operation put out and what came back, and what nothing used.

A column is there when it says something of at least one operation, so a pass without a loss has no
gradients in it, and a network without activations no saturation.
"""

from collections.abc import Iterator, Sequence

from fanin.reports.document import Table, counted, figure
from fanin.trace.ops import Kind, Op, TracedParameter
from fanin.trace.predict import Predicted
from fanin.trace.signal import Signal

_COLUMNS = ("path", "what", "shape", "rms", "theory", "gradient", "theory", "dead", "saturated")
_ALIKE = "alike"


def operations_table(ops: Sequence[Op], predicted: Sequence[Predicted]) -> Table:
    """Tabulate the operations, one line each.

    Args:
        ops: In the order of execution.
        predicted: What theory expects of each; empty for no such columns.

    Returns:
        The table. Only the columns that say something are in it.
    """
    expected = [*predicted] or [Predicted()] * len(ops)
    rows = [_row(op, own) for op, own in zip(ops, expected, strict=True)]
    columns = (*_COLUMNS, _ALIKE)
    told = [
        place
        for place in range(len(columns))
        if place < 2 or any(row[place] != "-" for row in rows)
    ]
    return Table(
        title=f"{counted(len(ops), 'operation')} in the order of execution",
        columns=tuple(columns[place] for place in told),
        rows=tuple(tuple(row[place] for place in told) for row in rows),
        notes=tuple(_notes({columns[place] for place in told})),
    )


def unused_table(parameters: Sequence[TracedParameter]) -> Table | None:
    """Tabulate the parameters that the pass did not use.

    Args:
        parameters: All of them.

    Returns:
        The table; None where every parameter was used.
    """
    rows = tuple((own.name, str(own.shape)) for own in parameters if not own.uses)
    if not rows:
        return None
    title = f"{counted(len(rows), 'parameter')} that nothing used"
    return Table(title, ("name", "shape"), rows)


def _row(op: Op, expected: Predicted) -> tuple[str, ...]:
    forward, backward = op.forward, op.backward
    return (
        op.path or "-",
        _what(op),
        "x".join(map(str, forward.shape)) or "1" if forward else "-",
        _rms(forward),
        _figure(expected.forward),
        _rms(backward),
        _figure(expected.backward),
        _percent(forward and forward.dead),
        _percent(forward and forward.saturated),
        _figure(forward and forward.correlation),
    )


def _what(op: Op) -> str:
    """Name what an operation does, and what tells it from others of its kind."""
    if op.kind is Kind.ACTIVATION and op.detail:
        return op.detail
    if op.kind is Kind.OTHER:
        return op.function
    if op.kind is Kind.RECURRENT and op.steps > 1:
        return f"{op.kind} x {op.steps}"
    return str(op.kind)


def _rms(signal: Signal | None) -> str:
    if signal is not None and not signal.finite:
        return "not finite"
    return _figure(None if signal is None else signal.rms)


def _figure(value: float | None) -> str:
    return "-" if value is None else figure(value)


def _percent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.0f}%"


def _notes(columns: set[str]) -> Iterator[str]:
    """Explain the columns that are there."""
    if "theory" in columns:
        yield (
            "theory: what the size of the weights lets expect of the figure before it; - where "
            "theory goes on from the measured one."
        )
    if "dead" in columns:
        yield "dead: units with the same value for every example and position."
    if "saturated" in columns:
        yield "saturated: values where the slope of the activation is next to nothing."
    if _ALIKE in columns:
        yield "alike: mean cosine between the signals of different examples."
