"""The verb `compare`: which initialisation for this network and this data, and how sure is that.

Everything but the scheme is held fixed: the data and its split, the optimiser, the number of
steps, and within a repeat the order of the data. The repeats differ in their seed, so what a scheme
owes to luck is measured and not guessed.
"""

import importlib.util
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from fanin.calls import split_calls
from fanin.errors import FaninError, MissingExtra, need
from fanin.recipes import as_recipe
from fanin.schemes import Scheme, as_scheme
from fanin.studies.data import Data
from fanin.studies.design import Design, Loss, check_loss, plan_points
from fanin.studies.grammar import Network
from fanin.studies.optimizer import Optimizer
from fanin.studies.study import Study
from fanin.studies.trainer import Task, Trainer

Schemes = str | Scheme | Iterable[str | Scheme]
"""Schemes as a comma-separated text, one scheme, or several of either."""


def compare(
    network: str | Network | Callable[[], Any],
    data: object,
    *,
    schemes: Schemes,
    target: str | list[str] | None = None,
    scale: bool = False,
    holdout: float = 0.3,
    split_seed: int = 42,
    task: str | None = None,
    repeats: int = 20,
    seed: int = 0,
    optimizer: str | Optimizer = "sgd",
    rate: float | None = None,
    batch_size: int = 32,
    epochs: int | None = None,
    steps: int | None = None,
    loss: str | None = None,
    rules: Mapping[str, str | Scheme] | None = None,
    reach: float | None = None,
    quiet: bool = False,
) -> Study:
    """Train a network many times from each of several initialisations.

    Args:
        network: A line such as ``"64-128-10 relu"`` (sizes, hidden and output activation, options
            ``norm=layer|batch``, ``dropout=0.1``, ``bias=no``), or a function without arguments
            that builds an ``nn.Module`` which turns a batch of features into logits.
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
        quiet: Show no progress on stderr.

    Returns:
        The study. Print it, plot it, save it; ``.dataset`` holds every curve.

    Raises:
        FaninError: An argument is wrong, or network and data do not fit each other.
        MissingExtra: PyTorch, or a library of the extra ``study``, is not installed.

    Example:
        >>> study = compare("4-3", "iris", schemes="zeros, he_normal", repeats=3, epochs=2)
        >>> study.dataset["loss"].shape
        (2, 3, 3)
    """
    need("xarray", extra="study", purpose="fanin.compare")
    from fanin.reports.progress import Progress
    from fanin.studies.data import load
    from fanin.studies.fits import check_fits
    from fanin.studies.run import run_study

    names = printed(schemes)
    if reach is not None and not math.isfinite(reach):
        raise FaninError(f"reach must be a loss, a finite number, got {reach}")
    rule = optimizer if isinstance(optimizer, Optimizer) else Optimizer.parse(optimizer, rate)
    if isinstance(optimizer, Optimizer) and rate not in {None, optimizer.rate}:
        raise FaninError(f"two rates are given: {optimizer} and rate={rate}")
    wanted = Network.parse(network) if isinstance(network, str) else network
    if not isinstance(wanted, Network):
        check_builds(wanted)
    loaded = load(
        data, target=target, scale=scale, holdout=holdout, split_seed=split_seed, task=task
    )
    schedule = plan_points(
        epochs=epochs, steps=steps, n_train=len(loaded.train), batch_size=batch_size
    )
    fixed = Design(
        network=str(wanted) if isinstance(wanted, Network) else name_of(wanted),
        data=str(loaded),
        schemes=names,
        repeats=repeats,
        seed=seed,
        optimizer=rule,
        batch_size=batch_size,
        steps=schedule.steps,
        steps_per_epoch=schedule.steps_per_epoch,
        points=schedule.points,
        loss=check_fits(wanted, loaded, loss)
        if isinstance(wanted, Network)
        else loss_of(loaded, loss),
    )
    single = {name: str(as_scheme(scheme)) for name, scheme in (rules or {}).items()}
    job = Task(fixed, loaded, wanted, single)
    total = len(names) * len(fixed.runs) * fixed.steps
    with Progress(total, "training steps", quiet=quiet) as progress:
        study = run_study(job, engine(), progress.advance)
    return replace(study, target=reach)


def printed(schemes: Schemes) -> tuple[str, ...]:
    """Print every scheme in full.

    Args:
        schemes: What a verb was given.

    Returns:
        One text for each.
    """
    if isinstance(schemes, str):
        listed: Iterable[str | Scheme] = split_calls(schemes)
    elif isinstance(schemes, Scheme):
        listed = (schemes,)
    else:
        listed = schemes
    return tuple(str(as_recipe(scheme)) for scheme in listed)


def check_builds(network: object) -> None:
    """A model can be called too, but calling it is not building it."""
    if not callable(network) or (hasattr(network, "forward") and not isinstance(network, type)):
        raise FaninError(
            'network must be a line such as "4-8-1 relu" or a function without arguments that '
            f"builds a model, got {type(network).__name__}; in place of a model pass lambda: model"
        )


def name_of(build: Callable[[], Any]) -> str:
    """Name a function that builds a network."""
    return str(getattr(build, "__qualname__", type(build).__name__))


def loss_of(data: Data, loss: str | None) -> Loss:
    """A function's outputs are unknown before it runs; one logit per class is the usual."""
    if loss is not None:
        return check_loss(loss)
    return "cross_entropy" if data.classes else "mse"


def engine() -> Trainer:
    """Choose the engine that trains.

    Returns:
        The engine.

    Raises:
        MissingExtra: PyTorch is not installed.
    """
    if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
        raise MissingExtra(
            'This trains with PyTorch, which is not installed: pip install "fanin[torch]"'
        )
    from fanin.torch.trainer import TorchTrainer

    return TorchTrainer()
