"""A study on the disk: what it holds, how it goes on, and what is said when it cannot."""

import errno
import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr

from fanin.errors import FaninError
from fanin.studies.chunks import aligned
from fanin.studies.origin import fingerprint, origin_of
from fanin.studies.run import run_study
from fanin.studies.store import open_study, repair
from fanin.studies.store.reading import read_store
from fanin.studies.store.store import writing
from fanin.studies.tidy import export, tidy
from killed import Counter
from study_cases import lesson
from training_cases import blobs, case, line


class Stopping(Counter):
    """Trains some chunks and is stopped by hand in the next."""

    def __init__(self, chunks: int, problem: BaseException | None = None) -> None:
        self.left, self.problem = chunks, problem or KeyboardInterrupt()
        self.trained = list[int]()

    def run(self, task, runs, curves, tick):
        if self.left == 0:
            raise self.problem
        self.left -= 1
        self.trained += [run.start for run in runs]
        super().run(task, runs, curves, tick)


def task_of(**changes):
    return case("4-1 sigmoid", blobs(), **{"repeats": 5, **changes})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs" / "study.zarr"


@pytest.mark.parametrize("orders", [1, 2])
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_xarray_reads_what_the_study_holds(path, orders, chunk):
    task = task_of(orders=orders)
    kept = run_study(task, Counter(), store=path, chunk=chunk)
    plain = run_study(task, Counter())
    xarray.testing.assert_identical(kept.dataset, plain.dataset)
    xarray.testing.assert_identical(xarray.open_zarr(path).load(), plain.dataset)
    opened = open_study(path)
    xarray.testing.assert_identical(opened.dataset, plain.dataset)
    assert opened.dataset["scheme"].dtype == plain.dataset["scheme"].dtype
    assert opened.design == task.design
    assert opened.notes == ("Counted.",)
    assert opened.origin == kept.origin


@pytest.mark.parametrize("held_out", [0, 30])
def test_what_is_not_held_out_is_no_variable(path, held_out):
    task = case("4-1 sigmoid", blobs(held_out=held_out))
    study = run_study(task, Counter(), store=path)
    assert set(xarray.open_zarr(path).data_vars) == set(study.dataset.data_vars)


def test_a_finished_chunk_is_a_file_for_each_variable(path):
    run_study(task_of(), Counter(), store=path, chunk=2)
    files = sorted(
        file.relative_to(path / "loss/c").as_posix() for file in path.glob("loss/c/**/0")
    )
    assert [file for file in files if file.count("/") == 2] == ["0/0/0", "0/1/0", "0/2/0"]


def test_no_finished_byte_is_written_again(path):
    with pytest.raises(KeyboardInterrupt):
        run_study(task_of(), Stopping(0), store=path)
    trainer = Stopping(1)
    study = run_study(task_of(), trainer, store=path)
    assert trainer.trained == [0, 1]
    assert np.isnan(study.dataset["loss"][:, 2:]).all()
    assert study.notes[-1] == (
        f"2 of 5 repeats are kept in {path}: the same command goes on from there."
    )
    before = {file: file.stat().st_ino for file in path.rglob("*") if file.is_file()}
    trainer = Stopping(9)
    study = run_study(task_of(), trainer, store=path)
    assert trainer.trained == [2, 3, 4]
    after = {file: file.stat().st_ino for file in before}
    changed = {file for file in before if before[file] != after[file]}
    assert changed == {path / "remarks/zarr.json"}
    assert study.notes[-1] == f"2 of 5 repeats were read from {path}."
    whole = run_study(task_of(), Counter())
    xarray.testing.assert_identical(open_study(path).dataset, whole.dataset)


def test_what_is_not_finished_is_nan_whoever_reads(path):
    run_study(task_of(), Stopping(2), store=path)
    raw = xarray.open_zarr(path).load()
    xarray.testing.assert_identical(raw, open_study(path).dataset)
    assert np.isnan(raw["loss"][:, 4:]).all()
    # Written, and killed before the record: it counts as never trained.
    (path / "finished/1/zarr.json").unlink()
    assert np.isnan(open_study(path).dataset["loss"][:, 2:]).all()


