"""How far a study is, told on stderr so that stdout stays the result.

On a terminal a bar with the time left is redrawn in place and goes away at the end. In a pipe or a
log file there is one plain line every ten seconds at most, and none for what is done sooner.
"""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self, cast

from fanin.reports.terminal import Stream, write

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

PAUSE = 10.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """A live count of something, used in a ``with`` statement.

    Args:
        total: How much there is to do.
        unit: What is counted, plural, such as ``"training steps"``.
        quiet: Say nothing at all.
        stream: Where to; stderr by default.
        clock: Seconds since any moment; tests pass their own.

    Example:
        >>> with Progress(86, "training steps", quiet=True) as progress:
        ...     progress.advance(86)
        >>> progress.done
        86
    """

    def __init__(
        self,
        total: int,
        unit: str,
        *,
        quiet: bool = False,
        stream: Stream | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.unit = unit
        self.done = 0
        self._quiet = quiet
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._begun = self._said = clock()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        self._begun = self._said = self._clock()
        if not self._quiet and self._stream.isatty():
            self._bar = _bar(self._stream)
            self._bar.add_task(self.unit, total=self.total)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def advance(self, count: int) -> None:
        """Count some more as done.

        Args:
            count: How many since the last call.
        """
        self.done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
        elif not self._quiet and self._clock() - self._said >= PAUSE:
            self._said = self._clock()
            write(self._stream, f"{self.line()}\n")

    def skip(self, count: int) -> None:
        """Take out of the total what turns out to be done already.

        Args:
            count: How many.
        """
        self.total -= count
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], total=self.total)

    def line(self) -> str:
        """Say how far it is, as one plain line.

        Returns:
            Such as ``"3440 of 8600 training steps (40 %), 12 s left"``.
        """
        share = self.done / self.total if self.total else 1.0
        told = f"{self.done} of {self.total} {self.unit} ({share * 100:.0f} %)"
        if not 0 < share < 1:
            return told
        return f"{told}, {_duration((self._clock() - self._begun) * (1 - share) / share)} left"


def _duration(seconds: float) -> str:
    """Two units are enough to plan with."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _bar(stream: Stream) -> "Bar":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=Console(file=cast(IO[str], stream), highlight=False),
        transient=True,
    )
