"""The verb `compare`: which initialisation for this network and this data, and how sure is that.

Everything but the scheme is held fixed: the data and its split, the optimiser, the number of
steps, and within a repeat the order of the data. The repeats differ in their seed, so what a scheme
owes to luck is measured and not guessed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanin.errors import FaninError, need
from fanin.recipes import as_recipe
from fanin.schemes import Scheme
from fanin.studies.executor import Executor
from fanin.studies.optimizer import Optimizer
from fanin.studies.study import Study
from fanin.verbs.preparing import Schemes, check_reach, prepare, printed


def compare(
    network: Any,
    data: object,
    *,
    schemes: Schemes,
    target: str | list[str] | None = None,
    scale: bool = False,
    holdout: float = 0.3,
    split_seed: int = 42,
    task: str | None = None,
    repeats: int = 20,
    orders: int = 1,
    baseline: str | Scheme | None = None,
    seed: int = 0,
    optimizer: str | Optimizer = "sgd",
    rate: float | None = None,
    batch_size: int = 32,
    epochs: int | None = None,
    steps: int | None = None,
    loss: str | None = None,
    rules: Mapping[str, str | Scheme] | None = None,
    reach: float | None = None,
    engine: str | None = None,
    store: str | Path | None = None,
    chunk: int | None = None,
    executor: str | Executor | None = None,
    quiet: bool = False,
) -> Study:
    """Train a network many times from each of several initialisations.

    Args:
        network: A line such as ``"64-128-10 relu"`` (sizes, hidden and output activation, options
            ``norm=layer|batch``, ``dropout=0.1``, ``bias=no``); a function without arguments that
            builds an ``nn.Module`` which turns a batch of features into logits; or a
            `fanin.jax.Model`, a pure function that does.
        data: A CSV or Parquet file, a data set of scikit-learn by name, ``"openml:"`` and a name, a
            DataFrame, or arrays; see `fanin.studies.data.load`.
        schemes: What is compared, such as ``"zeros, he_normal, normal(std=0.01)"``, for the kernels
            (biases start at zero and norm gains at one), or recipes such as ``"auto"``.
        target: Name of the target column.
        scale: Standardise the features by the training part.
        holdout: Fraction of the rows held out, from 0 to below 1.
        split_seed: Seed of the split.
        task: ``"classification"`` or ``"regression"``; read off the target when left out.
        repeats: Starts of each scheme. Repeat r has the seed ``seed + r``.
        orders: Data orders that every start is trained with; from 2 on the study tells how much of
            the luck is the start and how much the order. With 1 every repeat has its own.
        baseline: The scheme, one of `schemes`, that each other is held against; left out, all pairs
            are compared, which takes more repeats.
        seed: Seed of the first repeat.
        optimizer: ``sgd``, ``momentum``, ``rmsprop``, ``adam`` or ``adamw``, with settings if need
            be: ``"adamw(weight_decay=0.1)"``.
        rate: Learning rate; the optimiser's usual one when left out.
        batch_size: Examples in a batch.
        epochs: Passes over the training part, 10 if neither epochs nor steps are given.
        steps: Optimiser steps, instead of epochs.
        loss: ``bce``, ``cross_entropy`` or ``mse``; what the target calls for when left out.
        rules: Schemes for single parameters by name or pattern, the same under every scheme.
        reach: The loss whose arrival is counted in steps; where half of all runs end when left out.
        engine: Who trains: ``"jax"``, compiled, or ``"torch"``. By default JAX where it is
            installed and takes the network; modules are trained by PyTorch.
        store: Folder to keep the study in, such as ``"runs/banknote.zarr"``. What is finished there
            is not trained again, so a study that was cut off goes on by the same call.
        chunk: Runs trained together, at most; what fits into memory when left out. Fewer lose less
            when the process is killed.
        executor: Who trains: this process, or ``"ray"``, a Ray cluster; a
            `fanin.studies.cluster.RayExecutor` says which one.
        quiet: Show no progress on stderr.

    Returns:
        The study. Print it, plot it, save it; ``.dataset`` holds every curve.

    Raises:
        FaninError: An argument is wrong, network and data do not fit each other, or the store is
            of another study, damaged, or cannot be written to.
        MissingExtra: The engine, or a library of the extra ``study``, is not installed.

    Example:
        >>> study = compare("4-3", "iris", schemes="zeros, he_normal", repeats=3, epochs=2)
        >>> study.dataset["loss"].shape
        (2, 3, 3)
    """
    need("xarray", extra="study", purpose="fanin.compare")
    from fanin.reports.progress import Progress
    from fanin.studies.figures import check_reference
    from fanin.studies.run import run_study

    check_reach(reach)
    workers = _executor(executor)
    reference = None if baseline is None else str(as_recipe(baseline))
    check_reference(reference, printed(schemes))
    job, trainer = prepare(
        network,
        data,
        schemes=schemes,
        repeats=repeats,
        orders=orders,
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
    total = len(job.design.schemes) * len(job.design.runs) * job.design.steps
    with Progress(total, "training steps", quiet=quiet) as progress:
        return run_study(
            job,
            trainer,
            progress.advance,
            executor=workers,
            store=store,
            chunk=chunk,
            target=reach,
            reference=reference,
            skipped=progress.skip,
        )


def _executor(executor: str | Executor | None) -> Executor | None:
    if executor == "ray":
        from fanin.studies.cluster import RayExecutor

        need("ray", extra="ray", purpose='executor="ray"')
        return RayExecutor()
    if isinstance(executor, str):
        raise FaninError(f'executor must be "ray" or an executor, got "{executor}"')
    return executor