def test_what_is_finished_is_not_trained_again(path):
    run_study(task_of(), Counter(), store=path)
    skipped, trainer = list[int](), Stopping(0)
    study = run_study(task_of(), trainer, store=path, skipped=skipped.append, target=0.3)
    assert skipped == [2 * 5 * study.design.steps]
    assert not study.stopped
    assert "nothing was left to train" in study.notes[-1]
    assert open_study(path).target == 0.3
    assert open_study(path).notes == ("Counted.",)


def test_the_chunk_is_kept_where_the_engine_would_take_another(path):
    run_study(task_of(), Stopping(1), store=path, chunk=1)
    run_study(task_of(), Counter(), store=path)
    assert read_store(path).size == 1
    with pytest.raises(FaninError, match="chunks of 1 run, and chunk=3 is asked"):
        run_study(task_of(), Counter(), store=path, chunk=3)
    with pytest.raises(FaninError, match="chunk must be at least 1, got 0"):
        run_study(task_of(), Counter(), chunk=0)


@pytest.mark.parametrize(
    ("size", "orders", "expected"),
    [(25, 10, 20), (10, 10, 10), (9, 10, 5), (3, 10, 2), (1, 7, 1), (6, 7, 1), (5, 1, 5)],
)
def test_chunks_are_whole_repeats_or_divide_one(size, orders, expected):
    assert aligned(size, orders) == expected


def test_everything_the_bits_depend_on_is_inside(path):
    task = task_of(rules={"layers.0.bias": "ones"})
    run_study(task, Counter(), store=path)
    attributes = dict(zarr.open_group(path / "study", mode="r").attrs)
    versions: Any = attributes["versions"]
    assert attributes["engine"] == "counter 1"
    assert set(versions) == {"fanin", "numpy", "python"}
    assert attributes["data"] == fingerprint(task.data)
    assert attributes["rules"] == {"layers.0.bias": "ones"}
    assert attributes["model"] == "4-1 sigmoid"
    plans: Any = attributes["plans"]
    kernel, bias = plans["he_normal"]
    assert kernel == {
        "name": "layers.0.weight", "shape": [1, 4], "role": "kernel",
        "fan_in": 4, "fan_out": 1, "scheme": "he_normal",
    }  # fmt: skip
    assert bias["scheme"] == "ones"
    assert attributes["created"].endswith("+00:00")


def test_torch_describes_its_models_as_the_lines_do():
    from fanin.torch.trainer import TorchTrainer

    task = case("4-3-1 relu norm=layer", blobs())
    described = TorchTrainer().describe(task)
    plain = origin_of(task, Counter(), 1)
    assert described.model == plain.model
    for scheme, rows in described.plans.items():
        assert [(row["name"], row["role"], row["scheme"]) for row in rows] == [
            (row["name"], row["role"], row["scheme"]) for row in plain.plans[scheme]
        ]


class Renamed(Counter):
    name = "counter 2"


def changed_data(task):
    data = blobs()
    data.train.features[3, 1] += 1
    return replace(task, data=data)


