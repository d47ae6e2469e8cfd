"""The answer of a study in words, each sentence built from the figures beside it.

Nothing is said that the figures do not carry: "better" means more than luck at the stated level,
"cannot be told apart" means just that and not "equal", and with too few repeats the only verdict is
how many would be needed.
"""

import math

from fanin.reports.document import (
    Document,
    counted,
    figure,
    listed,
    p_text,
    shortened,
)
from fanin.studies.statistics import Estimate
from fanin.studies.summary import Comparison, SchemeSummary, Summary
from fanin.studies.tables import accuracy_of, estimate_text, half_text, scheme_table

FEW = 5
"""Below it the quartiles are the two ends of the range and say little about a spread."""


MANY = 7
"""Above so many other schemes a sentence about each would bury the verdict."""


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
        said += _comparisons(summary) if summary.best and not _level(summary) else []
        said += [*_luck(summary), *_by_accuracy(summary), *_consistency(summary)]
    said += _failures(summary)
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
    if not summary.best:
        made = counted(len(summary.comparisons), "comparison")
        return (
            f"{runs} cannot tell luck from effect: {len(summary.rows)} schemes make {made}, and no"
            f" difference can be called real with fewer than {summary.fewest} repeats, even if one "
            "scheme wins all of them."
        )
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
    if _level(summary):
        return f"No best scheme: {everyone} ended at exactly the same loss in every repeat."
    elsewhere = ((summary.by_accuracy, accuracy_of(summary)), (summary.by_spread, "spread"))
    real = [name for pairs, name in elsewhere if any(pair.real for pair in pairs)]
    also = f", some of those in {listed(real)} are not" if real else ""
    return (
        f"No best scheme: {runs} cannot tell {everyone} apart; their differences in "
        f"{summary.measure} can be luck{also}."
    )


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


def _comparisons(summary: Summary) -> list[str]:
    """The leader against each other scheme; against many, the weakest of each kind in one go."""
    leader = summary.rows[0].scheme
    pairs = [pair for pair in summary.comparisons if pair.first == leader]
    lost = {row.scheme for row in summary.rows if _lost(row)}
    if len(pairs) <= MANY:
        return [_compared(pair, lost) for pair in pairs]
    worse = [pair for pair in pairs if pair.second not in summary.best]
    alike = [pair for pair in pairs if not pair.real]
    said = [_compared(pair, lost) for pair in pairs if pair not in worse and pair not in alike]
    if len(worse) == 1:
        said.append(_compared(worse[0], lost))
    elif worse:
        wins, p = min(pair.paired.better for pair in worse), max(pair.p_adjusted for pair in worse)
        said.append(
            f"{leader} is better than {shortened([pair.second for pair in worse])} (in at least "
            f"{wins} of {summary.repeats} repeats, {p_text(p, 'at most')})."
        )
    if len(alike) == 1:
        said.append(_compared(alike[0], lost))
    elif alike:
        wins, p = [pair.paired.better for pair in alike], min(pair.p_adjusted for pair in alike)
        said.append(
            f"{leader} cannot be told apart from {shortened([pair.second for pair in alike])} (it "
            f"is better in {min(wins)} to {max(wins)} of {summary.repeats} repeats, "
            f"{p_text(p, 'at least')})."
        )
    return said


def _compared(pair: Comparison, lost: set[str]) -> str:
    counts, size = pair.paired, pair.paired.difference
    share = f"{counts.better} of {counts.pairs} repeats"
    if counts.ties == counts.pairs:
        return f"{pair.first} and {pair.second} ended at exactly the same loss in every repeat."
    ties = f", equal in {counts.ties}" if counts.ties else ""
    if not pair.real:
        return (
            f"{pair.first} and {pair.second} cannot be told apart ({pair.first} is better in "
            f"{share}{ties}, {p_text(pair.p_adjusted)})."
        )
    if counts.better < counts.worse:
        return (
            f"{pair.second} is better than {pair.first} in {counts.worse} of {counts.pairs} "
            f"repeats ({p_text(pair.p_adjusted)})."
        )
    by = f"by {figure(size.value)} in the median"
    if not math.isfinite(size.value):
        by = "which diverged in " + (
            "all of them" if pair.second in lost else "half of them or more"
        )
    return (
        f"{pair.first} is better than {pair.second} in {share}{ties} ({by}, "
        f"{p_text(pair.p_adjusted)})."
    )


