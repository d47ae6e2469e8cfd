"""From a table to data that can be trained on: check, encode, split, scale.

The order keeps the held-out part out of everything: the rows are split before the scale is
measured, and every class has to be met in training.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fanin.calls import format_number
from fanin.errors import FaninError, nearest
from fanin.studies.data.table import Table, quote, rows, shorten
from fanin.studies.data.value import KINDS, Data, Kind, Part

MOST_CLASSES = 20
"""Up to so many different values, a target of whole floats is read as classes."""

Rows = NDArray[np.int64]


def prepare(
    table: Table, *, scale: bool, holdout: float, split_seed: int, task: str | None
) -> Data:
    """Check a table, number its classes, split its rows and scale its features.

    Args:
        table: The examples as they were found.
        scale: Whether to standardise the features by the training part.
        holdout: Fraction of the rows to hold out; not used when the source comes split.
        split_seed: Seed of the split; not used when the source comes split.
        task: What the target is; None to go by the source or the values.

    Returns:
        The data.

    Raises:
        FaninError: The values cannot be trained on, or an argument is out of its range.
    """
    features = table.features.reshape(len(table.features), -1)
    _check_features(table, features)
    _check_target(table)
    kind = _kind(table, task)
    guessed = task is None and table.kind is None and table.target.dtype.kind in "iuf"
    train, held_out = _split(table, holdout, split_seed)
    notes = list(table.notes)

    if kind == "classification":
        target, classes = _classes(table)
        _check_classes(table, target[train], classes, guessed=guessed)
        if guessed and len(classes) > 2:
            notes.append(
                f"the target {quote(table.target_names)} is read as {len(classes)} classes; if it "
                "is a quantity, ask for regression"
            )
    else:
        target, classes = _numbers(table), ()

    if scale:
        features, constant = _scaled(features, train)
        if constant.size:
            notes.append(
                f"{len(constant)} of {features.shape[1]} features are constant in the training "
                "part and 0 there after scaling: "
                + quote(table.feature_names[int(place)] for place in constant)
            )
    ready = _float32(table, features, table.feature_names).reshape(table.features.shape)

    how = "split as given" if table.n_train is not None else f"split seed {split_seed}"
    size = f"{len(train)} training and {len(held_out)} held-out rows ({how})"
    return Data(
        name=table.name,
        kind=kind,
        train=Part(ready[train], target[train]),
        held_out=Part(ready[held_out], target[held_out]) if held_out.size else None,
        feature_names=table.feature_names,
        target_names=table.target_names,
        classes=classes,
        preparation=", ".join(
            [
                size if held_out.size else f"{len(train)} rows, none held out",
                "standardised" if scale else "not scaled",
            ]
        ),
        notes=tuple(notes),
    )


def _check_features(table: Table, features: NDArray[np.float64]) -> None:
    bad = ~np.isfinite(features)
    if not bad.any():
        return
    columns = np.flatnonzero(bad.any(axis=0))
    where = np.flatnonzero(bad[:, columns[0]])
    others = f", and {len(columns) - 1} more columns have some" if len(columns) > 1 else ""
    raise FaninError(
        f'column "{table.feature_names[columns[0]]}" of {table.name} has '
        f"{_missing(len(where))} ({rows(where, table.first_row)}){others}: fill them in, or leave "
        "out those rows or the column"
    )


def _check_target(table: Table) -> None:
    values = table.target.reshape(len(table.target), -1)
    bad = np.asarray(pd.isna(values))
    if values.dtype.kind == "f":
        bad |= np.isinf(values)
    where = np.flatnonzero(bad.any(axis=1))
    if where.size:
        raise FaninError(
            f"the target {quote(table.target_names)} of {table.name} has {_missing(len(where))} "
            f"({rows(where, table.first_row)}): leave out those rows"
        )


def _missing(count: int) -> str:
    return "1 missing or infinite value" if count == 1 else f"{count} missing or infinite values"


def _kind(table: Table, task: str | None) -> Kind:
    """Follow the person, then the source, then the values."""
    for kind in KINDS:
        if task == kind:
            return kind
    if task is not None:
        raise FaninError(f"task must be {' or '.join(KINDS)}, got {task!r}{nearest(task, KINDS)}")
    if table.kind is not None:
        return table.kind
    values = table.target
    code = values.dtype.kind
    if values.ndim == 2:
        return "classification" if _one_hot(values) else "regression"
    if code == "f":
        different = np.unique(values)
        whole = bool((different == np.round(different)).all())
        return "classification" if whole and len(different) <= MOST_CLASSES else "regression"
    if code in "biuOUS":
        return "classification"
    raise FaninError(
        f"the target {quote(table.target_names)} of {table.name} must be numbers, text or truth "
        f"values, got the dtype {values.dtype}"
    )


def _one_hot(values: NDArray[Any]) -> bool:
    if values.dtype.kind not in "biuf":
        return False
    return bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all())


def _classes(table: Table) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the classes in sorted order, and name them."""
    values = table.target
    if values.ndim == 2:
        raise FaninError(
            f"a classification needs one class for each row, got a target of shape {values.shape}: "
            "if each row is one-hot, pass y.argmax(axis=1)"
        )
    if values.dtype.kind not in "biuf":
        values = np.array([str(value) for value in values])
    found, codes = np.unique(values, return_inverse=True)
    if table.class_names:
        named = tuple(table.class_names[int(label)] for label in found)
    elif found.dtype.kind == "f":
        named = tuple(format_number(label) for label in found)
    else:
        named = tuple(str(label) for label in found)
    if len(named) == 1:
        raise FaninError(
            f"every row of {table.name} has the target {quote(named)}: a classification needs at "
            "least two classes"
        )
    return codes.reshape(-1).astype(np.int64), named