@pytest.mark.parametrize(
    ("change", "trainer", "expected"),
    [
        (lambda _: task_of(repeats=6), Counter(), "repeats is 5 there and 6 here"),
        (lambda _: task_of(optimizer="sgd"), Counter(), "optimizer is rmsprop.* there and sgd"),
        (lambda _: task_of(schemes=("zeros",)), Counter(), "schemes is he_normal.* and zeros here"),
        (lambda _: task_of(seed=1), Counter(), "seed is 0 there and 1 here"),
        (lambda task: replace(task, rules={"*.bias": "ones"}), Counter(), "rules is {} there"),
        (changed_data, Counter(), "SHA-256 of train features is .* values have changed"),
        (lambda task: replace(task, data=blobs(n=80)), Counter(), r"90, 4.*80, 4.* here"),
        (lambda task: task, Renamed(), "engine counter 1, and here it is counter 2.*go on with"),
    ],
)  # fmt: skip
def test_another_study_is_refused_by_its_difference(path, change, trainer, expected):
    task = task_of()
    run_study(task, Stopping(1), store=path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(FaninError, match=expected) as refused:
        run_study(change(task), trainer, store=path)
    assert "name another store" in str(refused.value)
    assert before == {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_changed_network_is_refused(path):
    from torch import nn

    from fanin.torch.trainer import TorchTrainer

    for layer, said in ((nn.ReLU, None), (nn.Tanh, r"ReLU\(\) there and \(1\): Tanh\(\) here")):

        def build(layer=layer):
            return nn.Sequential(nn.Linear(4, 3), layer(), nn.Linear(3, 1))

        task = case(build, blobs())
        task = replace(task, design=replace(task.design, network="build"))
        if said is None:
            run_study(task, TorchTrainer(), store=path)
        else:
            with pytest.raises(FaninError, match=said):
                run_study(task, TorchTrainer(), store=path)


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


def test_a_study_is_saved_as_if_it_had_been_kept(path, tmp_path):
    study = run_study(task_of(orders=2), Counter(), target=0.2)
    study.save(path)
    run_study(task_of(orders=2), Counter(), store=tmp_path / "kept.zarr", target=0.2)
    for name in ("loss/c/0/1/0/0", "finished/1/zarr.json", "remarks/zarr.json"):
        assert (path / name).read_bytes() == (tmp_path / "kept.zarr" / name).read_bytes()
    assert open_study(path).target == 0.2
    with pytest.raises(FaninError, match="is there already"):
        study.save(path)


def test_a_saved_study_goes_on(path):
    run_study(task_of(), Stopping(1)).save(path)
    trainer = Stopping(9)
    run_study(task_of(), trainer, store=path)
    assert trainer.trained == [2, 3, 4]


def test_a_study_made_by_hand_is_saved_but_does_not_go_on(path):
    lesson().save(path)
    opened = open_study(path)
    xarray.testing.assert_identical(opened.dataset, lesson().dataset)
    assert opened.origin is None
    task = replace(task_of(), design=opened.design)
    with pytest.raises(FaninError, match="saved without the data"):
        run_study(task, Counter(), store=path)


def test_nothing_to_save(path):
    study = run_study(task_of(), Counter())
    empty = replace(study, dataset=study.dataset * np.nan)
    with pytest.raises(FaninError, match="nothing to save"):
        empty.save(path)


def test_a_table_has_a_row_for_each_training_point_and_split(path, tmp_path):
    import pandas as pd

    study = run_study(task_of(orders=2), Stopping(3), store=path, chunk=2)
    table = tidy(study)
    assert len(table) == 2 * 3 * 2 * 3 * 2  # schemes, repeats, orders, points, splits
    row: Any
    for row in table.sample(40, random_state=0).itertuples():
        place = {"scheme": row.scheme, "repeat": row.repeat}
        name = "loss" if row.split == "train" else "held_out_loss"
        point = study.dataset[name].sel(place).isel(order=row.order).sel(epoch=row.epoch)
        assert point == row.loss
        assert (point["step"], point["seed"]) == (row.step, row.seed)
        assert point["order_seed"] == row.order_seed
    for name in ("a.csv", "b.parquet"):
        assert export(study, tmp_path / name) == len(table)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "b.parquet"), table)
    read = pd.read_csv(tmp_path / "a.csv", dtype={name: str(table[name].dtype) for name in table})
    pd.testing.assert_frame_equal(read, table, check_categorical=False)
    assert json.loads(pd.read_parquet(tmp_path / "b.parquet").attrs["design"])["repeats"] == 5
    with pytest.raises(FaninError, match=r"ending in .csv or .parquet"):
        export(study, tmp_path / "c.xlsx")
    with pytest.raises(FaninError, match="no folder"):
        export(study, tmp_path / "nowhere/c.csv")


def test_a_table_without_a_held_out_part():
    table = tidy(run_study(case("3-1", line(held_out=0)), Counter()))
    assert set(table["split"]) == {"train"}
    assert not table["loss"].isna().any()


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
