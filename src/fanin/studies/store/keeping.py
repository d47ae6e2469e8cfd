"""A study that is kept on the disk while it is trained, and a finished one that is saved there."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from fanin.errors import FaninError, need
from fanin.studies.chunks import aligned
from fanin.studies.design import Design
from fanin.studies.origin import Origin
from fanin.studies.store.checks import check_same
from fanin.studies.store.files import told
from fanin.studies.store.layout import variables_of
from fanin.studies.store.reading import read_store
from fanin.studies.store.store import Remarks, Store, create, writing
from fanin.studies.study import Study
from fanin.studies.trainer import SPLITS, Curves, Task


@contextmanager
def keeping(
    path: Path, task: Task, origin: Origin, blank: Study, chunk: int | None
) -> Generator[Store]:
    """Make a store for a study, or open the one that it was begun in, and keep others out.

    Args:
        path: The folder.
        task: The study.
        origin: Where it comes from.
        blank: The study before anything is trained.
        chunk: Runs to train together, if that was asked for.

    Yields:
        The store, of which every finished chunk is whole.

    Raises:
        FaninError: It holds another study, is damaged, is being written to, or cannot be written.
        MissingExtra: zarr is not installed.
    """
    need("zarr", extra="study", purpose="store=")
    if _is_new(path):
        store = create(
            path,
            task.design,
            blank.dataset,
            origin=origin,
            size=origin.chunk,
            variables=variables_of(task.metrics, held_out=task.data.held_out is not None),
        )
    else:
        store = read_store(path)
        check_same(store, task.design, origin, chunk)
    with writing(store):
        store.check()
        yield store


def save(study: Study, path: Path) -> None:
    """Write a study as one that was kept while it was trained, with every finished chunk.

    Args:
        study: The study.
        path: The folder; it must not be there yet.

    Raises:
        FaninError: It cannot be written, something is there, or no chunk of it is finished.
        MissingExtra: zarr is not installed.
    """
    need("zarr", extra="study", purpose="Study.save")
    if not _is_new(path):
        raise FaninError(f"{path} is there already: name another folder, or delete it first")
    design, curves = study.design, curves_in(study)
    complete = ~np.isnan(curves["loss"][0]).any(axis=(0, -1))
    if not complete.any():
        raise FaninError(f"no repeat of this study is finished: there is nothing to save to {path}")
    size = len(design.runs) if complete.all() else aligned(1, design.orders)
    create(
        path,
        design,
        study.dataset,
        origin=study.origin,
        size=size if study.origin is None else study.origin.chunk,
        variables=[str(name) for name in study.dataset.data_vars],
        curves=curves,
        remarks=Remarks(study.notes, study.target, study.reference, study.failure),
    )


def curves_in(study: Study) -> Curves:
    """Take the curves out of a study's dataset.

    Args:
        study: The study.

    Returns:
        The curves, of shape (split, scheme, run, point), NaN where there is no such part.
    """
    shape = (len(study.design.schemes), len(study.design.runs), len(study.design.points))
    dataset = study.dataset
    curves: Curves = {}
    for name in map(str, dataset.data_vars):
        metric = name.removeprefix("held_out_")
        split = int(metric != name)
        whole = curves.setdefault(metric, np.full((len(SPLITS), *shape), np.nan, np.float32))
        whole[split] = cast(Any, dataset[name].values).reshape(shape)
    return curves


def remaining(store: Store) -> list[range]:
    """List the chunks of a store that are to be trained.

    Args:
        store: The store.

    Returns:
        The chunks without a record.
    """
    done = set(store.finished())
    return [chunk for chunk in store.chunks if chunk not in done]


def _is_new(path: Path) -> bool:
    with told(path, "read"):
        return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def size_of(design: Design, chunk: int | None, usual: int) -> int:
    """Settle how many runs are trained together.

    Args:
        design: The study.
        chunk: What was asked for.
        usual: What the engine would take.

    Returns:
        At least 1; in a crossed design whole repeats or a part that divides one.

    Raises:
        FaninError: Fewer than 1 is asked for.
    """
    if chunk is not None and chunk < 1:
        raise FaninError(f"chunk must be at least 1, got {chunk}")
    return aligned(min(usual if chunk is None else chunk, len(design.runs)), design.orders)
