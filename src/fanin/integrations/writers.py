"""The trackers of experiments a finished study can be written to, by name."""

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError, MissingExtra, nearest

if TYPE_CHECKING:
    from fanin.studies.study import Study

TRACKERS = ("mlflow", "tensorboard", "wandb")
"""The trackers, by the names of their libraries."""


def export_study(study: "Study", kind: str, place: str) -> str:
    """Write a finished study to a tracker of experiments.

    Args:
        study: The study.
        kind: ``"mlflow"``, ``"tensorboard"`` or ``"wandb"``.
        place: For MLflow the address of the store, such as ``"sqlite:///mlflow.db"``; a folder for
            the others.

    Returns:
        What to do to see it, one line.

    Raises:
        FaninError: The kind is none of these, its library is not installed, the place cannot be
            written, or nothing of the study is finished.
    """
    if kind not in TRACKERS:
        raise FaninError(
            f"a study goes to {', '.join(TRACKERS)}, got {kind!r}{nearest(kind, TRACKERS)}"
        )
    writer: Any = importlib.import_module(f"fanin.integrations.{kind}")
    if kind == "mlflow":
        writer.log_study(study, tracking_uri=place)
        return f"mlflow ui --backend-store-uri {place}"
    folders = writer.log_study(study, directory=place)
    if kind == "wandb":
        return f"wandb sync {folders[0].parent}/offline-run-*"
    return f"tensorboard --logdir {place}"


def library(name: str) -> Any:
    """Import the library of a tracker.

    Args:
        name: One of `TRACKERS`.

    Returns:
        The module.

    Raises:
        MissingExtra: It is not installed.
    """
    if importlib.util.find_spec(name) is None:
        raise MissingExtra(f"{name} is not installed: pip install {name}")
    return importlib.import_module(name)


def made(folder: str | Path) -> Path:
    """Make a folder unless it is there.

    Args:
        folder: The folder.

    Returns:
        The folder.

    Raises:
        FaninError: It cannot be made.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise FaninError(f"cannot make the folder {path}: {problem.strerror or problem}") from None
    return path