def _luck(summary: Summary) -> list[str]:
    """How the answer would have come out from a single run; nothing where no run could win."""
    winners = sorted(summary.rows, key=lambda row: -row.firsts)
    places = [f"{row.scheme} in {row.firsts}" for row in winners if row.firsts]
    if not places or _level(summary):
        return []
    if summary.repeats == 1:
        first = shortened([row.scheme for row in winners if row.firsts])
        return [f"The winner of the one repeat is {first}."]
    if len(places) > MANY:
        rest = sum(row.firsts for row in winners[MANY:])
        places[MANY:] = [f"{sum(row.firsts > 0 for row in winners[MANY:])} others in {rest}"]
    places[0] += f" of {summary.repeats} repeats"
    ties = sum(row.firsts for row in winners) > summary.repeats
    said = f"Run each scheme once and the winner is {listed(places)}"
    said += " (shared first places count for each)" if ties else ""
    if summary.outsiders:
        said += f"; a single run names a scheme that is really worse in {summary.outsiders}"
    return [f"{said}."]


def _by_accuracy(summary: Summary) -> list[str]:
    if not summary.by_accuracy or not summary.best:
        return []
    above: dict[str, tuple[str, ...]] = {}
    for pair in summary.by_accuracy:
        if pair.real:
            ahead = pair.paired.better > pair.paired.worse
            winner, loser = (pair.first, pair.second) if ahead else (pair.second, pair.first)
            above[loser] = (*above.get(loser, ()), winner)
    if not above:
        return [f"By {accuracy_of(summary)} no two schemes can be told apart."]
    below: dict[tuple[str, ...], list[str]] = {}
    for loser, winners in above.items():
        below.setdefault(winners, []).append(loser)
    told = [
        f"{shortened(losers)} {'is' if len(losers) == 1 else 'are'} worse than {shortened(winners)}"
        for winners, losers in list(below.items())[:MANY]
    ]
    return [f"By {accuracy_of(summary)}, by more than luck: {'; '.join(told)}."]


def _consistency(summary: Summary) -> list[str]:
    """A mean rank hides that one scheme may land anywhere; the spread over the repeats tells it."""
    # Runs that diverge all end alike, and that is no consistency.
    ending = [row for row in summary.rows if math.isfinite(row.middle_half[0])]
    spread = sorted(ending, key=_spread)
    if summary.repeats < FEW or not spread or _spread(spread[0]) == _spread(spread[-1]):
        return []
    ends = {spread[0].scheme, spread[-1].scheme}
    pair = next(pair for pair in summary.by_spread if {pair.first, pair.second} == ends)
    said = (
        f"From run to run {spread[0].scheme} varies least (middle half of its runs "
        f"{half_text(spread[0])}) and {spread[-1].scheme} most ({half_text(spread[-1])})"
    )
    if summary.best:
        said += f", {'by more than luck' if pair.real else 'which can be luck'}"
        said += f" ({p_text(pair.p_adjusted)})"
    return [f"{said}."]


def _spread(row: SchemeSummary) -> float:
    low, high = row.middle_half
    return high - low


def _lost(row: SchemeSummary) -> bool:
    return row.diverged == row.runs


def _level(summary: Summary) -> bool:
    """Whether no repeat tells any two schemes apart."""
    return all(pair.paired.ties == pair.paired.pairs for pair in summary.comparisons)


def _failures(summary: Summary) -> list[str]:
    said = list[str]()
    stuck = [
        f"{row.scheme} in {row.stuck} of {row.runs} runs ({_range(row.stuck_share)})"
        for row in summary.rows
        if row.stuck and row.stuck_share
    ]
    diverged = [
        f"{row.scheme} in {row.diverged} of {row.runs} runs ({_range(row.diverged_share)})"
        for row in summary.rows
        if row.diverged
    ]
    if stuck:
        said.append(f"Stuck: {shortened(stuck)}.")
    if diverged:
        last = "; these runs rank last" if len(summary.rows) > 1 else ""
        said.append(f"Diverged: {shortened(diverged)}{last}.")
    return said


def _range(estimate: Estimate) -> str:
    return f"interval {estimate.low * 100:.0f} to {estimate.high * 100:.0f} %"
