"""`fanin restart` as it is typed."""

import json
import signal

import pytest
from safetensors.numpy import load_file

XOR = (
    'restart --network "2-2-1 tanh" --data xor --scheme glorot_normal --starts 12 --controls 4 '
    "--rate 0.5 --batch-size 4 --steps 60 --long-runs 1 "
)


def test_a_network(run, tmp_path):
    outcome = run(XOR + f"--save {tmp_path}/best.safetensors --html {tmp_path}/r.html")
    assert outcome.status == 0
    assert outcome.out.isascii()
    assert "What a start is worth" in outcome.out
    assert set(load_file(tmp_path / "best.safetensors")) == {
        "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"
    }  # fmt: skip
    assert "Where the controls end" in (tmp_path / "r.html").read_text()
    assert json.loads(run(XOR + "--json").out)["format"] == "fanin restart 1"


def test_a_function(run, golden):
    line = 'restart --function "5x^2 + 3x - 4" --start 4 --rate 0.01 --steps 100'
    outcome = run(line)
    assert outcome.status == 0
    golden("descent.txt", outcome.out)
    assert json.loads(run(line + " --json").out)["polynomial"] == [-4, 3, 5]


def test_a_model_of_ones_own(run, folder):
    outcome = run("restart --network train.py:build --data notes.csv --target class "
                  "--scheme he_normal --starts 6 --epochs 2 --save w.safetensors")  # fmt: skip
    assert outcome.status == 0
    assert load_file(folder / "w.safetensors")["0.weight"].shape == (8, 4)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("restart", "needs --network, --data and --scheme, or --function"),
        ('restart --function "x^2" --network 4-1', "--network cannot go with --function"),
        ('restart --function "x^2" --eta 4 --save w', "--eta, --save cannot go with --function"),
        ('restart --function "import os"', 'cannot have "import" in it'),
        ('restart --function "x^2" --rate 0', "rate must be"),
        (XOR + "--start 4", "--start belongs to --function"),
        (XOR + "--save /nowhere/w.safetensors", "there is no folder"),
        (XOR + "--save /tmp", "is a folder"),
        (XOR + "--controls 13", "controls must lie between 1 and"),
    ],
)
def test_what_cannot_be_done_is_told(run, line, told):
    outcome = run(line)
    assert outcome.status == 2
    assert told in outcome.err
    assert outcome.out == ""


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("steps", [100, 2300])
def test_ctrl_c_keeps_the_best_so_far(run, tmp_path, monkeypatch, steps):
    """Stopped in the first rung, and in the long runs."""
    from fanin.reports.progress import Progress

    done = 0

    def advance(_, count):
        nonlocal done
        done += count
        if done >= steps:
            done = -(10**9)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Progress, "advance", advance)
    line = XOR.replace("--steps 60", "--steps 300").replace("--long-runs 1", "--long-runs 4")
    outcome = run(line + f"--save {tmp_path}/best.safetensors")
    assert outcome.status == 130
    assert (tmp_path / "best.safetensors").exists()
    assert "The best start is glorot_normal" in outcome.out
    assert ("Stopped by hand" in outcome.out) == (steps == 100)
