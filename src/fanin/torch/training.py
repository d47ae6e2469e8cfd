"""Trainings that go through the steps together: one batch for each, one update, one measurement.

Whoever decides which trainings those are, and when they are measured, builds on this: the trainer
of a study lets all of them go to the end, a race thins them out on the way.
"""

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from fanin.errors import FaninError
from fanin.studies.data import Part
from fanin.studies.order import batches
from fanin.studies.trainer import Task
from fanin.torch.examine import Examination, give_shapes
from fanin.torch.networks import build_network
from fanin.torch.objectives import example_losses, hits
from fanin.torch.optimizers import Updater
from fanin.torch.randomness import seeded
from fanin.torch.trials import Trials

THREAD_WORK = 2**26
"""Multiplications, some 20 ms of one core, below which one thread does all. On two idle cores the
second takes nothing off a step of 2**18 and a quarter off one of 2**24; where another process wants
one of the cores, it makes every operation of the step wait, measured as 8 ms instead of 0.03."""

SHOWN = 256
"""Examples of the training part that a recipe is shown, enough for the size of the inputs."""


def shown(task: Task, module: nn.Module) -> tuple[Tensor, Tensor]:
    """Take a few examples, by which a recipe sees where the parameters stand.

    Args:
        task: The study.
        module: The network.

    Returns:
        Features and targets of up to `SHOWN` training examples.
    """
    features, targets = tensors(task, module)[0]
    return features[:SHOWN], targets[:SHOWN]


@contextmanager
def opened(task: Task) -> Generator[nn.Module]:
    """Build the network; leave the process and, if it is one kept elsewhere, the network alone.

    Args:
        task: The study.

    Yields:
        The network.

    Raises:
        FaninError: It cannot be built, or does not fit the data.
    """
    with (
        seeded(task.design.seed, "factory of the network"),
        torch.inference_mode(False),
        torch.enable_grad(),
        warnings.catch_warnings(),
    ):
        # An operation that vmap runs one by one inside is slow and right.
        warnings.filterwarnings("ignore", message="There is a performance drop")
        module = build_network(task.network, task.design.loss)
        if any(map(is_lazy, module.parameters())):
            give_shapes(module, task)
        modes = {layer: layer.training for layer in module.modules()}
        try:
            yield module
        finally:
            for layer, training in modes.items():
                layer.training = training


def work_of(module: nn.Module, examination: Examination) -> int:
    """Estimate the multiplications for an example: a layer that shares its weights holds more.

    Args:
        module: The network.
        examination: What one step of it showed.

    Returns:
        The number, roughly.
    """
    weights = sum(parameter.numel() for parameter in module.parameters())
    return max(weights, examination.held // 4)


@contextmanager
def _threads(work: int) -> Generator[None]:
    """Do small work on one thread, and put the number of threads back afterwards."""
    threads = torch.get_num_threads()
    if work < THREAD_WORK:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _told(network: str, step: int) -> Generator[None]:
    """Tell a failure of the network in the middle of its training as one."""
    try:
        yield
    except Exception as problem:
        raise FaninError(
            f"the network {network} failed in training step {step}: "
            f"{type(problem).__name__}: {problem}"
        ) from problem


def tensors(task: Task, module: nn.Module) -> tuple[tuple[Tensor, Tensor], ...]:
    """Bring the data to where and how the network wants them.

    Args:
        task: The study.
        module: The network.

    Returns:
        Features and targets of each part of the data.
    """
    like = next(module.parameters())

    def brought(part: Part) -> tuple[Tensor, Tensor]:
        features = torch.tensor(part.features, dtype=like.dtype, device=like.device)
        return features, torch.tensor(part.target, device=like.device)

    return tuple(brought(part) for part in task.data.parts.values())


class Stack:
    """Some trainings of a study, and where each of them is.

    Args:
        trials: The networks.
        task: The study.
        orders: The seed of each run's data order.
        parts: Features and targets of each part of the data.
        rows: How many examples to measure on at a time.
        work: Multiplications that an example takes in a forward pass of all of them.
        updater: What moves the parameters; fresh by default.
    """

    def __init__(
        self,
        trials: Trials,
        task: Task,
        orders: Sequence[int],
        parts: tuple[tuple[Tensor, Tensor], ...],
        *,
        rows: int,
        work: int,
        updater: Updater | None = None,
    ) -> None:
        self.trials, self.task, self.orders, self.parts = trials, task, tuple(orders), parts
        self.updater = updater or Updater(task.design.optimizer, trials.leaves)
        self._rows, self._work = rows, work
        self._epoch, self._batches = -1, list[Tensor]()

    def advance(self, first: int, last: int, tick: Callable[[int], None]) -> None:
        """Take the steps from one to another.

        Args:
            first: How many steps were taken before.
            last: How many will have been taken then.
            tick: Called with 1 after each step.

        Raises:
            FaninError: The network fails.
        """
        design = self.task.design
        features, targets = self.parts[0]
        step_work = 3 * self._work * design.batch_size  # forward, and two products backward
        for step in range(first, last):
            passes, position = divmod(step, design.steps_per_epoch)
            if passes != self._epoch:
                self._epoch, self._batches = passes, self._shuffled(passes)
            picked = self._batches[position].to(features.device)
            with _threads(step_work), _told(design.network, step + 1):
                outputs = self.trials.train(features[picked])
                losses = example_losses(design.loss, outputs, targets[picked].unsqueeze(1))
                torch.autograd.backward(losses.mean(-1).sum())
                self.updater.step()
            tick(1)

    def measure(self) -> list[dict[str, NDArray[np.float64]]]:
        """Average every metric over each part of the data.

        Returns:
            For each part, name of the metric to its values of shape (schemes, runs).
        """
        with _threads(self._work * len(self.parts[0][0])):
            return [self._means(*part) for part in self.parts]

    def outputs(self, features: Tensor) -> Tensor:
        """Run every network on some examples, in evaluation mode.

        Args:
            features: Examples of shape (examples, ...).

        Returns:
            Outputs of shape (runs, schemes, examples, outputs), on the host.
        """
        pieces = [
            self.trials.evaluate(features[first : first + self._rows]).cpu()
            for first in range(0, len(features), self._rows)
        ]
        return torch.cat(pieces, dim=2)

    def _shuffled(self, epoch: int) -> list[Tensor]:
        """Put together the batches of an epoch, each of shape (runs, examples)."""
        n, batch_size = len(self.task.data.train), self.task.design.batch_size
        orders = [batches(seed, epoch, n, batch_size) for seed in self.orders]
        return [torch.as_tensor(np.stack(batch)) for batch in zip(*orders, strict=True)]

    def _means(self, features: Tensor, targets: Tensor) -> dict[str, NDArray[np.float64]]:
        loss = self.task.design.loss
        sums = dict.fromkeys(self.task.metrics, torch.zeros((), dtype=torch.float64))
        for first in range(0, len(features), self._rows):
            wanted = targets[first : first + self._rows]
            outputs = self.trials.evaluate(features[first : first + self._rows])
            measured = {"loss": example_losses(loss, outputs, wanted)}
            if "accuracy" in sums:
                measured["accuracy"] = hits(loss, outputs, wanted)
            for name, values in measured.items():
                sums[name] = sums[name] + values.sum(-1, dtype=torch.float64).cpu()
        return {name: (total / len(features)).T.numpy() for name, total in sums.items()}
