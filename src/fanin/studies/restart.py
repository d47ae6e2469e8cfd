"""Many starts of one network: the best of them, what minima there are, and what a start is worth.

The best weights come out of a race in which most starts are given up early. The chance that a start
arrives comes from the controls alone, which were chosen before anything was trained and go to the
end. And a few of the controls go on for as many steps as the whole search took, so that "restart or
wait?" is measured and not assumed.
"""

import importlib.metadata
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.reports.document import Document
from fanin.reports.terminal import plain
from fanin.studies.design import Design
from fanin.studies.halving import Rung
from fanin.studies.race import Trial
from fanin.studies.statistics import Estimate


@dataclass(frozen=True)
class Best:
    """The start that ended lowest in training loss.

    Attributes:
        scheme: Its scheme.
        seed: The seed that makes the start again.
        loss: Its training loss.
        held_out_loss: Its loss on the held-out part; NaN without one. Never used for choosing.
        accuracy: Its training accuracy; NaN for regression.
        step: Steps that it was trained.
    """

    scheme: str
    seed: int
    loss: float
    held_out_loss: float
    accuracy: float
    step: int


@dataclass(frozen=True)
class Minimum:
    """An end that several trainings share, in loss and in function.

    Attributes:
        loss: The lowest training loss there.
        held_out_loss: The held-out loss of the same training; NaN without a held-out part.
        runs: How many of the trainings that went to the end are here.
        controls: How many of these are controls.
        share: Probability that a start ends here, from the controls.
        stuck: Whether it is no better than the best constant guess.
        seed: Seed of the training with the lowest loss.
        scheme: Its scheme.
    """

    loss: float
    held_out_loss: float
    runs: int
    controls: int
    share: Estimate
    stuck: bool
    seed: int
    scheme: str


@dataclass(frozen=True)
class Worth:
    """What a start of one scheme is worth.

    Attributes:
        scheme: The scheme.
        controls: Starts that went to the end whatever their loss.
        reached: How many of these reached the target.
        chance: Probability that a start reaches it, from the controls.
        needed: Starts for a chance of 99 % that one of them does.
        found: How many of all starts are known to reach it, those that were kept included.
        starts: All starts of the scheme.
        survivors: Starts that no cut gave up.
        survived: How many of these reached it.
        diverged: Controls whose loss is no longer finite.
        median: Median final loss of the controls.
    """

    scheme: str
    controls: int
    reached: int
    chance: Estimate
    needed: Estimate
    found: int
    starts: int
    survivors: int
    survived: int
    diverged: int
    median: Estimate


