"""Some trainings on their way: the data and the data orders they meet, and what is measured.

The host draws the order of the examples, epoch by epoch, and reads off sums at the measured points;
whatever lies between is done by the programs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax import Array
from numpy.typing import NDArray

from fanin.draws import key
from fanin.draws.sampling import order_of
from fanin.jax.devices import Placement
from fanin.jax.examine import Cost
from fanin.jax.programs import Examples, Programs, State, order_words
from fanin.jax.stretches import Stretch
from fanin.studies.order import order_name
from fanin.studies.trainer import Task

CALL = 2**34
"""Multiplications after which a program comes back, about half a second of two cores: for the
progress bar, and so that Ctrl-C is heard."""


@dataclass(frozen=True)
class Stage:
    """The data of a study where its programs run, for all parts in one piece and for training.

    Attributes:
        task: The study.
        placement: Which devices.
        features: Features of the training part.
        targets: Targets of the training part.
        examples: Examples of all parts, in blocks.
    """

    task: Task
    placement: Placement
    features: Array
    targets: Array
    examples: Examples

    @classmethod
    def of(cls, task: Task, placement: Placement, rows: int) -> "Stage":
        """Put the data of a study on the devices.

        Args:
            task: The study.
            placement: Which devices.
            rows: How many examples are measured at a time, at most.

        Returns:
            The stage.
        """
        train = task.data.train
        return cls(
            task,
            placement,
            placement.shared(train.features),
            placement.shared(_targets(train.target)),
            Examples(*map(placement.shared, _blocks(task, rows))),
        )


@dataclass
class Training:
    """Trainings that go through the steps together.

    Args:
        stage: The data.
        programs: What is compiled for the network.
        orders: Seed of the data order of each run.
        cost: What an example takes.
        schemes: How many trainings a run has.
    """

    stage: Stage
    programs: Programs
    orders: Sequence[int]
    cost: Cost
    schemes: int

    def __post_init__(self) -> None:
        words = [key(seed, "random numbers of the network") for seed in self.orders]
        self._keys = self.stage.placement.split(np.asarray(words, np.uint32))
        self._epoch = -1
        self._batches: tuple[Array, Array] | None = None

    @property
    def most(self) -> int:
        """Steps that one call takes at most."""
        batch = min(self.stage.task.design.batch_size, len(self.stage.task.data.train))
        return max(1, CALL // (3 * self.cost.work * batch * len(self.orders) * self.schemes))

    def advance(self, state: State, stretch: Stretch) -> State:
        """Take the steps of a stretch."""
        batches = self._of_epoch(stretch.epoch)[0 if stretch.whole else 1]
        first, count = (stretch.first, stretch.count) if stretch.whole else (0, 1)
        stage = self.stage
        return self.programs.advance(
            state, stage.features, stage.targets, batches, first, count, self._keys
        )

    def measure(self, state: State) -> dict[str, NDArray[np.float64]]:
        """Average every metric over each part of the data.

        Args:
            state: Where the trainings are.

        Returns:
            For each metric an array of shape (part, run, scheme).
        """
        parts = self.stage.task.data.parts.values()
        sizes = np.array([len(part) for part in parts], np.float64)
        sums = self.programs.measure(state, self.stage.examples)
        return {
            name: np.moveaxis(np.asarray(own)[..., : len(sizes)] / sizes, -1, 0)
            for name, own in sums.items()
        }

    def _of_epoch(self, epoch: int) -> tuple[Array, Array]:
        """Put together the batches of an epoch, the full ones and the last if it is short."""
        if self._batches is not None and self._epoch == epoch:
            return self._batches
        task, name, runs = self.stage.task, order_name(epoch), len(self.orders)
        n, size = len(task.data.train), task.design.batch_size
        keys = np.asarray([key(seed, name) for seed in self.orders], np.uint32)
        order = order_of(*map(np.asarray, order_words(keys, n))).astype(np.int32)
        full = n // size
        whole = order[:, : full * size].reshape(runs, full, size).swapaxes(0, 1)
        short = order[None, :, full * size :]
        split = self.stage.placement.split
        self._epoch, self._batches = epoch, (split(whole, 1), split(short, 1))
        return self._batches


def _targets(target: NDArray[Any]) -> NDArray[Any]:
    """Classes as int32, the only width JAX has by default; numbers as float32."""
    return target.astype(np.float32 if np.issubdtype(target.dtype, np.floating) else np.int32)


def _blocks(task: Task, rows: int) -> tuple[NDArray[Any], ...]:
    """Cut all parts of the data, one after the other, into blocks of the same length."""
    parts = list(task.data.parts.values())
    features = np.concatenate([part.features for part in parts])
    targets = np.concatenate([_targets(part.target) for part in parts])
    part = np.repeat(np.arange(len(parts)), [len(part) for part in parts]).astype(np.int32)
    count = -(-len(part) // rows)
    rows = -(-len(part) // count)
    empty = count * rows - len(part)
    last = np.full(empty, -1, np.int32)
    blocks = [
        np.concatenate([features, np.repeat(features[:1], empty, 0)]),
        np.concatenate([targets, np.repeat(targets[:1], empty, 0)]),
        np.concatenate([part, last]),
    ]
    return tuple(block.reshape(count, rows, *block.shape[1:]) for block in blocks)
