"""The tables of a study: every scheme, and every pair of schemes by each measure.

A table is text already, so a terminal, a page and a notebook show the same figures to the same
digits; the notes below it say what each column means and what was chosen on the way.
"""

import math

from fanin.reports.document import Table, between, counted, figure, p_text
from fanin.studies.comparison import LEVEL
from fanin.studies.power import MOST, POWER
from fanin.studies.statistics import CONFIDENCE, STUCK_MARGIN, Estimate
from fanin.studies.summary import Comparison, SchemeSummary, Summary

PAIRS = 100
"""Rows of a table of pairs, at most."""


def pair_tables(summary: Summary) -> tuple[Table, ...]:
    """Tabulate every pair of schemes, by each measure they are compared by.

    Args:
        summary: The figures.

    Returns:
        By loss, by accuracy where there is one, and by spread; none for a single scheme, and none
        where there are more than `PAIRS` pairs, which nobody reads.
    """
    if len(summary.comparisons) > PAIRS:
        return ()
    asked = (
        (summary.comparisons, summary.measure, "lower by"),
        (summary.by_accuracy, accuracy_of(summary), "higher by"),
        (summary.by_spread, "spread", "nearer by"),
    )
    return tuple(
        _pair_table(pairs, *words, against=summary.reference) for pairs, *words in asked if pairs
    )


def _pair_table(
    pairs: tuple[Comparison, ...], measure: str, by: str, *, against: str | None
) -> Table:
    rows = tuple(
        (
            pair.first,
            pair.second,
            f"{pair.paired.better} of {pair.paired.pairs}",
            str(pair.paired.ties),
            _percent(pair.paired.chance),
            estimate_text(pair.paired.difference),
            p_text(pair.p_adjusted).removeprefix("p ").removeprefix("= "),
            "more than luck" if pair.real else "can be luck",
            _needed(pair.repeats_needed),
        )
        for pair in pairs
    )
    chance = (
        "chance of being better: in a new repeat, ties counting half, with its "
        f"{_whole(CONFIDENCE)} Wilson interval"
    )
    columns = ("first", "second", "first is better", "ties", "chance of being better", by, "p")
    needed = (
        f"repeats needed: for {_whole(POWER)} power of the same test, if the observed share of "
        "wins is the true one"
    )
    notes = (f"{chance}. {by}: median over the repeats. {needed}.", _test_note(len(pairs)))
    if measure == "spread":
        notes = (f"spread: better is nearer to the median of the own scheme. {notes[0]}", notes[1])
    title = f"Every pair of schemes by {measure}"
    if against is not None:
        title = f"Every scheme against {against} by {measure}"
    return Table(title, (*columns, "verdict", "repeats needed"), rows, notes)


def scheme_table(summary: Summary) -> Table:
    """Tabulate the schemes, best mean rank first.

    Args:
        summary: The figures, with at least one row.

    Returns:
        One row per scheme; an asterisk marks the best where only some are.
    """
    several, first = len(summary.rows) > 1, summary.rows[0]
    columns = ["scheme", summary.measure, "middle half"]
    if first.accuracy is not None:
        columns.append(accuracy_of(summary))
    if first.steps_to_target is not None:
        columns += [f"steps to {figure(summary.target or 0.0)}", "arrived"]
    if first.stuck is not None:
        columns.append("stuck")
    columns.append("diverged")
    if several:
        columns += ["mean rank", "first"]
    marked = 0 < len(summary.best) < len(summary.rows)
    rows = tuple(_scheme_row(row, summary, marked=marked) for row in summary.rows)
    return Table(
        title=f"After {counted(summary.steps, 'step')}, {counted(summary.repeats, 'repeat')}"
        + (f" x {summary.orders} data orders" if summary.orders > 1 else "")
        + " of each scheme",
        columns=tuple(columns),
        rows=rows,
        notes=_notes(summary, marked=marked),
    )


def component_table(summary: Summary) -> Table:
    """Tabulate what makes the runs of each scheme differ, in a crossed design.

    Args:
        summary: The figures, with at least one row.

    Returns:
        One row per scheme, with the shares of the variance in percent.
    """
    rows = list[tuple[str, ...]]()
    for row in summary.rows:
        parts = row.components
        if parts is None:
            rows.append((row.scheme, "-", "-", "-", "-", "-"))
            continue
        size = parts.deviation
        spread = f"times {figure(math.exp(size))}" if summary.logarithm else figure(size)
        shares = (_percent(share) for share in (parts.start, parts.order, parts.rest))
        rows.append((row.scheme, *shares, spread, f"{parts.left_out} of {row.runs}"))
    of = "logarithm of the final" if summary.logarithm else "final"
    notes = [
        (
            f"Shares of the variance of the {of} {summary.measure} (two-way random effects, "
            f"restricted maximum likelihood); in brackets {_whole(CONFIDENCE)} intervals, for "
            "effects that are about normal."
        ),
        (
            "together: the interaction of start and order and any noise, which one run for each "
            "pair cannot tell apart. typical: the standard deviation of a single run."
        ),
        (
            "left out: runs that diverged, and those of the same start or order as far as a full "
            "table takes it."
        ),
    ]
    if any(row.components is None for row in summary.rows):
        notes.append("-: no two runs differ, or too many diverged.")
    columns = ("scheme", "start", "order of the data", "together", "typical", "left out")
    return Table("What makes the runs differ", columns, tuple(rows), tuple(notes))


