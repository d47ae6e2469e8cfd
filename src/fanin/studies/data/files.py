"""Data in a file: CSV with a header, or Parquet."""

import csv
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fanin.errors import FaninError, nearest, need
from fanin.studies.data.table import Table, check_names, from_frame, quote

SUFFIXES = (".csv", ".parquet")
"""What the name of a data file ends in."""


def from_file(path: Path, target: str | Sequence[str] | None) -> Table:
    """Read a file.

    A CSV file is UTF-8 and begins with a line of column names, with commas, semicolons or tabs
    between them. A first column that has no name and counts the rows, as pandas writes it, is left
    out.

    Args:
        path: The file.
        target: The target column, or several.

    Returns:
        The table.

    Raises:
        FaninError: There is no such file, it cannot be read, or its columns cannot be used.
    """
    notes: tuple[str, ...] = ()
    try:
        _check(path)
        if path.suffix.lower() == ".parquet":
            need("pyarrow", extra="study", purpose="Reading a Parquet file")
            frame = pd.read_parquet(path)
        else:
            frame, notes = _read_csv(path)
    except FaninError:
        raise
    except UnicodeDecodeError as problem:
        raise FaninError(
            f"{path.name} cannot be read: it is not in UTF-8 (see its byte {problem.start + 1}); "
            "save it as UTF-8"
        ) from None
    except (OSError, ValueError, csv.Error) as problem:  # the parsers' words name the line
        raise FaninError(f"{path.name} cannot be read: {str(problem).strip()}") from None
    return from_frame(frame, target, name=path.name, first_row=1, notes=notes)


def _check(path: Path) -> None:
    if path.is_dir():
        raise FaninError(f"{path} is a folder: name a file in it, {' or '.join(SUFFIXES)}")
    if not path.exists():
        if not path.parent.is_dir():
            raise FaninError(f"there is no file {path}: there is no folder {path.parent} either")
        files = [file.name for file in path.parent.iterdir() if file.suffix.lower() in SUFFIXES]
        raise FaninError(f"there is no file {path}{nearest(path.name, sorted(files))}")
    if path.suffix.lower() not in SUFFIXES:
        raise FaninError(f"{path.name} cannot be read: data files end in {' or '.join(SUFFIXES)}")


def _read_csv(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(islice((line for line in file if line.strip()), 2))
    if not lines:
        raise FaninError(f"{path.name} is empty")
    separator = _separator(lines)
    written = _cells(lines[0], separator)
    header = [name or f"Unnamed: {place}" for place, name in enumerate(written)]  # as pandas says
    check_names(header, path.name)
    frame = pd.read_csv(
        path, sep=separator, encoding="utf-8-sig", skipinitialspace=True, low_memory=False
    )
    if not isinstance(frame.index, pd.RangeIndex):
        raise FaninError(
            f"{path.name} has more values in a row than names in its header, {quote(header)}"
        )
    if written[0] or not _counts(frame.iloc[:, 0].to_numpy()):
        return frame, ()
    note = f"the first column of {path.name} has no name and counts the rows: it is left out"
    return frame.iloc[:, 1:], (note,)


def _separator(lines: list[str]) -> str:
    """The one that cuts the first line into most cells, and the second into as many."""

    def fits(separator: str) -> tuple[bool, int]:
        cells = [len(_cells(line, separator)) for line in lines]
        return 1 < cells[0] == cells[-1], cells[0]

    return max(",;\t", key=fits)


def _cells(line: str, separator: str) -> list[str]:
    reader = csv.reader([line], delimiter=separator, skipinitialspace=True)
    return [cell.strip() for cell in next(reader)]


def _counts(values: NDArray[Any]) -> bool:
    if values.dtype.kind != "i" or values[0] not in (0, 1):
        return False
    return bool((values == np.arange(len(values)) + values[0]).all())
