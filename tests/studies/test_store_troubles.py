"""A store that is damaged, full, taken or not ours: it is told, and nothing is lost."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr

from fanin.errors import FaninError
from fanin.studies.run import run_study
from fanin.studies.store import open_study, repair
from fanin.studies.store.reading import read_store
from fanin.studies.store.store import writing
from killed import Counter
from store_cases import Stopping, task_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs" / "study.zarr"


def cut_short(file: Path) -> str:
    file.write_bytes(file.read_bytes()[:-5])
    return "bytes of"


def flipped(file: Path) -> str:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    return "has been changed"


def gone(file: Path) -> str:
    file.unlink()
    return "is missing"


@pytest.mark.parametrize("harm", [cut_short, flipped, gone])
def test_a_damaged_chunk_is_named_and_trained_again(path, harm):
    run_study(task_of(), Counter(), store=path)
    whole = xarray.open_zarr(path).load()
    what = harm(path / "accuracy/c/0/1/0")
    for reading in (
        lambda: open_study(path),
        lambda: run_study(task_of(), Counter(), store=path),
    ):
        with pytest.raises(FaninError, match=f"repeats 2 to 3 .*{what}.*fanin studies repair"):
            reading()
    assert [damage.chunk for damage in repair(path)] == [range(2, 4)]
    assert repair(path) == ()
    assert np.isnan(open_study(path).dataset["loss"][:, 2:4]).all()
    trainer = Stopping(9)
    run_study(task_of(), trainer, store=path)
    assert trainer.trained == [2, 3]
    xarray.testing.assert_identical(xarray.open_zarr(path).load(), whole)


def test_a_damaged_record_is_a_damaged_chunk(path):
    run_study(task_of(), Counter(), store=path)
    (path / "finished/0/zarr.json").write_text("{")
    with pytest.raises(FaninError, match=r"repeats 0 to 1 .its record cannot be read"):
        open_study(path)
    repair(path)
    assert np.isnan(open_study(path).dataset["loss"][:, :2]).all()


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("study/zarr.json", "{", "damaged: study/zarr.json cannot be read"),
        ("zarr.json", "[]", "damaged: zarr.json cannot be read"),
        ("zarr.json", None, "damaged: zarr.json is missing"),
    ],
)
def test_a_damaged_head_is_told(path, file, content, expected):
    run_study(task_of(), Counter(), store=path)
    if content is None:
        (path / file).unlink()
    else:
        (path / file).write_text(content)
    with pytest.raises(FaninError, match=expected):
        open_study(path)


def test_a_newer_format_is_told(path):
    run_study(task_of(), Counter(), store=path)
    header = path / "study/zarr.json"
    header.write_text(header.read_text().replace("fanin store 1", "fanin store 2"))
    with pytest.raises(FaninError, match=r"written by a newer fanin .*upgrade"):
        open_study(path)
    with pytest.raises(FaninError, match="written by a newer fanin"):
        run_study(task_of(), Counter(), store=path)


def test_what_is_no_store_of_ours_is_left_alone(path, tmp_path):
    zarr.create_group(path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("x")
    for place, expected in (
        (path, "a store of Zarr, but no study of fanin's"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "notes", "no study of fanin's"),
    ):
        for reading in (
            lambda place=place: open_study(place),
            lambda place=place: run_study(task_of(), Counter(), store=place),
        ):
            with pytest.raises(FaninError, match=expected):
                reading()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FaninError, match="empty folder"):
        open_study(tmp_path / "empty")
    run_study(task_of(), Counter(), store=tmp_path / "empty")
    run_study(task_of(), Counter(), store=path.with_name("other.zarr"))
    with pytest.raises(FaninError, match=r'did you mean "other.zarr"'):
        open_study(path.with_name("othr.zarr"))


def test_two_writers(path):
    run_study(task_of(), Stopping(1), store=path)
    with (
        writing(read_store(path)),
        pytest.raises(FaninError, match="being written to by another process"),
    ):
        run_study(task_of(), Counter(), store=path)
    assert open_study(path).stopped  # one may look while another writes
    run_study(task_of(), Counter(), store=path)


def test_a_lock_dies_with_its_process(path):
    run_study(task_of(), Stopping(1), store=path)
    code = (
        "import os, sys, time; from pathlib import Path\n"
        "from fanin.studies.store.reading import read_store\n"
        "from fanin.studies.store.store import writing\n"
        "with writing(read_store(Path(sys.argv[1]))):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(FaninError, match="another process"):
        run_study(task_of(), Counter(), store=path)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    run_study(task_of(), Counter(), store=path)


def test_a_full_disk_loses_nothing(path):
    """Files may not grow beyond a limit, which is an error of the system like a full disk."""
    run_study(task_of(), Stopping(1), store=path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        study = run_study(task_of(), Counter(), store=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "file too large; make room, what is finished stays" in str(study.failure)
    assert study.summary().repeats == 4  # what was trained is reported, if not kept
    assert study.notes[-1].startswith("2 of 5 repeats are kept in ")
    assert not list(path.rglob("*.partial"))
    run_study(task_of(), Counter(), store=path)
    whole = run_study(task_of(), Counter())
    xarray.testing.assert_identical(open_study(path).dataset, whole.dataset)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_store_that_cannot_be_made(path, code, monkeypatch):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fanin.studies.store.store.write_group", refuse)
    trainer = Stopping(9)
    with pytest.raises(FaninError, match=r"cannot make the store .*study.zarr: "):
        run_study(task_of(), trainer, store=path)
    assert trainer.trained == []
    assert list(path.parent.iterdir()) == []


def test_an_error_of_the_training_is_not_one_of_the_store(path):
    problem = OSError(errno.ENOENT, "no such data")
    study = run_study(task_of(), Stopping(1, problem), store=path)
    assert study.failure == "FileNotFoundError: [Errno 2] no such data"
    opened = open_study(path)
    assert opened.failure == study.failure
    assert opened.notes[-1].startswith("Stopped by an error after 2 of 5 repeats")
