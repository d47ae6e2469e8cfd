"""A race in JAX: stacks of trainings that are thinned out and put together anew.

Every training is a run of its own with a single scheme, so that any of them can be taken out. A
program is compiled for each number of trainings that a stack has had; how many steps it takes is an
argument of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from fanin.jax.devices import Placement
from fanin.jax.examine import examine, order_bytes, training_bytes
from fanin.jax.networks import Function
from fanin.jax.programs import State, programs
from fanin.jax.starts import ingredients, made_on_host, plans_of
from fanin.jax.stretches import stretches
from fanin.jax.training import Stage, Training
from fanin.studies.chunks import cut
from fanin.studies.race import Trial
from fanin.studies.trainer import Task


@dataclass(frozen=True)
class _Stack:
    """Trainings that share their calls; the last may be there twice, for the devices' sake."""

    training: Training
    state: State
    orders: Sequence[int]


class JaxRace:
    """Trainings of one network that go side by side.

    Args:
        function: The network.
        task: What is trained on what.
        trials: The trainings.
        memory: Bytes that a stack may take, by estimate.
    """

    def __init__(
        self, function: Function, task: Task, trials: Sequence[Trial], memory: int
    ) -> None:
        self._function, self._task, self._step = function, task, 0
        self._cost = examine(function, task)
        own = order_bytes(task) + training_bytes(function, task, self._cost)
        self._at_once = max(1, memory // own)
        self._lost = np.zeros(len(trials), np.bool_)
        self._placement = Placement(min(len(trials), self._at_once))
        rows = max(1, memory // (16 * min(len(trials), self._at_once) * self._cost.held))
        self._stage = Stage.of(task, self._placement, rows)
        self._plans = plans_of(function, task.design.schemes, task.rules)
        chunks = cut(len(trials), self._at_once)
        self._stacks = [self._at_start(trials[chunk.start : chunk.stop]) for chunk in chunks]

    def advance(self, step: int, tick: Callable[[int], None]) -> None:
        """Train all that are left up to a step; see `fanin.studies.race.Race`.

        Args:
            step: How many steps each will have taken then.
            tick: Called with the number of steps of single trainings done since the last call.
        """
        design, n = self._task.design, len(self._task.data.train)
        ends = [step] if step > self._step else []
        for place, stack in enumerate(self._stacks):
            state, most = stack.state, stack.training.most
            for stretch in stretches(design, n, most, self._step, ends):
                state = jax.block_until_ready(stack.training.advance(state, stretch))
                # The programs took the old state; a tick that raises must find the new one.
                self._stacks[place] = _Stack(stack.training, state, stack.orders)
                tick(stretch.count * len(stack.orders))
        self._step = step

    def losses(self) -> NDArray[np.float64]:
        """Measure the loss of every training that is left.

        Returns:
            Shape (split, training).
        """
        measured = [
            stack.training.measure(stack.state)["loss"][:, : len(stack.orders), 0]
            for stack in self._stacks
        ]
        losses = np.concatenate(measured, axis=1)
        self._lost |= ~np.isfinite(losses).all(axis=0)
        losses[:, self._lost] = np.inf
        return losses

    def keep(self, which: Sequence[int]) -> None:
        """Go on with some of the trainings and drop the others.

        Args:
            which: Indices into those that are left, ascending.
        """
        chosen = np.asarray(which, np.int64)
        self._lost = self._lost[chosen]
        chunks = cut(len(chosen), self._at_once)
        self._stacks = [self._gathered(chosen[chunk.start : chunk.stop]) for chunk in chunks]

    def weights(self, which: int) -> Mapping[str, NDArray[Any]]:
        """Copy the weights of one training.

        Args:
            which: Its index among those that are left.

        Returns:
            Name to values.
        """
        for stack in self._stacks:
            if which < len(stack.orders):
                held = {**stack.state.parameters, **stack.state.buffers}
                return {name: np.array(values[which, 0]) for name, values in held.items()}
            which -= len(stack.orders)
        raise IndexError(which)

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Run every training that is left on the same examples.

        Args:
            features: Examples, shape (example, ...).

        Returns:
            Shape (training, example, output).
        """
        examples = self._placement.shared(np.asarray(features, np.float32))
        found = [
            np.asarray(stack.training.programs.outputs(stack.state, examples), np.float64)
            for stack in self._stacks
        ]
        return np.concatenate(
            [own[: len(stack.orders), 0] for own, stack in zip(found, self._stacks, strict=True)]
        )

    def _at_start(self, trials: Sequence[Trial]) -> _Stack:
        """Draw the starts, one scheme after the other, and put them in the order of the trials."""
        parts, places = list[State](), list[int]()
        for scheme, plan in enumerate(self._plans):
            own = [place for place, trial in enumerate(trials) if trial.scheme == scheme]
            if own:
                seeds = [trials[place].run.start for place in own]
                made = ingredients([plan], seeds, self._function.held)
                parts.append(self._programs(made_on_host([plan])).start(made))
                places += own
        order = np.argsort(np.asarray(places), kind="stable")
        return self._stack(_joined(parts, order), [trial.run.order for trial in trials])

    def _gathered(self, chosen: NDArray[np.int64]) -> _Stack:
        """Put a stack together from rows of the present ones."""
        parts, orders, first = list[State](), list[int](), 0
        for stack in self._stacks:
            size = len(stack.orders)
            rows = chosen[(chosen >= first) & (chosen < first + size)] - first
            first += size
            if rows.size:
                parts.append(_rows(stack.state, rows))
                orders += [stack.orders[row] for row in rows]
        return self._stack(_joined(parts, np.arange(len(orders))), orders)

    def _stack(self, state: State, orders: Sequence[int]) -> _Stack:
        placement = self._placement
        padded = placement.padded(range(len(orders)))
        state = _rows(state, np.asarray(padded))
        split = jax.tree.map(
            lambda values: placement.split(values) if values.ndim else placement.shared(values),
            state,
        )
        seeds = [orders[row] for row in padded]
        training = Training(self._stage, self._programs(()), seeds, self._cost, 1)
        return _Stack(training, split, orders)

    def _programs(self, host: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
        design = self._task.design
        rule, metrics = design.optimizer, self._task.metrics
        return programs(self._function, design.loss, rule, metrics, host)


def _rows(state: State, rows: NDArray[np.int64]) -> State:
    """Take some trainings; what all of them share, such as the number of steps, has no axis."""
    return jax.tree.map(lambda values: values[rows] if values.ndim else values, state)


def _joined(parts: Sequence[State], order: NDArray[np.int64]) -> State:
    def join(*values: Array) -> Array:
        return jnp.concatenate(values)[order] if values[0].ndim else values[0]

    return jax.tree.map(join, *parts)
