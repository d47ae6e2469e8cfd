"""What every test stands on: repeatable examples, a quiet Keras, the repository's own folder."""

import os
import signal
from collections.abc import Callable, Generator
from pathlib import Path

import hypothesis
import pytest

# The same examples on every run and no clock: a suite that fails must fail again when asked. A
# database of past failures would make two machines disagree.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    """Settle what Keras reads on import: its backend, and a home that is not the user's."""
    os.environ["KERAS_BACKEND"] = "torch"
    if getattr(config, "cache", None) is not None:
        os.environ["KERAS_HOME"] = str(config.cache.mkdir("keras"))


@pytest.fixture
def ctrl_c() -> Generator[None]:
    """Ctrl-C as in a terminal.

    A suite that runs in the background is told to ignore it, and its children with it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """One flag rewrites every stored output; the diff is then read like any other change."""
    parser.addoption("--golden-update", action="store_true", help="rewrite tests/golden/")


@pytest.fixture
def golden(root: Path, pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Compare a text with the one stored under a name in tests/golden."""

    def check(name: str, text: str) -> None:
        path = root / "tests/golden" / name
        if pytestconfig.getoption("--golden-update"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check
