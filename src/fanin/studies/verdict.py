"""The answer of a study in words, each sentence built from the figures beside it.

Nothing is said that the figures do not carry: "better" means more than luck at the stated level,
"cannot be told apart" means just that and not "equal", and with too few repeats the only verdict is
how many would be needed.
"""

from fanin.reports.document import Document, counted, listed, shortened
from fanin.studies.summary import SchemeSummary, Summary
from fanin.studies.tables import accuracy_of, component_table, estimate_text, scheme_table
from fanin.studies.verdict_luck import causes, consistency, failures, level, single_run
from fanin.studies.verdict_pairs import MANY, pair_sentences


def sentences(summary: Summary) -> tuple[str, ...]:
    """Say what follows from a summary.

    Args:
        summary: The figures.

    Returns:
        Sentences, the verdict first.
    """
    if not summary.rows:
        return ("No repeat was trained under every scheme: there is no result.",)
    said = [_stopped(summary) + _headline(summary), *_interrupted(summary)]
    if len(summary.rows) > 1:
        told = summary.repeats >= summary.fewest and not level(summary)
        said += pair_sentences(summary) if told and not all(map(_lost, summary.rows)) else []
        said += [*single_run(summary), *_by_accuracy(summary), *consistency(summary)]
    said += [*causes(summary), *failures(summary)]
    if summary.falling:
        said.append(
            "At least half of the runs were still falling when the training ended: a longer one "
            f"may {'rank the schemes differently' if len(summary.rows) > 1 else 'end lower'}."
        )
    return tuple(said)


def document(summary: Summary) -> Document:
    """Lay a summary out: title, verdict, table of schemes, how to read it.

    Args:
        summary: The figures.

    Returns:
        The document.
    """
    tables = (scheme_table(summary),) if summary.rows else ()
    if any(row.components for row in summary.rows):
        tables = (*tables, component_table(summary))
    return Document(summary.title, sentences(summary), tables)


def _headline(summary: Summary) -> str:
    leader, runs = summary.rows[0], counted(summary.repeats, "repeat")
    if all(map(_lost, summary.rows)):
        every = "Every run" + ("" if len(summary.rows) == 1 else " of every scheme")
        return f"{every} diverged: there is nothing to compare. A smaller rate may help."
    if len(summary.rows) == 1:
        return (
            f"{leader.scheme} ends at a {summary.measure} of {estimate_text(leader.loss)} in the "
            f"median of {runs}; with one scheme there is nothing to compare."
        )
    if summary.repeats < summary.fewest:
        made = counted(len(summary.comparisons), "comparison")
        return (
            f"{runs} cannot tell luck from effect: {len(summary.rows)} schemes make {made}, and no"
            f" difference can be called real with fewer than {summary.fewest} repeats, even if one "
            "scheme wins all of them."
        )
    if summary.reference is not None:
        return _against(summary, summary.reference)
    pairs = [pair for pair in summary.comparisons if pair.first == leader.scheme]
    beaten = [pair.second for pair in pairs if pair.real and pair.second in summary.best]
    if beaten:
        return (
            f"No single best scheme: {leader.scheme} has the best mean rank, yet repeat by repeat "
            f"it loses to {shortened(beaten)} by more than luck."
        )
    rest = [row.scheme for row in summary.rows if row.scheme not in summary.best]
    if len(summary.best) == 1:
        return f"Best: {leader.scheme}. It is better than {shortened(rest)} by more than luck."
    others = shortened(summary.best[1:])
    if rest:
        are = "is" if len(rest) == 1 else "are"
        return (
            f"Best: {leader.scheme}, from which {runs} cannot tell {others} apart; "
            f"{shortened(rest)} {are} worse than {leader.scheme} by more than luck."
        )
    if any(pair.real for pair in summary.comparisons):
        return (
            f"No best scheme: {leader.scheme} leads, but {runs} cannot tell any other apart from "
            "it, though some of the others differ among themselves by more than luck."
        )
    names = [row.scheme for row in summary.rows]
    everyone = listed(names) if len(names) <= MANY else f"the {len(names)} schemes"
    if level(summary):
        return f"No best scheme: {everyone} ended at exactly the same loss in every repeat."
    elsewhere = ((summary.by_accuracy, accuracy_of(summary)), (summary.by_spread, "spread"))
    real = [name for pairs, name in elsewhere if any(pair.real for pair in pairs)]
    also = f", some of those in {listed(real)} are not" if real else ""
    return (
        f"No best scheme: {runs} cannot tell {everyone} apart; their differences in "
        f"{summary.measure} can be luck{also}."
    )


def _against(summary: Summary, reference: str) -> str:
    """The verdict where a baseline was named."""
    runs = counted(summary.repeats, "repeat")
    real = [pair.ordered for pair in summary.comparisons if pair.real]
    better = [pair.first for pair in real if pair.second == reference]
    worse = [pair.second for pair in real if pair.first == reference]
    alike = [pair.first for pair in summary.comparisons if not pair.real]
    if level(summary):
        return f"Every scheme ended at exactly the loss of {reference}, the baseline."
    parts = [
        f"Better than {reference}, the baseline, by more than luck: {shortened(better)}"
        if better
        else f"No scheme is better than {reference}, the baseline, by more than luck"
    ]
    if worse:
        parts.append(f"worse: {shortened(worse)}")
    if alike:
        parts.append(f"not told apart from it by {runs}: {shortened(alike)}")
    return f"{'; '.join(parts)}."


def _interrupted(summary: Summary) -> list[str]:
    said = list[str]()
    if summary.repeats < summary.planned:
        said.append(
            f"Only {summary.repeats} of {counted(summary.planned, 'repeat')} can be compared, and "
            "every figure is from those."
        )
    return said


def _stopped(summary: Summary) -> str:
    """The first sentence alone must do, so it says itself that it is about half a training."""
    if summary.steps == summary.planned_steps:
        return ""
    return f"At step {summary.steps} of {summary.planned_steps}, where the study was stopped: "


def _by_accuracy(summary: Summary) -> list[str]:
    if not summary.by_accuracy or summary.repeats < summary.fewest:
        return []
    above: dict[str, tuple[str, ...]] = {}
    for pair in summary.by_accuracy:
        if pair.real:
            ahead = pair.paired.better > pair.paired.worse
            winner, loser = (pair.first, pair.second) if ahead else (pair.second, pair.first)
            above[loser] = (*above.get(loser, ()), winner)
    if not above:
        pair = "no two schemes" if summary.reference is None else "none and the baseline"
        return [f"By {accuracy_of(summary)} {pair} can be told apart."]
    below: dict[tuple[str, ...], list[str]] = {}
    for loser, winners in above.items():
        below.setdefault(winners, []).append(loser)
    told = [
        f"{shortened(losers)} {'is' if len(losers) == 1 else 'are'} worse than {shortened(winners)}"
        for winners, losers in list(below.items())[:MANY]
    ]
    return [f"By {accuracy_of(summary)}, by more than luck: {'; '.join(told)}."]


def _lost(row: SchemeSummary) -> bool:
    return row.diverged == row.runs
