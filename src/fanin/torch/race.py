"""A race in PyTorch: stacks of trainings that are thinned out and put together anew.

Every training is a row of its own, with its own batches, so that any of them can be taken out. The
rows are cut into stacks that fit into memory; what a stack holds between its steps is its
parameters, its buffers and what the optimiser remembers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fanin.studies.chunks import cut
from fanin.studies.race import Trial
from fanin.studies.trainer import Task
from fanin.torch.optimizers import Updater
from fanin.torch.randomness import seeded
from fanin.torch.starts import Starts, plans_of, stack_starts
from fanin.torch.training import Stack, shown, tensors
from fanin.torch.trials import Trials


class TorchRace:
    """Trainings of one network that go side by side.

    Args:
        module: The network.
        task: What is trained on what.
        trials: The trainings.
        at_once: How many of them make a stack.
        rows: How many examples to measure a stack on at a time.
        work: Multiplications of one training for an example.
        together: Whether `vmap` can take the network; else `at_once` must be 1.
    """

    def __init__(
        self,
        module: nn.Module,
        task: Task,
        trials: Sequence[Trial],
        *,
        at_once: int,
        rows: int,
        work: int,
        together: bool,
    ) -> None:
        self._module, self._task = module, task
        self._at_once, self._rows, self._work, self._together = at_once, rows, work, together
        self._parts = tensors(task, module)
        self._step = 0
        self._lost = np.zeros(len(trials), dtype=np.bool_)
        plans = plans_of(module, task.design.schemes, task.rules, shown(task, module))
        self._stacks = list[Stack]()
        for chunk in cut(len(trials), at_once):
            own = trials[chunk.start : chunk.stop]
            places = [
                [place for place, trial in enumerate(own) if trial.scheme == scheme]
                for scheme in range(len(plans))
            ]
            drawn = [
                stack_starts(module, [plan], [own[place].run.start for place in inside])
                for plan, inside in zip(plans, places, strict=True)
                if inside
            ]
            order = np.argsort(np.concatenate(places).astype(np.int64), kind="stable").tolist()
            starts = Starts(
                _picked([part.parameters for part in drawn], order),
                _picked([part.buffers for part in drawn], order),
            )
            self._stacks.append(self._stack(starts, [trial.run.order for trial in own]))

    def advance(self, step: int, tick: Callable[[int], None]) -> None:
        """Train all that are left up to a step; see `fanin.studies.race.Race`.

        Args:
            step: How many steps each will have taken then.
            tick: Called with the number of steps of single trainings done since the last call.
        """
        for stack in self._stacks:
            trainings = len(stack.orders)

            def tell(steps: int, trainings: int = trainings) -> None:
                tick(steps * trainings)

            purpose = f"random numbers of the network/{self._step}"
            with seeded(stack.orders[0], purpose):
                stack.advance(self._step, step, tell)
        self._step = step

    def losses(self) -> NDArray[np.float64]:
        """Measure the loss of every training that is left.

        Returns:
            Shape (split, training).
        """
        measured = [stack.measure() for stack in self._stacks]
        parts = range(len(self._parts))
        losses = np.array(
            [np.concatenate([own[part]["loss"][0] for own in measured]) for part in parts]
        )
        self._lost |= ~np.isfinite(losses).all(axis=0)
        losses[:, self._lost] = np.inf
        return losses

    def keep(self, which: Sequence[int]) -> None:
        """Go on with some of the trainings and drop the others.

        Args:
            which: Indices into those that are left, ascending.
        """
        chosen = np.asarray(which, dtype=np.int64)
        self._lost = self._lost[chosen]
        chunks = cut(len(chosen), self._at_once)
        self._stacks = [self._gathered(chosen[chunk.start : chunk.stop]) for chunk in chunks]

    def weights(self, which: int) -> Mapping[str, NDArray[Any]]:
        """Copy the weights of one training, under the names of the network's ``state_dict``.

        Args:
            which: Its index among those that are left.

        Returns:
            Name to values, those that NumPy has no type for in float32.
        """
        stack, row = self._find(which)
        held = stack.trials.state()
        own = {
            id(tensor): name
            for named in (self._module.named_parameters(), self._module.named_buffers())
            for name, tensor in named
        }
        values = {**held.parameters, **held.buffers}
        # A tied weight is one parameter, and every name of it is in the state.
        state: Mapping[str, Any] = self._module.state_dict(keep_vars=True)
        return {
            name: _array(values[own[id(tensor)]][row, 0])
            for name, tensor in state.items()
            if id(tensor) in own
        }

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Run every training that is left on the same examples.

        Args:
            features: Examples, shape (example, ...).

        Returns:
            Shape (training, example, output).
        """
        like = self._parts[0][0]
        examples = torch.tensor(features, dtype=like.dtype, device=like.device)
        found = [stack.outputs(examples)[:, 0].double().numpy() for stack in self._stacks]
        return np.concatenate(found)

    def _stack(
        self, starts: Starts, orders: Sequence[int], updater: tuple[int, list[Tensor]] | None = None
    ) -> Stack:
        trials = Trials(self._module, starts, together=self._together)
        fresh = Updater(self._task.design.optimizer, trials.leaves)
        if updater is not None:
            fresh.resume(*updater)
        work = self._work * len(orders)
        return Stack(
            trials, self._task, orders, self._parts, rows=self._rows, work=work, updater=fresh
        )

    def _gathered(self, chosen: NDArray[np.int64]) -> Stack:
        """Put a stack together from rows of the present ones."""
        parameters, buffers = list[dict[str, Tensor]](), list[dict[str, Tensor]]()
        memories, orders, steps, first = list[list[Tensor]](), list[int](), 0, 0
        for stack in self._stacks:
            size = len(stack.orders)
            rows = (chosen[(chosen >= first) & (chosen < first + size)] - first).tolist()
            first += size
            if not rows:
                continue
            held = stack.trials.state()
            parameters.append({name: values[rows] for name, values in held.parameters.items()})
            buffers.append({name: values[rows] for name, values in held.buffers.items()})
            steps, memory = stack.updater.state()
            memories.append([values[rows] for values in memory])
            orders += [stack.orders[row] for row in rows]
        everything = list(range(len(orders)))
        joined = [torch.cat(parts) for parts in zip(*memories, strict=True)]
        starts = Starts(_picked(parameters, everything), _picked(buffers, everything))
        return self._stack(starts, orders, (steps, joined))

    def _find(self, which: int) -> tuple[Stack, int]:
        for stack in self._stacks:
            if which < len(stack.orders):
                return stack, which
            which -= len(stack.orders)
        raise IndexError(which)


def _picked(parts: Sequence[Mapping[str, Tensor]], order: Sequence[int]) -> dict[str, Tensor]:
    """Join tensors along their first axis and take the rows in an order."""
    return {name: torch.cat([part[name] for part in parts])[list(order)] for name in parts[0]}


def _array(values: Tensor) -> NDArray[Any]:
    held = values.detach().cpu()
    if held.dtype == torch.bfloat16:
        held = held.float()
    return held.numpy().copy()