@dataclass(frozen=True)
class LongRuns:
    """Single trainings that were let go on for as many steps as the whole search took.

    Attributes:
        runs: How many.
        steps: Steps that each was allowed.
        reached: How many had reached the target by then.
        arrivals: Step at which each was first measured at the target; inf for never.
        losses: The last training loss of each.
    """

    runs: int
    steps: int
    reached: int
    arrivals: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Restart:
    """What many starts came to.

    Attributes:
        design: What was fixed; its repeats are the starts of each scheme.
        rungs: The stretches of the race.
        eta: One start in so many was kept at each cut.
        best: The start that ended lowest.
        weights: Its weights by name, buffers included.
        minima: The ends that the finished trainings share, the lowest first.
        worth: What a start of each scheme is worth, in the order of the design.
        target: The training loss that counts as arriving.
        target_given: Whether the person named it.
        long: Single trainings of equal cost; None if there were none.
        trials: Every start, in the order of `curves`.
        controls: Indices of the starts that were never cut.
        points: Steps after which was measured.
        curves: Losses of shape (split, start, point), NaN after a start was given up.
        spent: Steps of single trainings that the search took.
        baseline: Training loss of the best constant guess.
        compared_on: What the functions were compared on, in words.
        notes: Sentences for the person.
        stopped: Whether it was stopped by hand.
    """

    design: Design
    rungs: tuple[Rung, ...]
    eta: int
    best: Best
    weights: Mapping[str, NDArray[Any]] = field(repr=False)
    minima: tuple[Minimum, ...]
    worth: tuple[Worth, ...]
    target: float
    target_given: bool
    long: LongRuns | None
    trials: tuple[Trial, ...] = field(repr=False)
    controls: tuple[int, ...] = field(repr=False)
    points: tuple[int, ...] = field(repr=False)
    curves: NDArray[np.float32] = field(repr=False)
    spent: int
    baseline: float
    compared_on: str
    notes: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def losses(self) -> NDArray[np.float64]:
        """Final training losses of the trainings that went to the end, ascending."""
        finals = self.curves[0, :, -1].astype(np.float64)
        return np.sort(finals[~np.isnan(finals)])

    @property
    def success_rate(self) -> Estimate:
        """Probability that a start of the scheme that does best reaches the target."""
        return self.leading.chance

    @property
    def leading(self) -> Worth:
        """The scheme whose starts reach the target most often."""
        return max(self.worth, key=lambda worth: (worth.chance.value, worth.found / worth.starts))

    def save(self, path: str | Path) -> None:
        """Write the best weights to a safetensors file.

        Args:
            path: The file. Its metadata say which start it was.

        Raises:
            FaninError: The file cannot be written.
        """
        from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]  # partly untyped

        made = {
            "fanin": importlib.metadata.version("fanin"),
            "network": self.design.network,
            "scheme": self.best.scheme,
            "seed": str(self.best.seed),
            "steps": str(self.best.step),
            "loss": repr(self.best.loss),
        }
        tensors = {name: np.ascontiguousarray(values) for name, values in self.weights.items()}
        try:
            save_file(tensors, str(path), metadata=made)
        except Exception as problem:
            raise FaninError(f"the weights cannot be written to {path}: {problem}") from problem

    def load_into(self, model: Any) -> None:
        """Put the best weights into a model with a ``state_dict``, all of them or none.

        Args:
            model: A model with the same names and shapes, such as the network's function builds.

        Raises:
            FaninError: It has no ``state_dict``, or other names or shapes. Nothing is changed then.
        """
        if not hasattr(model, "load_state_dict"):
            raise FaninError(
                f"load_into takes a torch module, got {type(model).__name__}; the arrays are in "
                ".weights"
            )
        own = dict(model.state_dict())
        missing, unknown = sorted(own.keys() - self.weights), sorted(self.weights.keys() - own)
        if missing or unknown:
            raise FaninError(
                f"the model does not have the parameters of {self.design.network}: it has "
                f"{', '.join(missing[:3]) or 'nothing'} besides, and lacks "
                f"{', '.join(unknown[:3]) or 'nothing'}"
            )
        for name, values in self.weights.items():
            if tuple(own[name].shape) != values.shape:
                raise FaninError(
                    f"{name} has the shape {tuple(own[name].shape)} in the model, and "
                    f"{values.shape} in the best weights"
                )
        # A tensor makes another of its kind, so that no framework has to be imported here.
        model.load_state_dict(
            {name: own[name].new_tensor(values) for name, values in self.weights.items()}
        )

    def save_html(self, path: str | Path) -> None:
        """Write the report as one HTML file that opens without network.

        Args:
            path: The file to write.

        Raises:
            FaninError: The file cannot be written.
            MissingExtra: vl-convert is not installed.
        """
        from fanin.studies.restart_export import to_page

        try:
            Path(path).write_text(to_page(self), encoding="utf-8")
        except OSError as problem:
            raise FaninError(
                f"cannot write the report to {path}: {problem.strerror or problem}"
            ) from None

    def document(self) -> Document:
        """Lay the result out: verdict, the minima, what a start is worth, the race.

        Returns:
            What ``str()`` writes as text.
        """
        from fanin.studies.restart_verdict import document

        return document(self)

    def to_json(self) -> str:
        """Write figures and curves as JSON, without the weights.

        Returns:
            One object with the keys of `fanin.studies.restart_export`.
        """
        from fanin.studies.restart_export import to_json

        return to_json(self)

    def __str__(self) -> str:
        return plain(self.document())

    def __repr__(self) -> str:
        rate = self.success_rate.value
        chance = "unknown" if math.isnan(rate) else f"{rate:.2f}"
        return (
            f"<Restart: {len(self.trials)} starts of {self.design.network}, best loss "
            f"{self.best.loss:.3g}, chance per start {chance}>"
        )
