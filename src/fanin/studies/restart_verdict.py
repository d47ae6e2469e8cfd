"""The answer of a restart in words, each sentence built from the figures beside it.

"Should I restart?" is answered first: it helps where some starts arrive and others do not, and it
is pointless where all arrive or none does. Then how many starts are enough, then whether waiting
would have done as well.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from fanin.calls import split_calls
from fanin.errors import FaninError
from fanin.reports.document import Document, Table, between, counted, figure, listed
from fanin.studies.chances import SURE
from fanin.studies.fits import ABSORBED
from fanin.studies.grammar import Network
from fanin.studies.statistics import STUCK_MARGIN, Estimate, late_fall, proportion

if TYPE_CHECKING:
    from fanin.studies.restart import Minimum, Restart, Worth

SHOWN = 10
"""Minima in the table before the rest is only counted."""


def document(restart: "Restart") -> Document:
    """Lay a result out: verdict, minima, what a start is worth, the race.

    Args:
        restart: The result.

    Returns:
        The document.
    """
    design = restart.design
    starts = counted(design.repeats, "start") + (" of each" if len(design.schemes) > 1 else "")
    title = (
        f'{starts} of {listed(design.schemes)} for "{design.network}" on '
        f"{split_calls(design.data)[0]}, {counted(design.steps, 'step')} of {design.optimizer}"
    )
    tables = [_worth(restart), _race(restart)]
    if restart.minima:
        tables.insert(0, _minima(restart))
    return Document(title, tuple(sentences(restart)), tuple(tables), restart.notes)


def sentences(restart: "Restart") -> list[str]:
    """Say what follows from the figures.

    Args:
        restart: The result.

    Returns:
        Sentences, the verdict first.
    """
    best = restart.best
    if not math.isfinite(best.loss):
        return ["Every start diverged: no start is better than another. A smaller rate may help."]
    if restart.stopped and not restart.minima:
        return [
            (
                f"Stopped by hand: the best start so far has the loss {figure(best.loss)}, and no "
                "start has gone to the end, so nothing can be said of their chance."
            ),
            _best(restart),
        ]
    said = [_answer(restart), *_why(restart), *_others(restart)]
    return [*said, *_long(restart), *_cuts(restart), *_falling(restart), _best(restart)]


def _answer(restart: "Restart") -> str:
    worth, best = restart.leading, restart.best
    target = _target(restart)
    if restart.target_given and best.loss > restart.target:
        return (
            f"No start of {len(restart.trials)} reaches the loss {figure(restart.target)}: the "
            f"best ends at {figure(best.loss)}; {_bound(worth)}."
        )
    if best.loss > (1 - STUCK_MARGIN) * restart.baseline:
        return (
            f"Restarting is pointless: no start of {len(restart.trials)} gets away from the best "
            f"constant guess (loss {figure(restart.baseline)}), so what is wrong is not the luck "
            "of the start: look at the scheme, the rate and the number of steps."
        )
    if worth.reached == worth.controls:
        same = len([minimum for minimum in restart.minima if minimum.controls]) == 1
        where = "ends in the same minimum" if same else f"reaches {target}"
        convex = "a network without hidden layers has a convex loss, and " * _convex(restart)
        return (
            f"Restarting is pointless: {convex}every one of "
            f"{counted(worth.controls, 'control')} {where}, "
            f"so at least {worth.chance.low * 100:.0f} % of all starts do; one is enough."
        )
    if worth.reached == 0:
        return (
            f"Restarting helps, but it is a rare start that arrives: {worth.found} of "
            f"{worth.starts} are known to reach {target}, none of "
            f"{counted(worth.controls, 'control')}; {_bound(worth)}."
        )
    return (
        f"Restarting helps: {worth.reached} of {counted(worth.controls, 'control')} "
        f"({_percent(worth.chance)}) reach {target}; {_needed(worth.needed)}."
    )


def _why(restart: "Restart") -> list[str]:
    """Where the controls that do not arrive are."""
    stuck = [minimum for minimum in restart.minima if minimum.stuck and minimum.controls]
    count = sum(minimum.controls for minimum in stuck)
    total = sum(worth.controls for worth in restart.worth)
    if not count or restart.best.loss > (1 - STUCK_MARGIN) * restart.baseline:
        return []
    are = "is" if count == 1 else "are"
    return [
        (
            f"{count} of {total} controls {are} stuck no better than the best constant guess, loss "
            f"{figure(restart.baseline)}."
        )
    ]


def _others(restart: "Restart") -> list[str]:
    """The schemes beside the leading one."""
    lead = restart.leading
    rest = [worth for worth in restart.worth if worth is not lead]
    if not rest:
        return []
    told = [f"{w.scheme} {w.reached} of {w.controls} ({_percent(w.chance)})" for w in rest]
    return [f"That is {lead.scheme}, whose starts arrive most often; of the others {listed(told)}."]


def _bound(worth: "Worth") -> str:
    high = worth.chance.high
    return (
        f"the chance per start is at most {high * 100:.1f} %, and {_count(worth.needed.low)} "
        f"starts or more make it {SURE * 100:.0f} % sure"
    )


def _long(restart: "Restart") -> list[str]:
    long = restart.long
    if long is None:
        return []
    end = restart.design.steps
    late = sum(end < arrival < math.inf for arrival in long.arrivals)
    said = (
        f"Single runs at equal cost, {long.steps} steps each: {long.reached} of {long.runs} "
        "reached the same loss"
    )
    if long.reached:
        said += f", {long.reached - late} of them within the first {end} steps"
    lower = min(long.losses)
    if long.reached == long.runs:
        verdict = "here waiting does as well as restarting" if late else "no one had to wait"
    elif late:
        verdict = "waiting helps some runs, and leaves the others where they are"
    else:
        verdict = "what was stuck stayed stuck, so waiting is no replacement for restarting"
    if restart.target - lower > STUCK_MARGIN * restart.baseline:
        verdict += f"; the lowest of them ends at {figure(lower)}"
    return [f"{said}; {verdict}."]


def _cuts(restart: "Restart") -> list[str]:
    """Whether the early loss tells which starts arrive: what it kept, beside the controls."""
    worth = restart.leading
    if len(restart.rungs) == 1 or not worth.survivors or worth.reached == worth.controls:
        return []
    kept = proportion(worth.survived, worth.survivors)
    chose = "as well as chance would, as far as can be told"
    if kept.low > worth.chance.value:
        chose = "better than chance would"
    elif kept.high < worth.chance.value:
        chose = "worse than chance would"
    name = f" of {worth.scheme}" if len(restart.worth) > 1 else ""
    return [
        (
            f"The cuts chose {chose}: {worth.survived} of the {worth.survivors} starts{name} "
            f"that they left arrive, and of the controls, which nobody chose, {worth.reached} of "
            f"{worth.controls}."
        )
    ]


def _convex(restart: "Restart") -> bool:
    """Whether the loss is known to be convex: linear in the weights, with a loss that bends up."""
    try:
        network = Network.parse(restart.design.network)
    except FaninError:  # a function builds it
        return False
    return not network.hidden_sizes and network.output in {
        "linear",
        ABSORBED.get(restart.design.loss, "linear"),
    }


def _falling(restart: "Restart") -> list[str]:
    curves = restart.curves[0, list(restart.controls)]
    falls = np.nan_to_num(late_fall(curves, np.asarray(restart.points)))
    falling = int((falls > STUCK_MARGIN * restart.baseline).sum())
    if 2 * falling < len(restart.controls):
        return []
    return [
        (
            f"{falling} of {len(restart.controls)} controls were still falling when the training "
            "ended: they are on their way, not at a minimum, and a longer training may tell "
            "another story."
        )
    ]


def _best(restart: "Restart") -> str:
    best = restart.best
    said = f"The best start is {best.scheme} with seed {best.seed}: training loss "
    said += figure(best.loss)
    if not math.isnan(best.accuracy):
        said += f", accuracy {figure(best.accuracy)}"
    if not math.isnan(best.held_out_loss):
        said += f"; held-out loss {figure(best.held_out_loss)}, which was not used for choosing"
    return f"{said}."


def _target(restart: "Restart") -> str:
    how = "as asked" if restart.target_given else "as good as the best"
    return f"a training loss of {figure(restart.target)} ({how})"


def _needed(needed: Estimate) -> str:
    return (
        f"{_count(needed.value)} {'start makes' if needed.value == 1 else 'starts make'} it "
        f"{SURE * 100:.0f} % sure that one does (interval {_count(needed.low)} to "
        f"{_count(needed.high)})"
    )


def _minima(restart: "Restart") -> Table:
    total = len(restart.controls)
    rows = [_minimum(place, minimum) for place, minimum in enumerate(restart.minima[:SHOWN], 1)]
    left = restart.minima[SHOWN:]
    held_out = not math.isnan(restart.best.held_out_loss)
    columns = ["minimum", "loss", "held-out loss", "runs", "controls", "share of starts", "start"]
    if left:
        runs, controls = sum(m.runs for m in left), sum(m.controls for m in left)
        rows.append([f"{len(left)} more", "", "", str(runs), str(controls), "", ""])
    if not held_out:
        columns.pop(2)
        rows = [[*row[:2], *row[3:]] for row in rows]
    notes = (
        (
            f"{counted(len(restart.minima), 'minimum').replace('minimums', 'minima')} among "
            f"{sum(minimum.runs for minimum in restart.minima)} trainings that went to the end."
        ),
        (
            "One minimum: every two of its trainings differ by at most 5 % of the constant guess's "
            "loss, and their predictions by at most a fifth of the target's standard deviation "
            f"(root mean square over {restart.compared_on}). Swapped hidden units make no "
            "difference."
        ),
        (
            f"share of starts: from the {counted(total, 'control')} alone, with its 95 % Wilson "
            "interval. start: scheme and seed of the lowest."
        ),
    )
    return Table("The minima, the lowest first", tuple(columns), tuple(map(tuple, rows)), notes)


def _minimum(place: int, minimum: "Minimum") -> list[str]:
    return [
        f"{place} (stuck)" if minimum.stuck else str(place),
        figure(minimum.loss),
        figure(minimum.held_out_loss),
        str(minimum.runs),
        str(minimum.controls),
        _share(minimum.share),
        f"{minimum.scheme}, seed {minimum.seed}",
    ]


def _worth(restart: "Restart") -> Table:
    rows = tuple(
        (
            worth.scheme,
            f"{worth.reached} of {worth.controls}",
            _share(worth.chance),
            between(*map(_count, (worth.needed.value, worth.needed.low, worth.needed.high))),
            f"{worth.found} of {worth.starts}",
            str(worth.diverged),
            between(
                *(figure(e) for e in (worth.median.value, worth.median.low, worth.median.high))
            ),
        )
        for worth in restart.worth
    )
    columns = ("scheme", "arrived", "chance per start", "starts for 99 %", "known to arrive")
    notes = (
        (
            f"arrived: controls with {_target(restart)} or lower at the end. controls: starts that "
            "were chosen before anything was trained and went to the end whatever their loss."
        ),
        (
            "chance per start: from the controls, with its 95 % Wilson interval. known to arrive: "
            "of all starts, a lower bound, as those given up might have arrived too."
        ),
    )
    return Table("What a start is worth", (*columns, "diverged", "median of controls"), rows, notes)


def _race(restart: "Restart") -> Table:
    before, rows = 0, list[tuple[str, ...]]()
    for place, rung in enumerate(restart.rungs, 1):
        last = place == len(restart.rungs)
        kept = "-" if last else str(rung.kept)
        rows.append((str(place), f"{before} to {rung.step}", str(rung.starts), kept))
        before = rung.step
    whole = restart.spent / restart.design.steps
    notes = (
        (
            f"At each cut one start in {restart.eta} stays, by training loss; the controls train "
            "on beside the race."
            if len(restart.rungs) > 1
            else "Every start went to the end: nothing was cut."
        ),
        f"Cost: {restart.spent} steps, controls included, as many as {whole:.0f} whole runs.",
    )
    return Table("The race", ("rung", "steps", "starts", "kept"), tuple(rows), notes)


def _share(share: Estimate) -> str:
    if math.isnan(share.value):
        return "-"
    low, high = f"{share.low * 100:.0f}", f"{share.high * 100:.0f}"
    return between(f"{share.value * 100:.0f} %", low, high)


def _percent(share: Estimate) -> str:
    if math.isnan(share.value):
        return "unknown"
    return f"{share.value * 100:.0f} %, interval {share.low * 100:.0f} to {share.high * 100:.0f}"


def _count(count: float) -> str:
    if math.isnan(count):
        return "-"
    return f"{count:.0f}" if math.isfinite(count) else "no limit"
