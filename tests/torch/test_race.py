"""A race against the trainer of studies: whoever is in it, a start trains as it does alone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fanin.studies.race import Racer
from fanin.studies.restarting import trials_of
from fanin.studies.trainer import Task
from fanin.torch.networks import build_network
from fanin.torch.trainer import TorchTrainer
from training_cases import blobs, case, curves_of

# As in test_trainer: sums of other sizes in another order, for some 24 steps of curves near 1.
SAME = {"rtol": 0, "atol": 2e-5}


class Tied(nn.Module):
    """Two names of one matrix, and a batch norm with buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)
        self.first, self.second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.second.weight = self.first.weight
        self.head = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(self.norm(x))))))


class Stubborn(nn.Module):
    """What vmap cannot take: it asks for a number in the middle of the pass."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        out = self.head(x)
        return out if out.sum().item() > 1e9 else out * 1.0


def hold(task: Task, stops: list[tuple[int, list[int]]], memory: int = 2**30) -> Any:
    """Race with cuts; gives the last losses, weights and outputs, and who was left."""
    trainer, left = TorchTrainer(memory), list(range(len(trials_of(task.design))))
    with trainer.race(task, trials_of(task.design)) as race:
        for step, which in stops:
            race.advance(step, [].append)
            race.keep(which)
            left = [left[place] for place in which]
        race.advance(task.design.steps, [].append)
        weights = [race.weights(place) for place in range(len(left))]
        return race.losses(), weights, race.outputs(task.data.train.features), left


def test_it_is_a_racer() -> None:
    assert isinstance(TorchTrainer(), Racer)


@pytest.mark.parametrize("optimizer", ["sgd(0.1)", "momentum(0.05)", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("network", ["4-6-3 tanh", "4-6-3 relu norm=batch bias=no", Tied, Stubborn])
@pytest.mark.parametrize("memory", [2**30, 20_000])
def test_a_start_trains_in_company_as_it_does_alone(optimizer, network, memory) -> None:
    """Cut in the middle of an epoch and at its end, in one stack and in several.

    No bias below a batch norm: its gradient is rounding, of which Adam makes whole steps.
    """
    loss = None if isinstance(network, str) else "cross_entropy"
    task = case(network, blobs(classes=3), repeats=5, epochs=4, optimizer=optimizer, loss=loss)
    stops = [(4, [0, 2, 3, 5, 6, 9]), (12, [0, 3, 5])]
    losses, weights, outputs, left = hold(task, stops, memory)
    assert left == [0, 5, 9]
    alone = curves_of(TorchTrainer(), task)["loss"][..., -1]
    for place, (index, held) in enumerate(zip(left, weights, strict=True)):
        run, scheme = divmod(index, 2)
        np.testing.assert_allclose(losses[:, place], alone[:, scheme, run], **SAME)
        model = build_network(task.network, task.design.loss)
        model.load_state_dict({k: torch.as_tensor(v) for k, v in held.items()}, strict=True)
        model.eval()
        with torch.no_grad():
            found = model(torch.as_tensor(task.data.train.features))
        np.testing.assert_allclose(outputs[place], found.numpy(), rtol=1e-5, atol=1e-5)


def test_a_lost_start_stays_lost_and_hurts_no_other() -> None:
    schemes = ("he_normal", "normal(0, 1e30)")
    task = case("4-6-3 relu", blobs(classes=3), schemes=schemes, repeats=2, optimizer="sgd(0.1)")
    losses, *_ = hold(task, [(4, [0, 1, 2, 3])])
    assert np.isinf(losses[:, [1, 3]]).all()
    assert np.isfinite(losses[:, [0, 2]]).all()


def test_ticks_count_the_steps_of_single_trainings() -> None:
    task, ticks = case("4-1 sigmoid", blobs(), repeats=3), list[int]()
    with TorchTrainer().race(task, trials_of(task.design)) as race:
        race.advance(4, ticks.append)
        race.keep([1])
        race.advance(6, ticks.append)
    assert sum(ticks) == 4 * 6 + 2


def test_the_process_and_the_network_are_left_alone() -> None:
    model = nn.Linear(4, 3).eval()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    hold(case(lambda: model, blobs(classes=3), loss="cross_entropy"), [(2, [0])])
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
