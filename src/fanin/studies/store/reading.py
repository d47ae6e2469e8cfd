"""Studies read from the disk, whoever wrote them and whether or not they are finished.

Nothing is read that is not what was written: the files of every finished chunk are held against
their records, and a folder that is no study of ours is told from a study that is broken.
"""

import os
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from fanin.errors import FaninError, nearest, need
from fanin.studies.design import Design
from fanin.studies.origin import Origin
from fanin.studies.store.files import told
from fanin.studies.store.layout import GROUP, STUDY, read_group
from fanin.studies.store.store import FORMAT, Damage, Store, writing
from fanin.studies.study import Study


def open_study(path: str | Path) -> Study:
    """Read a study that was written to a store or saved, finished or not.

    Args:
        path: The folder, such as ``"runs/banknote.zarr"``. It may be being written to.

    Returns:
        The study as it is now; repeats that are not finished are NaN.

    Raises:
        FaninError: It is not a study, is damaged, or was written by a newer fanin.
        MissingExtra: xarray or zarr is not installed.
    """
    need("xarray", extra="study", purpose="fanin.open_study")
    need("zarr", extra="study", purpose="fanin.open_study")
    store = read_store(Path(path))
    store.check()
    return study_in(store)


def study_in(store: Store) -> Study:
    """Make a study of what a store holds.

    Args:
        store: The store, known to be whole.

    Returns:
        The study.

    Raises:
        FaninError: It cannot be read.
    """
    attributes, remarks = store.attributes, store.remarks()
    study = Study.from_curves(
        store.design,
        store.curves(),
        baseline=attributes["baseline_loss"],
        held_out_baseline=attributes.get("held_out_baseline_loss"),
        notes=remarks.notes,
    )
    return replace(
        study,
        dataset=study.dataset.assign_attrs(attributes),
        target=remarks.target,
        reference=remarks.reference,
        failure=remarks.failure,
        origin=store.origin,
    )


def read_store(path: Path) -> Store:
    """Read what a store says about itself, and no curve.

    Args:
        path: The folder.

    Returns:
        The store.

    Raises:
        FaninError: It is not a study, is damaged, or was written by a newer fanin.
    """
    with told(path, "read"):
        _check_folder(path)
        try:
            header = read_group(path / STUDY)
        except (FileNotFoundError, ValueError) as problem:
            raise _damaged(path, f"{STUDY}/{GROUP}", problem) from None
        _check_format(path, header)
        try:
            attributes = read_group(path)
            design = Design.from_json(attributes["design"])
        except (FileNotFoundError, ValueError, KeyError, TypeError) as problem:
            raise _damaged(path, GROUP, problem) from None
    try:
        names = {field.name for field in fields(Origin)}
        known = {name: value for name, value in header.items() if name in names}
        origin = Origin(**known) if "engine" in known else None
        size, variables = int(header["chunk"]), tuple(map(str, header["variables"]))
    except (ValueError, KeyError, TypeError) as problem:
        raise _damaged(path, f"{STUDY}/{GROUP}", problem) from None
    return Store(path, design, origin, size, variables, attributes)


def is_store(path: Path) -> bool:
    """Tell whether a folder is one of our stores, of whatever version.

    Args:
        path: The folder.

    Returns:
        Whether it says so itself.
    """
    try:
        return str(read_group(path / STUDY).get("format", "")).startswith("fanin store ")
    except (OSError, ValueError):
        return False


def stores_in(folder: Path) -> Iterator[Path]:
    """Find the stores in a folder and the folders in it.

    Args:
        folder: Where to look; a store itself is found, too.

    Yields:
        The stores, by name.

    Raises:
        FaninError: There is no such folder.
    """
    if not folder.is_dir():
        raise FaninError(f"there is no folder {folder}")
    for place, inside, _ in os.walk(folder):
        here = Path(place)
        if is_store(here):
            yield here
        if (here / GROUP).exists():
            inside.clear()  # nothing but arrays below
        inside[:] = sorted(name for name in inside if not name.startswith("."))


def repair(path: str | Path) -> tuple[Damage, ...]:
    """Forget the chunks of a store that are damaged, so that they are trained again.

    Args:
        path: The folder.

    Returns:
        What was damaged; empty for a store that is whole, which is left as it is.

    Raises:
        FaninError: It is not a study, or it cannot be written to.
    """
    store = read_store(Path(path))
    found = store.damaged()
    if found:
        with writing(store):
            for damage in found:
                store.forget(damage.chunk)
    return tuple(found)


def _check_folder(path: Path) -> None:
    if not path.exists():
        beside = path.parent.iterdir() if path.parent.is_dir() else ()
        hint = nearest(path.name, [entry.name for entry in beside if is_store(entry)])
        raise FaninError(f"there is no study {path}{hint}")
    if not path.is_dir():
        raise FaninError(f"{path} is a file: a study is a folder made by fanin compare --store")
    if (path / STUDY).exists() or (path / GROUP).exists():
        if not (path / STUDY).exists():
            raise FaninError(f"{path} is a store of Zarr, but no study of fanin's: leave it alone")
        return
    if not any(path.iterdir()):
        raise FaninError(f"{path} is an empty folder: there is no study in it")
    hint = ", see fanin studies list" if any(stores_in(path)) else ""
    raise FaninError(f"{path} is a folder, but no study of fanin's{hint}")


def _damaged(path: Path, file: str, problem: Exception) -> FaninError:
    what = "is missing" if isinstance(problem, FileNotFoundError) else "cannot be read"
    return FaninError(
        f"the store {path} is damaged: {file} {what}, which says what study it is. Bring the file "
        "back from a copy; fanin cannot make it again"
    )


def _check_format(path: Path, header: dict[str, Any]) -> None:
    found = str(header.get("format", "none"))
    name, _, number = found.rpartition(" ")
    own, _, current = FORMAT.rpartition(" ")
    if name != own or not number.isdigit():
        raise FaninError(f"{path} is no study of fanin's: its format is {found}")
    if int(number) > int(current):
        raise FaninError(
            f"the store {path} was written by a newer fanin (format {number}, this one reads "
            f"{current}): pip install --upgrade fanin"
        )
