"""The file that weights are kept in: safetensors, written a piece at a time.

The format is a length, a header in JSON and the raw numbers, so a file can be laid out in full
before the first number exists, and then be filled in any order from as little memory as one piece
takes. It has its name only when it is complete: until then it is a temporary file beside it.
"""

import errno
import json
import math
import os
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from fanin.errors import FaninError

CODES: dict[torch.dtype, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""The types a file can hold, by the names the format gives them."""

ALIGNMENT = 8
"""Bytes that the header is padded to with spaces, so that numbers can be mapped into memory."""

PIECE = 2**22
"""Elements written at a time: 16 MB in float32."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file.

    Attributes:
        name: Its name.
        dtype: Its type.
        shape: Its shape.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return math.prod(self.shape) * self.dtype.itemsize


class Container:
    """An open file, laid out and to be filled.

    Args:
        file: Where to write, from its beginning.
        entries: The tensors.
        metadata: Texts that go into the header.
    """

    def __init__(
        self, file: BinaryIO, entries: Sequence[Entry], metadata: Mapping[str, str]
    ) -> None:
        self._file = file
        self._entries = {entry.name: entry for entry in entries}
        head, offsets = header(entries, metadata)
        self._offsets = {name: len(head) + offset for name, offset in offsets.items()}
        file.write(head)

    def put(self, name: str, values: Tensor, start: int = 0) -> None:
        """Write a run of elements of one tensor.

        Args:
            name: Name of the tensor.
            values: The elements in C order, of any shape, on any device; cast to the type of the
                tensor.
            start: Flat index of the first.
        """
        entry = self._entries[name]
        self._file.seek(self._offsets[name] + start * entry.dtype.itemsize)
        flat = values.detach().reshape(-1)
        for first in range(0, flat.numel(), PIECE):
            piece = flat[first : first + PIECE].to("cpu", entry.dtype).contiguous()
            self._file.write(piece.view(torch.uint8).numpy().tobytes())


def header(entries: Sequence[Entry], metadata: Mapping[str, str]) -> tuple[bytes, dict[str, int]]:
    """Lay out a file.

    Args:
        entries: The tensors.
        metadata: Texts that go into the header.

    Returns:
        All that comes before the numbers, and the offset of each tensor behind it. Larger types
        come first, so that every tensor starts at a multiple of its type's size.

    Example:
        >>> head, offsets = header([Entry("w", torch.float16, (2, 3))], {"seed": "0"})
        >>> int.from_bytes(head[:8], "little") == len(head) - 8, offsets
        (True, {'w': 0})

    References:
        Hugging Face, safetensors: the section Format of its documentation.
    """
    described: dict[str, object] = {"__metadata__": dict(metadata)}
    offsets, place = dict[str, int](), 0
    for entry in sorted(entries, key=lambda entry: -entry.dtype.itemsize):
        described[entry.name] = {
            "dtype": CODES[entry.dtype],
            "shape": list(entry.shape),
            "data_offsets": [place, place + entry.size],
        }
        offsets[entry.name] = place
        place += entry.size
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text, offsets


def check_target(path: Path) -> None:
    """Raise if no file can be written there, before an hour is spent on its contents.

    Args:
        path: Where the file is to be.

    Raises:
        FaninError: The folder is missing or closed, or the name is taken by a folder.
    """
    folder = path.absolute().parent
    if path.is_dir():
        raise FaninError(
            f"{path} is a folder: name a file in it, such as {path}/weights.safetensors"
        )
    if not folder.is_dir():
        raise FaninError(f"there is no folder {path.parent} to write {path.name} to")
    if not os.access(folder, os.W_OK):
        raise FaninError(f"no permission to write to the folder {path.parent}")


@contextmanager
def new_file(
    path: Path, entries: Sequence[Entry], metadata: Mapping[str, str]
) -> Generator[Container]:
    """Write a file that is there complete, or not at all.

    Args:
        path: Where the file is to be; one that is there is replaced at the end.
        entries: The tensors, all of which are to be filled.
        metadata: Texts that go into the header.

    Yields:
        The file to fill.

    Raises:
        FaninError: It cannot be written, or the disk is full; then nothing is left behind, and a
            file that was there is there still.
    """
    check_target(path)
    needed, free = sum(entry.size for entry in entries), shutil.disk_usage(path.absolute().parent)
    if needed > free.free:
        raise FaninError(
            f"{path} takes {needed / 1e9:.3g} GB, and the disk has {free.free / 1e9:.3g} GB left"
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield Container(file, entries, metadata)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.absolute().parent)
    except OSError as problem:
        raise _unwritten(path, problem) from problem
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritten(path: Path, problem: OSError) -> FaninError:
    full = problem.errno in {errno.ENOSPC, errno.EDQUOT}
    why = "the disk is full" if full else problem.strerror or type(problem).__name__
    return FaninError(f"{path} was not written: {why}. Nothing was left behind")
