"""Who asked for an operation: the person's lines, and the name they would call it by.

The stack is read from the operation outwards. Frames of torch and of fanin are the machinery;
everything else is the person's, and of that a library other than torch only counts where nothing
nearer does.
"""

import inspect
import linecache
import os
import site
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from fanin.births import Frame

_TORCH = str(Path(torch.__file__).parent) + os.sep
_OWN = str(Path(__file__).parents[1]) + os.sep
_PACKAGES = tuple(
    {
        home + os.sep
        for home in (
            *(sysconfig.get_path(name) for name in ("purelib", "platlib")),
            *site.getsitepackages(),
            site.getusersitepackages(),  # pip install --user
        )
    }
)
_STANDARD = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")})
_INIT = str(Path("torch", "nn", "init.py"))
_MODULE = str(Path("torch", "nn", "modules", "module.py"))
_LAYERS = str(Path("torch", "nn", "modules")) + os.sep
_COPY = os.sep + "copy.py"

OWN, LIBRARY, MACHINERY = "own", "library", "machinery"
"""Whose code it is: the person's, a library's that is not torch, or torch's, Python's and ours."""

DEEPEST = 40
"""Frames of the person's that are kept."""


@dataclass(frozen=True)
class Caller:
    """Who asked for an operation.

    Attributes:
        frames: The person's frames, the innermost first.
        scope: Names of all functions of theirs that were running, the outermost first.
        named: What torch's own function of the name is that they called, with its arguments, such
            as ``("nn.init.normal_", "mean=0.0, std=0.02")``; None where they called the operation.
        by: ``"constructor"``, ``"reset"``, ``"load"`` or ``"init"``.
        via: ``"deepcopy"``, ``"to_empty"``, ``"to"`` or ``"load_state_dict"`` where one of these
            is at work; empty otherwise.
        call: The running call of the function of `torch.nn.init`, so that its steps count as one
            write.
        library: The installed package that wrote, where a line of the person's called it.
    """

    frames: tuple[Frame, ...]
    scope: tuple[str, ...]
    named: tuple[str, str] | None
    by: str
    via: str
    call: FrameType | None
    library: str = ""


def caller() -> Caller:
    """Read the stack above the operation that is running.

    Returns:
        Who asked for it.
    """
    theirs, near = list[FrameType](), list[FrameType]()
    init: FrameType | None = None
    names = set[str]()
    package = ""
    layer_built = layer_reset = False
    frame: FrameType | None = inspect.currentframe()
    inside = True  # still in the machinery that the person called
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        if file.startswith(_TORCH):
            if inside:
                if file.endswith(_INIT) and not code.co_name.startswith("_"):
                    init = frame
                if _LAYERS in file:
                    layer_built = layer_built or code.co_name == "__init__"
                    layer_reset = layer_reset or code.co_name in _RESETS
            if file.endswith(_MODULE) or code.co_name in _RESETS:
                names.add(code.co_name)
        elif file.endswith(_COPY) and code.co_name == "deepcopy":
            names.add("deepcopy")
        elif (kind := _kind(file)) != MACHINERY:
            if inside and kind == LIBRARY:
                package = _package(file)
            inside = False
            (theirs if kind == OWN else near).append(frame)
        frame = frame.f_back
    shown = theirs or near
    return Caller(
        frames=tuple(_frame(one) for one in shown[:DEEPEST]),
        scope=tuple(one.f_code.co_qualname.replace("<locals>.", "") for one in reversed(shown)),
        named=None if init is None else _init_call(init),
        by=_by(names, built=layer_built, reset=layer_reset),
        via=_via(names),
        call=init,
        library=package if theirs else "",
    )


_RESETS = frozenset({"reset_parameters", "_reset_parameters"})


def _by(names: set[str], *, built: bool, reset: bool) -> str:
    if names & {"load_state_dict", "_load_from_state_dict"}:
        return "load"
    if built:
        return "constructor"
    return "reset" if reset else "init"


def _via(names: set[str]) -> str:
    for function, name in (
        ("load_state_dict", "load_state_dict"),
        ("_load_from_state_dict", "load_state_dict"),
        ("deepcopy", "deepcopy"),
        ("to_empty", "to_empty"),
        ("_apply", "to"),
    ):
        if function in names:
            return name
    return ""


def _init_call(frame: FrameType) -> tuple[str, str]:
    """Name a function of `torch.nn.init`, with the arguments it was called with."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    told = [
        f"{name}={_short(frame.f_locals[name])}"
        for name in names[1:]
        if name in frame.f_locals and frame.f_locals[name] is not None and name != "generator"
    ]
    return f"nn.init.{code.co_name}", ", ".join(told)


def _short(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"tensor {tuple(value.shape)}"
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@cache
def _kind(file: str) -> str:
    """Tell whose code a file is."""
    # Names in angle brackets are code without a file: the person's, unless a library made it.
    made = file.startswith(("<frozen", "<@", "<__array_function__", "<attrs"))
    if made or file.startswith((_TORCH, _OWN)) or f"{os.sep}jaxtyping{os.sep}" in file:
        return MACHINERY
    if file.startswith(_PACKAGES):
        return LIBRARY
    return MACHINERY if file.startswith(_STANDARD) else OWN


def _package(file: str) -> str:
    """Name the installed package that a file belongs to."""
    home = next(home for home in _PACKAGES if file.startswith(home))
    return Path(file).relative_to(home).parts[0].removesuffix(".py")


def _frame(frame: FrameType) -> Frame:
    file, line = frame.f_code.co_filename, frame.f_lineno
    return Frame(
        _relative(file),
        line,
        frame.f_code.co_qualname.replace("<locals>.", ""),
        linecache.getline(file, line).strip(),
    )


@cache
def _relative(file: str) -> str:
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except ValueError:
        return file


def is_own(function: Any) -> bool:
    """Tell whether a function is the person's, and of no installed library.

    Args:
        function: A Python function.

    Returns:
        Whether it is.
    """
    file: str = function.__code__.co_filename
    return _kind(file) == OWN


def frame_of(function: Any) -> Frame:
    """Tell where a function is defined.

    Args:
        function: A Python function.

    Returns:
        Its first line.
    """
    code = function.__code__
    line = linecache.getline(code.co_filename, code.co_firstlineno).strip()
    name = function.__qualname__.replace("<locals>.", "")
    return Frame(_relative(code.co_filename), code.co_firstlineno, name, line)


def is_machinery(file: str) -> bool:
    """Tell whether a file belongs to torch, to Python or to fanin.

    Args:
        file: Name of the file, as a frame has it.

    Returns:
        Whether it does.
    """
    return _kind(file) == MACHINERY
