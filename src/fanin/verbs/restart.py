"""The verb `restart`: which of many starts is the best, and is it worth to try many at all.

A network that does not improve may be in a poor place that its start has led it to. Many starts are
trained side by side, most of them for a short while, and the answer says what the chance of one
start is, how many are enough, and whether a longer training would have done as well.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fanin.errors import FaninError, need
from fanin.schemes import Scheme
from fanin.studies.functions.descent import LONGEST, Descent, descend
from fanin.studies.functions.expression import Function
from fanin.studies.halving import ETA, plan_rungs
from fanin.studies.optimizer import Optimizer
from fanin.studies.race import Racer
from fanin.studies.restart import Restart
from fanin.verbs.preparing import Schemes, check_reach, prepare

STARTS = 100
"""Starts of each scheme unless asked otherwise."""

CONTROLS = 30
"""Controls unless asked otherwise: a chance of one half is then known to 17 % either way."""

LONG_RUNS = 5
"""Controls that are let go on at equal cost unless asked otherwise."""


def restart(
    network: Any,
    data: object,
    *,
    scheme: Schemes,
    starts: int = STARTS,
    eta: int = ETA,
    rungs: int | None = None,
    controls: int | None = None,
    long_runs: int = LONG_RUNS,
    reach: float | None = None,
    target: str | list[str] | None = None,
    scale: bool = False,
    holdout: float = 0.3,
    split_seed: int = 42,
    task: str | None = None,
    seed: int = 0,
    optimizer: str | Optimizer = "sgd",
    rate: float | None = None,
    batch_size: int = 32,
    epochs: int | None = None,
    steps: int | None = None,
    loss: str | None = None,
    rules: Mapping[str, str | Scheme] | None = None,
    engine: str | None = None,
    quiet: bool = False,
) -> Restart:
    """Train a network from many starts, keep the best, and say whether that was worth it.

    Args:
        network: As for `fanin.compare`: a line, or a function without arguments that builds a
            model.
        data: As for `fanin.compare`; also ``"xor"`` and ``"spirals"``.
        scheme: What the starts are drawn from; several with commas between.
        starts: Starts of each scheme. Start r has the seed ``seed + r``, for its data order too.
        eta: At each cut one start in so many is kept, by training loss.
        rungs: Stretches between the cuts; 1 trains every start to the end. 4 by default, or as many
            as starts and steps allow.
        controls: Starts of each scheme, the first ones, that go to the end whatever their loss and
            say what a start is worth; 30 by default, or all if there are fewer.
        long_runs: Controls that are let go on for as many steps as the search took in all.
        reach: The training loss that counts as arriving; by default one as good as the best, short
            of it by at most a twentieth of what it saves on the best constant guess.
        target: Name of the target column.
        scale: Standardise the features by the training part.
        holdout: Fraction of the rows held out; never used for choosing.
        split_seed: Seed of the split.
        task: ``"classification"`` or ``"regression"``; read off the target when left out.
        seed: Seed of the first start.
        optimizer: As for `fanin.compare`.
        rate: Learning rate; the optimiser's usual one when left out.
        batch_size: Examples in a batch.
        epochs: Passes over the training part of a whole training, 10 if no steps are given either.
        steps: Optimiser steps of a whole training, instead of epochs.
        loss: ``bce``, ``cross_entropy`` or ``mse``; what the target calls for when left out.
        rules: Schemes for single parameters by name or pattern.
        engine: As for `fanin.compare`.
        quiet: Show no progress on stderr.

    Returns:
        The result. Print it, save the best weights, put them into a model.

    Raises:
        FaninError: An argument is wrong, or network and data do not fit each other.
        MissingExtra: PyTorch, or a library of the extra ``study``, is not installed.

    Example:
        >>> result = restart(
        ...     "2-2-1 tanh",
        ...     "xor",
        ...     scheme="glorot_normal",
        ...     starts=12,
        ...     rate=0.5,
        ...     batch_size=4,
        ...     steps=60,
        ...     long_runs=0,
        ...     quiet=True,
        ... )
        >>> result.weights["layers.0.weight"].shape
        (2, 2)
    """
    need("pandas", extra="study", purpose="fanin.restart")
    from fanin.reports.progress import Progress
    from fanin.studies.restarting import Search, run_restart

    check_reach(reach)
    if starts < 1:
        raise FaninError(f"starts must be at least 1, got {starts}")
    job, trainer = prepare(
        network,
        data,
        schemes=scheme,
        repeats=starts,
        orders=1,
        seed=seed,
        target=target,
        scale=scale,
        holdout=holdout,
        split_seed=split_seed,
        task=task,
        optimizer=optimizer,
        rate=rate,
        batch_size=batch_size,
        epochs=epochs,
        steps=steps,
        loss=loss,
        rules=rules,
        engine=engine,
    )
    fixed = job.design
    watched = min(CONTROLS, starts) if controls is None else controls
    if not 1 <= watched <= starts:
        raise FaninError(
            f"controls must lie between 1 and the number of starts, {starts}, got {watched}"
        )
    if long_runs < 0:
        raise FaninError(f"long_runs must be at least 0, got {long_runs}")
    trials = starts * len(fixed.schemes)
    plan = plan_rungs(trials, fixed.steps, eta, rungs)
    search = Search(plan, eta, watched, min(long_runs, watched * len(fixed.schemes)), reach)
    if not isinstance(trainer, Racer):
        raise FaninError(f"{trainer.name} cannot hold a race of many starts: leave the engine out")
    total = search.steps + search.long_runs * max(0, search.steps - fixed.steps)
    with Progress(total, "training steps", quiet=quiet) as progress:
        return run_restart(job, trainer, search, progress.advance)


def restart_function(
    function: str | Callable[[float], float],
    *,
    start: float | None = None,
    rate: float = 0.01,
    steps: int = 100,
    starts: int = 1000,
    scheme: str = "uniform(-5, 5)",
    seed: int = 0,
    quiet: bool = False,
) -> Descent:
    """Descend on a function of one variable from many starts, and say where they end.

    Args:
        function: A text such as ``"5x^2 + 3x - 4"``, or a function of Python, whose derivatives
            are measured.
        start: One start to follow besides; the first one drawn when left out.
        rate: Learning rate: ``x -= rate * f'(x)``.
        steps: Steps of each run.
        starts: How many starts to draw.
        scheme: What to draw them from: a law that does not ask for the size of a layer.
        seed: The seed of the draws, whose name is ``"x"``.
        quiet: Show no progress on stderr.

    Returns:
        The result: the minima, which starts lead where, the chance of the lowest.

    Raises:
        FaninError: The text is not a function of x, or a number is out of its range.

    Example:
        >>> result = restart_function("5x^2 + 3x - 4", start=4, quiet=True)
        >>> round(result.minima[0].x, 9), result.chance.value
        (-0.3, 1.0)
    """
    from fanin.reports.progress import Progress

    known = Function.parse(function) if isinstance(function, str) else Function.of(function)
    total = min(LONGEST, max(steps, starts * steps))
    with Progress(total, "steps", quiet=quiet) as progress:
        return descend(
            known,
            start=start,
            rate=rate,
            steps=steps,
            starts=starts,
            scheme=scheme,
            seed=seed,
            progress=progress.advance,
        )
