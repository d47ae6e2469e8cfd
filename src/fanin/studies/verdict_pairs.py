"""Two schemes in a sentence: the share of pairs one wins, how sure that is, and what it would take.

Against a few schemes each gets its own sentence; against many, the weakest of each kind stands for
all of them.
"""

import math

from fanin.reports.document import counted, figure, p_text, shortened
from fanin.studies.power import MOST
from fanin.studies.statistics import Estimate
from fanin.studies.summary import Comparison, Summary

MANY = 7
"""Above so many other schemes a sentence about each would bury the verdict."""


def pair_sentences(summary: Summary) -> list[str]:
    """Hold one scheme against each other: the baseline, or without one the first.

    Args:
        summary: The figures.

    Returns:
        Sentences, in the order of the table.
    """
    hub = summary.reference or summary.rows[0].scheme
    pairs = [pair for pair in summary.comparisons if hub in {pair.first, pair.second}]
    lost = {row.scheme for row in summary.rows if row.diverged == row.runs}
    if len(pairs) <= MANY:
        return [_compared(pair, lost) for pair in pairs]
    alike = [pair for pair in pairs if not pair.real]
    won = [pair for pair in pairs if pair.real and pair.ordered.first == hub]
    beaten = [pair for pair in pairs if pair.real and pair.ordered.first != hub]
    said = list[str]()
    for group, telling in ((beaten, _losses), (won, _wins), (alike, _alike)):
        if len(group) == 1:
            said.append(_compared(group[0], lost))
        elif group:
            said.append(telling(hub, group, summary))
    return said


def need_text(needed: float | None) -> str:
    """Say how many repeats would tell two schemes apart.

    Args:
        needed: The number, inf for more than `power.MOST`.

    Returns:
        Such as ``"about 90 would do, if that share is the true one"``.

    Example:
        >>> need_text(87)
        'about 90 would do, if that share is the true one'
    """
    if needed is None or math.isinf(needed):
        return f"at that share not even {MOST} would do"
    return f"about {rounded_up(int(needed))} would do, if that share is the true one"


def rounded_up(number: int) -> int:
    """Round a number of repeats up to one that does not pretend to be exact.

    Args:
        number: From 1 on.

    Returns:
        The same below 20, else the next multiple of 5 or, from 100 on, of 10.

    Example:
        >>> rounded_up(12), rounded_up(87), rounded_up(201)
        (12, 90, 210)
    """
    step = 1 if number < 20 else 5 if number < 100 else 10
    return -(-number // step) * step


def percent_range(estimate: Estimate) -> str:
    """Print the interval of a share.

    Args:
        estimate: The share.

    Returns:
        Such as ``"interval 84 to 100"``, in percent.
    """
    return f"interval {estimate.low * 100:.0f} to {estimate.high * 100:.0f}"


def _compared(pair: Comparison, lost: set[str]) -> str:
    counts = pair.paired
    if counts.ties == counts.pairs:
        return f"{pair.first} and {pair.second} ended at exactly the same loss in every repeat."
    if not pair.real:
        return (
            f"{pair.first} and {pair.second} cannot be told apart with "
            f"{counted(counts.pairs, 'repeat')}: {pair.first} is better in {_share(pair)} "
            f"({p_text(pair.p_adjusted)}); {need_text(pair.repeats_needed)}."
        )
    pair = pair.ordered
    size = pair.paired.difference.value
    by = f", by {figure(size)} in the median"
    if not math.isfinite(size):
        often = "all of them" if pair.second in lost else "half of them or more"
        by = f"; {pair.second} diverged in {often}"
    return f"{pair.first} beats {pair.second}: {_share(pair)}{by} ({p_text(pair.p_adjusted)})."


def _share(pair: Comparison) -> str:
    ties = f", {pair.paired.ties} of them equal and counting half" if pair.paired.ties else ""
    chance = pair.paired.chance
    return f"{chance.value * 100:.0f} % of {pair.paired.pairs} pairs{ties}, {percent_range(chance)}"


def _wins(hub: str, pairs: list[Comparison], summary: Summary) -> str:
    names = [pair.ordered.second for pair in pairs]
    return f"{hub} beats {shortened(names)}: {_weakest(pairs, summary)}."


def _losses(hub: str, pairs: list[Comparison], summary: Summary) -> str:
    names = [pair.ordered.first for pair in pairs]
    return f"{shortened(names)} beat {hub}: {_weakest(pairs, summary)}."


def _weakest(pairs: list[Comparison], summary: Summary) -> str:
    share = min(pair.ordered.paired.chance.value for pair in pairs)
    p = max(pair.p_adjusted for pair in pairs)
    least = "" if share == 1 else "at least "
    return f"{least}{share * 100:.0f} % of {summary.repeats} pairs ({p_text(p, 'at most')})"


def _alike(hub: str, pairs: list[Comparison], summary: Summary) -> str:
    others = [pair if pair.first == hub else _from(hub, pair) for pair in pairs]
    shares = [pair.paired.chance.value * 100 for pair in others]
    needed = [math.inf if pair.repeats_needed is None else pair.repeats_needed for pair in others]
    nearest = min(range(len(others)), key=lambda place: needed[place])
    return (
        f"{hub} cannot be told apart from {shortened([pair.second for pair in others])} with "
        f"{counted(summary.repeats, 'repeat')}: it is better in {min(shares):.0f} to "
        f"{max(shares):.0f} % of pairs ({p_text(min(p.p_adjusted for p in pairs), 'at least')}); "
        + (
            f"for {others[nearest].second} {need_text(needed[nearest])}."
            if math.isfinite(needed[nearest])
            else f"at those shares not even {MOST} would do."
        )
    )


def _from(hub: str, pair: Comparison) -> Comparison:
    return Comparison(hub, pair.first, pair.paired.turned, pair.p_adjusted, pair.level)
