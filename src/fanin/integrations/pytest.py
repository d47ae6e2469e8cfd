"""The plugin for pytest: a start is checked like anything else that a project tests.

It is there as soon as fanin is installed: the fixture `fanin_check`, and `assert_healthy` for those
who would rather import a function.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fanin.checks import Report


def assert_healthy(build: Any, *batch: Any, **options: Any) -> "Report":
    """Fail unless a network is started right.

    The settings of the project's pyproject.toml hold, `fail-on` among them.

    Args:
        build: A function that builds the model, or a model.
        *batch: What its forward pass takes, then what the loss takes.
        **options: Further arguments of `fanin.check`, such as ``loss`` or ``plan``.

    Returns:
        The report, with what does not fail.

    Raises:
        AssertionError: Something is wrong; the message is the report.

    Example:
        >>> import torch
        >>> assert_healthy(lambda: torch.nn.Linear(4, 2), torch.randn(8, 4)).ok
        True
    """
    __tracebackhide__ = True
    from fanin.checks import read_settings
    from fanin.verbs.check import check

    settings = options.pop("settings", None) or read_settings(Path.cwd())
    report = check(build, *batch, settings=settings, **options)
    if any(one.severity.rank <= settings.fail_on.rank for one in report.findings):
        raise AssertionError(f"the network is not started right\n\n{report}")
    return report


@pytest.fixture
def fanin_check() -> "Callable[..., Report]":
    """Check the start of a network in a test, and fail the test where something is wrong.

    Returns:
        `assert_healthy`.
    """
    return assert_healthy
