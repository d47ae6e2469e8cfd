"""`fanin init` as it is typed: the file, the line, and what is said when there is none."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import fanin
from fanin.recipes import assign
from fanin.torch import slots, stream

LINE = "init train.py:build --scheme he_normal --seed 7 -o start.safetensors"


def build() -> nn.Module:
    """The model of the script."""
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def expected() -> dict[str, torch.Tensor]:
    model = build()
    fanin.init_(model, "he_normal", 7)
    return dict(model.state_dict())


def assert_start(path: Path) -> None:
    loaded = load_file(path)
    assert loaded.keys() == expected().keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in expected().items())


def test_the_file_and_the_line(folder, run):
    outcome = run(LINE)
    assert (outcome.status, outcome.err) == (0, "")
    first = "wrote start.safetensors: 4 tensors, 58 values, 0.000232 MB; 4 parameters from seed 7"
    assert outcome.out.startswith(f"{first} and plan ")
    assert len(outcome.out.splitlines()) == 1
    assert_start(folder / "start.safetensors")
    assert run(LINE).out == outcome.out, "written again, the same"


def test_json(folder, run):
    told = json.loads(run(LINE + " --json").out)
    assert told["path"] == "start.safetensors"
    assert (told["tensors"], told["values"], told["size"], told["seed"]) == (4, 58, 232, 7)
    assert told["notes"] == []
    assert_start(folder / "start.safetensors")


def test_a_plan_from_a_file(folder, run):
    plan = assign(slots(build()), "he_normal")
    plan.save(folder / "plan.toml")
    outcome = run("init train.py:build --plan plan.toml --seed 7 -o start.safetensors")
    assert (outcome.status, outcome.err) == (0, "")
    assert_start(folder / "start.safetensors")
    assert outcome.out == run(LINE).out, "the same fingerprint as of the scheme"


def test_what_fanin_plan_saves_is_what_fanin_init_takes(folder, run):
    assert run("plan train.py:build --recipe he_normal --toml plan.toml").status == 0
    assert run("init train.py:build --plan plan.toml --seed 7 -o start.safetensors").status == 0
    assert_start(folder / "start.safetensors")


def test_rules(folder, run):
    assert run("init train.py:Bare --scheme zeros -o s.safetensors").status == 2
    line = 'init train.py:Bare --scheme zeros --rule "shift=constant(3)" -o s.safetensors'
    assert run(line).status == 0
    assert load_file(folder / "s.safetensors")["shift"].tolist() == [3.0] * 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("init train.py:build -o s.safetensors", "say how the model starts, once"),
        (LINE + " --plan p.toml", "say how the model starts, once"),
        (LINE.replace(".safetensors", ".pt"), "its name ends in .safetensors: start.safetensors"),
        (LINE.replace("start.", "no/where."), "there is no folder no to write"),
        (
            LINE.replace("train.py:build", "train.py:broken"),
            "cannot be built: RuntimeError: no GPU",
        ),
        (LINE.replace("train.py:build", "train.py:number"), "is of type int"),
        (LINE.replace("he_normal", "he_norml"), 'did you mean "he_normal"'),
        (LINE.replace("--seed 7", "--seed -1"), "seed must lie"),
        (LINE + " --rule shift", "--rule is written NAME=SCHEME"),
    ],
)
def test_what_cannot_be_done(folder, run, line, message):
    outcome = run(line)
    assert outcome.status == 2
    assert outcome.err.startswith("fanin: ")
    assert message in outcome.err
    assert outcome.out == ""
    assert sorted(path.suffix for path in folder.iterdir() if path.is_file()) == [".csv", ".py"]


def test_what_the_script_prints_is_not_the_result(folder, run):
    (folder / "loud.py").write_text(
        "from torch import nn\ndef build():\n    print('hello')\n    return nn.Linear(2, 2)\n"
    )
    outcome = run("init loud.py:build --scheme he_normal -o start.safetensors")
    assert outcome.err == "hello\n"
    assert outcome.out.startswith("wrote start.safetensors")


def test_a_note_is_told(folder, run):
    (folder / "looks.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    layer = nn.Linear(2, 2)\n"
        "    assert layer.weight.max().item() < 1\n"
        "    return layer\n"
    )
    outcome = run("init looks.py:build --scheme he_normal -o start.safetensors")
    assert outcome.out.splitlines()[1].startswith("note: the model was built in memory, because")


@pytest.mark.usefixtures("folder")
def test_progress_is_told_on_stderr(run, monkeypatch):
    from fanin.reports import progress

    monkeypatch.setattr(progress, "PAUSE", 0.0)
    outcome = run(LINE)
    assert "32 of 58 values (55 %), " in outcome.err.splitlines()[0]
    assert outcome.err.splitlines()[0].endswith(" left")
    assert run(LINE + " --quiet").err == ""


@pytest.mark.usefixtures("folder")
def test_ctrl_c_leaves_nothing(run, monkeypatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream, "_put", stopped)
    outcome = run(LINE)
    assert (outcome.status, outcome.out) == (130, "")
    assert list(Path().glob("*start*")) + list(Path().glob(".*")) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_process_leaves_the_old_file(folder):
    (folder / "large.py").write_text(
        "from torch import nn\ndef build():\n    return nn.Embedding(200_000, 500)\n"
    )
    old = folder / "start.safetensors"
    old.write_text("the old one")
    command = ["init", "large.py:build", "--scheme", "normal", "-o", old.name]
    with subprocess.Popen([sys.executable, "-m", "fanin", *command], cwd=folder) as process:
        while not any(path.name.endswith(".part") for path in folder.iterdir()):
            assert process.poll() is None, "it ended before it was seen writing"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert old.read_text() == "the old one"
