"""From a task and an engine to a `Restart`: the race, the ends, the long runs.

Held-out examples are never used for choosing: they are where the functions of two ends are held
against each other, and where the loss of what was chosen is told.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanin.draws import Uniform, sample
from fanin.errors import FaninError
from fanin.studies.chances import starts_needed
from fanin.studies.data import Data
from fanin.studies.design import Design
from fanin.studies.halving import Halving, Rung, most_steps
from fanin.studies.interrupt import interruptible
from fanin.studies.minima import predictions, same_minimum
from fanin.studies.race import Race, Racer, Trial
from fanin.studies.restart import Best, LongRuns, Minimum, Restart, Worth
from fanin.studies.run import guesses
from fanin.studies.statistics import STUCK_MARGIN, median, proportion
from fanin.studies.trainer import Task

PROBES = 256
"""Examples that two functions are compared on where nothing is held out, and at most."""

MOST_ENDS = 2000
"""Trainings that may go to the end: every two of them are compared."""

LOOKS = 100
"""How often the long runs are looked at."""


@dataclass(frozen=True)
class Search:
    """How to search.

    Attributes:
        rungs: The rungs of the race.
        eta: One start in so many is kept.
        controls: Starts of each scheme that are never cut.
        long_runs: How many of these go on at equal cost.
        reach: The training loss that counts as arriving; None for one as good as the best.
    """

    rungs: tuple[Rung, ...]
    eta: int
    controls: int
    long_runs: int
    reach: float | None = None

    @property
    def steps(self) -> int:
        """Steps of the search at most."""
        return most_steps(self.rungs, self.controls)


def trials_of(design: Design) -> tuple[Trial, ...]:
    """List every start, the schemes of a run one after the other.

    Args:
        design: The schemes, and as many repeats as each has starts.

    Returns:
        The starts.
    """
    schemes = range(len(design.schemes))
    return tuple(Trial(scheme, run) for run in design.runs for scheme in schemes)


def run_restart(
    task: Task, racer: Racer, search: Search, progress: Callable[[int], None]
) -> Restart:
    """Search for the best start, and say what a start is worth.

    Args:
        task: What to train on what.
        racer: The engine.
        search: How to search.
        progress: Called with the number of steps of single trainings done since the last call.

    Returns:
        The result. After Ctrl-C it holds the best weights of that moment.

    Raises:
        FaninError: The network or the data cannot be trained on.
        KeyboardInterrupt: Stopped before the first step.
    """
    trials = trials_of(task.design)
    controls = range(search.controls * len(task.design.schemes))
    finishing = search.rungs[-1].starts + len(controls)
    if min(finishing, len(trials)) > MOST_ENDS:
        raise FaninError(
            f"{finishing} starts would be trained to the end, and {MOST_ENDS} are the most that "
            "are compared with each other: raise rungs or eta, or lower controls"
        )
    points = [point for point in task.design.points if point <= task.design.steps]
    halving = Halving.of(search.rungs, controls, points)
    stopped, long = False, None
    with racer.race(task, trials) as race, interruptible() as step_done:

        def tick(steps: int) -> None:
            progress(steps)
            step_done()

        try:
            halving.run(race, tick)
        except KeyboardInterrupt:
            if halving.spent == 0:
                raise
            stopped = True
        losses = race.losses()
        place = int(np.argmin(losses[0]))
        if not np.isfinite(losses[0, place]):
            place = 0
        best, weights = halving.left[place], race.weights(place)
        baseline = guesses(task)[0]
        target = _target(search.reach, float(losses[0, place]), baseline)
        probes, compared_on = _probes(task.data)
        answers = predictions(race.outputs(probes), task.design.loss)
        finals = losses
        ends = list(halving.left)
        chosen = list(controls)[: search.long_runs] if not stopped else []
        kept = sorted({best, *chosen})
        race.keep([ends.index(start) for start in kept])
        accuracy = _accuracy(race, kept.index(best), task)
        if chosen and math.isfinite(target):
            arrived = finals[0, [ends.index(start) for start in chosen]] <= target
            race.keep([kept.index(start) for start in chosen])
            try:
                long = _go_on(race, task, halving, arrived, target, finals[0, : len(chosen)], tick)
            except KeyboardInterrupt:
                stopped = True
    complete = not np.isnan(halving.curves[0, ends, -1]).any()
    groups = _minima(task, trials, ends, finals, answers, controls, baseline) if complete else ()
    return Restart(
        design=task.design,
        rungs=search.rungs,
        eta=search.eta,
        best=Best(
            scheme=task.design.schemes[trials[best].scheme],
            seed=trials[best].run.start,
            loss=float(finals[0, place]),
            held_out_loss=float(finals[1, place]) if len(finals) > 1 else math.nan,
            accuracy=accuracy,
            step=task.design.steps if complete else _reached(halving, best),
        ),
        weights=weights,
        minima=groups,
        worth=_worth(task.design, trials, halving, controls, target),
        target=target,
        target_given=search.reach is not None,
        long=long,
        trials=trials,
        controls=tuple(controls),
        points=halving.points,
        curves=halving.curves,
        spent=halving.spent,
        baseline=baseline,
        compared_on=compared_on,
        notes=(*racer.notes, *task.data.notes),
        stopped=stopped,
    )


def _target(reach: float | None, best: float, baseline: float) -> float:
    """As good as the best: all but a twentieth of what the best saves on the constant guess."""
    if reach is not None:
        return reach
    return best + STUCK_MARGIN * (baseline - best if best < baseline else baseline)


def _probes(data: Data) -> tuple[NDArray[np.float32], str]:
    if data.held_out is not None:
        features = data.held_out.features[:PROBES]
        return features, f"{len(features)} held-out examples"
    train = data.train.features
    low, high = train.min(axis=0), train.max(axis=0)
    shares = sample(Uniform(0.0, 1.0), 0, "probes", (PROBES, *train.shape[1:]))
    return low + shares * (high - low), (
        f"{PROBES} points drawn evenly from the range of the features, as nothing is held out"
    )


def _accuracy(race: Race, place: int, task: Task) -> float:
    if not task.data.classes:
        return math.nan
    outputs = race.outputs(task.data.train.features)[place]
    if outputs.shape[-1] == 1:
        found = outputs[:, 0] > (0.5 if task.design.loss == "mse" else 0.0)
        return float(np.mean(np.equal(found, task.data.train.target)))
    return float(np.mean(np.equal(np.argmax(outputs, axis=-1), task.data.train.target)))


def _go_on(
    race: Race,
    task: Task,
    halving: Halving,
    arrived: NDArray[np.bool_],
    target: float,
    losses: NDArray[np.float64],
    tick: Callable[[int], None],
) -> LongRuns:
    """Let controls train on until all have arrived, or each has cost as much as the search."""
    steps, last = task.design.steps, losses.copy()
    arrivals = np.where(arrived, float(steps), np.inf)
    waiting = np.flatnonzero(~arrived)
    race.keep(waiting.tolist())
    for look in range(1, LOOKS + 1):
        if not waiting.size:
            break
        step = steps + (halving.spent - steps) * look // LOOKS
        race.advance(step, tick)
        now = race.losses()[0]
        last[waiting] = now
        there = now <= target
        arrivals[waiting[there]] = step
        lost = ~np.isfinite(now)
        race.keep(np.flatnonzero(~there & ~lost).tolist())
        waiting = waiting[~there & ~lost]
    return LongRuns(
        runs=len(arrived),
        steps=halving.spent,
        reached=int(np.isfinite(arrivals).sum()),
        arrivals=tuple(arrivals.tolist()),
        losses=tuple(last.tolist()),
    )


def _minima(
    task: Task,
    trials: Sequence[Trial],
    ends: Sequence[int],
    finals: NDArray[np.float64],
    answers: NDArray[np.float64],
    controls: range,
    baseline: float,
) -> tuple[Minimum, ...]:
    settled = np.flatnonzero(np.isfinite(finals[0]) & np.isfinite(answers).all(axis=(1, 2)))
    groups = same_minimum(
        finals[0, settled], answers[settled], baseline=baseline, spread=_spread(task.data)
    )
    found = list[Minimum]()
    for group in range(int(groups.max(initial=-1)) + 1):
        members = settled[groups == group]
        lowest = int(members[np.argmin(finals[0, members])])
        among = sum(ends[member] in controls for member in members.tolist())
        trial = trials[ends[lowest]]
        found.append(
            Minimum(
                loss=float(finals[0, lowest]),
                held_out_loss=float(finals[1, lowest]) if len(finals) > 1 else math.nan,
                runs=len(members),
                controls=among,
                share=proportion(among, len(controls)),
                stuck=bool(finals[0, lowest] > (1 - STUCK_MARGIN) * baseline),
                seed=trial.run.start,
                scheme=task.design.schemes[trial.scheme],
            )
        )
    return tuple(found)


def _spread(data: Data) -> float:
    """Standard deviation of the target, of a class as a row of zeros and a one."""
    target = data.train.target
    if not data.classes:
        return float(np.sqrt(np.var(target.astype(np.float64), axis=0).mean()))
    shares = np.bincount(target.astype(np.int64), minlength=len(data.classes)) / len(target)
    return float(np.sqrt((shares * (1 - shares)).mean()))


def _worth(
    design: Design,
    trials: Sequence[Trial],
    halving: Halving,
    controls: range,
    target: float,
) -> tuple[Worth, ...]:
    finals = halving.finals[0]
    there = finals <= target  # NaN, a start that was given up, is not there
    rows = list[Worth]()
    for index, scheme in enumerate(design.schemes):
        own = [place for place, trial in enumerate(trials) if trial.scheme == index]
        watched = [place for place in own if place in controls]
        uncut = [place for place in own if not halving.cut[place]]
        known = [place for place in watched if not math.isnan(finals[place])]
        reached = int(there[known].sum())
        chance = proportion(reached, len(known))
        rows.append(
            Worth(
                scheme=scheme,
                controls=len(known),
                reached=reached,
                chance=chance,
                needed=starts_needed(chance),
                found=int(there[own].sum()),
                starts=len(own),
                survivors=len(uncut),
                survived=int(there[uncut].sum()),
                diverged=int(np.isinf(finals[known]).sum()),
                median=median(finals[known]),
            )
        )
    return tuple(rows)


def _reached(halving: Halving, start: int) -> int:
    """The last step at which an unfinished start was measured."""
    measured = np.flatnonzero(~np.isnan(halving.curves[0, start]))
    return halving.points[int(measured[-1])] if measured.size else 0
