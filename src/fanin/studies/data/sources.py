"""Where data comes from, told apart by what was passed."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import cast

import pandas as pd

from fanin.errors import FaninError
from fanin.studies.data.arrays import from_arrays
from fanin.studies.data.files import SUFFIXES, from_file
from fanin.studies.data.sets import from_name, from_openml
from fanin.studies.data.table import Table, from_frame

OPENML = "openml:"
"""What the name of a set on OpenML begins with."""


def read(source: object, target: str | Sequence[str] | None) -> Table:
    """Read data from any source that `fanin.studies.data.load` takes.

    Args:
        source: A path, a name, a frame or arrays.
        target: The target column, or several, for the sources that have columns.

    Returns:
        The table.

    Raises:
        FaninError: The source is none of these, cannot be read, or its target is known already.
    """
    if isinstance(source, pd.DataFrame):
        return from_frame(source, target, name="frame")
    if isinstance(source, str) and source.startswith(OPENML):
        return from_openml(source.removeprefix(OPENML), target)
    if isinstance(source, str) and _is_path(source):
        return from_file(Path(source), target)
    if isinstance(source, PathLike):
        return from_file(Path(cast(PathLike[str], source)), target)
    named = from_name(source) if isinstance(source, str) else None
    if target is not None:
        raise FaninError(
            f"target names a column of a file or a frame; {_owner(source)}, so leave out "
            f"target={target!r}"
        )
    if named is not None:
        return named
    if isinstance(source, tuple | list):
        return from_arrays(cast(Sequence[object], source))
    raise FaninError(
        "data must be a path, a name, a pandas DataFrame, arrays (X, y) or arrays (X_train, "
        f"y_train, X_held_out, y_held_out), got {type(source).__name__}"
    )


def _is_path(source: str) -> bool:
    """A text with a slash or an ending, unless it is a call: ``blobs(cluster_std=0.5)``."""
    path = Path(source)
    if path.suffix.lower() in SUFFIXES:
        return True
    return "(" not in source and bool(path.suffix or path.parent.name or path.is_absolute())


def _owner(source: object) -> str:
    return f"{source} has its own" if isinstance(source, str) else "with arrays it is y"
