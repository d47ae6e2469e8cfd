"""What every file of the repository keeps to."""

import ast
from pathlib import Path

import jaxtyping
import pytest

from fanin.calls import format_number

LONGEST = 600


def python_files(root: Path) -> list[Path]:
    return [
        path for room in ("src", "tests", "benchmarks") for path in root.glob(f"{room}/**/*.py")
    ]


def test_every_module_says_what_it_is_for(root: Path) -> None:
    silent = [
        path.relative_to(root).as_posix()
        for path in python_files(root)
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_no_file_is_too_long_to_read(root: Path) -> None:
    lengths = {
        path.relative_to(root).as_posix(): path.read_text("utf-8").count("\n")
        for path in python_files(root)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_the_annotations_are_executed() -> None:
    """The import hook of the test run is on: without it a wrong annotation would pass unseen."""
    with pytest.raises(jaxtyping.TypeCheckError):
        format_number("two")  # wrong on purpose
