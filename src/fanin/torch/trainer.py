"""The engine that trains a study in PyTorch: all schemes of many runs at once.

Every step gathers one batch per run, which all schemes of the run share, and moves every training
of the chunk by one update. A network
that `vmap` cannot take is trained one training at a time by the same code.
"""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fanin.errors import FaninError
from fanin.recipes import Plan
from fanin.studies.chunks import MEMORY, runs_at_once
from fanin.studies.design import Run
from fanin.studies.grammar import Network
from fanin.studies.origin import Description, short
from fanin.studies.race import Trial
from fanin.studies.trainer import Curves, Task
from fanin.torch.examine import Examination, examine
from fanin.torch.optimizers import RULES
from fanin.torch.race import TorchRace
from fanin.torch.randomness import seeded
from fanin.torch.starts import plans_of, stack_starts
from fanin.torch.training import Stack, opened, shown, tensors, work_of
from fanin.torch.trials import Trials


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
        with opened(task) as module:
            examination = self._examine(module, task)
            if examination.obstacle is not None:
                return 1
            batch = min(task.design.batch_size, len(task.data.train))
            return runs_at_once(
                task.design,
                run_bytes=_order_bytes(task),
                training_bytes=_training_bytes(module, examination, task),
                step_work=3 * work_of(module, examination) * batch,
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
        with opened(task) as module:
            plans = plans_of(module, task.design.schemes, task.rules, shown(task, module))
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
        with opened(task) as module:
            examination = self._examine(module, task)
            together = examination.obstacle is None
            plans = plans_of(module, task.design.schemes, task.rules, shown(task, module))
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
            parts = tensors(task, module)
            work = work_of(module, examination) * at_once
            for own_plans, own_runs, own_curves in stacks:
                with seeded(own_runs[0].order, "random numbers of the network"):
                    starts = stack_starts(module, own_plans, [run.start for run in own_runs])
                    trials = Trials(module, starts, together=together)
                    orders = [run.order for run in own_runs]
                    stack = Stack(trials, task, orders, parts, rows=rows, work=work)
                    _train(stack, own_curves, tick)

    @contextmanager
    def race(self, task: Task, trials: Sequence[Trial]) -> Generator[TorchRace]:
        """Line trainings up at their starts; see `fanin.studies.race`.

        Args:
            task: What they are trained on.
            trials: The trainings.

        Yields:
            The race.

        Raises:
            FaninError: The network cannot be built, does not fit the data, or is too large for so
                many trainings.
        """
        with opened(task) as module:
            examination = self._examine(module, task)
            _check_parked(module, task, len(trials))
            together = examination.obstacle is None
            training_bytes = _training_bytes(module, examination, task)
            fitting = self.memory // (_order_bytes(task) + training_bytes)
            at_once = max(1, min(len(trials), fitting)) if together else 1
            yield TorchRace(
                module,
                task,
                trials,
                at_once=at_once,
                rows=max(1, self.memory // (2 * at_once * max(examination.held, 1))),
                work=work_of(module, examination),
                together=together,
            )

    def _examine(self, module: nn.Module, task: Task) -> Examination:
        design = task.design
        plans = plans_of(module, design.schemes[:1], task.rules, shown(task, module))
        start = stack_starts(module, plans, design.seeds[:1])
        with seeded(design.seed, "examination"):
            examination = examine(module, start, task)
        self._obstacle, self._doubt = examination.obstacle, examination.doubt
        return examination


def _order_bytes(task: Task) -> int:
    """Memory of the data order of an epoch, whole and cut into batches."""
    return 16 * len(task.data.train)


def _training_bytes(module: nn.Module, examination: Examination, task: Task) -> int:
    """Memory of one training while it takes a step."""
    design = task.design
    state = sum(values.nbytes for values in module.parameters())
    # Value, gradient, a temporary of the update and what the optimiser remembers; the backward
    # pass holds about as much as the forward pass has kept for it.
    training = state * (3 + RULES[design.optimizer.name][1])
    training += sum(values.nbytes for values in module.buffers())
    return training + 2 * examination.held * min(design.batch_size, len(task.data.train))


def _check_parked(module: nn.Module, task: Task, trainings: int) -> None:
    """A race holds all of its trainings until the first cut."""
    held = sum(values.nbytes for values in module.parameters())
    held *= 1 + RULES[task.design.optimizer.name][1]
    held += sum(values.nbytes for values in module.buffers())
    room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    if trainings * held > room:
        raise FaninError(
            f"{trainings} starts of {task.design.network} take {trainings * held / 2**30:.1f} GiB, "
            f"more than half of this machine's memory: at most {max(1, room // held)} starts fit"
        )


class _Share:
    """Counts the steps of single trainings as the steps of the chunk they are parts of."""

    def __init__(self, tick: Callable[[int], None], trainings: int) -> None:
        self._tick, self._trainings, self._left_over = tick, trainings, 0

    def __call__(self, steps: int) -> None:
        whole, self._left_over = divmod(self._left_over + steps, self._trainings)
        if whole:
            self._tick(whole)


def _train(stack: Stack, curves: Curves, tick: Callable[[int], None]) -> None:
    """Take every step of the design, and measure at its points."""
    taken = 0
    for point, step in enumerate(stack.task.design.points):
        stack.advance(taken, step, tick)
        taken = step
        _write(stack.measure(), curves, point)


def _write(measured: Sequence[dict[str, NDArray[np.float64]]], curves: Curves, point: int) -> None:
    """Write the curves at one point, all at once; a training that is lost once stays lost."""
    for split, means in enumerate(measured):
        for name, values in means.items():
            curves[name][split, :, :, point] = values
    losses = curves["loss"][: len(measured)]
    lost = ~np.isfinite(losses[..., : point + 1]).all(axis=(0, -1))
    losses[:, lost, point] = np.inf
