"""What a descent showed, in words: each sentence from the figures beside it.

The answer to "should I restart?" comes first, then why, then what the run from the asked start did,
then what the learning rate has to do with it.
"""

import math
from typing import TYPE_CHECKING

from fanin.calls import format_number
from fanin.reports.document import Document, Table, between, counted, figure
from fanin.studies.chances import SURE

if TYPE_CHECKING:
    from fanin.studies.functions.descent import Descent, Reached
    from fanin.studies.statistics import Estimate

SHOWN = 12
"""Rows of a table before the rest is only counted."""


def document(descent: "Descent") -> Document:
    """Lay a descent out.

    Args:
        descent: The result.

    Returns:
        Title, verdict, tables.
    """
    title = (
        f"Gradient descent on f(x) = {descent.function}: "
        f"{counted(len(descent.starts), 'start')} from {descent.scheme} (seed {descent.seed}), "
        f"{counted(descent.steps, 'step')} of rate {format_number(descent.rate)}"
    )
    verdict = (*_answer(descent), *_walk(descent), *_rate(descent))
    tables = (_minima(descent), _basins(descent)) if descent.minima else ()
    notes = ("Stopped by hand before the long run was over.",) if descent.stopped else ()
    return Document(title, verdict, tables, notes)


def _answer(descent: "Descent") -> list[str]:
    starts = len(descent.starts)
    if descent.lost == starts:
        return [f"Restarting is pointless: every run is lost. {_lost_because(descent)}"]
    if not descent.minima:
        low, high = descent.landscape.low, descent.landscape.high
        return [
            (
                f"Restarting is pointless: f has no minimum between {_x(low)} and {_x(high)}, "
                "where the runs went."
            )
        ]
    lowest, others = descent.minima[: descent.as_low], descent.minima[descent.as_low :]
    best, runs = lowest[0], sum(minimum.runs for minimum in lowest)
    others = [minimum for minimum in others if minimum.runs]
    places = " and ".join(f"x = {_x(minimum.x)}" for minimum in lowest[:SHOWN])
    place = f"{places} with f = {_x(best.value)}"
    reach = f"{runs} of {starts} starts lead {{}} (interval {_percents(descent.chance)})"
    said = list[str]()
    if runs == starts and len(lowest) == 1:
        why = _convexity(descent) or "there is one minimum in sight"
        lead = "no start settles there" if _leaps(descent) else f"all {starts} starts lead there"
        said.append(f"Restarting is pointless: {why}, {place}, and {lead}.")
    elif runs == starts:
        said.append(
            f"Restarting is pointless: the {len(lowest)} minima that the starts lead to, {place}, "
            "are equally low."
        )
    elif not runs:
        found = f" The lowest that was reached is x = {_x(others[0].x)}." if others else ""
        said.append(f"No start of {starts} found the lowest minimum in sight, {place}.{found}")
    elif not others:
        said.append(
            f"Restarting helps where a run is lost: {reach.format('to the one level there is')}, "
            f"{place}; {_needed(descent)}."
        )
    else:
        said.append(
            f"Restarting helps: {reach.format('to the lowest minimum')}, {place}; "
            f"{_needed(descent)}."
        )
        more = "1 other minimum catches" if len(others) == 1 else f"{len(others)} others catch"
        said.append(
            f"{more} the rest: descent cannot climb out of a valley, and the start decides which "
            "one it is in."
        )
    arrived = sum(minimum.arrived for minimum in descent.minima)
    inside = sum(minimum.runs for minimum in descent.minima)
    if arrived < inside and not _leaps(descent):
        have = "has" if inside - arrived == 1 else "have"
        said.append(
            f"{inside - arrived} of these {inside} runs {have} not arrived yet: more steps would "
            "take them down their valley."
        )
    if descent.lost:
        said.append(
            f"{counted(descent.lost, 'run')} of {starts} "
            f"{'is' if descent.lost == 1 else 'are'} lost. {_lost_because(descent)}"
        )
    return said


def _leaps(descent: "Descent") -> bool:
    """Whether the steps only leap from one side of a minimum to the other."""
    return descent.rate >= descent.minima[0].largest_rate


def _convexity(descent: "Descent") -> str:
    ground = descent.landscape
    if not ground.convex:
        return ""
    exact = descent.function.polynomial
    if exact is not None and len(exact) == 3:
        return f"f is convex (f'' = {_x(float(2 * exact[2]))} everywhere), so it has one minimum"
    if ground.proven:
        return "f is convex (f'' is nowhere negative), so it has one minimum"
    low, high = _x(ground.low), _x(ground.high)
    return f"f is convex as far as it was looked at, from {low} to {high}, with one minimum"


def _needed(descent: "Descent") -> str:
    needed = descent.needed
    low, high = figure_of(needed.low), figure_of(needed.high)
    return (
        f"{figure_of(needed.value)} starts make it {SURE * 100:.0f} % sure that one does "
        f"(interval {low} to {high})"
    )


def figure_of(count: float) -> str:
    """Print a number of starts.

    Args:
        count: The number, perhaps infinite.

    Returns:
        The text.

    Example:
        >>> figure_of(12.0), figure_of(float("inf"))
        ('12', 'no limit')
    """
    return f"{count:.0f}" if math.isfinite(count) else "no limit"