def _scheme_row(row: SchemeSummary, summary: Summary, *, marked: bool) -> tuple[str, ...]:
    cells = [f"{row.scheme} *" if marked and row.scheme in summary.best else row.scheme]
    if row.scheme == summary.reference:
        cells = [f"{row.scheme} (baseline)"]
    cells += [estimate_text(row.loss), half_text(row)]
    if row.accuracy is not None:
        cells.append(estimate_text(row.accuracy))
    if row.steps_to_target is not None:
        cells += [_steps(row.steps_to_target), f"{row.arrived} of {row.runs}"]
    if row.stuck is not None:
        cells.append(str(row.stuck))
    cells.append(str(row.diverged))
    if len(summary.rows) > 1:
        cells.append(f"{row.mean_rank:.2f} ({row.best_rank:g} to {row.worst_rank:g})")
        cells.append(str(row.firsts))
    return tuple(cells)


def _notes(summary: Summary, *, marked: bool) -> tuple[str, ...]:
    confidence = summary.rows[0].loss.confidence
    notes = list[str]()
    if marked:
        notes.append("* the first, or not worse than it by more than luck.")
    over = "Medians over the repeats"
    if summary.orders > 1:
        over += f", each by the median of its {summary.orders} orders"
        notes.append(
            "Tests, ranks and intervals are over the repeats: of new starts under these orders."
        )
    if confidence >= CONFIDENCE:
        notes.append(f"{over}; in brackets their {_whole(CONFIDENCE)} intervals.")
    elif confidence > 0:
        notes.append(
            f"{over}; in brackets the range of the repeats, which holds the true median with "
            f"{_whole(confidence)} confidence only."
        )
    notes.append(
        f"middle half: a quarter of the runs end below it and a quarter above ({summary.measure})."
    )
    if summary.target is not None:
        chosen = "as asked" if summary.target_given else "where half of all runs end or lower"
        notes.append(
            f"steps to {figure(summary.target)}: the step by which half of the runs have been "
            f"measured with a {summary.measure} at or below it ({chosen}); never, when fewer are."
        )
    if summary.constant_loss is not None:
        notes.append(
            f"stuck: ends less than {_whole(STUCK_MARGIN)} below the training loss of the best "
            f"constant guess, {figure(summary.constant_loss)}, and saved less than that in the "
            "second half of the training. diverged: the loss is no longer finite."
        )
    if len(summary.rows) > 1:
        notes.append(_test_note(len(summary.comparisons)))
    return tuple(notes)


def _test_note(comparisons: int) -> str:
    return (
        "p: exact two-sided sign test over the repeats, Holm's correction for "
        f"{counted(comparisons, 'comparison')}; at most {figure(LEVEL, 1)} is more than luck."
    )


def accuracy_of(summary: Summary) -> str:
    """Name the accuracy that belongs to the loss a study is judged by.

    Args:
        summary: The figures.

    Returns:
        Such as ``"held-out accuracy"``.
    """
    return summary.measure.replace("loss", "accuracy")


def estimate_text(estimate: Estimate) -> str:
    """Print an estimate with its interval.

    Args:
        estimate: The figure.

    Returns:
        Such as ``"0.412 [0.401, 0.430]"``.
    """
    return between(figure(estimate.value), figure(estimate.low), figure(estimate.high))


def half_text(row: SchemeSummary) -> str:
    """Print the quartiles of a scheme's final losses.

    Args:
        row: The scheme's figures.

    Returns:
        Such as ``"0.401 to 0.430"``.
    """
    return " to ".join(figure(end) for end in row.middle_half)


def _steps(estimate: Estimate) -> str:
    return between(*(_step(end) for end in (estimate.value, estimate.low, estimate.high)))


def _step(value: float) -> str:
    return f"{value:g}" if abs(value) < float("inf") else figure(value, infinite="never")


def _percent(estimate: Estimate) -> str:
    low, high = f"{estimate.low * 100:.0f}", f"{estimate.high * 100:.0f}"
    return between(_whole(estimate.value), low, high)


def _needed(repeats: float | None) -> str:
    if repeats is None:
        return "-"
    return f"more than {MOST}" if math.isinf(repeats) else f"{repeats:.0f}"


def _whole(share: float) -> str:
    return f"{share * 100:.0f} %"
