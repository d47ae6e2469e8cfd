"""Building a model under the recorder, and leaving the process as it was."""

import time
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fanin.births import Births
from fanin.errors import FaninError
from fanin.torch.births.assembling import assemble
from fanin.torch.births.callers import is_machinery
from fanin.torch.births.methods import watched_methods
from fanin.torch.births.recorder import Recorder
from fanin.torch.randomness import seeded_everywhere


def record(
    build: Callable[[], nn.Module], seed: int = 0, *, poison: bool = True
) -> tuple[nn.Module, Births]:
    """Build a model and note every write that its tensors receive.

    Args:
        build: Builds the model.
        seed: Seed of Python's, NumPy's and torch's generators; their states are put back.
        poison: Whether memory that nobody wrote is filled with nan, and left so in the model.

    Returns:
        The model, and who wrote what.

    Raises:
        FaninError: The build fails, or returns no module.

    Example:
        >>> def build():
        ...     layer = nn.Linear(4, 2)
        ...     nn.init.normal_(layer.weight, std=0.02)
        ...     return layer
        >>> _, births = record(build)
        >>> [f"{write.function} {write.by}" for write in births.of("weight").writes]
        ['nn.init.kaiming_uniform_ constructor', 'nn.init.normal_ init']
        >>> births.of("weight").last.arguments
        'mean=0, std=0.02'
    """
    recorder = Recorder(poisoning=poison)
    dtype = torch.get_default_dtype()
    gradient = torch.is_grad_enabled()
    began = time.perf_counter()
    try:
        with seeded_everywhere(seed), watched_methods() as methods, recorder:
            model = _built(build)
        births = assemble(model, recorder.histories, methods, time.perf_counter() - began)
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradient)
    return model, births


def _built(build: Callable[[], Any]) -> nn.Module:
    try:
        model = build()
    except FaninError:
        raise
    except Exception as problem:
        lines = [
            line
            for line in traceback.extract_tb(problem.__traceback__)
            if not is_machinery(line.filename)
        ]
        at = f" at {lines[-1].filename}:{lines[-1].lineno}" if lines else ""
        raise FaninError(f"the build fails{at}: {type(problem).__name__}: {problem}") from problem
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise FaninError(
            f"the function that builds the model must return a torch.nn.Module, and returned {kind}"
        )
    return model
