"""`fanin compare` as it is typed, its output as it is read."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = (
    "compare --data notes.csv --target class --scale --holdout 0.3 --split-seed 42 "
    '--network "4-1 sigmoid" --schemes zeros,uniform,he_normal --optimizer rmsprop '
    "--batch-size 16 --epochs 2 --repeats 6 "
)


def test_the_study_of_the_lesson(folder, run):
    outcome = run(STUDY + "--html study.html")
    assert outcome.status == 0
    assert "After 18 steps, 6 repeats of each scheme" in outcome.out
    # In a pipe: full names, no boxes, one row per scheme.
    rows = [line for line in outcome.out.splitlines() if line.startswith("uniform(-0.05, 0.05)  ")]
    assert len(rows) == 1
    assert outcome.out.isascii()
    assert outcome.err == "wrote study.html\n"
    page = (folder / "study.html").read_text()
    assert not re.search(r"""(src|href)=["']https?:""", page)
    assert str(folder) not in page


@pytest.mark.usefixtures("folder")
def test_json_holds_the_curves(run):
    outcome = run(STUDY + "--json")
    study = json.loads(outcome.out)
    assert outcome.status == 0
    assert study["design"]["schemes"] == ["zeros", "uniform(-0.05, 0.05)", "he_normal"]
    assert len(study["curves"]["held_out_loss"]["zeros"]) == 6
    assert study["step"] == [0, 9, 18]


@pytest.mark.usefixtures("folder")
def test_the_steps_to_a_loss_of_ones_own(run):
    assert "steps to 0.500" in run(STUDY + "--reach 0.5").out
    assert json.loads(run(STUDY + "--reach 0.5 --json").out)["target"] == 0.5
    refused = run(STUDY + "--reach nan")
    assert (refused.status, refused.err) == (
        2,
        "fanin: reach must be a loss, a finite number, got nan\n",
    )


@pytest.mark.usefixtures("folder")
def test_a_baseline_and_crossed_orders(run):
    outcome = run(STUDY + "--baseline zeros --orders 2")
    assert outcome.status == 0
    assert "2 comparisons, and no" in outcome.out  # 6 repeats; it takes 7
    assert "zeros (baseline)" in outcome.out
    assert "What makes the runs differ" in outcome.out
    line = STUDY + "--baseline 'normal(std=0.1)' --schemes 'zeros, normal(0, 0.1)' --json"
    study = json.loads(run(line).out)
    assert (study["compared_with"], len(study["comparisons"]["loss"])) == ("normal(0, 0.1)", 1)


@pytest.mark.usefixtures("folder")
def test_the_same_line_gives_the_same_answer(run):
    assert run(STUDY).out == run(STUDY).out


@pytest.mark.usefixtures("folder")
def test_a_network_from_a_script(run):
    line = "compare --data notes.csv --target class --schemes he_normal --repeats 2 --epochs 1 "
    assert run(line + "--network train.py:build").status == 0
    bare = run(line + "--network train.py:Bare")
    assert bare.status == 2
    assert "shift" in bare.err
    ruled = run(line + "--network train.py:Bare --rule shift=zeros")
    assert (ruled.status, ruled.err) == (0, "")


def test_a_diverging_run_is_counted(run):
    line = (
        'compare --data diabetes --network 10-1 --schemes "normal(0, 30)" --rate 1000 '
        "--epochs 2 --repeats 3 --json"
    )
    outcome = run(line)
    assert outcome.status == 0
    assert json.loads(outcome.out)["schemes"][0]["diverged"] == 3


