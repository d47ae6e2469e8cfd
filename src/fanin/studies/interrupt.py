"""Ctrl-C that is never lost and never lands in the middle of a step.

Python raises `KeyboardInterrupt` wherever the signal arrives. Inside a finaliser or a callback of
the garbage collector it is printed and forgotten, and the training goes on as if nobody had asked.
So while trainings run, the signal is noted and raised at the end of the step; asked a second time,
it is raised on the spot, for the person whose steps are long.
"""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Generator[Callable[[], None]]:
    """Note Ctrl-C instead of raising it at once, in the main thread, once the first step is done.

    A handler that the program has set for itself is left in place.

    Yields:
        A function to call at the end of each step; it raises what was noted.
    """
    begun = asked = False

    def note(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked or not begun:
            signal.default_int_handler(signum, frame)
        asked = True

    def step_done() -> None:
        nonlocal begun
        begun = True
        if asked:
            raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield step_done
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield step_done
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
