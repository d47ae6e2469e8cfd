"""A run of elements of one parameter, drawn alone.

An element depends on its flat index and on nothing else, so a tensor larger than the memory can be
made a run at a time.
"""

import math

import torch
from torch import Tensor

from fanin.draws import sample
from fanin.errors import FaninError
from fanin.recipes import Row
from fanin.schemes import ElementwiseScheme


def piece(row: Row, seed: int, start: int, stop: int) -> Tensor:
    """Draw some elements of a parameter.

    Args:
        row: The parameter, with a scheme that draws element by element.
        seed: The one seed, from 0 to 2**64 - 1.
        start: First flat index, in C order.
        stop: One past the last.

    Returns:
        (stop - start,) float32 on the CPU: what ``row.values(seed)`` holds there.

    Raises:
        FaninError: The scheme makes matrices as wholes.

    Example:
        >>> from fanin.recipes import Role, Slot
        >>> from fanin.schemes import normal
        >>> row = Row(Slot("w", (3, 4), Role.KERNEL, None, None, "Linear"), normal(), "")
        >>> bool((piece(row, 0, 5, 9).numpy() == row.values(0).reshape(-1)[5:9]).all())
        True
    """
    if not isinstance(row.scheme, ElementwiseScheme):
        raise FaninError(f"{row.name}: {row.scheme} makes the whole tensor at once")
    size = math.prod(row.shape)
    law = row.scheme.law(row.fans)
    drawn = sample(law, seed, row.name, (size,), region=(slice(start, stop),))
    if row.slot.zero_row is not None:
        width = size // row.shape[0]
        first = row.slot.zero_row * width
        drawn[max(first, start) - start : max(first + width, start) - start] = 0
    return torch.as_tensor(drawn)
