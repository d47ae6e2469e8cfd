"""What luck does, in sentences: who would win a single run, who varies, who fails, and why."""

import math

from fanin.reports.document import listed, p_text, shortened
from fanin.studies.components import Components
from fanin.studies.statistics import Estimate
from fanin.studies.summary import SchemeSummary, Summary
from fanin.studies.tables import half_text
from fanin.studies.verdict_pairs import MANY, percent_range

FEW = 5
"""Below it the quartiles are the two ends of the range and say little about a spread."""

PARTS = {
    "start": "the start",
    "order": "the order of the data",
    "rest": "what start and order do together",
}
"""The parts of the variance, as a person would say."""


def single_run(summary: Summary) -> list[str]:
    """How the answer would have come out from a single run; nothing where no run could win."""
    winners = sorted(summary.rows, key=lambda row: -row.firsts)
    places = [f"{row.scheme} in {row.firsts}" for row in winners if row.firsts]
    if not places or level(summary):
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


def consistency(summary: Summary) -> list[str]:
    """A mean rank hides that one scheme may land anywhere; the spread over the repeats tells it."""
    # Runs that diverge all end alike, and that is no consistency.
    ending = [row for row in summary.rows if math.isfinite(row.middle_half[0])]
    spread = sorted(ending, key=_spread)
    if summary.repeats < FEW or not spread or _spread(spread[0]) == _spread(spread[-1]):
        return []
    ends = {spread[0].scheme, spread[-1].scheme}
    pairs = [pair for pair in summary.by_spread if {pair.first, pair.second} == ends]
    said = (
        f"From run to run {spread[0].scheme} varies least (middle half of its runs "
        f"{half_text(spread[0])}) and {spread[-1].scheme} most ({half_text(spread[-1])})"
    )
    if pairs and summary.repeats >= summary.fewest:
        said += f", {'by more than luck' if pairs[0].real else 'which can be luck'}"
        said += f" ({p_text(pairs[0].p_adjusted)})"
    return [f"{said}."]


def causes(summary: Summary) -> list[str]:
    """Which part of the luck is the larger one: a part whose interval is above one half."""
    mostly: dict[str, list[str]] = {part: [] for part in PARTS}
    open_ = list[str]()
    for row in summary.rows:
        if row.components is None:
            continue
        for part in PARTS:
            share: Estimate = getattr(row.components, part)
            if share.low > 0.5:
                figures = f"{share.value * 100:.0f} %, {percent_range(share)}"
                mostly[part].append(f"{row.scheme} ({figures})")
                break
        else:
            open_.append(f"{row.scheme} ({_largest(row.components)})")
    told = [
        f"mostly {name} under {shortened(mostly[part])}"
        for part, name in PARTS.items()
        if mostly[part]
    ]
    if open_:
        told.append(f"under {shortened(open_)} no part is surely more than half")
    of = "logarithm of the " if summary.logarithm else ""
    return (
        [f"Luck, as variance of the {of}{summary.measure}, is {'; '.join(told)}."] if told else []
    )


def failures(summary: Summary) -> list[str]:
    """Which runs learnt nothing, and which blew up."""
    said = list[str]()
    stuck = [
        f"{row.scheme} in {row.stuck} of {row.runs} runs ({percent_range(row.stuck_share)} %)"
        for row in summary.rows
        if row.stuck and row.stuck_share
    ]
    diverged = [
        f"{row.scheme} in {row.diverged} of {row.runs} runs ({percent_range(row.diverged_share)} %)"
        for row in summary.rows
        if row.diverged
    ]
    if stuck:
        said.append(f"Stuck: {shortened(stuck)}.")
    if diverged:
        last = "; these runs rank last" if len(summary.rows) > 1 else ""
        said.append(f"Diverged: {shortened(diverged)}{last}.")
    return said


def level(summary: Summary) -> bool:
    """Whether no repeat tells any two schemes apart."""
    return all(pair.paired.ties == pair.paired.pairs for pair in summary.comparisons)


def _spread(row: SchemeSummary) -> float:
    low, high = row.middle_half
    return high - low


def _largest(parts: Components) -> str:
    shares = {name: getattr(parts, part).value for part, name in PARTS.items()}
    name = max(shares, key=lambda name: shares[name])
    return f"{name} {shares[name] * 100:.0f} %"
