"""Whether a result can be written, asked before the work is done."""

import os
from pathlib import Path

from fanin.errors import FaninError


def check_writable(path: Path, option: str) -> None:
    """Refuse a place that cannot be written to: whoever waits wants to have been told before.

    Args:
        path: The file to be written.
        option: The option that names it, such as ``"--html"``.

    Raises:
        FaninError: It is a folder, its folder is not there, or there is no permission.
    """
    if path.is_dir():
        raise FaninError(f"{option}: {path} is a folder: name a file in it")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FaninError(f"{option}: there is no folder {path.parent} to write {path.name} to")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise FaninError(f"{option}: no permission to write {path}")
