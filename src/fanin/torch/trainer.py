"""The engine that trains a study in PyTorch: all schemes of many runs at once.

Every step gathers one batch per run, which all schemes of the run share, and moves every training
of the chunk by one update. A network
that `vmap` cannot take is trained one training at a time by the same code.
"""

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from fanin.errors import FaninError
from fanin.recipes import Plan
from fanin.studies.chunks import MEMORY, runs_at_once
from fanin.studies.data import Part
from fanin.studies.design import Run
from fanin.studies.grammar import Network
from fanin.studies.order import batches
from fanin.studies.origin import Description, short
from fanin.studies.trainer import Curves, Task
from fanin.torch.examine import Examination, examine, give_shapes
from fanin.torch.networks import build_network
from fanin.torch.objectives import example_losses, hits
from fanin.torch.optimizers import RULES, Updater
from fanin.torch.randomness import seeded
from fanin.torch.starts import plans_of, stack_starts
from fanin.torch.trials import Trials

THREAD_WORK = 2**26
"""Multiplications, some 20 ms of one core, below which one thread does all. On two idle cores the
second takes nothing off a step of 2**18 and a quarter off one of 2**24; where another process wants
one of the cores, it makes every operation of the step wait, measured as 8 ms instead of 0.03."""

SHOWN = 256
"""Examples of the training part that a recipe is shown, enough for the size of the inputs."""


