"""Progress on a terminal, in a log and when it is to be quiet, by a clock of the test's own."""

import io

import pytest

from fanin.reports.progress import Progress


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_every_ten_seconds_at_most():
    clock, stream = Clock(), io.StringIO()
    with Progress(1000, "training steps", stream=stream, clock=clock) as progress:
        for _ in range(10):
            clock.now += 3
            progress.advance(50)
    lines = stream.getvalue().splitlines()
    # 30 seconds, in steps of 3: lines at 12 and at 24.
    assert lines == [
        "200 of 1000 training steps (20 %), 48 s left",
        "400 of 1000 training steps (40 %), 36 s left",
    ]


def test_a_short_study_says_nothing():
    stream = io.StringIO()
    with Progress(10, "training steps", stream=stream, clock=Clock()) as progress:
        progress.advance(10)
    assert stream.getvalue() == ""
    assert progress.done == 10


@pytest.mark.parametrize("screen", [io.StringIO, Screen])
def test_quiet_is_quiet(screen):
    clock, stream = Clock(), screen()
    with Progress(10, "training steps", quiet=True, stream=stream, clock=clock) as progress:
        clock.now += 60
        progress.advance(5)
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_that_goes_away():
    stream = Screen()
    with Progress(10, "training steps", stream=stream) as progress:
        progress.advance(5)
        progress._bar.refresh()
        drawn = stream.getvalue()
    assert "training steps" in drawn
    assert "50%" in drawn
    assert "5/10" in drawn
    # The last thing written clears the line of the bar.
    assert stream.getvalue().rstrip("\n").endswith("\x1b[2K")


def test_a_bar_is_cleared_after_an_interruption():
    stream = Screen()
    progress = Progress(10, "training steps", stream=stream)
    with pytest.raises(KeyboardInterrupt), progress:
        raise KeyboardInterrupt
    assert progress._bar is None
    assert "\x1b[?25h" in stream.getvalue()  # the cursor is back


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(1, "1 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3661, "1 h 1 min")],
)
def test_time_left(seconds, told):
    clock = Clock()
    progress = Progress(2, "runs", stream=io.StringIO(), clock=clock)
    progress.done = 1
    clock.now += seconds
    assert progress.line() == f"1 of 2 runs (50 %), {told} left"


def test_nothing_to_do_is_done():
    assert Progress(0, "runs", stream=io.StringIO()).line() == "0 of 0 runs (100 %)"
