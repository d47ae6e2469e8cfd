"""Studies killed at any moment: they go on, and end with the bits of an unbroken one."""

import subprocess
import sys
from pathlib import Path

import pytest


def killing(*arguments: object) -> int:
    """Run the support script in an interpreter that forks without threads of a test run."""
    command = [sys.executable, "-m", "killed", *map(str, arguments)]
    support = Path(__file__).parents[1] / "support"
    done = subprocess.run(command, cwd=support, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout)


def test_killed_before_some_file_operations(tmp_path):
    assert killing("every", tmp_path, 5, 59) > 200


def test_killed_at_random_moments(tmp_path):
    assert killing("random", tmp_path, 1) > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_before_every_file_operation(tmp_path):
    assert killing("every", tmp_path, 1, 1) > 200


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_many_random_moments(tmp_path):
    assert killing("random", tmp_path, 30) > 60
