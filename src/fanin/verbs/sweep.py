"""The verb `sweep`: at which scale, depth and width does a start stop working?

One answer for one network is a point; a start that works for two layers may fail for ten. A sweep
trains every scale at every depth and width from several seeds, and holds what it finds against the
line on which the theory of wide networks puts the scale that keeps a gradient alive.
"""

from collections.abc import Mapping
from pathlib import Path

from fanin.errors import FaninError, need
from fanin.schemes import Scheme
from fanin.studies.grammar import Network
from fanin.studies.grid import Grid
from fanin.studies.optimizer import Optimizer
from fanin.studies.ranges import Axis, counts, numbers
from fanin.studies.study import Study
from fanin.studies.sweep import Sweep
from fanin.verbs.preparing import prepare


def sweep(
    network: object,
    data: object,
    *,
    scheme: str = "normal(0, {})",
    values: Axis = "0.001..1",
    depth: Axis | None = None,
    width: Axis | None = None,
    repeats: int = 5,
    seed: int = 0,
    target: str | list[str] | None = None,
    scale: bool = False,
    holdout: float = 0.3,
    split_seed: int = 42,
    task: str | None = None,
    optimizer: str | Optimizer = "sgd",
    rate: float | None = None,
    batch_size: int = 32,
    epochs: int | None = None,
    steps: int | None = None,
    loss: str | None = None,
    rules: Mapping[str, str | Scheme] | None = None,
    engine: str | None = None,
    store: str | Path | None = None,
    quiet: bool = False,
) -> Sweep:
    """Train a network from a scheme at many scales, over depths and widths.

    Args:
        network: A line such as ``"64-64-10 relu"``; its hidden layers are replaced.
        data: As for `fanin.compare`.
        scheme: A scheme with ``{}`` where the value goes: ``"normal(0, {})"``,
            ``"he_normal(gain={})"``.
        values: The values: ``"0.001..1"`` for two to a decade, ``"0.001..1:9"`` for nine in all, or
            a list.
        depth: Numbers of hidden layers: ``"1..32"``, each the double of the one before, or a list;
            the network's own when left out.
        width: Units of a hidden layer, likewise; the network's own when left out.
        repeats: Starts of each value.
        seed: Seed of the first repeat.
        target: Name of the target column.
        scale: Standardise the features by the training part.
        holdout: Fraction of the rows held out.
        split_seed: Seed of the split.
        task: ``"classification"`` or ``"regression"``; read off the target when left out.
        optimizer: As for `fanin.compare`.
        rate: Learning rate; the optimiser's usual one when left out.
        batch_size: Examples in a batch.
        epochs: Passes over the training part, 10 if neither epochs nor steps are given.
        steps: Optimiser steps, instead of epochs.
        loss: ``bce``, ``cross_entropy`` or ``mse``; what the target calls for when left out.
        rules: Schemes for single parameters by name or pattern.
        engine: As for `fanin.compare`.
        store: Folder to keep the studies in, one for each depth and width; the same call goes on
            with what is there.
        quiet: Show no progress on stderr.

    Returns:
        The sweep. Print it, plot it, save it.

    Raises:
        FaninError: An argument is wrong, or network and data do not fit each other.
        MissingExtra: The engine, or a library of the extra ``study``, is not installed.

    Example:
        >>> found = sweep("4-8-3 relu", "iris", values="0.01, 1", depth="1,2", repeats=2, epochs=2)
        >>> found.learnt.shape
        (1, 2, 2)
    """
    need("xarray", extra="study", purpose="fanin.sweep")
    from fanin.reports.progress import Progress
    from fanin.studies.data import load
    from fanin.studies.run import run_study

    line = Network.parse(network) if isinstance(network, str) else network
    if not isinstance(line, Network):
        raise FaninError(
            'a sweep replaces the hidden layers of a line such as "64-64-10 relu", got '
            f"{type(line).__name__}"
        )
    grid = Grid(
        line,
        scheme,
        numbers(values, "values"),
        counts(_own(len(line.hidden_sizes)) if depth is None else depth, "depth"),
        counts(_own(*line.hidden_sizes[:1]) if width is None else width, "width"),
    )
    loaded = load(
        data, target=target, scale=scale, holdout=holdout, split_seed=split_seed, task=task
    )
    jobs = {
        (layers, units): prepare(
            own,
            loaded,
            schemes=list(grid.schemes),
            repeats=repeats,
            orders=1,
            seed=seed,
            target=None,
            scale=False,
            holdout=holdout,
            split_seed=split_seed,
            task=None,
            optimizer=optimizer,
            rate=rate,
            batch_size=batch_size,
            epochs=epochs,
            steps=steps,
            loss=loss,
            rules=rules,
            engine=engine,
        )
        for layers, units, own in grid.networks()
    }
    studies, notes = dict[tuple[int, int], Study](), dict[str, None]()
    design = next(iter(jobs.values()))[0].design
    total = len(jobs) * len(design.schemes) * len(design.runs) * design.steps
    with Progress(total, "training steps", quiet=quiet) as progress:
        try:
            for (layers, units), (job, trainer) in jobs.items():
                name = f"depth-{layers}-width-{units}.zarr"
                place = None if store is None else Path(store) / name
                study = run_study(
                    job, trainer, progress.advance, store=place, skipped=progress.skip
                )
                studies[layers, units] = study
                notes |= dict.fromkeys(study.notes)
                if study.stopped:
                    break
        except KeyboardInterrupt:
            if not studies:
                raise
    return Sweep(grid, studies, tuple(notes))


def _own(*sizes: int) -> tuple[int, ...]:
    """The network's own number; without hidden layers the grid says what is missing."""
    return sizes if sizes and sizes[0] else (1,)
