"""Threads that a build starts: a dispatch mode hears one thread only, so each gets its own.

What a thread writes after the build is over is nobody's business any more.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from fanin.torch.births.recorder import Recorder


class _Follower(TorchDispatchMode):
    """Tells a recorder what it hears in another thread."""

    supports_higher_order_operators = True

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # untyped in torch
        self.recorder: Recorder | None = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # as of the recorder

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if self.recorder is None:
            return func(*args, **(kwargs or {}))
        return self.recorder.__torch_dispatch__(func, types, args, kwargs)


@contextmanager
def followed(recorder: Recorder) -> Generator[None]:
    """Let a recorder hear the threads that are started in the body.

    Args:
        recorder: The recorder.

    Yields:
        Nothing.
    """
    plain: Any = threading.Thread.start
    followers = list[_Follower]()

    def start(self: threading.Thread) -> None:
        run, follower = self.run, _Follower(recorder)
        followers.append(follower)

        def heard() -> None:
            with follower:
                run()

        self.run = heard
        plain(self)

    threading.Thread.start = start
    try:
        yield
    finally:
        threading.Thread.start = plain
        for follower in followers:
            follower.recorder = None
