"""Tensors inside `torch.vmap` and `torch.func.grad`: what they are wrapped around.

Inside such a transform the model sees one example of a tensor that holds them all. What is known of
the whole holds for the one, and the other way round, so both are followed: the whole is measured,
and is still there when the transform is over.
"""

from importlib import import_module
from typing import Any

from torch import Tensor

_functorch: Any = import_module("torch._C._functorch")  # there is no public way, and no types


def is_wrapped(tensor: Tensor) -> bool:
    """Tell whether a tensor is seen through a transform.

    Args:
        tensor: Any tensor.

    Returns:
        Whether it is.
    """
    return _functorch.is_functorch_wrapped_tensor(tensor)


def inner(tensor: Tensor) -> tuple[Tensor, int | None]:
    """Take one wrapper off.

    Args:
        tensor: A wrapped tensor.

    Returns:
        What is inside, and the axis that is hidden; None where none is.
    """
    axis = _functorch.maybe_get_bdim(tensor) if _functorch.is_batchedtensor(tensor) else None
    return _functorch.get_unwrapped(tensor), None if axis is None or axis < 0 else axis


def whole(tensor: Tensor) -> Tensor:
    """Take all wrappers off, hidden axes first.

    Args:
        tensor: Any tensor.

    Returns:
        The tensor with memory of its own.
    """
    while is_wrapped(tensor):
        tensor, axis = inner(tensor)
        if axis is not None:
            tensor = tensor.movedim(axis, 0)
    return tensor
