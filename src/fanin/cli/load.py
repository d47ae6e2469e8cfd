"""Finding the user's own code: ``train.py:build`` or ``package.module:build``."""

import functools
import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

from fanin.errors import FaninError, nearest


def is_reference(text: str) -> bool:
    """Tell a reference to code from other texts.

    Args:
        text: What was typed.

    Returns:
        Whether it has a colon, as ``file.py:name`` and ``package.module:name`` have, or is the name
        of a Python file; no line of the grammar of networks is either.

    Example:
        >>> is_reference("train.py:build"), is_reference("4-8-1 relu")
        (True, False)
    """
    return ":" in text or text.endswith(".py")


def load_builder(text: str, word: str = "build") -> Callable[..., Any]:
    """Import the function that a reference names.

    Args:
        text: ``file.py:name`` or ``package.module:name``.
        word: What such a function is mostly called, for the errors.

    Returns:
        The function.

    Raises:
        FaninError: The text is no such reference, the file, the module or the name is not there,
            the code fails on import, or the name is not that of a function.
    """
    place, _, name = text.rpartition(":")
    if not place or not name.isidentifier():
        file = text.rstrip(":")
        raise FaninError(
            f"{text or '(nothing)'} does not say which function to call: write "
            f"{file if file.endswith('.py') else 'train.py'}:{word}, with its name for {word}"
        )
    try:
        # A person's own code may print; only the result belongs on stdout.
        with redirect_stdout(sys.stderr):
            module = _from_file(Path(place)) if place.endswith(".py") else _from_path(place)
    except FaninError:
        raise
    except (Exception, SystemExit) as problem:
        raise FaninError(
            f"{place} fails when it is imported: {type(problem).__name__}: {problem}"
        ) from problem
    if not hasattr(module, name):
        known = [word for word in vars(module) if not word.startswith("_")]
        raise FaninError(f"{place} has no {name}{nearest(name, known)}")
    found = getattr(module, name)
    if not callable(found):
        raise FaninError(
            f"{text} is of type {type(found).__name__}; name a function, such as {place}:{word}"
        )
    return found


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        near = [str(other) for other in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise FaninError(f"there is no file {path}{nearest(str(path), near)}")
    return _run(path.resolve())


@functools.cache
def _run(path: Path) -> ModuleType:
    """Run a file, once: what one function of it makes is of the classes that another one knows."""
    # A script finds the modules beside it, as it does when Python runs it.
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise FaninError(f"{path} cannot be read as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _from_path(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name is not None and (
            name == problem.name or name.startswith(f"{problem.name}.")
        ):
            raise FaninError(
                f"there is no module {problem.name} here; a file is written with its ending: "
                f"{name.replace('.', '/')}.py:..."
            ) from None
        raise
