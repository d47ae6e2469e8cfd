"""Nothing heavy is imported before it is asked for."""

import json
import subprocess
import sys

import pytest

FRAMEWORKS = {"torch", "jax", "flax", "keras", "tensorflow"}
HEAVY = FRAMEWORKS | {"altair", "numba", "pandas", "pyarrow", "scipy", "sklearn", "xarray"}

HELP = """
import sys
from fanin.cli.main import main
sys.argv = {argv}
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def loaded_by(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after some code has run."""
    code += "\nimport json, sys; print(json.dumps([*sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return {name.partition(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


def test_import_fanin_is_light() -> None:
    assert loaded_by("import fanin") & HEAVY == set()


@pytest.mark.parametrize(
    "room", ["calls", "errors", "draws", "schemes", "trace", "recipes", "studies"]
)
def test_rooms_below_torch_load_no_framework(room: str) -> None:
    assert loaded_by(f"import fanin.{room}") & FRAMEWORKS == set()


@pytest.mark.parametrize("command", [(), ("compare",), ("init",)])
def test_help_is_light(command: tuple[str, ...]) -> None:
    code = HELP.format(argv=["fanin", *command, "--help"])
    assert loaded_by(code) & HEAVY == set()
