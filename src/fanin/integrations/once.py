"""One check before the first step of a training, whatever trains."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fanin.errors import FaninError

if TYPE_CHECKING:
    from fanin.checks import Report


def check_once(
    model: Any, batch: Any, loss: Callable[..., Any] | None, fail_on: str | None
) -> "Report":
    """Check a model that is about to be trained, and say on stderr what is wrong.

    Args:
        model: The model; left as it was.
        batch: A batch as the data loader gives it: a tensor, a tuple or list, or a mapping.
        loss: Makes the loss of the output and the rest of the batch; None to find one.
        fail_on: The mildest severity that ends the training; None for none.

    Returns:
        The report. A model that is trained by other ways than its forward pass cannot be run on
        the batch; then its weights are read, and a note says so.

    Raises:
        FaninError: Something that severe was found.
    """
    from fanin.checks import read_settings
    from fanin.checks.settings import severity
    from fanin.torch.batches import beside
    from fanin.verbs.check import check

    limit = None if fail_on is None else severity(fail_on, "fail_on")
    given, settings = _arguments(beside(model, batch)), read_settings(Path.cwd())
    try:
        report = check(model, *given, loss=loss, settings=settings)
    except FaninError as problem:
        report = check(model, settings=settings)
        notes = (*report.evidence.notes, f"no pass was made: {problem}")
        report = replace(report, evidence=replace(report.evidence, notes=notes))
    if report.findings or report.evidence.notes:
        report.show(sys.stderr)
    if limit is not None and any(one.severity.rank <= limit.rank for one in report.findings):
        codes = ", ".join(dict.fromkeys(one.code for one in report.findings))
        raise FaninError(
            f"the network is not started right ({codes}), and fail_on={fail_on!r} ends the "
            "training there; the report is above"
        )
    return report


def _arguments(batch: Any) -> tuple[Any, ...]:
    if isinstance(batch, Mapping):
        return (dict(cast("Mapping[str, Any]", batch)),)
    if isinstance(batch, tuple | list):
        return tuple(cast("list[Any]", batch))
    return (batch,)
