"""Copying a model that keeps outputs of its own, which torch alone refuses to copy.

The old `torch.nn.utils.weight_norm` keeps the weight that it computes as a plain attribute, and
many models keep an activation to look at later.
"""

import copy
from collections.abc import Iterator
from typing import Any, cast

from torch import Tensor, nn


def copied(model: nn.Module) -> nn.Module:
    """Copy a model with all that it holds.

    Args:
        model: Any module.

    Returns:
        The copy; outputs that the model keeps are plain numbers in it, without a graph.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> model.last = model.weight * 2
        >>> copied(model).last.requires_grad
        False
    """
    kept = [own for module in model.modules() for own in _kept(module) if own.grad_fn is not None]
    return copy.deepcopy(model, {id(own): own.detach().clone() for own in kept})


def _kept(module: nn.Module) -> Iterator[Tensor]:
    for value in vars(module).values():
        held = list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]
        yield from (own for own in held if isinstance(own, Tensor))
