"""From what a person asks for to a task and an engine: the same questions for every study.

`compare`, `sweep` and `restart` differ in what they do with the trainings. What is trained on what,
and how, is asked and checked here, so that a mistake gets the same answer everywhere.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fanin.calls import split_calls
from fanin.errors import FaninError
from fanin.recipes import as_recipe
from fanin.schemes import Scheme, as_scheme
from fanin.studies.data import Data
from fanin.studies.design import Design, Loss, check_loss, plan_points
from fanin.studies.grammar import Network
from fanin.studies.optimizer import Optimizer
from fanin.studies.trainer import Task, Trainer
from fanin.verbs.engine import is_jax_model, trainer_for

Schemes = str | Scheme | Iterable[str | Scheme]
"""Schemes as a comma-separated text, one scheme, or several of either."""


def prepare(
    network: Any,
    data: object,
    *,
    schemes: Schemes,
    repeats: int,
    orders: int,
    seed: int,
    target: str | list[str] | None,
    scale: bool,
    holdout: float,
    split_seed: int,
    task: str | None,
    optimizer: str | Optimizer,
    rate: float | None,
    batch_size: int,
    epochs: int | None,
    steps: int | None,
    loss: str | None,
    rules: Mapping[str, str | Scheme] | None,
    engine: str | None,
) -> tuple[Task, Trainer]:
    """Settle what is trained, and by whom.

    Args:
        network: As for `fanin.compare`, as all that follows.
        data: The data.
        schemes: The schemes.
        repeats: Starts of each scheme.
        orders: Data orders of each start.
        seed: Seed of the first start.
        target: Name of the target column.
        scale: Standardise the features.
        holdout: Fraction of the rows held out.
        split_seed: Seed of the split.
        task: Kind of the target.
        optimizer: The update rule.
        rate: Its rate.
        batch_size: Examples in a batch.
        epochs: Passes over the training part.
        steps: Optimiser steps, instead.
        loss: What is minimised.
        rules: Schemes for single parameters.
        engine: Who trains.

    Returns:
        The task and the engine.

    Raises:
        FaninError: An argument is wrong, or network and data do not fit each other.
        MissingExtra: The engine, or a library of the extra ``study``, is not installed.
    """
    from fanin.studies.data import load
    from fanin.studies.fits import check_fits

    names = printed(schemes)
    rule = optimizer if isinstance(optimizer, Optimizer) else Optimizer.parse(optimizer, rate)
    if isinstance(optimizer, Optimizer) and rate not in {None, optimizer.rate}:
        raise FaninError(f"two rates are given: {optimizer} and rate={rate}")
    wanted = Network.parse(network) if isinstance(network, str) else network
    if not isinstance(wanted, Network) and not is_jax_model(wanted):
        _check_builds(wanted)
    loaded = load(
        data, target=target, scale=scale, holdout=holdout, split_seed=split_seed, task=task
    )
    schedule = plan_points(
        epochs=epochs, steps=steps, n_train=len(loaded.train), batch_size=batch_size
    )
    fixed = Design(
        network=str(wanted) if isinstance(wanted, Network) else _name_of(wanted),
        data=str(loaded),
        schemes=names,
        repeats=repeats,
        orders=orders,
        seed=seed,
        optimizer=rule,
        batch_size=batch_size,
        steps=schedule.steps,
        steps_per_epoch=schedule.steps_per_epoch,
        points=schedule.points,
        loss=check_fits(wanted, loaded, loss)
        if isinstance(wanted, Network)
        else _loss_of(loaded, loss),
    )
    single = {name: str(as_scheme(scheme)) for name, scheme in (rules or {}).items()}
    trainer = trainer_for(wanted, names, single.values(), engine)
    return Task(fixed, loaded, wanted, single), trainer


def printed(schemes: Schemes) -> tuple[str, ...]:
    """Print every scheme in full.

    Args:
        schemes: What a verb was given.

    Returns:
        One text for each.

    Example:
        >>> printed("zeros, normal(0, 0.1)")
        ('zeros', 'normal(0, 0.1)')
    """
    if isinstance(schemes, str):
        listed: Iterable[str | Scheme] = split_calls(schemes)
    elif isinstance(schemes, Scheme):
        listed = (schemes,)
    else:
        listed = schemes
    return tuple(str(as_recipe(scheme)) for scheme in listed)


def check_reach(reach: float | None) -> None:
    """Hold the loss whose arrival is counted to be one.

    Args:
        reach: The loss, None where it was left out.

    Raises:
        FaninError: It is not a finite number.
    """
    if reach is not None and not math.isfinite(reach):
        raise FaninError(f"reach must be a loss, a finite number, got {reach}")


def _check_builds(network: object) -> None:
    """A model can be called too, but calling it is not building it."""
    if not callable(network) or (hasattr(network, "forward") and not isinstance(network, type)):
        raise FaninError(
            'network must be a line such as "4-8-1 relu" or a function without arguments that '
            f"builds a model, got {type(network).__name__}; in place of a model pass lambda: model"
        )


def _name_of(network: Any) -> str:
    build: Any = network.apply if is_jax_model(network) else network
    return str(getattr(build, "__qualname__", type(build).__name__))


def _loss_of(data: Data, loss: str | None) -> Loss:
    """A function's outputs are unknown before it runs; one logit per class is the usual."""
    if loss is not None:
        return check_loss(loss)
    return "cross_entropy" if data.classes else "mse"
