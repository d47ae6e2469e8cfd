"""Everything that is fixed about a study, as a value that can be printed, stored and run again.

The schemes and the runs are what differs between the trainings; the rest of the design is the same
for all of them. Repeat r starts from seed + r, so its start can be made again by
``fanin.init_(model, scheme, seed=design.seeds[r])``. It sees the data in the order of the same
seed; in a crossed design every start sees each of the same few orders instead, which is what tells
the luck of the start from the luck of the order.
"""

import json
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, Literal, NamedTuple, cast, get_args

from fanin.draws.keys import SEEDS
from fanin.errors import FaninError, nearest
from fanin.studies.optimizer import Optimizer

Loss = Literal["bce", "cross_entropy", "mse"]
"""Binary cross-entropy on one logit, cross-entropy on one logit per class, mean squared error."""

LOSSES: tuple[Loss, ...] = get_args(Loss)
"""The losses, by name."""

STRETCHES = 20
"""Into how many parts the measured points cut a training that is asked for in steps."""

EPOCHS = 10
"""How long a study trains when nothing is said."""


class Run(NamedTuple):
    """The luck of one training, which all schemes share.

    Attributes:
        start: Seed of the start.
        order: Seed of the data order, and of whatever else is random while training.
    """

    start: int
    order: int


@dataclass(frozen=True)
class Design:
    """What is fixed about a study, and the schemes it compares.

    Attributes:
        network: The network as text, or the name of the function that builds it.
        data: The data as text.
        schemes: The schemes compared, each printed in full.
        repeats: How many starts each scheme gets.
        seed: Seed of the first repeat.
        optimizer: The update rule with its settings.
        batch_size: Examples in a batch.
        steps: Optimiser steps of one training.
        steps_per_epoch: Steps in one pass over the training part.
        points: Steps after which the curves are measured: 0 first, `steps` last.
        loss: What is minimised, a mean over examples.
        orders: Data orders that every start is trained with. With 1 each repeat has its own; with
            more, the orders are those of the first `orders` seeds, the same for all repeats.

    Raises:
        FaninError: A value is out of its range.
    """

    network: str
    data: str
    schemes: tuple[str, ...]
    repeats: int
    seed: int
    optimizer: Optimizer
    batch_size: int
    steps: int
    steps_per_epoch: int
    points: tuple[int, ...]
    loss: Loss
    orders: int = 1

    def __post_init__(self) -> None:
        if not self.schemes:
            raise FaninError("schemes is empty: name at least one, such as he_normal")
        twice = [scheme for scheme in self.schemes if self.schemes.count(scheme) > 1]
        if twice:
            raise FaninError(
                f"schemes names {twice[0]} twice (two names of one scheme count as that); for more "
                "starts raise repeats"
            )
        _at_least_one(
            repeats=self.repeats,
            batch_size=self.batch_size,
            steps=self.steps,
            steps_per_epoch=self.steps_per_epoch,
            orders=self.orders,
        )
        if not 0 <= self.seed <= SEEDS - max(self.repeats, self.orders):
            raise FaninError(
                "seed and the seeds that follow it, one for each repeat, must lie between 0 and "
                f"2**64 - 1, got seed={self.seed} with repeats={self.repeats}"
                + (f" and orders={self.orders}" if self.orders > 1 else "")
            )
        ends = self.points[:1] + self.points[-1:]
        rising = all(early < late for early, late in pairwise(self.points))
        if ends != (0, self.steps) or not rising:
            raise FaninError(
                f"points must rise from 0 to the last step, {self.steps}, got {self.points}"
            )

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each repeat."""
        return tuple(range(self.seed, self.seed + self.repeats))

    @property
    def runs(self) -> tuple[Run, ...]:
        """The trainings of one scheme: for every repeat its orders, one after the other."""
        if self.orders == 1:
            return tuple(Run(seed, seed) for seed in self.seeds)
        orders = range(self.seed, self.seed + self.orders)
        return tuple(Run(start, order) for start in self.seeds for order in orders)

    @property
    def epochs(self) -> tuple[float, ...]:
        """The measured points, in passes over the training part."""
        return tuple(point / self.steps_per_epoch for point in self.points)

    def to_json(self) -> str:
        """Write the design as one JSON object, the optimiser in its printed form."""
        return json.dumps(asdict(self) | {"optimizer": str(self.optimizer)})

    @classmethod
    def from_json(cls, text: str) -> "Design":
        """Read a design back.

        Args:
            text: What `to_json` wrote.

        Returns:
            An equal design.

        Raises:
            FaninError: The text is not a design.
        """
        try:
            stored = json.loads(text)
        except json.JSONDecodeError as problem:
            raise FaninError(f"a stored design must be JSON: {problem}") from None
        if not isinstance(stored, dict):
            raise FaninError(f"a stored design must be a JSON object, got {text[:40]!r}")
        values = cast(dict[str, Any], stored)
        names = [field.name for field in fields(cls)]
        for name in names:
            if name not in values:
                raise FaninError(f'a stored design must have "{name}", and this one has not')
            _check_stored(name, values[name])
        for name in values:
            if name not in names:
                raise FaninError(f'a stored design has no "{name}"{nearest(name, names)}')
        values["loss"] = check_loss(values["loss"])
        values["optimizer"] = Optimizer.parse(values["optimizer"])
        values["schemes"] = tuple(values["schemes"])
        values["points"] = tuple(values["points"])
        return cls(**values)


class Schedule(NamedTuple):
    """How long a training takes and where it is measured."""

    steps: int
    steps_per_epoch: int
    points: tuple[int, ...]


def plan_points(
    *, epochs: int | None = None, steps: int | None = None, n_train: int, batch_size: int
) -> Schedule:
    """Turn epochs or steps into the steps to take and the points to measure at.

    Args:
        epochs: Passes over the training part; measured at the end of each.
        steps: Optimiser steps; measured at about `STRETCHES` evenly spaced ones. With neither
            given, the training takes `EPOCHS` epochs.
        n_train: Number of training examples.
        batch_size: Examples in a batch; the last batch of an epoch holds what is left.

    Returns:
        The steps, the steps in an epoch and the points, 0 first and the last step last.

    Raises:
        FaninError: Both epochs and steps are given, or a count is below 1.

    Example:
        >>> plan_points(epochs=2, n_train=960, batch_size=16)
        Schedule(steps=120, steps_per_epoch=60, points=(0, 60, 120))
        >>> plan_points(steps=3, n_train=960, batch_size=16).points
        (0, 1, 2, 3)
    """
    _at_least_one(n_train=n_train, batch_size=batch_size)
    steps_per_epoch = -(-n_train // batch_size)
    if epochs is not None and steps is not None:
        raise FaninError(
            f"give the length of a training as epochs or as steps, not both: got epochs={epochs} "
            f"and steps={steps} (an epoch here is {steps_per_epoch} steps)"
        )
    if steps is not None:
        _at_least_one(steps=steps)
        parts = min(STRETCHES, steps)
        points = tuple(part * steps // parts for part in range(parts + 1))
        return Schedule(steps, steps_per_epoch, points)
    length = EPOCHS if epochs is None else epochs
    _at_least_one(epochs=length)
    points = tuple(epoch * steps_per_epoch for epoch in range(length + 1))
    return Schedule(points[-1], steps_per_epoch, points)


def check_loss(name: str) -> Loss:
    """Hold a loss to its list of names.

    Args:
        name: Such as ``"mse"``.

    Returns:
        The same name.

    Raises:
        FaninError: There is no such loss.

    Example:
        >>> check_loss("mse")
        'mse'
    """
    if name not in LOSSES:
        raise FaninError(
            f'there is no loss "{name}"{nearest(name, LOSSES)} (choose from {", ".join(LOSSES)})'
        )
    return name


def _at_least_one(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise FaninError(f"{name} must be at least 1, got {count}")


def _check_stored(name: str, value: object) -> None:
    """A file may be edited by hand, and a wrong type would surface far from here."""
    element = int if name == "points" else str
    if name in {"schemes", "points"}:
        fits = isinstance(value, list) and all(
            type(part) is element for part in cast(list[object], value)
        )
    elif name in {"network", "data", "optimizer", "loss"}:
        fits = isinstance(value, str)
    else:
        fits = type(value) is int  # a truth value is an int, too
    if not fits:
        raise FaninError(f"{name} of a stored design cannot be {value!r}")
