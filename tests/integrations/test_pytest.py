"""The plugin, in a pytest of its own."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from fanin.integrations.pytest import assert_healthy

TESTS = """
import torch
from torch import nn
from fanin.integrations.pytest import assert_healthy

def good():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

def bad():
    model = good()
    model[0].weight.data.fill_(float("nan"))
    return model

def test_good(fanin_check):
    assert fanin_check(good, torch.randn(32, 8)).ok

def test_bad(fanin_check):
    fanin_check(bad)

def test_bad_by_function():
    assert_healthy(bad)
"""


def test_the_fixture_fails_a_test(tmp_path):
    (tmp_path / "test_start.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:jaxtyping", "test_start.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "error[FI102]" in done.stdout
    assert "fanin/integrations/pytest.py" not in done.stdout


def test_the_message_is_the_report():
    model = nn.Linear(2, 2)
    model.bias.data.fill_(float("nan"))
    with pytest.raises(AssertionError, match=r"not started right\n\nerror\[FI102\]"):
        assert_healthy(model)


def test_settings_of_the_project_hold(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.fanin.check]\nignore = ["FI102"]\n')
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(2, 2)
    model.bias.data.fill_(float("nan"))
    assert assert_healthy(model).hidden
    assert torch.isnan(model.bias).all()


def test_the_limit_of_the_project_holds(tmp_path, monkeypatch):
    model = nn.Linear(2, 2)
    model.bias.data.fill_(float("nan"))
    monkeypatch.chdir(tmp_path)
    for level, fails in (("error", False), ("warning", True)):
        (tmp_path / "pyproject.toml").write_text(
            f'[tool.fanin.check]\nfail-on = "{level}"\n'
            '[tool.fanin.check.severity]\nFI102 = "warning"\n'
        )
        if fails:
            with pytest.raises(AssertionError, match="FI102"):
                assert_healthy(model)
        else:
            assert not assert_healthy(model).ok
