"""A study as one long table, for pandas, R and whatever else reads CSV or Parquet.

A row is one training at one measured point on one part of the data, so that a plot needs no
reshaping: x is ``step``, colour ``scheme``, line type ``split``. The metrics are columns, as every
row has all of them. Trainings that are not finished are left out.
"""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fanin.errors import FaninError, need
from fanin.studies.store.files import PARTIAL
from fanin.studies.study import Study
from fanin.studies.trainer import SPLITS

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".parquet")
"""What a table is written as, by the ending of its file."""


def tidy(study: Study) -> "pd.DataFrame":
    """Lay a study out as one long table.

    Args:
        study: The study, finished or not.

    Returns:
        Columns ``scheme``, ``repeat``, ``seed`` (of the start), ``order`` and ``order_seed`` (of
        the data order; without a crossed design each repeat has order 0 and its own seed),
        ``step``, ``epoch``, ``split`` (``"train"`` or ``"held-out"``), then ``loss`` and perhaps
        ``accuracy``, float32; a diverged loss is inf. Rows in the order of these columns.

    Raises:
        MissingExtra: pandas is not installed.
    """
    need("pandas", extra="study", purpose="a table of a study")
    import pandas as pd

    from fanin.studies.store.keeping import curves_in

    design, curves = study.design, curves_in(study)
    # (scheme, run, point, split): the last axis varies fastest, as the rows do.
    stacked = {name: np.moveaxis(curve, 0, -1) for name, curve in curves.items()}
    # The training part is always there.
    finished_runs = ~np.isnan(stacked["loss"][..., :1]).any(axis=2, keepdims=True)
    measured = ~np.isnan(stacked["loss"]).all(axis=(0, 1, 2))  # there may be nothing held out
    kept = np.broadcast_to(finished_runs & measured, stacked["loss"].shape)
    scheme, run, point, split = np.nonzero(kept)
    starts = np.array([run.start for run in design.runs], dtype=np.uint64)
    orders = np.array([run.order for run in design.runs], dtype=np.uint64)
    columns: dict[str, Any] = {
        "scheme": pd.Categorical(np.array(design.schemes)[scheme], list(design.schemes)),
        "repeat": run // design.orders,
        "seed": starts[run],
        "order": run % design.orders,
        "order_seed": orders[run],
        "step": np.array(design.points)[point],
        "epoch": np.array(design.epochs)[point],
        "split": pd.Categorical(np.array(SPLITS)[split], list(SPLITS)),
        **{name: curve[kept] for name, curve in stacked.items()},
    }
    return pd.DataFrame(columns)


def export(study: Study, path: Path) -> int:
    """Write a study as one long table.

    Args:
        study: The study, finished or not.
        path: A file ending in ``.csv`` or ``.parquet``; one that is there is replaced.

    Returns:
        How many rows were written.

    Raises:
        FaninError: The ending is another, or the file cannot be written.
        MissingExtra: pandas, or for Parquet pyarrow, is not installed.
    """
    check_ending(path)
    table = tidy(study)
    if not path.parent.is_dir():
        raise FaninError(f"there is no folder {path.parent} to write {path.name} to")
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        if path.suffix.lower() == ".csv":
            table.to_csv(aside, index=False)
        else:
            need("pyarrow", extra="study", purpose="Parquet")
            table.attrs["design"] = study.design.to_json()
            table.to_parquet(aside, index=False, engine="pyarrow")
        aside.replace(path)
    except OSError as problem:
        raise FaninError(f"cannot write {path}: {problem.strerror or problem}") from None
    finally:
        aside.unlink(missing_ok=True)
    return len(table)


def check_ending(path: Path) -> None:
    """Make sure that the kind of table is known.

    Args:
        path: The file to write.

    Raises:
        FaninError: Its ending is none of `ENDINGS`, or it is a folder.
    """
    if path.suffix.lower() not in ENDINGS:
        raise FaninError(f"a study is exported to a file ending in .csv or .parquet, got {path}")
    if path.is_dir():
        raise FaninError(f"{path} is a folder: name a file in it")
