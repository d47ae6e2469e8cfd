"""`fanin.check`: is this network started right, and if not, what is wrong and how is it mended?

The framework is found among the modules that are loaded already; its room gathers plain data, the
rules look at that, and what they find is one report.
"""

import sys
from collections.abc import Callable, Collection
from typing import Any

from fanin.checks import Probe, Report, examine
from fanin.errors import FaninError

CHEAP = (Probe.VALUES, Probe.SIGNAL)


def check(
    model: Any,
    *batch: Any,
    loss: Callable[..., Any] | None = None,
    probes: Collection[str] | None = None,
    seed: int = 0,
) -> Report:
    """Check the start of a model. The model is left as it was.

    Args:
        model: A `torch.nn.Module`, or better a function without arguments that builds one: then it
            is also seen who wrote each tensor, and whether building again gives the same.
        *batch: What its forward pass takes, then what the loss takes. Without it there is no pass.
        loss: Makes a number of what the model puts out; by default the model's own, or one that the
            rest of the batch calls for.
        probes: What to do: ``"values"``, ``"signal"``, ``"birth"``, ``"rebuild"``; by default all
            that what was passed allows.
        seed: Seed of the builds and of the pass.

    Returns:
        What was found; prints as a text, the worst first.

    Raises:
        FaninError: The model cannot be built, read or run.

    Example:
        >>> import torch
        >>> check(torch.nn.Linear(4, 2), torch.randn(8, 4)).ok
        True
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        raise FaninError(f"fanin.check takes a torch.nn.Module, got {type(model).__name__}")
    from fanin.torch.evidence import gather

    wanted = [Probe(probe) for probe in probes] if probes is not None else list(CHEAP)
    return examine(gather(model, batch, loss, probes=wanted, seed=seed))