class TorchTrainer:
    """Trains every scheme of a task in some of its runs, in PyTorch.

    Args:
        memory: Bytes that the parameters, their gradients, the optimiser and the activations of
            the trainings that run together may take, by estimate.
    """

    def __init__(self, memory: int = MEMORY) -> None:
        self.memory = memory
        self._obstacle: str | None = None
        self._doubt: str | None = None

    @property
    def name(self) -> str:
        """The engine, with the version of torch."""
        version = torch.__version__.partition("+")[0]
        return f"torch {version}, " + ("vmap" if self._obstacle is None else "one by one")

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person should know about how the trainings were run."""
        told = "The runs were trained one by one, because torch.vmap cannot take this network"
        obstacle = None if self._obstacle is None else f"{told}: {self._obstacle}."
        return tuple(note for note in (obstacle, self._doubt) if note is not None)

    def chunk(self, task: Task) -> int:
        """Say how many runs, all schemes of each, are trained at once.

        Args:
            task: The study.

        Returns:
            At least 1, and 1 for a network that has to be trained one by one.

        Raises:
            FaninError: The network cannot be built, or does not fit the data.
        """
        with _opened(task) as module:
            examination = self._examine(module, task)
            if examination.obstacle is not None:
                return 1
            design = task.design
            batch = min(design.batch_size, len(task.data.train))
            state = sum(values.nbytes for values in module.parameters())
            # Value, gradient, a temporary of the update and what the optimiser remembers; the
            # backward pass holds about as much as the forward pass has kept for it.
            training = state * (3 + RULES[design.optimizer.name][1])
            training += sum(values.nbytes for values in module.buffers())
            training += 2 * examination.held * batch
            return runs_at_once(
                design,
                # The data order of an epoch, whole and cut into batches.
                run_bytes=16 * len(task.data.train),
                training_bytes=training,
                step_work=3 * _work(module, examination) * batch,
                memory=self.memory,
            )

    def describe(self, task: Task) -> Description:
        """Build the network once and settle its plans, without training.

        Args:
            task: The study.

        Returns:
            The network, as its line or as PyTorch prints it, and a plan for every scheme.

        Raises:
            FaninError: The network cannot be built, or a scheme or rule does not fit it.
        """
        with _opened(task) as module:
            plans = plans_of(module, task.design.schemes, task.rules, _shown(task, module))
            rows = ([short(row) for row in plan.rows] for plan in plans)
            model = task.network if isinstance(task.network, Network) else module
            return Description(str(model), dict(zip(task.design.schemes, rows, strict=True)))

    def run(
        self, task: Task, runs: Sequence[Run], curves: Curves, tick: Callable[[int], None]
    ) -> None:
        """Train all schemes in these runs and fill the curves on the way.

        Args:
            task: The study.
            runs: Some of ``task.design.runs``.
            curves: For each name in ``task.metrics`` an array of NaN of shape
                (split, scheme, run of this call, point).
            tick: Called with the number of optimiser steps done since the last call.

        Raises:
            FaninError: The network cannot be built, or does not fit the data.
        """
        with _opened(task) as module:
            examination = self._examine(module, task)
            together = examination.obstacle is None
            plans = plans_of(module, task.design.schemes, task.rules, _shown(task, module))
            stacks: list[tuple[Sequence[Plan], Sequence[Run], Curves]] = [(plans, runs, curves)]
            if not together:
                tick = _Share(tick, len(plans) * len(runs))
                stacks = [
                    ([plan], [run], {k: v[:, s : s + 1, r : r + 1] for k, v in curves.items()})
                    for r, run in enumerate(runs)
                    for s, plan in enumerate(plans)
                ]
            at_once = len(stacks[0][0]) * len(stacks[0][1])
            rows = max(1, self.memory // (2 * at_once * max(examination.held, 1)))
            parts = _tensors(task, module)
            work = _work(module, examination) * at_once
            for own_plans, own_runs, own_curves in stacks:
                with seeded(own_runs[0].order, "random numbers of the network"):
                    starts = stack_starts(module, own_plans, [run.start for run in own_runs])
                    trials = Trials(module, starts, together=together)
                    orders = [run.order for run in own_runs]
                    _Training(trials, task, orders, parts, rows, work, own_curves).train(tick)

    def _examine(self, module: nn.Module, task: Task) -> Examination:
        design = task.design
        plans = plans_of(module, design.schemes[:1], task.rules, _shown(task, module))
        start = stack_starts(module, plans, design.seeds[:1])
        with seeded(design.seed, "examination"):
            examination = examine(module, start, task)
        self._obstacle, self._doubt = examination.obstacle, examination.doubt
        return examination


def _shown(task: Task, module: nn.Module) -> tuple[Tensor, Tensor]:
    """Take a few examples, by which a recipe sees where the parameters stand."""
    features, targets = _tensors(task, module)[0]
    return features[:SHOWN], targets[:SHOWN]


@contextmanager
def _opened(task: Task) -> Generator[nn.Module]:
    """Build the network; leave the process and, if it is one kept elsewhere, the network alone."""
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


def _work(module: nn.Module, examination: Examination) -> int:
    """Multiplications for an example, roughly: a layer that shares its weights holds more."""
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


class _Share:
    """Counts the steps of single trainings as the steps of the chunk they are parts of."""

    def __init__(self, tick: Callable[[int], None], trainings: int) -> None:
        self._tick, self._trainings, self._left_over = tick, trainings, 0

    def __call__(self, steps: int) -> None:
        whole, self._left_over = divmod(self._left_over + steps, self._trainings)
        if whole:
            self._tick(whole)


def _tensors(task: Task, module: nn.Module) -> tuple[tuple[Tensor, Tensor], ...]:
    """Features and targets of each part of the data, where and as the network wants them."""
    like = next(module.parameters())

    def tensors(part: Part) -> tuple[Tensor, Tensor]:
        features = torch.tensor(part.features, dtype=like.dtype, device=like.device)
        return features, torch.tensor(part.target, device=like.device)

    return tuple(tensors(part) for part in task.data.parts.values())


@dataclass(frozen=True)
class _Training:
    """The trainings that go through the steps together, and where their curves go.

    Attributes:
        trials: The networks.
        task: The study.
        seeds: The seed of each run's data order.
        parts: Features and targets of each part of the data.
        rows: How many examples to measure on at a time.
        work: Multiplications that an example takes in a forward pass of all of them.
        curves: Arrays of shape (split, scheme, run, point).
    """

    trials: Trials
    task: Task
    seeds: Sequence[int]
    parts: tuple[tuple[Tensor, Tensor], ...]
    rows: int
    work: int
    curves: Curves

    def train(self, tick: Callable[[int], None]) -> None:
        """Take every step of the design, and measure at its points."""
        design = self.task.design
        features, targets = self.parts[0]
        updater = Updater(design.optimizer, self.trials.leaves)
        points = {step: index for index, step in enumerate(design.points)}
        epoch = list[Tensor]()
        self.measure(0)
        step_work = 3 * self.work * design.batch_size  # forward, and two products backward
        for step in range(design.steps):
            passes, position = divmod(step, design.steps_per_epoch)
            if position == 0:
                epoch = self.orders(passes)
            picked = epoch[position].to(features.device)
            with _threads(step_work), _told(design.network, step + 1):
                outputs = self.trials.train(features[picked])
                losses = example_losses(design.loss, outputs, targets[picked].unsqueeze(1))
                torch.autograd.backward(losses.mean(-1).sum())
                updater.step()
            if step + 1 in points:
                self.measure(points[step + 1])
            tick(1)

    def orders(self, epoch: int) -> list[Tensor]:
        """Put together the batches of an epoch, each of shape (runs, examples)."""
        n, batch_size = len(self.task.data.train), self.task.design.batch_size
        orders = [batches(seed, epoch, n, batch_size) for seed in self.seeds]
        return [torch.as_tensor(np.stack(batch)) for batch in zip(*orders, strict=True)]

    def measure(self, point: int) -> None:
        """Write the curves at one point, all at once; a training that is lost once stays lost."""
        with _threads(self.work * len(self.parts[0][0])):
            measured = [self.means(*part) for part in self.parts]
        for split, means in enumerate(measured):
            for name, values in means.items():
                self.curves[name][split, :, :, point] = values
        losses = self.curves["loss"][: len(self.parts)]
        lost = ~np.isfinite(losses[..., : point + 1]).all(axis=(0, -1))
        losses[:, lost, point] = np.inf

    def means(self, features: Tensor, targets: Tensor) -> dict[str, NDArray[np.float64]]:
        """Average every metric over some examples; the results have shape (schemes, runs)."""
        loss = self.task.design.loss
        sums = dict.fromkeys(self.curves, torch.zeros((), dtype=torch.float64))
        for first in range(0, len(features), self.rows):
            wanted = targets[first : first + self.rows]
            outputs = self.trials.evaluate(features[first : first + self.rows])
            measured = {"loss": example_losses(loss, outputs, wanted)}
            if "accuracy" in sums:
                measured["accuracy"] = hits(loss, outputs, wanted)
            for name, values in measured.items():
                sums[name] = sums[name] + values.sum(-1, dtype=torch.float64).cpu()
        return {name: (total / len(features)).T.numpy() for name, total in sums.items()}
