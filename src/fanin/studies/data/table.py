"""What every source of data becomes: a table of numbers and a target, not yet split or scaled.

A person finds a bad value by its column and row. Columns are therefore turned into numbers here,
where their names are known, and a table remembers how its source counts rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fanin.errors import FaninError, nearest
from fanin.studies.data.value import Kind

_ROWS = 3  # offending rows or values in a message
_NAMES = 20  # columns in a message
_LETTERS = 60  # of a name in a message


@dataclass(frozen=True, eq=False)
class Table:
    """Examples as they were found.

    Attributes:
        name: The source as text.
        features: float64 of shape (n, d), or (n, ...).
        feature_names: One name for each number of an example, in C order.
        target: Any values, of shape (n,) or (n, k).
        target_names: One name for each column of the target.
        kind: What the source says the target is; None when it says nothing.
        class_names: Names of the classes 0, 1, ... when the source has them.
        first_row: How the source numbers its first row: 1 in a file, 0 in Python.
        n_train: How many rows are for training when the source is split; these come first.
        notes: What happened on the way here, in sentences.
    """

    name: str
    features: NDArray[np.float64]
    feature_names: tuple[str, ...]
    target: NDArray[Any]
    target_names: tuple[str, ...]
    kind: Kind | None = None
    class_names: tuple[str, ...] = ()
    first_row: int = 0
    n_train: int | None = None
    notes: tuple[str, ...] = ()


def from_frame(
    frame: pd.DataFrame,
    target: str | Sequence[str] | None,
    *,
    name: str,
    first_row: int = 0,
    notes: tuple[str, ...] = (),
) -> Table:
    """Take a frame apart into features and target.

    Args:
        frame: One example in a row.
        target: The target column, or several.
        name: The source as text.
        first_row: The number of the first row in the source.
        notes: What happened on the way here.

    Returns:
        The table; every column that is no target is a feature.

    Raises:
        FaninError: A column is missing, is named twice, or holds something else than numbers.
    """
    names = [str(column).strip() for column in frame.columns]
    check_names(names, name)
    frame = frame.set_axis(names, axis="columns")
    targets = _targets(target, names, name)
    features = [column for column in names if column not in targets]
    if not features:
        raise FaninError(f"{name} has no column but its target: there is nothing to learn from")
    if not len(frame):
        raise FaninError(f"{name} has columns and no rows")
    answers = [as_values(frame[column]) for column in targets]
    return Table(
        name=name,
        features=as_numbers(frame[features], name, first_row),
        feature_names=tuple(features),
        target=answers[0] if len(answers) == 1 else np.stack(answers, axis=1),
        target_names=targets,
        first_row=first_row,
        notes=notes,
    )


def as_numbers(frame: pd.DataFrame, source: str, first_row: int) -> NDArray[np.float64]:
    """Read features as numbers, column by column.

    Args:
        frame: The features; text that spells numbers is read as numbers.
        source: What to call the source in a message.
        first_row: The number of the first row in the source.

    Returns:
        float64 of the shape of the frame, NaN where a value is missing.

    Raises:
        FaninError: A column holds something else than numbers.
    """
    numbers = np.empty(frame.shape)
    kinds = pd.api.types
    for place, name in enumerate(frame.columns):
        column = frame[name]
        if kinds.is_numeric_dtype(column) and not kinds.is_complex_dtype(column):
            numbers[:, place] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            continue
        values = column.astype(object)
        parsed = pd.to_numeric(values, errors="coerce")
        strange = np.flatnonzero(parsed.isna() & values.notna())
        if kinds.is_complex_dtype(parsed):
            strange = np.arange(len(parsed))
        if strange.size:
            found = dict.fromkeys(shorten(values.iloc[row]) for row in strange[: 50 * _ROWS])
            raise FaninError(
                f'column "{name}" of {source} holds {", ".join([*found][:_ROWS])}, '
                f"which {'is' if len(found) == 1 else 'are'} not numbers "
                f"({rows(strange, first_row)}). Leave the column out, or {_advice(values, strange)}"
            )
        numbers[:, place] = parsed.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _advice(values: "pd.Series[Any]", strange: NDArray[np.int64]) -> str:
    """What to do depends on what the values are: a decimal comma is a slip, a date is a choice."""
    found = values.iloc[strange]
    text = found.astype(str)
    if text.str.fullmatch(r"[-+]?\d+,\d+").all():
        return "write its numbers with a decimal point, 1.5 and not 1,5"
    if pd.to_datetime(text, errors="coerce", format="ISO8601").notna().all():
        return "write it as numbers, such as days since a date"
    return "write it as numbers: one column of 0 and 1 for each value (pandas.get_dummies)"


def as_values(column: Any) -> NDArray[Any]:
    """Read a target: a pandas Series, or anything a Series can be made of.

    Args:
        column: One value for each example.

    Returns:
        The values in the plainest dtype that holds them; text as objects.
    """
    return pd.Series(column).infer_objects().to_numpy()


def check_names(names: Sequence[str], source: str) -> None:
    """Refuse a source that gives two columns one name.

    Args:
        names: The columns.
        source: What to call the source in the message.

    Raises:
        FaninError: A name comes twice.
    """
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    if twice:
        raise FaninError(
            f"{source} has several columns named {quote(twice)}: give each a name of its own"
            f"{_no_header(names)}"
        )


def rows(positions: NDArray[np.int64], first_row: int) -> str:
    """Name rows in a message, the way their source counts them.

    Args:
        positions: The rows, counted from 0.
        first_row: The number of the first row in the source.

    Returns:
        The first few of them in words.

    Example:
        >>> rows(np.array([4, 9]), first_row=1)
        'rows 5, 10; the first row is 1'
    """
    numbers = [str(position + first_row) for position in positions.tolist()]
    more = f" and {len(numbers) - _ROWS} more" if len(numbers) > _ROWS else ""
    word = "row" if len(numbers) == 1 else "rows"
    return f"{word} {', '.join(numbers[:_ROWS])}{more}; the first row is {first_row}"


def quote(names: Iterable[str]) -> str:
    """List names in a message, as many as a person would read.

    Args:
        names: Any names.

    Returns:
        The names in quotes.

    Example:
        >>> quote(["a", "b"])
        '"a", "b"'
    """
    quoted = [f'"{_printable(name)}"' for name in names]
    more = f" and {len(quoted) - _NAMES} more" if len(quoted) > _NAMES else ""
    return ", ".join(quoted[:_NAMES]) + more


def _printable(name: str) -> str:
    """A file that is no table has names of thousands of letters, some of which a terminal obeys."""
    cut = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 3]}..."
    return cut if cut.isprintable() else ascii(cut)[1:-1]


def shorten(value: object) -> str:
    """Show a value in a message.

    Args:
        value: Anything.

    Returns:
        Its repr, cut to what fits into a sentence.

    Example:
        >>> shorten("a" * 100)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    text = repr(value)
    return text if len(text) <= 32 else f"{text[:29]}..."


def _targets(target: str | Sequence[str] | None, names: list[str], source: str) -> tuple[str, ...]:
    if target is None:
        raise FaninError(f"name the target column of {source} (its columns are {quote(names)})")
    wanted = (target,) if isinstance(target, str) else tuple(target)
    for name in wanted:
        if name not in names:
            raise FaninError(
                f'{source} has no column "{name}"{nearest(name, names)} (its columns are '
                f"{quote(names)}){_no_header(names)}"
            )
    if not wanted or len(set(wanted)) < len(wanted):
        raise FaninError(f"target must name one column, or several once each, got {list(wanted)}")
    return wanted


def _no_header(names: Sequence[str]) -> str:
    """A file without a header is the likely reason when its columns are all named by numbers."""
    try:
        _ = [float(name) for name in names]
    except ValueError:
        return ""
    return "; is its first line data? It must name the columns"
