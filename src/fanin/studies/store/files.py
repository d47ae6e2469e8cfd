"""Files that are whole or not there: written aside, made durable, moved into place.

A process can be killed between any two operations and a disk can run full in the middle of one. So
nothing is ever changed in place: a file appears under its name by one rename, after its bytes are
on the disk, and a rename is on the disk before anything that relies on it is written.
"""

import errno
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from fanin.errors import FaninError

PARTIAL = ".partial"
"""Ending of what was not finished; zarr names its own unfinished files so, too."""

SETTLERS = 16
"""Files that are waited for at once."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors that more room would mend."""

CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
"""Errors of a folder that may only be read."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there completely or not at all, whatever happens, and stays there.

    Args:
        path: The file; one that is there is replaced.
        content: What it shall hold.

    Raises:
        OSError: It cannot be written; what was there before is untouched.
    """
    aside = path.with_name(path.name + PARTIAL)
    try:
        with aside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    settle([path.parent])


def settle(paths: Iterable[Path]) -> None:
    """Wait until files, and the names in folders, are on the disk.

    Args:
        paths: Files and folders.
    """
    # Asked for at once, they share a few writes of the file system's journal.
    with ThreadPoolExecutor(SETTLERS) as pool:
        for _ in pool.map(_settle, paths):
            pass


def digest(path: Path) -> str:
    """Tell the contents of a file from all others.

    Args:
        path: The file.

    Returns:
        The SHA-256 of its bytes, as hexadecimal digits.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def told(path: Path, doing: str) -> Generator[None]:
    """Tell an error of the operating system as one of the person's disk.

    Args:
        path: What was being read or written, as the person named it.
        doing: What was tried, such as ``"write to"``.

    Raises:
        FaninError: The system refused; the message says what to do about it.
    """
    try:
        yield
    except OSError as problem:
        why = problem.strerror or str(problem)
        said = f"cannot {doing} the store {path}: {why[:1].lower()}{why[1:]}"
        if problem.errno in FULL:
            said += "; make room, what is finished stays"
        elif problem.errno in CLOSED:
            said += "; name a folder that you may write to"
        raise FaninError(said) from None


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """Fill a folder that appears under its name when it is complete, or never.

    Args:
        path: The folder; its parents are made, and nothing but an empty folder may be there.

    Yields:
        The folder to fill, beside the other.

    Raises:
        OSError: It cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*{PARTIAL}"):
        with _held(left) as abandoned:
            if abandoned:
                shutil.rmtree(left, ignore_errors=True)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    aside.mkdir()
    with _held(aside):
        try:
            yield aside
            settle([*aside.rglob("*"), aside])
            if path.is_dir():
                path.rmdir()  # only an empty one can go
            aside.rename(path)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    settle([path.parent])


@contextmanager
def locked(path: Path, store: Path) -> Generator[None]:
    """Keep every other writer away for as long as this process lives.

    Args:
        path: A file that is never replaced.
        store: The store it belongs to, for the message.

    Raises:
        FaninError: Another writer has it.
    """
    with path.open("r+b") as stream:
        if not _lock(stream.fileno()):
            raise FaninError(
                f"the store {store} is being written to by another process: wait until it is "
                "finished, or name another store"
            )
        yield


def _settle(path: Path) -> None:
    if sys.platform == "win32" and path.is_dir():  # a folder cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _held(folder: Path) -> Generator[bool]:
    """Lock a folder, where the system has such locks, and say whether it was free."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        """Lock a byte far behind the end, where it keeps nobody from reading."""
        os.lseek(descriptor, 2**30, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
