"""Random numbers that a network draws itself, kept apart from those of the process.

Starts and data orders are draws of fanin and need no state. A factory that initialises its layers
and a dropout layer that trains use the global generators, so these are seeded for the while and
put back afterwards.
"""

import random
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch

from fanin.draws import key
from fanin.errors import FaninError


@contextmanager
def seeded(seed: int, purpose: str) -> Generator[None]:
    """Seed the generators of torch, NumPy and Python, and restore their states at the end.

    Args:
        seed: The one seed, from 0 to 2**64 - 1.
        purpose: What the numbers are for; other purposes get other numbers.

    Yields:
        Nothing.

    Example:
        >>> with seeded(0, "dropout"):
        ...     first = torch.rand(3)
        >>> with seeded(0, "dropout"):
        ...     again = torch.rand(3)
        >>> bool((first == again).all())
        True
    """
    high, low = key(seed, purpose)
    with _generators(python=low, legacy=low, torch_seed=(high << 32) + low):
        yield


@contextmanager
def seeded_everywhere(seed: int) -> Generator[None]:
    """Seed the generators as a person would, with the number itself, and restore their states.

    Args:
        seed: What `random.seed`, `numpy.random.seed` and `torch.manual_seed` get.

    Yields:
        Nothing.

    Raises:
        FaninError: The seed is none that torch takes.

    Example:
        >>> with seeded_everywhere(0):
        ...     inside = torch.rand(1)
        >>> bool(inside == torch.rand(1, generator=torch.Generator().manual_seed(0)))
        True
    """
    if not -(2**63) <= seed < 2**64:
        raise FaninError(f"seed must lie between -2**63 and 2**64 - 1, as for torch, got {seed}")
    with _generators(python=seed, legacy=seed % 2**32, torch_seed=seed):
        yield


@contextmanager
def _generators(*, python: int, legacy: int, torch_seed: int) -> Generator[None]:
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    before = random.getstate()
    before_legacy = np.random.get_state()  # noqa: NPY002  # the state a network's code may use
    with torch.random.fork_rng(devices):  # pyright: ignore[reportUnknownMemberType]  # untyped in torch
        try:
            random.seed(python)
            np.random.seed(legacy)  # noqa: NPY002  # as above
            torch.default_generator.manual_seed(torch_seed)
            if devices:
                torch.cuda.manual_seed_all(torch_seed)
            yield
        finally:
            random.setstate(before)
            np.random.set_state(before_legacy)  # noqa: NPY002  # as above
