"""The update rules against hand-computed steps and against their formulas written out in NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from fanin.studies.optimizer import Optimizer
from fanin.torch.optimizers import RULES, Updater


def step_by_step(rule: str, start: list[float], gradients: list[list[float]]) -> list[list[float]]:
    """The weights after each update."""
    weight = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    updater = Updater(Optimizer.parse(rule), [weight])
    path = list[list[float]]()
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        updater.step()
        path.append(weight.tolist())
    return path


def test_sgd_takes_the_rate_times_the_gradient() -> None:
    assert step_by_step("sgd(0.5)", [1.0], [[2.0], [-1.0]]) == [[0.0], [0.5]]


def test_momentum_by_hand() -> None:
    # v = 2, then 0.9 * 2 + 1 = 2.8; w = 1 - 0.2, then 0.8 - 0.28.
    path = step_by_step("momentum(0.1)", [1.0], [[2.0], [1.0]])
    np.testing.assert_allclose(path, [[0.8], [0.52]], rtol=1e-14)


def test_rmsprop_by_hand() -> None:
    # s = 0.1 * 4 = 0.4, then 0.36 + 0.1 * 1 = 0.46.
    path = step_by_step("rmsprop(0.01)", [1.0], [[2.0], [1.0]])
    first = 1 - 0.01 * 2 / np.sqrt(0.4 + 1e-7)
    np.testing.assert_allclose(path, [[first], [first - 0.01 / np.sqrt(0.46 + 1e-7)]], rtol=1e-14)


def test_the_epsilon_of_rmsprop_is_inside_the_root() -> None:
    # With a gradient of 1e-5, s = 1e-11 and epsilon rules: 1e-5 / sqrt(1e-11 + 1e-7) = 0.0316.
    # Outside the root it would be 1e-5 / (sqrt(1e-11) + 1e-7) = 3.07.
    (moved,) = step_by_step("rmsprop(1)", [0.0], [[1e-5]])
    assert moved[0] == pytest.approx(-1e-5 / np.sqrt(1e-11 + 1e-7), rel=1e-12)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_follows_its_algorithm(*, decoupled: bool) -> None:
    rate, first, second, epsilon, decay = 0.01, 0.8, 0.95, 1e-3, 0.1 if decoupled else 0.0
    settings = f"beta1={first}, beta2={second}, epsilon={epsilon}"
    rule = f"adam({rate}, {settings})"
    if decoupled:
        rule = f"adamw({rate}, {settings}, weight_decay={decay})"
    gradients = np.random.default_rng(0).normal(size=(5, 3))
    weight, mean, square, path = np.ones(3), np.zeros(3), np.zeros(3), []
    for t, gradient in enumerate(gradients, start=1):
        weight = weight * (1 - rate * decay)
        mean = first * mean + (1 - first) * gradient
        square = second * square + (1 - second) * gradient**2
        corrected = np.sqrt(square / (1 - second**t)) + epsilon
        weight = weight - rate * mean / (1 - first**t) / corrected
        path.append(weight)
    np.testing.assert_allclose(
        step_by_step(rule, [1.0, 1.0, 1.0], gradients.tolist()), path, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("sgd(0.1)", lambda p: torch.optim.SGD(p, lr=0.1)),
        ("momentum(0.1, momentum=0.8)", lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8)),
        # torch adds epsilon outside the root, which matters as little as epsilon does.
        (
            "rmsprop(0.01, epsilon=1e-300)",
            lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=0.0),
        ),
        ("adam", lambda p: torch.optim.Adam(p, lr=0.001)),
        ("adamw", lambda p: torch.optim.AdamW(p, lr=0.001)),
    ],
)
def test_the_rules_are_those_of_torch(ours: str, theirs: Callable[..., Any]) -> None:
    gradients = np.random.default_rng(1).normal(size=(6, 4))
    weight = torch.ones(4, dtype=torch.float64, requires_grad=True)
    optimizer = theirs([weight])
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    path = step_by_step(ours, [1.0] * 4, gradients.tolist())
    np.testing.assert_allclose(path[-1], weight.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", list(RULES))
def test_stacking_changes_nothing(name: str) -> None:
    """Each training of a stack is updated as if it were alone, to the last bit or nearly.

    The vector part and the rest of an array may round differently, by one unit of the last place in
    a step: 4 steps of weights up to 4, so 4 * 4 * 2^-24 < 1e-6.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(3, 5, generator=generator)
    gradients = torch.randn(4, 3, 5, generator=generator)
    stacked = start.clone().requires_grad_()
    alone = [row.clone().requires_grad_() for row in start]
    updaters = [Updater(Optimizer(name), [leaf]) for leaf in (stacked, *alone)]
    for gradient in gradients:
        stacked.grad = gradient.clone()
        for leaf, own in zip(alone, gradient, strict=True):
            leaf.grad = own.clone()
        for updater in updaters:
            updater.step()
    torch.testing.assert_close(stacked.detach(), torch.stack(alone).detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", list(RULES))
def test_a_parameter_without_gradient_stays_and_gradients_are_dropped(name: str) -> None:
    weight, idle = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    updater = Updater(Optimizer(name), [weight, idle])
    weight.grad = torch.ones(1)
    updater.step()
    assert weight.grad is None
    assert weight.item() < 1
    assert idle.item() == 1
