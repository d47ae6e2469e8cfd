"""`fanin studies` and `fanin compare --store` as they are typed."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = (
    "compare --data notes.csv --target class --network 4-1 --schemes zeros,he_normal "
    "--repeats 6 --epochs 2 --chunk 2 --store runs/a.zarr "
)


@pytest.fixture
def kept(folder, run):
    assert run(STUDY).status == 0
    return folder / "runs/a.zarr"


@pytest.mark.usefixtures("kept")
def test_the_same_command_reads_and_show_prints_the_same(run):
    again, shown = run(STUDY), run("studies show runs/a.zarr")
    assert shown.status == 0
    assert again.out == (
        shown.out + "\n6 of 6 repeats were read from runs/a.zarr, and nothing was left to train.\n"
    )
    assert json.loads(run("studies show runs/a.zarr --json").out)["repeats"] == 6
    assert run("studies show runs/a.zarr --html a.html").err == "wrote a.html\n"


def test_list(kept, run):
    (kept / "loss/c/0/1/0").unlink()
    assert run(STUDY.replace("a.zarr", "b.zarr") + "--rate 0.1").status == 0
    told = run("studies list").out
    assert re.search(
        r"^runs/b.zarr +4-1 +notes.csv +zeros and he_normal +6 of 6 +20", told, re.MULTILINE
    )
    assert re.search(r"^runs/a.zarr .* cannot be read, see below$", told, re.MULTILINE)
    assert "loss/c/0/1/0 is missing" in told
    entries = json.loads(run("studies list runs --json").out)
    assert [entry["path"] for entry in entries] == ["runs/a.zarr", "runs/b.zarr"]
    assert [entry["finished"] for entry in entries] == [0, 6]


def test_repair(kept, run):
    assert run("studies repair runs/a.zarr").out.endswith("there is nothing to repair\n")
    (kept / "loss/c/0/1/0").unlink()
    refused = run(STUDY)
    assert (refused.status, refused.out) == (2, "")
    assert "fanin studies repair runs/a.zarr" in refused.err
    mended = run("studies repair runs/a.zarr")
    assert mended.status == 0
    assert mended.out == (
        "forgot repeats 2 to 3: loss/c/0/1/0 is missing\n"
        "The command that made the study trains them again.\n"
    )
    assert "4 of 6 repeats were read from runs/a.zarr." in run(STUDY).out
    assert run("studies show runs/a.zarr").status == 0


@pytest.mark.usefixtures("kept")
def test_export(run):
    done = run("studies export runs/a.zarr a.csv")
    assert (done.status, done.out, done.err) == (0, "", "wrote a.csv, 72 rows\n")
    head = Path("a.csv").read_text().splitlines()[0]
    assert head == "scheme,repeat,seed,order,order_seed,step,epoch,split,loss,accuracy"


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("studies show runs/b.zarr", 'no study runs/b.zarr; did you mean "a.zarr"'),
        ("studies show runs", "see fanin studies list"),
        ("studies show notes.csv", "is a file"),
        ("studies list nowhere", "no folder nowhere"),
        ("studies export runs/a.zarr a.xlsx", "ending in .csv or .parquet"),
        ("studies export runs/a.zarr nowhere/a.csv", "no folder nowhere"),
        ("studies repair notes.csv", "is a file"),
        ("studies shw", "shw"),
        (STUDY.replace("--chunk 2", "--chunk 0"), "chunk must be at least 1, got 0"),
        (STUDY.replace("--repeats 6", "--repeats 7"), "repeats is 6 there and 7 here"),
        (STUDY + "--seed 3", "seed is 0 there and 3 here"),
        (STUDY.replace("runs/a.zarr", "notes.csv"), "is a file"),
        (STUDY.replace("runs/a.zarr", "notes.csv/a"), "notes.csv/a"),
        (STUDY.replace("runs/a.zarr", "."), "no study of fanin's"),
    ],
)
def test_bad_input_is_told(run, line, expected):
    outcome = run(line)
    assert (outcome.status, outcome.out) == (2, "")
    assert expected in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_says_how_to_go_on(folder):
    line = "compare --data digits --network 64-16-10 --schemes he_normal --repeats 400 --epochs 2"
    command = [sys.executable, "-m", "fanin", *line.split(), "--chunk", "1", "--store", "s.zarr"]
    command[7] = "64-16-10 relu"
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while not (folder / "s.zarr/finished/2/zarr.json").exists():
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert re.search(r"\n\d+ of 400 repeats are kept in s.zarr: the same command goes on", out)
    assert "Traceback" not in err
