"""The settings of the process that a person's code may change, kept as they were.

A build or a forward pass may set the default dtype, turn gradients off or ask for deterministic
algorithms. Whoever runs it for a look has to put that back.
"""

from collections.abc import Generator
from contextlib import contextmanager

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
    threads = torch.get_num_threads()
    device = torch.get_default_device()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warning = torch.is_deterministic_algorithms_warn_only_enabled()
    precision = torch.get_float32_matmul_precision()
    cudnn = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradient)
        torch.use_deterministic_algorithms(deterministic, warn_only=warning)
        # Setting these costs something, or leaves a mode behind, even where nothing changes.
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = cudnn
