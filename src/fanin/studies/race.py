"""What a restart asks of an engine: trainings that advance together and are thinned out on the way.

A study trains everything to the end; a race drops most of its starts early. Between two cuts the
trainings are one flat list that an engine may hold as one stack, so that a compiled engine needs
one program for each number of trainings left, with the number of steps as an argument of it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fanin.studies.design import Run
from fanin.studies.trainer import Task


class Trial(NamedTuple):
    """One training.

    Attributes:
        scheme: Index into the schemes of the design.
        run: The seeds of its start and of its data order.
    """

    scheme: int
    run: Run


@runtime_checkable
class Race(Protocol):
    """Trainings in a fixed order, all of them after the same number of steps.

    A training gives the curve that it would give in a study, within float32 rounding, whoever else
    is in the race.
    """

    def advance(self, step: int, tick: Callable[[int], None]) -> None:
        """Train all that are left up to a step.

        Args:
            step: How many optimiser steps each will have taken then, at least as many as now.
            tick: Called with the number of steps of single trainings done since the last call; an
                exception that it raises leaves every training usable, after however many steps.
        """
        ...

    def losses(self) -> NDArray[np.float64]:
        """Measure the loss of every training that is left.

        Returns:
            Shape (split, training), the training part first, one row only where nothing is held
            out; inf for a training whose loss is not finite or once was not.
        """
        ...

    def keep(self, which: Sequence[int]) -> None:
        """Go on with some of the trainings, state of the optimiser and all, and drop the others.

        Args:
            which: Indices into those that are left, ascending; they are counted anew from 0.
        """
        ...

    def weights(self, which: int) -> Mapping[str, NDArray[Any]]:
        """Copy the weights of one training.

        Args:
            which: Its index among those that are left.

        Returns:
            Name, as the framework spells it, to values; buffers are among them.
        """
        ...

    def outputs(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Run every training that is left on the same examples.

        Args:
            features: Examples, shape (example, ...).

        Returns:
            What the networks return (logits, or under ``"mse"`` numbers), shape (training, example,
            output).
        """
        ...


@runtime_checkable
class Racer(Protocol):
    """An engine that can hold a race."""

    @property
    def name(self) -> str:
        """The engine, as a person would call it."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the person about how the trainings were run."""
        ...

    def race(self, task: Task, trials: Sequence[Trial]) -> AbstractContextManager[Race]:
        """Line trainings up at their starts.

        Args:
            task: What they are trained on; its steps and points say nothing about when a race is
                measured or ends.
            trials: The trainings.

        Returns:
            A context in which the race can be held; the process and the person's network are left
            as they were at its end.
        """
        ...
