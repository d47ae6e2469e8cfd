"""How a training is cut into calls of the compiled program."""

from collections.abc import Iterator, Sequence
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


def stretches(
    design: Design, examples: int, most: int, begin: int, ends: Sequence[int]
) -> Iterator[Stretch]:
    """Cut steps where an epoch ends, where they are to stop, and before a call takes too long.

    Args:
        design: The study.
        examples: Training examples.
        most: Steps that a call may take.
        begin: Steps taken before.
        ends: Steps of the training at which to stop, rising, above `begin`.

    Yields:
        The stretches in order, together every step from `begin` to the last end once.
    """
    full, step = examples // design.batch_size, begin
    for end in ends:
        while step < end:
            epoch, first = divmod(step, design.steps_per_epoch)
            whole = first < full
            count = min(full - first, end - step, most) if whole else 1
            step += count
            yield Stretch(epoch, first, count, step, whole)
