"""The tables of a study: every scheme, and every pair of schemes by each measure.

A table is text already, so a terminal, a page and a notebook show the same figures to the same
digits; the notes below it say what each column means and what was chosen on the way.
"""

from fanin.reports.document import Table, between, counted, figure, p_text
from fanin.studies.comparison import LEVEL
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
    return tuple(_pair_table(pairs, *words) for pairs, *words in asked if pairs)


def _pair_table(pairs: tuple[Comparison, ...], measure: str, by: str) -> Table:
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
        )
        for pair in pairs
    )
    chance = (
        "chance of being better: in a new repeat, ties counting half, with its "
        f"{_whole(CONFIDENCE)} Wilson interval"
    )
    columns = ("first", "second", "first is better", "ties", "chance of being better", by, "p")
    notes = (f"{chance}. {by}: median over the repeats.", _test_note(len(pairs)))
    if measure == "spread":
        notes = (f"spread: better is nearer to the median of the own scheme. {notes[0]}", notes[1])
    return Table(f"Every pair of schemes by {measure}", (*columns, "verdict"), rows, notes)


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
        title=f"After {counted(summary.steps, 'step')}, {counted(summary.repeats, 'repeat')} of "
        f"each scheme",
        columns=tuple(columns),
        rows=rows,
        notes=_notes(summary, marked=marked),
    )


def _scheme_row(row: SchemeSummary, summary: Summary, *, marked: bool) -> tuple[str, ...]:
    cells = [f"{row.scheme} *" if marked and row.scheme in summary.best else row.scheme]
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
    if confidence >= CONFIDENCE:
        notes.append(f"Medians over the repeats; in brackets their {_whole(CONFIDENCE)} intervals.")
    elif confidence > 0:
        notes.append(
            "Medians over the repeats; in brackets the range of the runs, which holds the true "
            f"median with {_whole(confidence)} confidence only."
        )
    notes.append(
        f"middle half: a quarter of the runs end below it and a quarter above ({summary.measure})."
    )
    if summary.target is not None:
        chosen = "as asked" if summary.target_given else "where half of all runs end or lower"
        notes.append(
            f"steps to {figure(summary.target)}: first measured step with a {summary.measure} at "
            f"or below it ({chosen}); never, when half or more do not arrive."
        )
    if summary.baseline is not None:
        notes.append(
            f"stuck: ends less than {_whole(STUCK_MARGIN)} below the training loss of the best "
            f"constant guess, {figure(summary.baseline)}, and saved less than that in the second "
            "half of the training. diverged: the loss is no longer finite."
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


def _whole(share: float) -> str:
    return f"{share * 100:.0f} %"
