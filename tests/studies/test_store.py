"""A study on the disk: what it holds, and how it goes on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray
import zarr

from fanin.errors import FaninError
from fanin.studies.chunks import aligned
from fanin.studies.origin import fingerprint, origin_of
from fanin.studies.run import run_study
from fanin.studies.store import open_study
from fanin.studies.store.reading import read_store
from killed import Counter
from store_cases import Stopping, task_of
from study_cases import lesson
from training_cases import blobs, case


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
