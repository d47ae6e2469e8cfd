"""`fanin.blame`: who wrote each tensor of a model, from which line, in which order.

The model is built under a recorder that sees every write to memory, whatever function it comes
from; the process is left as it was.
"""

from collections.abc import Callable
from typing import Any

from fanin.births import Births
from fanin.errors import FaninError
from fanin.verbs.check import is_module


def blame(build: Callable[[], Any], *, seed: int = 0) -> Births:
    """Find out who wrote each tensor of a model.

    Args:
        build: A function or class that builds the model, without arguments.
        seed: Seed of Python's, NumPy's and torch's generators for the build.

    Returns:
        One birth for each parameter and buffer: every write with function, arguments, line and what
        it did; and the writes that were lost. Prints as tables.

    Raises:
        FaninError: A model was passed, which is built already, or the build fails.

    Example:
        >>> import torch
        >>> def build():
        ...     layer = torch.nn.Linear(4, 2)
        ...     torch.nn.init.normal_(layer.weight.clone(), std=0.01)
        ...     return layer
        >>> [(lost.into, lost.of) for lost in blame(build).lost]
        [('a temporary', 'weight')]
    """
    if is_module(build):
        raise FaninError(
            "fanin.blame watches a model while it is built, and this one is there already: pass "
            "the function that builds it"
        )
    from fanin.torch.births import record

    return record(build, seed)[1]
