"""Memory as it was found, made recognisable: what is still nan at the end was never written.

Whatever the allocator hands out may look like anything, zeros and earlier weights included. Filled
with nan, a forgotten tensor shows in every run, and in parts too.
"""

import torch
from torch import Tensor

ALLOCATING = frozenset(
    {
        "empty",
        "empty_like",
        "empty_strided",
        "empty_permuted",
        "new_empty",
        "new_empty_strided",
    }
)
"""Operations that hand out memory as it was found."""


def poison(tensor: Tensor) -> bool:
    """Fill memory that nobody wrote.

    Args:
        tensor: The memory.

    Returns:
        Whether it could be filled: whole numbers have no nan, and are left alone.
    """
    if tensor.is_meta or tensor.is_quantized or tensor.layout is not torch.strided:
        return False
    if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.numel() == 0:
        return False
    try:
        tensor.fill_(float("nan"))
    except (RuntimeError, NotImplementedError):
        return False  # a dtype that no kernel fills
    return True
