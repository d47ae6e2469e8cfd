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
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    high, low = key(seed, purpose)
    python = random.getstate()
    legacy = np.random.get_state()  # noqa: NPY002  # the state that a network's own code may use
    with torch.random.fork_rng(devices):  # pyright: ignore[reportUnknownMemberType]  # untyped in torch
        try:
            random.seed(low)
            np.random.seed(low)  # noqa: NPY002  # as above
            torch.default_generator.manual_seed((high << 32) + low)
            if devices:
                torch.cuda.manual_seed_all((high << 32) + low)
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002  # as above
