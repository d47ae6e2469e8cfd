"""The slots of a PyTorch model, read from its computation where there is a batch to run it on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from fanin.recipes import Slot
from fanin.recipes.reading import slots_from
from fanin.torch.layouts import slots
from fanin.torch.tracing import trace
from fanin.trace import Trace


@dataclass(frozen=True)
class Reading:
    """What was read of a model.

    Attributes:
        slots: Its parameters.
        trace: The pass they were read from; None when there was no batch.
    """

    slots: tuple[Slot, ...]
    trace: Trace | None


def read(
    model: nn.Module, batch: tuple[Any, ...], loss: Callable[..., Any] | None = None
) -> Reading:
    """Read what the parameters of a model are for.

    Args:
        model: Any module whose parameters have shapes.
        batch: What its forward pass takes; empty to go by the types of the layers alone.
        loss: As for `fanin.torch.tracing.trace`.

    Returns:
        The slots, and the trace.

    Raises:
        FaninError: The model cannot be read, or fails on the batch.

    Example:
        >>> import torch
        >>> seen = read(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), (torch.ones(2, 4),))
        >>> seen.slots[0].around.followed_by
        'relu'
    """
    static = slots(model)
    if not batch:
        return Reading(static, None)
    seen = trace(model, *batch, loss=loss)
    return Reading(slots_from(static, seen), seen)
