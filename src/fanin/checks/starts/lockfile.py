"""A start as TOML: one line for each tensor, so that a change of one is a change of one line."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any, cast

from fanin.checks.starts.start import Figures, Start
from fanin.errors import FaninError

FORMAT = "fanin-lock-1"
"""Tag of the format; a text without it is no lock."""

_HEAD = """\
# How {source} starts. `fanin check {source} --lock` fails when it starts differently.
format = "{format}"
source = {quoted}
seed = {seed}

[tensors]
"""


def written_lock(start: Start) -> str:
    """Write a start.

    Args:
        start: The start.

    Returns:
        The text of the file.

    Example:
        >>> figures = Figures((4,), "float32", 1.0, 0.0, 1.0, 1.0, law="ones")
        >>> print(written_lock(Start("train.py:build", 0, {"norm.weight": figures})))
        # How train.py:build starts. `fanin check train.py:build --lock` fails when ...
        format = "fanin-lock-1"
        source = "train.py:build"
        seed = 0
        <BLANKLINE>
        [tensors]
        "norm.weight" = {shape = [4], dtype = "float32", mean = 1.0, std = 0.0, ... law = "ones"}
        <BLANKLINE>
    """
    source = start.source.replace("\n", " ")
    head = _HEAD.format(
        source=source, format=FORMAT, quoted=json.dumps(start.source), seed=start.seed
    )
    return head + "".join(
        f"{json.dumps(name)} = {_line(figures)}\n" for name, figures in start.tensors.items()
    )


def _line(figures: Figures) -> str:
    shape = ", ".join(map(str, figures.shape))
    parts = [f"shape = [{shape}]", f"dtype = {json.dumps(figures.dtype)}"]
    parts += [f"{key} = {_number(getattr(figures, key))}" for key in ("mean", "std", "low", "high")]
    if not math.isnan(figures.kurtosis):
        parts.append(f"kurtosis = {_number(figures.kurtosis)}")
    if figures.random is not None:
        parts.append(f"random = {str(figures.random).lower()}")
    for key in ("law", "writer", "digest"):
        text = getattr(figures, key)
        if text:
            parts.append(f"{key} = {json.dumps(text)}")
    return "{" + ", ".join(parts) + "}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(float(value))


def read_lock(path: Path) -> Start:
    """Read a start.

    Args:
        path: A file that `fanin lock` wrote.

    Returns:
        The start.

    Raises:
        FaninError: The file is not there, is no lock, or is damaged.
    """
    try:
        stored: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise FaninError(
            f"there is no file {path}; `fanin lock train.py:build -o {path}` writes one"
        ) from problem
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise FaninError(f"{path} cannot be read: {problem}") from problem
    if stored.get("format") != FORMAT:
        raise FaninError(
            f'{path} is no lock: it must say format = "{FORMAT}", and says {stored.get("format")!r}'
        )
    try:
        tensors = cast("dict[str, dict[str, Any]]", stored["tensors"])
        return Start(
            str(stored["source"]),
            int(stored["seed"]),
            {name: _figures(line) for name, line in tensors.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise FaninError(
            f"{path} is damaged ({type(problem).__name__}: {problem}); write it again with "
            "`fanin lock`"
        ) from problem


def _figures(line: dict[str, Any]) -> Figures:
    return Figures(
        shape=tuple(int(size) for size in line["shape"]),
        dtype=str(line["dtype"]),
        mean=float(line["mean"]),
        std=float(line["std"]),
        low=float(line["low"]),
        high=float(line["high"]),
        kurtosis=float(line.get("kurtosis", math.nan)),
        law=str(line.get("law", "")),
        writer=str(line.get("writer", "")),
        random=line.get("random"),
        digest=str(line.get("digest", "")),
    )
