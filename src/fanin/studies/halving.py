"""Successive halving: many starts, and most of them are given up early.

All starts train a little, the better part of them trains on, and so down to a few that go to the
end. What is given up is judged by the training loss at that moment, which may be wrong about its
end. So some starts, chosen before anything is trained, go to the end whatever their loss; they
alone say what a start is worth, and how often the halving was wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.studies.race import Race
from fanin.studies.trainer import SPLITS

ETA = 3
"""One start in so many survives a cut (Li et al. 2018, section 2.3: 3 or 4)."""

RUNGS = 4
"""Rungs unless asked otherwise: the first is a twenty-seventh of the training."""


@dataclass(frozen=True)
class Rung:
    """A stretch of the training that some starts take together.

    Attributes:
        step: Where it ends.
        starts: How many starts are in the race on it.
        kept: How many of these stay in the race afterwards.
    """

    step: int
    starts: int
    kept: int


def plan_rungs(
    starts: int, steps: int, eta: int = ETA, rungs: int | None = None
) -> tuple[Rung, ...]:
    """Lay out the rungs: each keeps one start in `eta` and lasts `eta` times as long.

    Args:
        starts: Starts in all.
        steps: Steps of a whole training.
        eta: How many starts are tried for one that is kept, at least 2.
        rungs: How many rungs; 1 cuts nothing. By default `RUNGS`, or as many as starts and steps
            allow.

    Returns:
        The rungs; the last ends at `steps`.

    Raises:
        FaninError: A number is out of its range, or there are too few starts or steps for so many
            rungs.

    Example:
        >>> [(rung.step, rung.starts) for rung in plan_rungs(1000, 2700)]
        [(100, 1000), (300, 334), (900, 112), (2700, 38)]

    References:
        Jamieson and Talwalkar (2016), Non-stochastic best arm identification and hyperparameter
        optimization, algorithm 1. Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar (2018),
        Hyperband, section 2.
    """
    if eta < 2:
        raise FaninError(f"eta must be at least 2, one start kept in so many, got {eta}")
    most = 1
    while starts >= eta**most and steps >= eta**most:
        most += 1
    count = min(RUNGS, most) if rungs is None else rungs
    if not 1 <= count <= most:
        raise FaninError(
            f"rungs must lie between 1 and {most} for {starts} starts of {steps} steps with "
            f"eta={eta}, got {count}"
        )
    alive = [-(-starts // eta**place) for place in range(count)]
    ends = [-(-steps // eta ** (count - 1 - place)) for place in range(count)]
    kept = [*alive[1:], alive[-1]]
    return tuple(map(Rung, ends, alive, kept))


def most_steps(rungs: Sequence[Rung], controls: int) -> int:
    """Count the steps of a race at most: as if no control were among those that are kept.

    Args:
        rungs: The rungs.
        controls: How many starts go to the end whatever happens.

    Returns:
        Steps of single trainings.

    Example:
        >>> most_steps(plan_rungs(9, 9), controls=0), most_steps(plan_rungs(9, 9), controls=9)
        (21, 81)
    """
    before = steps = 0
    for rung in rungs:
        steps += (rung.step - before) * min(rung.starts + controls, rungs[0].starts)
        before = rung.step
    return steps


@dataclass
class Halving:
    """A race that is under way, and what was measured in it.

    Attributes:
        rungs: The rungs.
        controls: Indices of the starts that are never cut, ascending.
        points: Steps after which every start that is left is measured.
        curves: Losses of shape (split, start, point), NaN where nothing was measured.
        left: Indices of the starts that still train, ascending.
        cut: For each start the step at which the halving gave it up; 0 for never.
        spent: Steps of single trainings taken so far.
    """

    rungs: tuple[Rung, ...]
    controls: tuple[int, ...]
    points: tuple[int, ...]
    curves: NDArray[np.float32]
    left: list[int]
    cut: NDArray[np.int64]
    spent: int = 0

    @classmethod
    def of(
        cls, rungs: tuple[Rung, ...], controls: Sequence[int], points: Sequence[int]
    ) -> "Halving":
        """Begin with all starts in the race.

        Args:
            rungs: The rungs.
            controls: Indices of the starts that are never cut.
            points: Steps to measure at; the ends of the rungs are added.

        Returns:
            The race before its first step.
        """
        starts = rungs[0].starts
        places = tuple(sorted({*points, *(rung.step for rung in rungs)}))
        curves = np.full((len(SPLITS), starts, len(places)), np.nan, np.float32)
        left, cut = list(range(starts)), np.zeros(starts, np.int64)
        return cls(rungs, tuple(sorted(controls)), places, curves, left, cut)

    def run(self, race: Race, tick: Callable[[int], None]) -> None:
        """Train every start as far as it goes.

        Args:
            race: All starts, before their first step.
            tick: Called with the number of steps of single trainings done since the last call.
        """

        def count(steps: int) -> None:
            self.spent += steps
            tick(steps)

        place = 0
        for rung in self.rungs:
            while place < len(self.points) and self.points[place] <= rung.step:
                race.advance(self.points[place], count)
                losses = race.losses()
                self.curves[: len(losses), self.left, place] = losses
                place += 1
            if rung is not self.rungs[-1]:
                self._halve(race, rung, place - 1)

    @property
    def finals(self) -> NDArray[np.float64]:
        """Loss at the end, shape (split, start); NaN for a start that did not go there."""
        return self.curves[..., -1].astype(np.float64)

    def _halve(self, race: Race, rung: Rung, point: int) -> None:
        losses = self.curves[0, :, point]
        racing = [start for start in self.left if not self.cut[start]]
        # Only the training loss is looked at; of two equal ones the earlier seed stays.
        ranked = sorted(racing, key=lambda start: (float(losses[start]), start))
        self.cut[ranked[rung.kept :]] = rung.step
        staying = {*ranked[: rung.kept], *self.controls}
        race.keep([place for place, start in enumerate(self.left) if start in staying])
        self.left = [start for start in self.left if start in staying]
