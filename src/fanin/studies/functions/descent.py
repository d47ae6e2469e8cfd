"""Gradient descent on a function of one variable from many starts at once, and what it shows.

Every start is one number of an array, so a step of all of them is one line. Nothing is cut short:
each run goes to the end, and where it ends is looked up on the ground below it.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import groupby

import numpy as np

from fanin.calls import format_number
from fanin.errors import FaninError
from fanin.reports.document import Document
from fanin.reports.numbers import jsonable
from fanin.reports.terminal import plain
from fanin.schemes import as_scheme
from fanin.schemes.base import FixedScheme
from fanin.studies.chances import starts_needed
from fanin.studies.functions.expression import Function
from fanin.studies.functions.jets import Values
from fanin.studies.functions.landscape import Landscape, survey
from fanin.studies.interrupt import interruptible
from fanin.studies.statistics import Estimate, proportion

ARRIVED = 0.01
"""How near to a minimum a run must end to have arrived, as a share of the ground looked at."""

FAR = 1000.0
"""A run that is farther away than so many times the width of the starts is lost."""

LONGEST = 1_000_000
"""Steps of the run that is let go on."""

EQUAL = 1e-9
"""Two minima whose values differ by less, relative to 1 or to the value, are equally low."""

FORMAT = "fanin descent 1"
"""Name and version of the JSON layout."""


@dataclass(frozen=True)
class Reached:
    """A minimum, and the runs that end in its valley.

    Attributes:
        x: Where it is.
        value: The function there.
        largest_rate: Rate above which no run settles here; nan where that is not known.
        runs: How many of the starts drawn end in its valley.
        arrived: How many of these are at the minimum.
        share: ``runs`` as a share of the starts drawn, with its interval.
    """

    x: float
    value: float
    largest_rate: float
    runs: int
    arrived: int
    share: Estimate


@dataclass(frozen=True)
class Basin:
    """Neighbouring starts that all end in the same place.

    Attributes:
        low: The smallest of them.
        high: The largest.
        minimum: Index of the minimum they lead to; None for none.
        starts: How many they are.
    """

    low: float
    high: float
    minimum: int | None
    starts: int


@dataclass(frozen=True)
class Walk:
    """One descent, and the same one let go on for as long as all the others took together.

    Attributes:
        start: Where it starts.
        end: Where it is after the steps asked for; inf if it is lost.
        value: The function there.
        minimum: Index of the minimum whose valley that is; None for none.
        later: Where it is when it has gone on; inf if it is lost.
        steps: Steps until then, fewer than allowed where it had stopped moving before.
        later_minimum: Index of the minimum whose valley that is; None for none.
    """

    start: float
    end: float
    value: float
    minimum: int | None
    later: float
    steps: int
    later_minimum: int | None


@dataclass(frozen=True)
class Descent:
    """Where gradient descent on a function ends, from many starts.

    Attributes:
        function: The function.
        rate: Learning rate.
        steps: Steps of each run.
        scheme: What the starts are drawn from.
        seed: The seed they are drawn by, under the name ``"x"``.
        starts: The starts, shape (run,).
        ends: Where each run ends, shape (run,); inf for a lost one.
        landscape: The ground between all that was started and reached.
        minima: The minima there, the lowest first.
        as_low: How many of the first of them are equally low.
        basins: Which starts lead where, from left to right.
        walk: The run from the start that was asked for, or else from the first one drawn.
        lost: Runs that left every bound, or the numbers that the function is defined for.
        chance: Probability that a start leads to the lowest minimum, or to one as low.
        needed: Starts for a chance of 99 % that one of them does.
        stopped: Whether it was stopped by hand before the last step.
    """

    function: Function
    rate: float
    steps: int
    scheme: str
    seed: int
    starts: Values = field(repr=False)
    ends: Values = field(repr=False)
    landscape: Landscape = field(repr=False)
    minima: tuple[Reached, ...]
    as_low: int
    basins: tuple[Basin, ...] = field(repr=False)
    walk: Walk
    lost: int
    chance: Estimate
    needed: Estimate
    stopped: bool = False

    def document(self) -> Document:
        """Lay the result out: verdict, the minima, which starts lead where.

        Returns:
            What ``str()`` writes as text.
        """
        from fanin.studies.functions.wording import document

        return document(self)

    def to_json(self) -> str:
        """Write everything as one JSON object.

        Returns:
            The attributes by name, with ``format``, ``verdict`` and ``derivatives`` beside them.
        """
        ground = asdict(self.landscape)
        exact = self.function.polynomial
        return json.dumps(
            jsonable(
                {
                    "format": FORMAT,
                    "function": str(self.function),
                    "polynomial": None if exact is None else [float(c) for c in exact],
                    "verdict": list(self.document().verdict),
                    "rate": self.rate,
                    "steps": self.steps,
                    "scheme": self.scheme,
                    "seed": self.seed,
                    "convex": ground["convex"],
                    "convexity_proven": ground["proven"],
                    "looked_at": [ground["low"], ground["high"]],
                    "minima": [asdict(minimum) for minimum in self.minima],
                    "equally_low": self.as_low,
                    "basins": [asdict(basin) for basin in self.basins],
                    "walk": asdict(self.walk),
                    "lost": self.lost,
                    "chance": asdict(self.chance),
                    "needed": asdict(self.needed),
                    "stopped": self.stopped,
                    "starts": self.starts.tolist(),
                    "ends": self.ends.tolist(),
                }
            )
        )

    def __str__(self) -> str:
        return plain(self.document())


def descend(
    function: Function,
    *,
    start: float | None,
    rate: float,
    steps: int,
    starts: int,
    scheme: str,
    seed: int,
    progress: Callable[[int], None],
) -> Descent:
    """Descend from every start, and say where the runs end.

    Args:
        function: The function.
        start: A start to follow on its own; None for the first one drawn.
        rate: Learning rate: ``x -= rate * f'(x)``.
        steps: Steps of each run.
        starts: How many starts to draw.
        scheme: What to draw them from, such as ``"uniform(-5, 5)"``.
        seed: The seed.
        progress: Called with the number of steps done since the last call.

    Returns:
        The result. After Ctrl-C it holds where the runs were, and says so.

    Raises:
        FaninError: A number is out of its range, or the scheme has no fixed law.
    """
    _check(start, rate, steps, starts)
    law = as_scheme(scheme)
    if not isinstance(law, FixedScheme):
        raise FaninError(
            f"the starts of a function need a law that does not ask for the size of a layer, such "
            f"as uniform(-5, 5) or normal(0, 2), got {law}"
        )
    drawn = law.values((starts,), seed=seed, name="x", dtype=np.float64)
    first = float(drawn[0]) if start is None else start
    every = np.append(drawn, first)
    if not np.isfinite(function(every).value).any():
        raise FaninError(
            f"{function} has no finite value at any of the starts, {scheme}: move them to where it "
            "is defined"
        )
    edge = FAR * max(1.0, float(np.ptp(every)), float(np.abs(every).max()))
    stopped = False
    ends, taken = every, 0
    try:
        with interruptible() as step_done:

            def tick(done: int) -> None:
                progress(done)
                step_done()

            ends, taken = _steps(function, every, rate, steps, edge, tick)
            allowed = min(LONGEST, max(steps, starts * steps))
            later, more = _steps(function, ends[-1:], rate, allowed - steps, edge, tick)
    except KeyboardInterrupt:
        if taken == 0:
            raise
        stopped, later, more = True, ends[-1:], 0
    ground = _ground(function, np.concatenate([every, ends, later]))
    order = sorted(ground.valleys, key=lambda valley: valley.value)
    places = _places(ground, ends)
    ranks = {ground.valleys.index(valley): rank for rank, valley in enumerate(order)}
    outcome = [ranks.get(int(place)) for place in places]
    nearness = ARRIVED * (ground.high - ground.low)
    minima = list[Reached]()
    for rank, valley in enumerate(order):
        inside = np.array([found == rank for found in outcome[:-1]])
        at_it = inside & (np.abs(ends[:-1] - valley.x) <= nearness)
        count = int(inside.sum())
        minima.append(
            Reached(
                x=valley.x,
                value=valley.value,
                largest_rate=valley.largest_rate,
                runs=count,
                arrived=int(at_it.sum()),
                share=proportion(count, starts),
            )
        )
    as_low = sum(
        valley.value <= order[0].value + EQUAL * (1 + abs(valley.value)) for valley in order
    )
    chance = proportion(sum(minimum.runs for minimum in minima[:as_low]), starts)
    (later_place,) = _places(ground, later)
    walk = Walk(
        start=first,
        end=float(ends[-1]),
        value=_value(function, float(ends[-1])),
        minimum=outcome[-1],
        later=float(later[0]),
        steps=taken + more,
        later_minimum=ranks.get(int(later_place)),
    )
    return Descent(
        function=function,
        rate=rate,
        steps=steps,
        scheme=str(law),
        seed=seed,
        starts=drawn,
        ends=ends[:-1],
        landscape=ground,
        minima=tuple(minima),
        as_low=as_low,
        basins=_basins(drawn, outcome[:-1]),
        walk=walk,
        lost=int(np.isinf(ends[:-1]).sum()),
        chance=chance,
        needed=starts_needed(chance),
        stopped=stopped,
    )


def _steps(
    function: Function,
    x: Values,
    rate: float,
    steps: int,
    edge: float,
    tick: Callable[[int], None],
) -> tuple[Values, int]:
    """Take the steps, or fewer when none of the runs moves any more or all go round in pairs."""
    before = np.full_like(x, np.nan)
    for step in range(steps):
        jet = function(x)
        with np.errstate(all="ignore"):
            moved = x - rate * jet.slope
        gone = ~(np.abs(moved) <= edge) | ~np.isfinite(jet.value)
        moved = np.where(gone, np.inf, moved)
        tick(1)
        if ((moved == x) | (moved == before)).all():
            tick(steps - step - 1)
            return moved, step + 1
        before, x = x, moved
    return x, steps


def _ground(function: Function, places: Values) -> Landscape:
    """Survey from the leftmost to the rightmost place that was visited, and a little beyond."""
    known = places[np.isfinite(places)]
    low, high = float(known.min()), float(known.max())
    room = max(0.1 * (high - low), 1e-3 * max(1.0, abs(low), abs(high)))
    return survey(function, low - room, high + room)


def _places(ground: Landscape, ends: Values) -> list[int]:
    """Say in which valley each run ends, by its index; -1 for none."""
    found = np.full(ends.shape, -1)
    for place, valley in enumerate(ground.valleys):
        found[(ends >= valley.low) & (ends <= valley.high)] = place
    return found.tolist()


def _basins(starts: Values, outcome: list[int | None]) -> tuple[Basin, ...]:
    order: list[int] = np.argsort(starts, kind="stable").tolist()
    basins = list[Basin]()
    for minimum, members in groupby(order, key=outcome.__getitem__):
        inside = list(members)
        low, high = float(starts[inside[0]]), float(starts[inside[-1]])
        basins.append(Basin(low, high, minimum, len(inside)))
    return tuple(basins)


def _value(function: Function, x: float) -> float:
    value = float(function(x).value) if math.isfinite(x) else math.inf
    return value if math.isfinite(value) else math.inf


def _check(start: float | None, rate: float, steps: int, starts: int) -> None:
    if start is not None and not math.isfinite(start):
        raise FaninError(f"start must be a finite number, got {start}")
    if not (math.isfinite(rate) and rate > 0):
        raise FaninError(f"rate must be a finite number above 0, got {format_number(rate)}")
    for name, count, most in (("steps", steps, LONGEST), ("starts", starts, LONGEST)):
        if not 1 <= count <= most:
            raise FaninError(f"{name} must lie between 1 and {most}, got {count}")
