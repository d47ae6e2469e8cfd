"""Handing a call over to a tensor subclass or a mode, where torch's own functions do it."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import handle_torch_function


def hand_over(
    theirs: Callable[..., Tensor],
    ours: Callable[..., Tensor],
    tensor: Tensor,
    arguments: Mapping[str, Any],
    additions: Mapping[str, Any],
) -> Tensor:
    """Let `__torch_function__` decide what a call does.

    Subclasses have handlers for torch's functions, so those are announced as long as they mean the
    same; with one of fanin's own arguments, the function of fanin is.

    Args:
        theirs: The function of `torch.nn.init`.
        ours: The function of the same name here.
        tensor: The subclass, or any tensor under a mode.
        arguments: The other arguments that both functions have, by name.
        additions: The arguments that only fanin has, by name; None where not used.

    Returns:
        What the handler returns.
    """
    plain = all(value is None for value in additions.values())
    given = {"tensor": tensor, **arguments, **({} if plain else additions)}
    return handle_torch_function(theirs if plain else ours, (tensor,), **given)
