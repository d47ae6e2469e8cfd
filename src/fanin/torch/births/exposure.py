"""Memory that NumPy looks into: what is written there passes no operation of torch.

The person's line that took the array is remembered, and the values at that moment. If they are
others in the end, that line is where they came from.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

from fanin.torch.births.recorder import Recorder


@contextmanager
def exposed(recorder: Recorder) -> Generator[None]:
    """Tell a recorder of every tensor that hands its memory to NumPy.

    Args:
        recorder: The recorder.

    Yields:
        Nothing.
    """
    plain: Any = torch.Tensor.numpy

    def numpy(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        array = plain(self, *args, **kwargs)
        recorder.noted(lambda: recorder.expose(self))
        return array

    torch.Tensor.numpy = numpy
    try:
        yield
    finally:
        # It stands in the class that torch derives from.
        del torch.Tensor.numpy
