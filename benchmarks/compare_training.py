"""What does one training of a study cost? Against Keras `fit` and the plain torch loop.

The study of the first lesson: five schemes, 200 repeats, one sigmoid unit on four features,
RMSprop, batches of 16, five epochs, losses and accuracies of both parts after every epoch. All 1000
are trained at once by fanin, and one by each peer, which is what a person repeats. All that belongs
to a training is in its time: drawing the start, compiling, the data order, the measuring.

Run: python benchmarks/compare_training.py [figures.jsonl [data.csv target]]
KERAS_BACKEND chooses Keras's backend (jax by default, which is its fastest here).
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
import torch
from sklearn.datasets import make_classification
from torch.nn import functional

from _timing import Figure, report
from fanin.jax.trainer import JaxTrainer
from fanin.studies.data import Data, load
from fanin.studies.design import Design, Optimizer, plan_points
from fanin.studies.grammar import Network
from fanin.studies.order import batches
from fanin.studies.run import run_study
from fanin.studies.trainer import Task
from fanin.torch.trainer import TorchTrainer

SCHEMES = ("zeros", "uniform(-0.05, 0.05)", "normal(0, 0.05)", "he_normal", "lecun_uniform")
REPEATS, EPOCHS, BATCH_SIZE, TURNS = 200, 5, 16, 7


def the_data() -> Data:
    if len(sys.argv) > 3:
        return load(sys.argv[2], target=sys.argv[3], scale=True, holdout=0.3, split_seed=42)
    rows = make_classification(1372, 4, n_informative=4, n_redundant=0, random_state=0)
    return load(rows, scale=True, holdout=0.3, split_seed=42)


def the_task(data: Data) -> Task:
    network = Network.parse("4-1 sigmoid")
    schedule = plan_points(epochs=EPOCHS, n_train=len(data.train), batch_size=BATCH_SIZE)
    design = Design(
        network=str(network),
        data=str(data),
        schemes=SCHEMES,
        repeats=REPEATS,
        seed=0,
        optimizer=Optimizer("rmsprop"),
        batch_size=BATCH_SIZE,
        steps=schedule.steps,
        steps_per_epoch=schedule.steps_per_epoch,
        points=schedule.points,
        loss="bce",
    )
    return Task(design, data, network, {})


def plain_torch(task: Task) -> float:
    """Zeros, repeat 0; gives the last training loss."""
    data, model = task.data, torch.nn.Linear(4, 1)
    torch.nn.init.zeros_(model.weight)
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    parts = [
        (torch.as_tensor(part.features), torch.as_tensor(part.target).float())
        for part in data.parts.values()
    ]
    features, target = parts[0]

    def measure() -> float:
        losses = list[float]()
        with torch.no_grad():
            for inputs, wanted in parts:
                logits = model(inputs).squeeze(-1)
                losses.append(functional.binary_cross_entropy_with_logits(logits, wanted).item())
                ((logits > 0) == wanted.bool()).float().mean().item()
        return losses[0]

    last = measure()
    for epoch in range(EPOCHS):
        for batch in batches(0, epoch, len(features), BATCH_SIZE):
            optimizer.zero_grad()
            logits = model(features[batch]).squeeze(-1)
            functional.binary_cross_entropy_with_logits(logits, target[batch]).backward()
            optimizer.step()
        last = measure()
    return last


def keras_model() -> Any:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(1, activation="sigmoid", kernel_initializer="lecun_uniform"),
        ]
    )
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return model


def fit(model: Any, data: Data) -> None:
    train, held_out = (
        (part.features, part.target.astype(np.float32)[:, None]) for part in data.parts.values()
    )
    model.fit(*train, batch_size=BATCH_SIZE, epochs=EPOCHS, validation_data=held_out, verbose=0)


def keras_reused(data: Data) -> Callable[[], object]:
    """The same model over and over: weights and optimiser are reset, nothing is compiled again."""
    model = keras_model()
    fit(model, data)
    start = model.get_weights()

    def run() -> None:
        model.set_weights(start)
        for variable in model.optimizer.variables[2:]:
            variable.assign(np.zeros(variable.shape))
        fit(model, data)

    return run


def main() -> None:
    data = the_data()
    task, trainer, in_torch = the_task(data), JaxTrainer(), TorchTrainer()
    with tempfile.TemporaryDirectory() as nothing:
        # As on a machine that has compiled nothing yet.
        os.environ["XDG_CACHE_HOME"] = nothing
        first = time.perf_counter()
        study = run_study(task, trainer)
        first = time.perf_counter() - first
    together, alone = float(study.dataset["loss"][0, 0, -1]), plain_torch(task)
    # epsilon is inside the root here and outside in torch: a relative 1e-4 of the first steps.
    assert abs(together - alone) < 1e-4, f"not the same training: {together} and {alone}"
    trainings = len(SCHEMES) * REPEATS
    backend = f"Keras {keras.__version__} on {keras.backend.backend()}"
    contestants: dict[str, tuple[Callable[[], object], int]] = {
        f"fanin on JAX, {trainings} at once": (lambda: run_study(task, trainer), trainings),
        f"fanin on torch, {trainings} at once": (lambda: run_study(task, in_torch), trainings),
        "plain torch loop": (lambda: plain_torch(task), 1),
        f"{backend}, fit of a new model": (lambda: fit(keras_model(), data), 1),
        f"{backend}, fit of one model reset": (keras_reused(data), 1),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(TURNS):
        for name, (run, count) in contestants.items():
            begun = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - begun) / count)
    base = next(iter(times.values()))
    figures = [
        Figure(
            name,
            statistics.median(taken),
            statistics.median(own / ours for own, ours in zip(taken, base, strict=True)),
        )
        for name, taken in times.items()
    ]
    first /= trainings
    figures.append(
        Figure("fanin on JAX, first study, compiling", first, first / figures[0].seconds)
    )
    question = f"one training of {task.design.network}, {task.design.steps} steps, on {data.name}"
    report(question, figures, unit="ms", per=1e-3)


main()