@pytest.mark.usefixtures("spoiled")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("--target klass", 'no column "klass".*"class"'),
        ("--data nots.csv", "nots.csv.*notes.csv"),
        ("--data irish", '"iris"'),
        ("--data text.csv", "feature 1.*n/a"),
        ("--data hole.csv", "feature 1"),
        ("--data one_class.csv", "at least two classes"),
        ("--data empty.csv", "empty"),
        ("--schemes he_norml", 'did you mean "he_normal"'),
        ("--schemes 'normal(0, -1)'", "std"),
        ("--schemes zeros,zeros", "zeros twice"),
        ("--schemes ,", "schemes is empty"),
        ("--network 5-1", "5 inputs.*4 features"),
        ("--network 4-3", "3 outputs.*2 classes"),
        ("--network '4-8-1 rulu'", 'did you mean "relu"'),
        ("--network train.py:biuld", 'did you mean "build"'),
        ("--network train.py:number", "of type int"),
        ("--network train.py:broken", "no GPU in this machine"),
        ("--network nothere.py:build", "no file nothere.py"),
        ("--network no.module:build", "no module no"),
        ("--repeats 0", "repeats must be at least 1"),
        ("--repeats many", "--repeats"),
        ("--orders 0", "orders must be at least 1"),
        ("--baseline he_norml", 'did you mean "he_normal"'),
        ("--baseline ones", "baseline ones is not among the schemes, zeros"),
        ("--baseline zeros", "baseline zeros is the only scheme"),
        ("--seed -1", "seed"),
        ("--optimizer adm", 'did you mean "adam"'),
        ("--rate -1", "rate"),
        ("--batch-size 0", "batch_size must be at least 1"),
        ("--holdout 1.5", "holdout"),
        ("--epochs 1 --steps 3", "not both"),
        ("--loss hinge", "hinge"),
        ("--rule shift", "NAME=SCHEME"),
        ("--rule shift=zeros", "shift"),
        ("--html nowhere/x.html", "no folder nowhere"),
        ("--html .", "is a folder"),
        ("--network train.py", "write train.py:build"),
        ("--network train.py:", "write train.py:build"),
        ("--rate nan", "rate of sgd must be a finite number above 0"),
        ("--data 'circles(n=0)' --network 2-1", "n must be at least 1"),
        ("--colour", "colour"),
    ],
)
def test_bad_input_is_told_and_never_a_traceback(run, change, expected):
    base = "compare --data notes.csv --target class --network '4-1' --schemes zeros --repeats 2 "
    outcome = run(f"{base} {change}")
    assert outcome.status == 2
    assert outcome.out == ""
    assert re.search(expected, outcome.err, re.DOTALL), outcome.err
    assert "Traceback" not in outcome.err


def start(line, folder, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "fanin", *line],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.usefixtures("folder")
def test_an_error_on_the_way_keeps_what_is_finished(run):
    Path("tired.py").write_text(
        "from torch import nn\n"
        "class Tired(nn.Linear):\n"
        "    calls = 0\n"
        "    def forward(self, x):\n"
        "        Tired.calls += bool(x.abs().sum() > -1)  # what vmap cannot take: one by one\n"
        "        if Tired.calls > 100:\n"
        "            raise RuntimeError('out of memory')\n"
        "        return super().forward(x)\n"
        "def build():\n"
        "    return Tired(4, 2)\n"
    )
    line = "compare --data notes.csv --target class --network tired.py:build --schemes he_normal "
    outcome = run(line + "--epochs 1 --repeats 50")
    assert outcome.status == 1
    assert re.search(r"Stopped by an error after [1-9]\d? of 50 .* out of memory", outcome.out)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_what_is_finished(folder):
    line = ["compare", "--data", "digits", "--network", "64-16-10 relu", "--schemes"]
    line += ["he_normal,zeros", "--repeats", "2", "--epochs", "100000", "--rate", "0.01"]
    process = start(line, folder)
    # The first line of progress comes after ten seconds of training: epochs are finished by then.
    assert "training steps" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "Stopped by hand" in out


def test_an_ascii_terminal_and_a_closed_pipe(folder):
    line = ["explain", "orthogonal"]
    process = start(line, folder, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.isascii()
    closed = subprocess.run(
        f"{sys.executable} -m fanin explain orthogonal | true",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert closed.stderr == ""


@pytest.mark.usefixtures("folder")
def test_what_a_network_prints_is_no_part_of_the_result(run, folder):
    (folder / "loud.py").write_text(
        "from torch import nn\nprint('imported')\n"
        "def build():\n    print('built')\n    return nn.Linear(4, 2)\n"
    )
    line = "compare --data notes.csv --target class --schemes zeros --repeats 1 --epochs 1 --json "
    outcome = run(line + "--network loud.py:build")
    assert json.loads(outcome.out)["repeats"] == 1
    assert outcome.err.startswith("imported\nbuilt\n")


def test_ctrl_c_before_anything_is_finished_is_told(run, monkeypatch):
    """Typer would end it without a word."""

    def explain(name):
        raise KeyboardInterrupt(name)

    monkeypatch.setattr("fanin.verbs.explain.explain", explain)
    outcome = run("explain he_normal")
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err == "fanin: stopped before anything was finished\n"


def test_a_closed_pipe_is_no_finding(folder):
    """Typer would end it with status 1, which means findings."""
    closed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m fanin explain orthogonal | true; exit $PIPESTATUS"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.usefixtures("folder")
def test_a_report_that_cannot_be_written_is_refused_before_training(run, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    outcome = run(STUDY + "--html study.html")
    assert (outcome.status, outcome.out) == (2, "")
    assert "no permission to write study.html" in outcome.err
