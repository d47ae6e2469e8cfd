"""The settings of the process that a person's code may change, kept as they were.

A build or a forward pass may set the default dtype, turn gradients off or ask for deterministic
algorithms. Whoever runs it for a look has to put that back.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def kept_settings() -> Generator[None]:
    """Put the settings of torch back, however the body ends.

    Yields:
        Nothing.

    Example:
        >>> with kept_settings():
        ...     torch.set_default_dtype(torch.float64)
        >>> torch.get_default_dtype()
        torch.float32
    """
    dtype, gradient = torch.get_default_dtype(), torch.is_grad_enabled()
    others = [(put, read, read()) for read, put in _SETTINGS]
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradient)
        # Setting these costs something (determinism imports torch's compiler), or leaves a mode
        # behind, even where nothing changes.
        for put, read, before in others:
            if read() != before:
                put(before)


def _determinism() -> tuple[bool, bool]:
    only_warn = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), only_warn


def _set_determinism(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _set_device(device: torch.device) -> None:
    # Named, even the CPU is a mode that every call passes through; none of them means the CPU.
    torch.set_default_device(None if device.type == "cpu" else device)


def _cudnn() -> tuple[bool, bool]:
    return torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark


def _set_cudnn(state: tuple[bool, bool]) -> None:
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = state


_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], None]], ...] = (
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_default_device, _set_device),
    (_determinism, _set_determinism),
    (_cudnn, _set_cudnn),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
)
"""How to read and set what is only put back where it changed."""
