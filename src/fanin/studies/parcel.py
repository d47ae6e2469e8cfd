"""A study as something that another machine can open: task and engine pickled, code beside them.

A cluster has Python, fanin and the framework on every node, and not the script that the person is
working on. So the source of every loaded module that is not installed goes along, and where the
study is opened an importer serves it from memory. Nothing is written to a disk there.
"""

import functools
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import io
import sys
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.studies.trainer import Task, Trainer

THERE = frozenset({"__main__", "fanin", "ray", "sitecustomize", "usercustomize"})
"""Modules that a worker has its own of; pickling takes what is defined in ``__main__`` by value."""

INSTALLED = ("site-packages", "dist-packages")
"""Folders of installed packages, which a cluster installs as well."""


class Source(NamedTuple):
    """One module as it was loaded.

    Attributes:
        text: The code.
        path: The file it was read from.
        package: Whether other modules may be inside it.
    """

    text: str
    path: str
    package: bool


@dataclass(frozen=True)
class Parcel:
    """A study ready to be sent.

    Attributes:
        digest: Tells two studies apart.
        pickled: Task and trainer, bytes as uint8, which Ray shares between the workers of a node.
        sources: The code they need, by module.
    """

    digest: str
    pickled: NDArray[np.uint8] = field(compare=False)
    sources: Mapping[str, Source] = field(compare=False)


def pack(task: Task, trainer: Trainer) -> Parcel:
    """Pack a study.

    Args:
        task: The study.
        trainer: The engine.

    Returns:
        What `unpack` opens in another process.

    Raises:
        FaninError: The network holds something that cannot leave the process.
    """
    cloudpickle: Any = importlib.import_module("ray.cloudpickle")

    try:
        pickled: bytes = cloudpickle.dumps((task, trainer))
    except Exception as problem:
        raise FaninError(
            f"the network {task.design.network} cannot be sent to the workers: "
            f"{type(problem).__name__}: {problem}; build what it holds inside the function"
        ) from problem
    sources = dict(sorted(_loaded().items()))
    digest = hashlib.blake2b(pickled + repr(sources).encode(), digest_size=16).hexdigest()
    return Parcel(digest, np.frombuffer(pickled, np.uint8), sources)


@functools.lru_cache(maxsize=1)
def unpack(parcel: Parcel) -> tuple[Task, Trainer]:
    """Open a study in the process that is to train it.

    The last one is kept: the chunks that follow need not compile again.

    Args:
        parcel: What `pack` made.

    Returns:
        The study and the engine.
    """
    cloudpickle: Any = importlib.import_module("ray.cloudpickle")

    for last in [finder for finder in sys.meta_path if isinstance(finder, Importer)]:
        last.leave()
    Importer(parcel.sources).enter()
    return cloudpickle.loads(parcel.pickled.data)


class Importer(importlib.abc.InspectLoader, importlib.abc.MetaPathFinder):
    """Imports modules from their sources in memory, before any file is looked for.

    Args:
        sources: The modules it knows.
    """

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources

    def enter(self) -> None:
        """Serve the modules from now on."""
        self._forget()
        sys.meta_path.insert(0, self)

    def leave(self) -> None:
        """Serve them no more, so that another study may bring others of the same names."""
        sys.meta_path.remove(self)
        self._forget()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Say whether a module is among them.

        Args:
            fullname: Its name, with dots.
            path: Where its package would look for it; not needed.
            target: The module to load again; not needed.

        Returns:
            How to load it; None for a module of others.
        """
        del path, target
        if fullname not in self._sources:
            return None
        source = self._sources[fullname]
        spec = importlib.machinery.ModuleSpec(
            fullname, self, origin=source.path or None, is_package=source.package
        )
        # The name of its file, for messages and for data that lies beside it on a shared disk.
        spec.has_location = bool(source.path)
        return spec

    def get_source(self, fullname: str) -> str:
        """Give the code of a module.

        Args:
            fullname: Its name.

        Returns:
            The text.
        """
        return self._sources[fullname].text

    def get_code(self, fullname: str) -> CodeType:
        """Compile a module.

        Args:
            fullname: Its name.

        Returns:
            The code, which names the file it was written in.
        """
        source = self._sources[fullname]
        return self.source_to_code(source.text, source.path or fullname)

    def _forget(self) -> None:
        for name in self._sources:
            sys.modules.pop(name, None)


def _loaded() -> dict[str, Source]:
    """The modules of this process that are not installed; a bare folder of them is one as well."""
    sources = dict[str, Source]()
    for name, module in [*sys.modules.items()]:
        if name.partition(".")[0] not in THERE:
            source = _source(module)
            if source is not None:
                sources[name] = source
    # A folder without __init__.py is a package too, and nobody else knows of it there.
    for name in [*sources]:
        while name := name.rpartition(".")[0]:
            sources.setdefault(name, Source("", "", package=True))
    return sources


def _source(module: Any) -> Source | None:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or _is_installed(Path(file)):
        return None
    try:
        # As Python reads it: a file may declare its encoding.
        with Path(file).open("rb") as raw:
            encoding, _ = tokenize.detect_encoding(raw.readline)
        text = io.TextIOWrapper(io.BytesIO(Path(file).read_bytes()), encoding).read()
    except (OSError, SyntaxError, UnicodeError):
        return None
    return Source(text, file, package=hasattr(module, "__path__"))


def _is_installed(path: Path) -> bool:
    if any(part in INSTALLED for part in path.parts):
        return True
    return any(path.is_relative_to(prefix) for prefix in {sys.prefix, sys.base_prefix})
