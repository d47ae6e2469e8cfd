"""A study on the disk that grows by whole chunks, and can be cut off at any moment.

The curves of a chunk are made durable first; then, by one rename, its record appears, with the
SHA-256 of every file. What has no record was never trained, what differs from its record is damaged
and said to be. The folder itself appears by one rename too, so there is no half of a store.
"""

import dataclasses
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fanin.errors import FaninError
from fanin.studies.design import Design
from fanin.studies.origin import Origin
from fanin.studies.store.files import PARTIAL, digest, locked, new_folder, settle, told
from fanin.studies.store.layout import (
    FINISHED,
    GROUP,
    REMARKS,
    STUDY,
    chunk_shape,
    cuts,
    files_of,
    lay_out,
    read_curves,
    read_group,
    write_chunk,
    write_group,
)
from fanin.studies.trainer import Curves

if TYPE_CHECKING:
    import xarray

FORMAT = "fanin store 1"
"""Name and version of the layout; another version could not be read by this one."""


@dataclass(frozen=True)
class Damage:
    """A finished chunk that is not what was written.

    Attributes:
        chunk: Indices into ``design.runs``.
        what: Which file, and what is wrong with it.
    """

    chunk: range
    what: str


@dataclass(frozen=True)
class Remarks:
    """What is said about a study beside its figures; see `Study`."""

    notes: tuple[str, ...] = ()
    target: float | None = None
    reference: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Store:
    """A study on the disk.

    Attributes:
        path: Its folder.
        design: What was fixed.
        origin: Where it comes from; None for a study that was made by hand and saved.
        size: Runs of a chunk.
        variables: Names of the curves.
        attributes: Those of the dataset.
    """

    path: Path
    design: Design
    origin: Origin | None
    size: int
    variables: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def chunks(self) -> Sequence[range]:
        """All chunks, finished or not."""
        return cuts(self.design, self.size)

    def finished(self) -> list[range]:
        """List the chunks that have a record."""
        return [chunk for chunk in self.chunks if (self._record(chunk) / GROUP).exists()]

    def damaged(self) -> list[Damage]:
        """Hold every finished chunk against its record.

        Returns:
            One entry for each that differs, empty for a store that is whole.
        """
        found = list[Damage]()
        with told(self.path, "read"):
            for chunk in self.finished():
                what = self._damage(chunk)
                if what is not None:
                    found.append(Damage(chunk, what))
        return found

    def check(self) -> None:
        """Make sure that nothing finished is damaged.

        Raises:
            FaninError: Something is; the message names it and what to do.
        """
        found = self.damaged()
        if not found:
            return
        places = [f"{named(self.design, damage.chunk)} ({damage.what})" for damage in found[:3]]
        more = f" and {len(found) - 3} more chunks" if len(found) > 3 else ""
        raise FaninError(
            f"the store {self.path} is damaged: {'; '.join(places)}{more}. To train "
            f"these again, type fanin studies repair {self.path} and then the command that made "
            "the store"
        )

    def curves(self) -> Curves:
        """Read what is finished.

        Returns:
            The curves of the whole study, of shape (split, scheme, run, point), NaN elsewhere.

        Raises:
            FaninError: They cannot be read.
        """
        with told(self.path, "read"):
            try:
                curves = read_curves(self.path, self.design, self.variables)
            except (ValueError, KeyError, RuntimeError) as problem:
                raise FaninError(
                    f"the store {self.path} is damaged beyond repair by fanin: {problem}"
                ) from None
        finished = {run for chunk in self.finished() for run in chunk}
        missing = [run for run in range(len(self.design.runs)) if run not in finished]
        for curve in curves.values():
            curve[:, :, missing] = np.nan
        return curves

    def write(self, chunk: range, curves: Curves) -> None:
        """Write a chunk; it is finished once its record is there, and never written again.

        Args:
            chunk: Indices into ``design.runs``.
            curves: The curves of the whole study, of shape (split, scheme, run, point).

        Raises:
            FaninError: It cannot be written; what was finished before is as it was.
        """
        with told(self.path, "write to"):
            files = write_chunk(self.path, self.design, self.size, chunk, curves, self.variables)
            record = {
                file.relative_to(self.path).as_posix(): {
                    "bytes": file.stat().st_size,
                    "sha256": digest(file),
                }
                for file in files
            }
            write_group(self._record(chunk), {"runs": [chunk.start, chunk.stop], "files": record})

    def forget(self, chunk: range) -> None:
        """Make a chunk one that was never trained.

        Args:
            chunk: Indices into ``design.runs``.

        Raises:
            FaninError: It cannot be deleted.
        """
        with told(self.path, "write to"):
            record = self._record(chunk)
            if record.is_dir():
                # The record first: a chunk without one is merely not there.
                (record / GROUP).unlink(missing_ok=True)
                settle([record])
                shutil.rmtree(record)
            for file in files_of(self.design, self.size, chunk, self.variables).values():
                (self.path / file).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Delete what a killed process has left behind, so that only finished chunks are there.

        Raises:
            FaninError: It cannot be deleted.
        """
        finished = set(self.finished())
        for chunk in self.chunks:
            if chunk not in finished:
                self.forget(chunk)
        with told(self.path, "write to"):
            for left in self.path.rglob(f"*{PARTIAL}"):
                left.unlink(missing_ok=True)

    def remarks(self) -> Remarks:
        """Read what is said about the study; nothing before its first training ended."""
        try:
            stored = read_group(self.path / REMARKS)
            kept = {name: stored[name] for name in ("target", "reference", "failure")}
            return Remarks(tuple(stored["notes"]), **kept)
        except (OSError, ValueError, KeyError, TypeError):
            return Remarks()

    def remark(self, remarks: Remarks) -> None:
        """Write what is said about the study.

        Args:
            remarks: The remarks; they replace those that are there.

        Raises:
            FaninError: They cannot be written.
        """
        with told(self.path, "write to"):
            write_group(self.path / REMARKS, dataclasses.asdict(remarks))

    def _record(self, chunk: range) -> Path:
        return self.path / FINISHED / str(chunk.start // self.size)

    def _damage(self, chunk: range) -> str | None:
        try:
            files = cast(dict[str, dict[str, Any]], read_group(self._record(chunk))["files"])
            expected = {name: (entry["bytes"], entry["sha256"]) for name, entry in files.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return "its record cannot be read"
        for name in files_of(self.design, self.size, chunk, self.variables).values():
            file = self.path / name
            if name not in expected:
                return f"its record does not know {name}"
            if not file.is_file():
                return f"{name} is missing"
            size, wanted = expected[name]
            if file.stat().st_size != size:
                return f"{name} has {file.stat().st_size} bytes of {size}"
            if digest(file) != wanted:
                return f"{name} has been changed"
        return None


def named(design: Design, chunk: range) -> str:
    """Name a chunk by its repeats.

    Args:
        design: The study.
        chunk: Indices into ``design.runs``.

    Returns:
        Such as ``"repeats 8 to 15"``.
    """
    first, order = divmod(chunk.start, design.orders)
    last = (chunk.stop - 1) // design.orders
    if first < last:
        return f"repeats {first} to {last}"
    if len(chunk) == design.orders:
        return f"repeat {first}"
    if len(chunk) == 1:
        return f"order {order} of repeat {first}"
    return f"orders {order} to {order + len(chunk) - 1} of repeat {first}"


def create(
    path: Path,
    design: Design,
    dataset: "xarray.Dataset",
    *,
    origin: Origin | None,
    size: int,
    variables: Sequence[str],
    curves: Curves | None = None,
    remarks: Remarks | None = None,
) -> Store:
    """Make a store that is there completely or not at all.

    Args:
        path: A folder that is not there yet, or an empty one.
        design: What is fixed.
        dataset: The dataset of such a study; its values do not matter.
        origin: Where the study comes from.
        size: Runs of a chunk.
        variables: Names of the curves.
        curves: Curves whose complete chunks are written at once, shape (split, scheme, run, point).
        remarks: What is said about the study.

    Returns:
        The store.

    Raises:
        FaninError: It cannot be written, or something is there already.
    """
    attributes = {str(name): value for name, value in dataset.attrs.items()}
    known = {} if origin is None else dataclasses.asdict(origin)
    header = known | {"format": FORMAT, "chunk": size, "variables": list(variables)}
    with told(path, "make"), new_folder(path) as folder:
        lay_out(folder, dataset, variables, chunk_shape(design, size))
        write_group(folder / STUDY, header)
        write_group(folder / FINISHED, {})
        store = Store(folder, design, origin, size, tuple(variables), attributes)
        for chunk in store.chunks if curves is not None else ():
            if not np.isnan((curves or {})["loss"][0, :, chunk.start : chunk.stop]).any():
                store.write(chunk, curves or {})
        store.remark(remarks or Remarks())
    return dataclasses.replace(store, path=path)


@contextmanager
def writing(store: Store) -> Generator[None]:
    """Be the only one who writes to a store, and find it tidy.

    Args:
        store: The store.

    Raises:
        FaninError: Another process writes to it, or it cannot be written to.
    """
    with ExitStack() as kept:
        with told(store.path, "write to"):
            kept.enter_context(locked(store.path / STUDY / GROUP, store.path))
            store.tidy()
        yield
