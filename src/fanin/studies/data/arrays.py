"""Data that is in memory already: arrays, lists, tensors, frames.

Everything is read through ``numpy.asarray``, so a tensor of any framework that lies on the host
will do, and no framework is imported to find out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.studies.data.table import Table, as_numbers, as_values, check_names


def from_arrays(arrays: Sequence[object]) -> Table:
    """Put arrays together, (X, y) or (X_train, y_train, X_held_out, y_held_out).

    Args:
        arrays: Two or four of anything that NumPy or pandas can read.

    Returns:
        The table, the training rows first.

    Raises:
        FaninError: Something cannot be read as numbers, or the shapes do not go together.
    """
    if len(arrays) == 2:
        return _table([arrays[0]], [arrays[1]], ["X"], ["y"])
    if len(arrays) == 4:
        return _table(
            [arrays[0], arrays[2]],
            [arrays[1], arrays[3]],
            ["X_train", "X_held_out"],
            ["y_train", "y_held_out"],
        )
    raise FaninError(
        "arrays come as (X, y) or as (X_train, y_train, X_held_out, y_held_out), got "
        f"{len(arrays)} of them"
    )


def _table(xs: list[object], ys: list[object], x_names: list[str], y_names: list[str]) -> Table:
    features = [_features(x, name) for x, name in zip(xs, x_names, strict=True)]
    targets = [_target(y, name) for y, name in zip(ys, y_names, strict=True)]
    for x, y, x_name, y_name in zip(features, targets, x_names, y_names, strict=True):
        if len(x) != len(y) or not x.size:
            raise FaninError(
                f"{x_name} and {y_name} must have the same number of rows, at least one, got the "
                f"shapes {x.shape} and {y.shape}"
            )
    for values, names in ((features, x_names), (targets, y_names)):
        if values[0].shape[1:] != values[-1].shape[1:]:
            raise FaninError(
                f"{' and '.join(names)} must have the same shape but for the number of rows, got "
                f"{values[0].shape} and {values[-1].shape}"
            )
    target = np.concatenate(targets)
    return Table(
        name="arrays",
        features=np.concatenate(features),
        feature_names=_feature_names(xs[0], features[0].shape[1:]),
        target=target,
        target_names=_target_names(ys[0], target),
        n_train=len(features[0]) if len(xs) == 2 else None,
    )


def _features(values: object, name: str) -> NDArray[np.float64]:
    if isinstance(values, pd.DataFrame):
        columns = [str(column) for column in values.columns]
        check_names(columns, name)
        return as_numbers(values.set_axis(columns, axis="columns"), name, 0)
    array = _array(values, name)
    if array.ndim < 2:
        raise FaninError(
            f"{name} must have the shape (n, d), one example in a row, got {array.shape}: a single "
            "feature is X.reshape(-1, 1)"
        )
    if array.dtype.kind in "OUS" and array.ndim == 2:
        frame = pd.DataFrame(array, columns=list(_feature_names(None, array.shape[1:])))
        return as_numbers(frame, name, 0)
    if array.dtype.kind in "OUScmM":  # NumPy would drop a part, or count nanoseconds
        raise FaninError(f"{name} must hold real numbers, got the dtype {array.dtype}")
    return array.astype(np.float64)


def _target(values: object, name: str) -> NDArray[Any]:
    array = _array(values, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in {1, 2}:
        raise FaninError(
            f"{name} must have the shape (n,), or (n, k) for k targets, got {array.shape}"
        )
    return as_values(array) if array.ndim == 1 else array


def _array(values: object, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise FaninError(f"{name} cannot be read as an array: {problem}") from None


def _feature_names(source: object, shape: tuple[int, ...]) -> tuple[str, ...]:
    if isinstance(source, pd.DataFrame):
        return tuple(str(column) for column in source.columns)
    if len(shape) == 1:
        return tuple(f"x{place}" for place in range(shape[0]))
    return tuple(f"x{list(place)}" for place in np.ndindex(shape))


def _target_names(source: object, target: NDArray[Any]) -> tuple[str, ...]:
    if isinstance(source, pd.DataFrame):
        return tuple(str(column) for column in source.columns)
    if isinstance(source, pd.Series) and source.name is not None:
        return (str(source.name),)
    if target.ndim == 1:
        return ("y",)
    return tuple(f"y{place}" for place in range(target.shape[1]))
