"""The order in which a repeat sees its examples.

The order is a draw like any other: it depends on the repeat's seed and the epoch and on nothing
else, so all schemes of a repeat see the same batches, and their difference is the start alone.
"""

import numpy as np
from numpy.typing import NDArray

from fanin.draws import permutation
from fanin.errors import FaninError


def batches(seed: int, epoch: int, n: int, batch_size: int) -> list[NDArray[np.int64]]:
    """Shuffle the examples of one epoch and cut them into batches.

    Args:
        seed: The repeat's seed.
        epoch: Which pass over the data, from 0.
        n: Number of training examples.
        batch_size: Examples in a batch; the last batch holds what is left.

    Returns:
        Index arrays, together every index from 0 to n - 1 once.

    Raises:
        FaninError: A count is below 1, the epoch below 0, or the seed is not one of the draws'.

    Example:
        >>> [len(batch) for batch in batches(seed=0, epoch=0, n=10, batch_size=4)]
        [4, 4, 2]
    """
    if n < 1 or batch_size < 1 or epoch < 0:
        raise FaninError(
            "batches need n and batch_size of at least 1 and an epoch of at least 0, got "
            f"n={n}, batch_size={batch_size}, epoch={epoch}"
        )
    order = permutation(seed, order_name(epoch), n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def order_name(epoch: int) -> str:
    """Name the stream that an epoch's order is drawn from.

    Args:
        epoch: Which pass over the data, from 0.

    Returns:
        The name.
    """
    return f"data order/epoch {epoch}"
