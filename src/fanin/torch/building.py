"""Calling the function that builds a model, with a seed, and leaving the process as it was."""

import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from torch import nn

from fanin.errors import FaninError
from fanin.torch.callers import is_machinery
from fanin.torch.randomness import seeded_everywhere
from fanin.torch.settings import kept_settings

Build = Callable[[], nn.Module]
"""Makes a model, without arguments."""


@contextmanager
def for_a_build(seed: int) -> Generator[None]:
    """Seed all generators, and put them and torch's settings back at the end.

    Args:
        seed: The seed.

    Yields:
        Nothing.
    """
    with kept_settings(), seeded_everywhere(seed):
        yield


def call(build: Callable[[], Any], *, again: bool = False) -> nn.Module:
    """Build a model.

    Args:
        build: The person's function.
        again: Whether it went through before.

    Returns:
        The model.

    Raises:
        FaninError: The build fails, with its own error and line, or returns no module.

    Example:
        >>> call(lambda: nn.ReLU())
        ReLU()
    """
    try:
        model = build()
    except FaninError:
        raise
    except (Exception, SystemExit) as problem:
        lines = [
            line
            for line in traceback.extract_tb(problem.__traceback__)
            if not is_machinery(line.filename)
        ]
        at = f" at {lines[-1].filename}:{lines[-1].lineno}" if lines else ""
        hint = (
            ". It went through before: a function that builds a model must not use up what it is "
            "made from"
            if again
            else ""
        )
        raise FaninError(
            f"the build fails{at}: {type(problem).__name__}: {problem}{hint}"
        ) from problem
    if not isinstance(model, nn.Module):
        kind = type(model).__name__
        raise FaninError(
            f"the function that builds the model must return a torch.nn.Module, and returned {kind}"
        )
    return model
