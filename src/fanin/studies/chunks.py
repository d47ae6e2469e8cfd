"""How a study is cut into chunks of runs that train at once.

Many runs at once are fast; few at once fit into memory, lose little when the process dies and can
be shared between machines. The cut is made from the task alone, with constants in place of this
machine's memory and speed: which trainings share a product can move its last bit, and a study is to
give the same bits everywhere.
"""

from collections.abc import Sequence

from fanin.studies.design import Design

MEMORY = 2**30
"""Bytes that the trainings of a chunk may take, by estimate."""

WORK = 2**40
"""Multiplications of a chunk, about a minute of two cores: what a killed study does again."""


def runs_at_once(
    design: Design, *, run_bytes: int, training_bytes: int, step_work: int, memory: int = MEMORY
) -> int:
    """Say how many runs, all schemes of each, make a chunk.

    Args:
        design: The study.
        run_bytes: Memory of a run that its schemes share.
        training_bytes: Memory of one training.
        step_work: Multiplications in one step of one training.
        memory: Bytes that a chunk may take.

    Returns:
        At least 1, at most the runs there are.
    """
    schemes = len(design.schemes)
    fitting = memory // (run_bytes + schemes * training_bytes)
    bearable = WORK // max(1, schemes * step_work * design.steps)
    return max(1, min(len(design.runs), fitting, bearable))


def aligned(size: int, orders: int) -> int:
    """Shrink a chunk until it is a whole number of repeats, or divides one.

    Then the chunks of a crossed design are blocks of its table of repeats and orders.

    Args:
        size: Runs of a chunk, at least 1.
        orders: Data orders of each repeat.

    Returns:
        At least 1, at most `size`.

    Example:
        >>> aligned(25, 10), aligned(9, 10), aligned(25, 1)
        (20, 5, 25)
    """
    if size >= orders:
        return size - size % orders
    return next(part for part in range(size, 0, -1) if orders % part == 0)


def cut(count: int, size: int) -> Sequence[range]:
    """Cut the runs of a study into chunks.

    Args:
        count: How many runs there are.
        size: How many make a chunk.

    Returns:
        Ranges of indices into ``design.runs``; the last may be shorter.

    Example:
        >>> cut(5, 2)
        [range(0, 2), range(2, 4), range(4, 5)]
    """
    return [range(first, min(first + size, count)) for first in range(0, count, size)]