def _walk(descent: "Descent") -> list[str]:
    walk = descent.walk
    went = f"From x = {_x(walk.start)}, {counted(descent.steps, 'step')} lead "
    if not math.isfinite(walk.end):
        return [f"{went}out of all bounds."]
    said = f"{went}to x = {_x(walk.end)}, f = {_x(walk.value)}"
    if walk.minimum is not None:
        aim = descent.minima[walk.minimum]
        off = abs(walk.end - aim.x)
        said += f", {figure(off)} from the minimum x = {_x(aim.x)}" if off else ", the minimum"
        if walk.minimum >= descent.as_low:
            above = aim.value - descent.minima[0].value
            said += f", which is {_x(above)} above the lowest"
    if descent.stopped or walk.steps <= descent.steps:
        return [f"{said}."]
    later = f"{said}. Let go on"
    if math.isfinite(walk.later):
        later += f", it is at x = {_x(walk.later)} after {walk.steps} steps"
        if walk.steps < len(descent.starts) * descent.steps:
            later += " and gets no further"
    else:
        later += f", it is lost after {walk.steps} steps"
    if walk.later_minimum == walk.minimum and (walk.minimum or 0) >= max(1, descent.as_low):
        later += ": more steps do not make up for another start"
    return [f"{later}."]


def _rate(descent: "Descent") -> list[str]:
    """A quadratic is the one function on which the rate can be told for all starts."""
    exact = descent.function.polynomial
    if exact is not None and len(exact) == 3 and exact[2] > 0:
        bend = float(2 * exact[2])
        return [
            (
                f"The rate decides the rest: a step multiplies the distance to the minimum by 1 - "
                f"{_x(bend)} rate, here {_x(1 - bend * descent.rate)}; a rate above {_x(2 / bend)} "
                f"diverges from every start, and {_x(1 / bend)} arrives in one step."
            )
        ]
    known = [minimum for minimum in descent.minima if not math.isnan(minimum.largest_rate)]
    above = [minimum for minimum in known if descent.rate > minimum.largest_rate]
    if above:
        places = ", ".join(f"x = {_x(m.x)} (above {_x(m.largest_rate)})" for m in above[:SHOWN])
        return [f"The rate {_x(descent.rate)} is too large to settle at {places}."]
    return []


def _lost_because(descent: "Descent") -> str:
    exact = descent.function.polynomial
    rate = descent.rate
    if exact is not None and len(exact) == 3 and exact[2] > 0:
        return (
            f"The rate {_x(rate)} is above {_x(float(1 / exact[2]))}, so every step goes farther."
        )
    return (
        f"Either f falls without end there, or it is not defined, or the rate {_x(rate)} is too "
        "large."
    )


def _minima(descent: "Descent") -> Table:
    starts = len(descent.starts)
    reached = [minimum for minimum in descent.minima if minimum.runs] or list(descent.minima[:1])
    if descent.minima[0] not in reached:
        reached.insert(0, descent.minima[0])
    rows = [_row(minimum, starts) for minimum in reached[:SHOWN]]
    left = reached[SHOWN:]
    if left:
        runs = sum(minimum.runs for minimum in left)
        rows.append((f"{len(left)} more", "", f"{runs} of {starts}", "", "", ""))
    inside = sum(minimum.runs for minimum in descent.minima)
    if descent.lost:
        rows.append(("lost", "inf", f"{descent.lost} of {starts}", "", "", ""))
    if inside + descent.lost < starts:
        rows.append(("no minimum", "", f"{starts - inside - descent.lost} of {starts}", "", "", ""))
    return Table(
        title="The minima, the lowest first",
        columns=("x", "f(x)", "starts", "share of starts", "arrived", "largest rate"),
        rows=tuple(rows),
        notes=(
            (
                "starts: runs that end in the valley of the minimum; share with its 95 % Wilson "
                "interval. arrived: of these, how many are within 1 % of the ground looked at."
            ),
            "largest rate: above 2 / f'' no run settles at the minimum.",
        ),
    )


def _row(minimum: "Reached", starts: int) -> tuple[str, ...]:
    share = minimum.share
    low, high = f"{share.low * 100:.1f}", f"{share.high * 100:.1f}"
    return (
        _x(minimum.x),
        _x(minimum.value),
        f"{minimum.runs} of {starts}",
        between(f"{share.value * 100:.1f} %", low, high),
        str(minimum.arrived),
        "-" if math.isnan(minimum.largest_rate) else _x(minimum.largest_rate),
    )


def _basins(descent: "Descent") -> Table:
    rows = [
        (
            f"{_x(basin.low)} to {_x(basin.high)}",
            "no minimum" if basin.minimum is None else f"x = {_x(descent.minima[basin.minimum].x)}",
            str(basin.starts),
        )
        for basin in descent.basins[:SHOWN]
    ]
    if len(descent.basins) > SHOWN:
        left = descent.basins[SHOWN:]
        rows.append((f"{len(left)} more", "", str(sum(basin.starts for basin in left))))
    return Table("Which starts lead where", ("from x", "lead to", "starts"), tuple(rows))


def _percents(estimate: "Estimate") -> str:
    return f"{estimate.low * 100:.1f} to {estimate.high * 100:.1f} %"


def _x(value: float) -> str:
    """A place in six digits, without the noise of the last ones: -0.3 and not -0.30000000000002."""
    rounded = f"{value:.6g}"
    return "0" if rounded in {"-0", "0"} or abs(value) < 1e-12 else rounded
