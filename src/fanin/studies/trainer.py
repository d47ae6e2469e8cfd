"""What a study asks of the engine that trains: one task in, curves out.

A trainer knows a framework and nothing of statistics; a study knows statistics and no framework.
Between them stand plain arrays, so a second engine is one more class with this shape.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fanin.studies.data import Data, Kind
from fanin.studies.design import Design, Run

Curves = dict[str, NDArray[np.float32]]
"""Per metric what was measured, of shape (split, scheme, run, point); NaN where nothing was."""

METRICS: Mapping[Kind, tuple[str, ...]] = {
    "classification": ("loss", "accuracy"),
    "regression": ("loss",),
}
"""What is measured, by the kind of the data's target."""

SPLITS = ("train", "held-out")
"""The two parts of the data, in the order of the first axis of a curve."""


@dataclass(frozen=True)
class Task:
    """Everything a trainer needs for one study.

    Attributes:
        design: What is fixed about the study, and the schemes that differ.
        data: The examples, split and scaled.
        network: A network of the grammar, or what is an engine's own: a function that builds a
            module, a `fanin.jax.Model`.
        rules: Parameter name (or pattern) to the scheme it gets whatever the scheme compared is.
    """

    design: Design
    data: Data
    network: Any
    rules: Mapping[str, str]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the curves to fill."""
        return METRICS[self.data.kind]


@runtime_checkable
class Trainer(Protocol):
    """Trains every scheme of a task in some of its runs."""

    @property
    def name(self) -> str:
        """The engine, as a person would call it, such as ``"torch 2.13 (cpu, vmap)"``."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Sentences for the person about how the trainings were run."""
        ...

    def chunk(self, task: Task) -> int:
        """Say how many runs, all schemes of each, are trained at once (at least 1).

        It depends on the task alone and not on the machine: which trainings share a product can
        move its last bit, and a study gives the same bits wherever it is run.
        """
        ...

    def run(
        self,
        task: Task,
        runs: Sequence[Run],
        curves: Curves,
        tick: Callable[[int], None],
    ) -> None:
        """Train all schemes in these runs and fill the curves on the way.

        Args:
            task: The study.
            runs: Some of ``task.design.runs``.
            curves: For each name in ``task.metrics`` an array of NaN of shape
                (split, scheme, run of this call, point), filled as the points of the design are
                reached. NaN stays where nothing was measured; a loss that is not finite is written
                as inf, from there to the end.
            tick: Called with the number of optimiser steps done since the last call.
        """
        ...
