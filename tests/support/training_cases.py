"""Small studies for the tests of the trainers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fanin.studies.data import Data, Part
from fanin.studies.design import Design, Optimizer, plan_points
from fanin.studies.fits import check_fits
from fanin.studies.grammar import Network
from fanin.studies.trainer import SPLITS, Task, Trainer


def blobs(n: int = 90, features: int = 4, classes: int = 2, held_out: int = 30) -> Data:
    """Overlapping Gaussian clouds, one per class, the last rows held out."""
    generator = np.random.default_rng(7)
    target = generator.integers(0, classes, n + held_out)
    centres = generator.normal(0, 1.5, (classes, features))
    rows = centres[target] + generator.normal(0, 1, (n + held_out, features))
    return _data("classification", rows, target.astype(np.int64), n, classes)


def line(n: int = 60, features: int = 3, targets: int = 1, held_out: int = 20) -> Data:
    """Linear data with noise."""
    generator = np.random.default_rng(8)
    rows = generator.normal(0, 1, (n + held_out, features))
    slopes = generator.normal(0, 1, (features, targets))
    target = rows @ slopes + generator.normal(0, 0.1, (n + held_out, targets))
    return _data("regression", rows, target.astype(np.float32), n, 0, targets)


def _data(kind: Any, rows: Any, target: Any, n: int, classes: int, targets: int = 1) -> Data:
    rows = rows.astype(np.float32)
    return Data(
        name="made up",
        kind=kind,
        train=Part(rows[:n], target[:n]),
        held_out=Part(rows[n:], target[n:]) if len(rows) > n else None,
        feature_names=tuple(f"x{column}" for column in range(rows.shape[1])),
        target_names=tuple(f"y{column}" for column in range(targets)),
        classes=tuple("abcdefghij"[:classes]),
        preparation="not split by hand",
    )


def case(
    network: str | Callable[[], Any],
    data: Data,
    *,
    schemes: Sequence[str] = ("he_normal", "normal(0, 0.05)"),
    repeats: int = 3,
    optimizer: str = "rmsprop",
    epochs: int = 2,
    batch_size: int = 16,
    seed: int = 0,
    loss: str | None = None,
    rules: dict[str, str] | None = None,
    orders: int = 1,
) -> Task:
    """One study with small defaults; a factory takes the loss that two or more classes call for."""
    built = Network.parse(network) if isinstance(network, str) else network
    if isinstance(built, Network):
        chosen = check_fits(built, data, loss)
    else:
        chosen: Any = loss or ("bce" if len(data.classes) == 2 else "cross_entropy")
    schedule = plan_points(epochs=epochs, n_train=len(data.train), batch_size=batch_size)
    design = Design(
        network=str(network),
        data=data.name,
        schemes=tuple(schemes),
        repeats=repeats,
        seed=seed,
        optimizer=Optimizer.parse(optimizer),
        batch_size=batch_size,
        steps=schedule.steps,
        steps_per_epoch=schedule.steps_per_epoch,
        points=schedule.points,
        loss=chosen,
        orders=orders,
    )
    return Task(design, data, built, rules or {})


def empty_curves(task: Task, runs: int) -> dict[str, Any]:
    """What a trainer is given to fill."""
    shape = (len(SPLITS), len(task.design.schemes), runs, len(task.design.points))
    return {metric: np.full(shape, np.nan, np.float32) for metric in task.metrics}


def curves_of(trainer: Trainer, task: Task, runs: Sequence[int] | None = None) -> dict[str, Any]:
    """Train some runs of a task, by index, by default all, in one chunk."""
    chosen = task.design.runs if runs is None else [task.design.runs[index] for index in runs]
    curves = empty_curves(task, len(chosen))
    trainer.run(task, chosen, curves, [].append)
    return curves
