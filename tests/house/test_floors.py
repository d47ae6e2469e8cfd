"""The floors of the house hold, and the contracts that watch them do bite."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LINT_IMPORTS = "from importlinter.cli import lint_imports_command as lint; lint()"


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    # `-c` puts the working directory first on the path, so the copy in `src` is what is read.
    code = f"import sys; sys.path.insert(0, 'src'); {LINT_IMPORTS}"
    command = [sys.executable, "-c", code, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_floors_hold(root: Path) -> None:
    run = lint_imports(root)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("draws", "import fanin.schemes", "A room imports only from the rooms below it"),
        ("draws", "def late(): import fanin.verbs", "A room imports only from the rooms below it"),
        ("studies", "import torch", "Only fanin.torch imports torch"),
        ("torch", "def late(): import jax.numpy", "Only fanin.jax imports JAX"),
        ("jax", "def late(): import flax", "No other framework is imported anywhere"),
    ],
)
def test_a_broken_floor_is_seen(
    root: Path, tmp_path: Path, room: str, line: str, contract: str
) -> None:
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    (tmp_path / "src/fanin" / room / "trespasser.py").write_text(line + "\n")
    run = lint_imports(tmp_path)
    assert run.returncode == 1, run.stderr
    assert f"{contract} BROKEN" in run.stdout


def test_a_new_room_must_be_given_a_floor(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    (tmp_path / "src/fanin/attic.py").touch()
    run = lint_imports(tmp_path)
    assert run.returncode == 1, run.stderr
    assert "fanin.attic" in run.stdout
