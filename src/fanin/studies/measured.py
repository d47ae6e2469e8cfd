"""What of a study's dataset was measured, as plain arrays.

A dataset may be crossed or not and may have been stopped anywhere. Here both are settled: arrays
always have an axis of orders, of length 1 where each repeat has its own, and `finished` keeps what
can be compared.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray

CURVES = ("loss", "accuracy", "held_out_loss", "held_out_accuracy")
"""The variables of a study's dataset; a study has those it measured."""

JUDGED = {"held_out_loss": "held-out loss", "loss": "training loss"}
"""The measures a study can be judged by, the first that it has, with their names for a person."""


def finished(dataset: "xarray.Dataset") -> "xarray.Dataset":
    """Keep the part of an interrupted study that can be compared.

    Repeats measured to the end for every scheme are kept whole. If there is none, the repeats begun
    by every scheme are kept, up to the last point that all of their runs reached. The start alone
    is none: it ranks the schemes before any has been trained.

    Args:
        dataset: As in `Study`; NaN in ``loss`` means not measured.

    Returns:
        The same variables on fewer repeats or points; all of it when nothing is missing.
    """
    measured = ~np.isnan(curves_of(dataset, "loss"))
    whole = measured.all(axis=(0, 2, 3))
    if whole.any():
        return dataset.isel(repeat=np.flatnonzero(whole))
    begun = measured[..., 0].all(axis=(0, 2))
    reached = measured[:, begun].all(axis=(0, 1, 2))
    points = int(np.argmin(np.append(reached, False))) if begun.any() else 0
    trained = points if points > 1 else 0
    return dataset.isel(repeat=np.flatnonzero(begun), epoch=slice(0, trained))


def curves_of(dataset: "xarray.Dataset", name: str) -> NDArray[np.float64]:
    """Take one variable out of a dataset, whatever the order of its dims.

    Args:
        dataset: As in `Study`.
        name: The variable.

    Returns:
        An array of shape (scheme, repeat, order, point).
    """
    values = dataset[name]
    if "order" not in values.dims:
        values = values.expand_dims("order")
    ordered = values.transpose("scheme", "repeat", "order", "epoch")
    return np.asarray(ordered.values, dtype=np.float64)


def runs_of(dataset: "xarray.Dataset", name: str) -> NDArray[np.float64]:
    """Take one variable out of a dataset, run by run.

    Args:
        dataset: As in `Study`.
        name: The variable.

    Returns:
        An array of shape (scheme, run, point), the runs in the order of `Design.runs`.
    """
    curves = curves_of(dataset, name)
    schemes, repeats, orders, points = curves.shape
    return curves.reshape(schemes, repeats * orders, points)


def flattened(dataset: "xarray.Dataset") -> "xarray.Dataset":
    """Make every run a repeat of its own, for what looks at runs and not at where they come from.

    Args:
        dataset: As in `Study`.

    Returns:
        The curves without the dim order; the same dataset where it has none.
    """
    if "order" not in dataset.dims:
        return dataset
    dims = ("scheme", "repeat", "epoch")
    curves = {name: (dims, runs_of(dataset, name)) for name in CURVES if name in dataset}
    return dataset.drop_dims(("order", "repeat")).assign(curves)


def by_repeat(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let every repeat speak with one voice: the median over its orders.

    The runs of a start are not independent of each other, so what is counted is repeats. A median
    is a rank, as everything here is: it needs no special case for a diverged run, which counts as
    long as it is not in the majority.

    Args:
        values: One value per run, shape (scheme, repeat, order).

    Returns:
        One value per repeat, shape (scheme, repeat).
    """
    return np.asarray(np.median(values, axis=-1), dtype=np.float64)


def judged_by(dataset: "xarray.Dataset") -> str:
    """Name the variable the schemes are judged by.

    Args:
        dataset: As in `Study`.

    Returns:
        ``"held_out_loss"`` where it was measured, else ``"loss"``.
    """
    held_out = "held_out_loss" in dataset and not np.isnan(dataset["held_out_loss"].values).all()
    return "held_out_loss" if held_out else "loss"