def _check_classes(
    table: Table, codes: NDArray[np.int64], classes: tuple[str, ...], *, guessed: bool
) -> None:
    counts = np.bincount(codes, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if not count]
    if absent:
        have = "has" if len(absent) == 1 else "have"
        raise FaninError(
            f"{len(absent)} of the {len(classes)} classes of {table.name} {have} no row in the "
            f"training part ({quote(absent)}): take another split_seed or a smaller holdout, or "
            "leave them out"
            + ("; if the target is a quantity, ask for the task regression" if guessed else "")
        )


def _numbers(table: Table) -> NDArray[np.float32]:
    """Read a target as float32 columns."""
    values = table.target.reshape(len(table.target), -1)
    columns = list[NDArray[np.float64]]()
    for name, column in zip(table.target_names, values.T, strict=True):
        numbers = pd.to_numeric(pd.Series(column.astype(object)), errors="coerce").to_numpy()
        strange = np.flatnonzero(np.isnan(numbers.astype(np.float64)))
        if strange.size:
            raise FaninError(
                f'regression needs numbers, and the target "{name}" of {table.name} holds '
                f"{shorten(column[strange[0]])} ({rows(strange, table.first_row)})"
            )
        if (numbers == numbers[0]).all():
            raise FaninError(
                f'every row of {table.name} has the target "{name}" {shorten(column[0])}: there is '
                "nothing to learn"
            )
        columns.append(numbers.astype(np.float64))
    return _float32(table, np.stack(columns, axis=1), table.target_names)


def _split(table: Table, holdout: float, split_seed: int) -> tuple[Rows, Rows]:
    """Say which rows are trained on and which are held out."""
    if not 0 <= holdout < 1:
        raise FaninError(
            f"holdout must be a fraction of the rows, at least 0 and below 1, got "
            f"{format_number(holdout)}"
        )
    if not 0 <= split_seed < 2**32:  # scikit-learn's range
        raise FaninError(f"split_seed must lie between 0 and 2**32 - 1, got {split_seed}")
    places = np.arange(len(table.target))
    if table.n_train is not None:
        return places[: table.n_train], places[table.n_train :]
    if holdout == 0:
        return places, places[:0]
    if math.ceil(holdout * len(places)) == len(places):
        raise FaninError(
            f"{table.name} has too few rows ({len(places)}) to hold out {format_number(holdout)} "
            "of them and train on the rest"
        )
    train, held_out = train_test_split(places, test_size=holdout, random_state=split_seed)
    return train, held_out


def _scaled(features: NDArray[np.float64], train: Rows) -> tuple[NDArray[np.float64], Rows]:
    """Standardise by the training rows; also say which features are constant there."""
    seen = features[train]
    with np.errstate(over="ignore", invalid="ignore"):  # `_float32` finds what overflows
        scaler = StandardScaler().fit(seen)
        scaled = scaler.transform(features)
    return scaled, np.flatnonzero((seen == seen[0]).all(axis=0))


def _float32(
    table: Table, values: NDArray[np.float64], names: Sequence[str]
) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        cast = values.astype(np.float32)
    bad = ~np.isfinite(cast)
    if bad.any():
        column = int(np.argmax(bad.any(axis=0)))
        raise FaninError(
            f'column "{names[column]}" of {table.name} holds numbers that are too large for '
            f"float32 ({rows(np.flatnonzero(bad[:, column]), table.first_row)}): change its unit"
        )
    return cast
