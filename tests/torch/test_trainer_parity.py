"""The trainer against Keras and against a plain torch loop: same start, same batches, same curves.

How near is near: in every step a weight below 2 in size is rounded to float32, by 2^-24 at most,
and so is its update, by less. The errors add at worst linearly, over steps and over weights, but
their signs are as good as random, and the losses here have slopes below 1 in each weight: an
allowance of 2^-23 for each step holds for the handful of weights that a loss depends on.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from fanin.recipes import assign
from fanin.studies.optimizer import Optimizer
from fanin.studies.order import batches
from fanin.studies.trainer import Task
from fanin.torch.layouts import slots
from fanin.torch.networks import build_network
from fanin.torch.trainer import TorchTrainer
from training_cases import blobs, case, curves_of

EPOCHS = 4


def near(task: Task) -> float:
    return task.design.steps * 2**-23


def weights_of(task: Task, scheme: str, repeat: int) -> dict[str, Any]:
    model = build_network(task.network, task.design.loss)
    return assign(slots(model), scheme).start(task.design.seeds[repeat])


def each_trial(task: Task) -> list[tuple[int, str, int, int]]:
    return [
        (s, scheme, r, seed)
        for s, scheme in enumerate(task.design.schemes)
        for r, seed in enumerate(task.design.seeds)
    ]


def keras_curves(task: Task, weights: dict[str, Any], seed: int) -> dict[str, Any]:
    """Loss and accuracy of both parts after each epoch, by Keras alone."""
    import keras

    design, data = task.design, task.data
    rule: Optimizer = design.optimizer
    sizes = [int(size) for size in design.network.split()[0].split("-")]
    hidden = [keras.layers.Dense(size, activation="relu") for size in sizes[1:-1]]
    model = keras.Sequential([keras.Input((sizes[0],)), *hidden, keras.layers.Dense(sizes[-1])])
    for layer, dense in enumerate(model.layers):
        kernel, bias = (weights[f"layers.{layer}.{name}"] for name in ("weight", "bias"))
        dense.set_weights([kernel.T, bias])
    optimizer = {
        "sgd": lambda: keras.optimizers.SGD(rule.rate),
        "momentum": lambda: keras.optimizers.SGD(rule.rate, momentum=rule.momentum),
        "rmsprop": lambda: keras.optimizers.RMSprop(
            rule.rate, rho=rule.decay, epsilon=rule.epsilon
        ),
        "adam": lambda: keras.optimizers.Adam(rule.rate, *rule.betas, epsilon=rule.epsilon),
    }[rule.name]()
    binary = design.loss == "bce"
    loss = (
        keras.losses.BinaryCrossentropy(from_logits=True)
        if binary
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    metric = (
        keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
        if binary
        else keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    )
    model.compile(optimizer, loss, metrics=[metric])
    measured: dict[str, Any] = {"loss": ([], []), "accuracy": ([], [])}
    features, target = data.train.features, data.train.target.astype(np.float32)[:, None]
    for epoch in range(EPOCHS + 1):
        for split, part in enumerate(data.parts.values()):
            wanted = part.target.astype(np.float32)[:, None]
            values = model.evaluate(part.features, wanted, verbose=0, return_dict=True)
            for name, value in values.items():
                measured[name][split].append(value)
        if epoch < EPOCHS:
            for batch in batches(seed, epoch, len(features), design.batch_size):
                model.train_on_batch(features[batch], target[batch])
    return measured


@pytest.mark.parametrize("line", ["4-1 sigmoid", "4-8-3 relu"])
@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd(0.05)", "adam"])
def test_curves_are_those_of_keras(line: str, optimizer: str) -> None:
    """Keras leaves Adam's epsilon out of the correction of the first steps, so that it weighs up to
    1 / sqrt(0.001) = 32 times as much: at 1e-8, beside gradients of 1e-2, 3e-5 of a step of 1e-3.
    And both rules divide a gradient by its own size, so what cancels in a batch's sum comes back as
    a larger share of a step: an allowance of 4.
    """
    task = case(
        line,
        blobs(classes=2 if line.endswith("sigmoid") else 3),
        optimizer=optimizer,
        epochs=EPOCHS,
        repeats=1,
        seed=5,
    )
    curves = curves_of(TorchTrainer(), task)
    for s, scheme, r, seed in each_trial(task):
        theirs = keras_curves(task, weights_of(task, scheme, r), seed)
        np.testing.assert_allclose(
            curves["loss"][:, s, r], theirs["loss"], rtol=0, atol=4 * near(task)
        )
        np.testing.assert_allclose(curves["accuracy"][:, s, r], theirs["accuracy"], atol=1e-6)


def plain_torch_curves(
    task: Task, weights: dict[str, Any], seed: int, optimizer: Callable[..., Any]
) -> list[list[float]]:
    """The loss of both parts after each epoch, by the loop that everyone writes."""
    model = build_network(task.network, task.design.loss)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    steps = optimizer(model.parameters())
    criterion = torch.nn.CrossEntropyLoss()
    parts = [
        (torch.from_numpy(p.features), torch.from_numpy(p.target)) for p in task.data.parts.values()
    ]
    features, target = parts[0]

    def losses() -> Sequence[float]:
        model.eval()
        with torch.no_grad():
            return [criterion(model(x), y).item() for x, y in parts]

    path = [losses()]
    for epoch in range(EPOCHS):
        model.train()
        for batch in batches(seed, epoch, len(features), task.design.batch_size):
            steps.zero_grad()
            criterion(model(features[batch]), target[batch]).backward()
            steps.step()
        path.append(losses())
    return [list(curve) for curve in zip(*path, strict=True)]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("sgd(0.05)", lambda p: torch.optim.SGD(p, lr=0.05)),
        ("momentum(0.02)", lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9)),
        ("adam(0.003)", lambda p: torch.optim.Adam(p, lr=0.003)),
        ("adamw(0.003)", lambda p: torch.optim.AdamW(p, lr=0.003)),
    ],
)
@pytest.mark.parametrize(
    "line", ["4-8-3 relu", "4-6-6-3 tanh norm=layer", "4-6-3 relu norm=batch bias=no"]
)
def test_curves_are_those_of_a_plain_loop(line: str, ours: str, theirs: Callable[..., Any]) -> None:
    """Batch and layer norms divide by a spread of about 1/2, and Adam's first steps by gradients
    that may be as small as their own rounding; an allowance of 8 covers the two.

    Below a batch norm there is no bias here: its gradient is zero but for rounding, and Adam makes
    full steps of the rounding, which the running mean of the norm then lags behind. And no start is
    small: a layer norm behind weights of 0.05 divides by as little, and rounding with the rest.
    """
    schemes = ("he_normal", "lecun_uniform")
    task = case(line, blobs(classes=3), schemes=schemes, optimizer=ours, epochs=EPOCHS, seed=11)
    curves = curves_of(TorchTrainer(), task)
    for s, scheme, r, seed in each_trial(task):
        plain = plain_torch_curves(task, weights_of(task, scheme, r), seed, theirs)
        np.testing.assert_allclose(curves["loss"][:, s, r], plain, rtol=0, atol=8 * near(task))
