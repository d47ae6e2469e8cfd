"""What a fault costs: a copy is trained as it is and another one mended, side by side.

Both see the same batch, the same steps and the same random numbers, with a few step sizes each, of
which the best counts. So the difference is the start's, and not that of a step size that suits one
of them.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fanin.checks import Fix
from fanin.errors import FaninError
from fanin.reports import Progress
from fanin.torch.copying import copied
from fanin.torch.mending import mend
from fanin.torch.randomness import seeded
from fanin.torch.tracing.running import bind, choose_loss

STEPS = 50
"""Steps of each training."""

SECONDS = 60.0
"""Longest that all of them may take."""

GRID = (("SGD", 0.03), ("SGD", 0.1), ("SGD", 0.3), ("Adam", 1e-3), ("Adam", 1e-2))
"""Optimizers and step sizes, of which each start takes the best of either optimizer."""

MARGIN = 0.1
"""Part of what the mended one learns that the other may be behind, and still count as level."""


@dataclass(frozen=True)
class Proof:
    """Two starts trained.

    Attributes:
        steps: Steps of each training.
        start: Loss of the model as it is, before.
        as_it_is: Its lowest loss with SGD and with Adam, after.
        mended: The same of the mended copy.
        mended_start: Loss of the mended copy, before.
    """

    steps: int
    start: float
    as_it_is: dict[str, float]
    mended: dict[str, float]
    mended_start: float

    @property
    def harmless(self) -> bool:
        """Whether the model as it is trains as well as the mended one, with either optimizer.

        Where both diverge nothing is shown.
        """
        level = [
            self.as_it_is[name] <= best + MARGIN * max(0.0, self.mended_start - best)
            for name, best in self.mended.items()
            if min(best, self.as_it_is[name]) < math.inf
        ]
        return bool(level) and all(level)

    def __str__(self) -> str:
        told = [
            f"{name} {self.start:.3g} -> {self.as_it_is[name]:.3g} as it is, "
            f"{self.mended_start:.3g} -> {self.mended[name]:.3g} mended"
            for name in self.mended
        ]
        return f"proof: in {self.steps} steps on this batch {'; '.join(told)}"


def prove(
    model: nn.Module,
    fixes: Sequence[Fix],
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
) -> Proof | None:
    """Train a copy as it is and a mended one.

    Args:
        model: The model; copies of it are trained.
        fixes: What the mended copy has other than the model.
        batch: The batch that both are trained on.
        loss: As for `fanin.torch.tracing.trace`.
        seed: Seed of the mends, and of what the passes draw.

    Returns:
        The losses; None where there is no loss to train on.

    Raises:
        FaninError: The model cannot be copied, or the mends cannot be applied.
    """
    try:
        twin = copied(model)
    except Exception as problem:
        raise FaninError(
            f"copies are trained to prove it, and {type(model).__name__} cannot be copied: "
            f"{type(problem).__name__}: {problem}"
        ) from problem
    mend(twin, fixes, batch, loss, seed)
    started = [_loss(one, batch, loss, seed) for one in (model, twin)]
    if any(value is None for value in started):
        return None
    steps = _affordable(model, batch, loss, seed)
    best = [dict[str, float](), dict[str, float]()]
    with Progress(2 * len(GRID), "trainings") as progress:
        for place, start in enumerate((model, twin)):
            for name, rate in GRID:
                reached = _trained(start, batch, loss, seed, name, rate, steps)
                best[place][name] = min(best[place].get(name, math.inf), reached)
                progress.advance(1)
    first, second = (float(value) for value in started if value is not None)
    return Proof(steps, first, best[0], best[1], second)


def _affordable(
    model: nn.Module, batch: tuple[Any, ...], loss: Callable[..., Any] | None, seed: int
) -> int:
    # The first use of torch.optim imports torch's compiler, which is no part of a step.
    _trained(model, batch, loss, seed, "SGD", 0.0, 1)
    began = time.perf_counter()
    _trained(model, batch, loss, seed, "SGD", 0.0, 1)
    spent = max(1e-6, time.perf_counter() - began)
    return max(5, min(STEPS, int(SECONDS / spent / (2 * len(GRID)))))


def _trained(
    model: nn.Module,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
    optimizer: str,
    rate: float,
    steps: int,
) -> float:
    """Train a copy, and return the median loss of its last steps."""
    learner = copied(model)
    weights = [own for own in learner.parameters() if own.requires_grad]
    kinds: dict[str, Any] = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam}
    stepper = kinds[optimizer](weights, lr=rate)
    losses = list[float]()
    with seeded(seed, "proof"), torch.enable_grad():
        for _ in range(steps):
            value = _value(learner, batch, loss, seed)
            if value is None or not math.isfinite(value.item()):
                return math.inf
            losses.append(value.item())
            stepper.zero_grad()
            value.backward()  # pyright: ignore[reportUnknownMemberType]  # untyped in torch
            stepper.step()
    last = sorted(losses[-5:])
    return last[len(last) // 2]


def _loss(
    model: nn.Module, batch: tuple[Any, ...], loss: Callable[..., Any] | None, seed: int
) -> float | None:
    with seeded(seed, "proof"), torch.enable_grad():
        value = _value(copied(model), batch, loss, seed)
    return None if value is None else value.item()


def _value(
    model: nn.Module, batch: tuple[Any, ...], loss: Callable[..., Any] | None, seed: int
) -> torch.Tensor | None:
    arguments = bind(model, batch)
    chosen = choose_loss(model(*arguments.args, **arguments.kwargs), arguments.rest, loss, seed)
    return chosen.value if chosen.number is not None else None
