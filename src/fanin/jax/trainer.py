"""The engine that trains a study in JAX: all schemes of many runs in compiled programs.

Draws, steps and metrics are compiled; the host is asked for nothing between two measured points but
the order of the next epoch. With several devices the runs are shared out between them.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

import jax
import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.jax.cache import kept_programs
from fanin.jax.devices import Placement
from fanin.jax.examine import examine, operations, order_bytes, training_bytes
from fanin.jax.model import Model
from fanin.jax.networks import Function, function_of
from fanin.jax.programs import programs
from fanin.jax.race import JaxRace
from fanin.jax.starts import ingredients, made_on_host, plans_of
from fanin.jax.stretches import stretches
from fanin.jax.training import Stage, Training
from fanin.studies.chunks import MEMORY, runs_at_once
from fanin.studies.design import Run
from fanin.studies.grammar import Network
from fanin.studies.origin import Description, short
from fanin.studies.race import Trial
from fanin.studies.trainer import Curves, Task


class JaxTrainer:
    """Trains every scheme of a task in some of its runs, in JAX.

    Args:
        memory: Bytes that the trainings that run together may take, by estimate.
    """

    notes: Sequence[str] = ()

    def __init__(self, memory: int = MEMORY) -> None:
        self.memory = memory

    @property
    def name(self) -> str:
        """The engine, with the version of JAX and where it runs."""
        devices = jax.local_devices()
        count = f"{len(devices)} x " if len(devices) > 1 else ""
        return f"JAX {jax.__version__}, {count}{devices[0].device_kind}"

    def chunk(self, task: Task) -> int:
        """Say how many runs, all schemes of each, are trained at once.

        Args:
            task: The study.

        Returns:
            At least 1.

        Raises:
            FaninError: The network cannot be trained on the data.
        """
        function = _function(task)
        cost = examine(function, task)
        return runs_at_once(
            task.design,
            run_bytes=order_bytes(task),
            training_bytes=training_bytes(function, task, cost),
            step_work=3 * cost.work * min(task.design.batch_size, len(task.data.train)),
            memory=self.memory,
        )

    def describe(self, task: Task) -> Description:
        """Say what is trained, and settle the plan of every scheme, without training.

        Args:
            task: The study.

        Returns:
            The network, as its line or as the operations of its function, and the plans.

        Raises:
            FaninError: The network does not fit the data, or a scheme or rule does not fit it.
        """
        function, schemes = _function(task), task.design.schemes
        plans = plans_of(function, schemes, task.rules)
        line = isinstance(task.network, Network)
        return Description(
            str(task.network) if line else str(operations(function, task)),
            {
                scheme: [short(row) for row in own.rows]
                for scheme, own in zip(schemes, plans, strict=True)
            },
        )

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
            FaninError: The network cannot be trained on the data.
        """
        function, design = _function(task), task.design
        plans, cost = plans_of(function, design.schemes, task.rules), examine(function, task)
        placement = Placement(len(runs))
        padded = placement.padded(runs)
        made = programs(function, design.loss, design.optimizer, task.metrics, made_on_host(plans))
        rows = max(1, self.memory // (16 * len(plans) * len(padded) * cost.held))
        with _compiling():
            stage = Stage.of(task, placement, rows)
            training = Training(stage, made, [run.order for run in padded], cost, len(plans))
            seeds = [run.start for run in padded]
            state = made.start(ingredients(plans, seeds, function.held).placed(placement))
            _write(curves, 0, training.measure(state), len(runs))
            points = {step: point for point, step in enumerate(design.points)}
            n, ends = len(task.data.train), design.points[1:]
            for stretch in stretches(design, n, training.most, 0, ends):
                state = training.advance(state, stretch)
                if stretch.stop in points:
                    _write(curves, points[stretch.stop], training.measure(state), len(runs))
                else:
                    jax.block_until_ready(state.step)
                tick(stretch.count)

    @contextmanager
    def race(self, task: Task, trials: Sequence[Trial]) -> Generator[JaxRace]:
        """Line trainings up at their starts; see `fanin.studies.race.Racer`.

        Args:
            task: What they are trained on.
            trials: The trainings.

        Yields:
            The race.

        Raises:
            FaninError: The network cannot be trained on the data.
        """
        with _compiling():
            yield JaxRace(_function(task), task, trials, self.memory)


@contextmanager
def _compiling() -> Generator[None]:
    """Full float32 products on a GPU too, and runs may diverge whatever the person debugs."""
    with kept_programs(), jax.default_matmul_precision("highest"), jax.debug_nans(False):
        yield


def _write(curves: Curves, point: int, means: Mapping[str, NDArray[np.float64]], runs: int) -> None:
    """Write what was measured at one point; a training that is lost once stays lost."""
    for name, values in means.items():
        for split, own in enumerate(values):
            curves[name][split, :, :, point] = own[:runs].T
    losses = curves["loss"][: len(means["loss"])]
    lost = ~np.isfinite(losses[..., : point + 1]).all(axis=(0, -1))
    losses[:, lost, point] = np.inf


def _function(task: Task) -> Function:
    network, data, design = task.network, task.data, task.design
    if isinstance(network, Model):
        return network.function()
    if not isinstance(network, Network):
        raise FaninError(
            f"JAX trains networks of the grammar and a fanin.jax.Model, and {design.network} is "
            f"neither: {type(network).__name__}"
        )
    shortest = len(data.train) % design.batch_size or min(len(data.train), design.batch_size)
    if network.norm == "batch" and shortest == 1:
        raise FaninError(
            f"the network {design.network} has batch norms, and a batch of {data.name} is a single "
            f"example, which has no variance: choose another batch_size than {design.batch_size}"
        )
    return function_of(network, design.loss)
