"""How a training is cut into calls of the compiled program."""

from collections.abc import Iterator
from dataclasses import dataclass

from fanin.studies.design import Design


@dataclass(frozen=True)
class Stretch:
    """Steps that one call of a program takes.

    Attributes:
        epoch: The epoch they are in.
        first: The first of them in its epoch.
        count: How many.
        stop: Steps of the training that are done then.
        whole: Whether their batches are full; the last one of an epoch may not be.
    """

    epoch: int
    first: int
    count: int
    stop: int
    whole: bool


def stretches(design: Design, examples: int, most: int) -> Iterator[Stretch]:
    """Cut a training where an epoch ends, where it is measured, and before a call takes too long.

    Args:
        design: The study.
        examples: Training examples.
        most: Steps that a call may take.

    Yields:
        The stretches in order, together every step of the design once.
    """
    full, step, ends = examples // design.batch_size, 0, iter(design.points[1:])
    end = next(ends)
    while step < design.steps:
        epoch, first = divmod(step, design.steps_per_epoch)
        whole = first < full
        count = min(full - first, end - step, most) if whole else 1
        step += count
        yield Stretch(epoch, first, count, step, whole)
        if step == end:
            end = next(ends, design.steps)
