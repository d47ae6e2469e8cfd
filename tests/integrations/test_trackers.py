"""Studies in trackers of experiments, read back with the readers that those have themselves."""

import json
import struct
import time

import numpy as np
import pytest

from fanin.errors import FaninError, MissingExtra
from fanin.integrations import tracked as module
from fanin.integrations import writers
from fanin.integrations.tracked import POINTS, tracked
from fanin.integrations.writers import export_study
from study_cases import falling, lesson, study_of

STUDY = lesson()
"""Five schemes, twenty repeats; run 3 of he_normal diverges at point 4."""


def medians(scheme, measure="held_out_loss"):
    values = STUDY.dataset[measure].sel(scheme=scheme).values.astype(float)
    return [sorted(column)[9] for column in values.T]


def half_lost():
    losses = falling(np.linspace(0.3, 0.5, 9))
    losses[:5, 3:] = np.inf
    return study_of({"zeros": falling(np.full(9, 0.4)), "he_normal": losses})


def test_the_curves_are_order_statistics_of_the_runs():
    (zeros,) = [one for one in tracked(STUDY).schemes if one.scheme == "zeros"]
    assert zeros.curves["held_out_loss/median"] == pytest.approx(medians("zeros"))
    assert zeros.steps == (0, 10, 20, 30, 40, 50)
    low, middle, high = (
        np.array(zeros.curves[f"accuracy/{band}"])
        for band in ("first_quartile", "median", "third_quartile")
    )
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_what_is_not_finite_is_left_out():
    (lost,) = [one for one in tracked(half_lost()).schemes if one.scheme == "he_normal"]
    assert [value is None for value in lost.curves["held_out_loss/median"]] == [False] * 3 + [
        True
    ] * 3
    assert None not in lost.curves["held_out_loss/first_quartile"]
    assert lost.figures["diverged"] == 5
    assert "final_held_out_loss" not in lost.figures
    assert all("held_out_loss/median" not in values for step, values in lost.points() if step > 20)


def test_a_study_of_which_nothing_is_finished():
    empty = study_of({"zeros": np.full((3, 4), np.nan)})
    with pytest.raises(FaninError, match="nothing to export"):
        tracked(empty)


def test_a_large_study_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "SCHEMES", 5)
    curves = {f"normal(0, {k})": falling(np.full(3, k), points=700) for k in range(1, 8)}
    told = tracked(study_of(curves))
    assert [one.scheme for one in told.schemes[:2]] == ["normal(0, 1)", "normal(0, 2)"]
    assert len(told.schemes) == 5
    assert len(told.schemes[0].steps) <= POINTS
    assert told.schemes[0].steps[-1] == 6990
    assert "The 5 best of 7 schemes" in told.verdict


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    said = export_study(STUDY, "tensorboard", str(tmp_path))
    assert said == f"tensorboard --logdir {tmp_path}"
    assert {path.name for path in tmp_path.iterdir()} == {
        "study", "zeros", "uniform_-0.05_0.05", "normal_0_0.05", "he_normal", "lecun_uniform",
    }  # fmt: skip
    read = EventAccumulator(str(tmp_path / "he_normal"))
    read.Reload()
    scalars = read.Tensors("held_out_loss/median")
    assert [one.step for one in scalars] == [0, 10, 20, 30, 40, 50]
    assert [make_ndarray(one.tensor_proto) for one in scalars] == pytest.approx(
        medians("he_normal")
    )
    assert make_ndarray(read.Tensors("figures/diverged")[0].tensor_proto) == 1
    plugin = read.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert b"he_normal" in plugin.content
    whole = EventAccumulator(str(tmp_path / "study"))
    whole.Reload()
    (verdict,) = whole.Tensors("verdict")
    assert "lecun_uniform" in verdict.tensor_proto.string_val[0].decode()
    assert json.loads((tmp_path / "study/study.json").read_text())["format"] == "fanin study 1"
    with pytest.raises(FaninError, match="holds events already"):
        export_study(STUDY, "tensorboard", str(tmp_path))


def test_two_schemes_of_one_folder_name(tmp_path):
    pytest.importorskip("tensorboard")
    curves = {"normal(0, 1)": falling([0.3] * 3), "normal(0; 1)": falling([0.4] * 3)}
    export_study(study_of(curves), "tensorboard", str(tmp_path))
    assert len([*tmp_path.iterdir()]) == 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what MLflow stands on
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # it leaves its database open
def test_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    monkeypatch.chdir(tmp_path)
    place = f"sqlite:///{tmp_path}/mlflow.db"
    assert export_study(STUDY, "mlflow", place) == f"mlflow ui --backend-store-uri {place}"
    client = mlflow.MlflowClient(tracking_uri=place)
    experiment = client.get_experiment_by_name("fanin")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.info.run_name: run for run in runs if run is not parent}
    assert set(children) == set(STUDY.design.schemes)
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {
        parent.info.run_id
    }
    assert parent.data.params["optimizer"] == str(STUDY.design.optimizer)
    assert STUDY.summary().sentences[0] in parent.data.tags["mlflow.note.content"]
    normal = children["he_normal"]
    history = client.get_metric_history(normal.info.run_id, "held_out_loss/median")
    assert [one.step for one in history] == [0, 10, 20, 30, 40, 50]
    assert [one.value for one in history] == pytest.approx(medians("he_normal"))
    assert normal.data.metrics["diverged"] == 1
    assert {run.info.status for run in runs} == {"FINISHED"}
    files = [one.path for one in client.list_artifacts(parent.info.run_id)]
    assert files == ["study.json"]


def records(log):
    """Read a log as LevelDB describes it (doc/log_format.md), after a header of 7 bytes."""
    place, whole = 7, b""
    while place + 7 <= len(log):
        if (left := 2**15 - place % 2**15) < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", log, place + 4)
        whole += log[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in {1, 4}:  # whole in one piece, or its last piece
            yield whole
            whole = b""


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_wandb(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    begun = time.monotonic()
    said = export_study(STUDY, "wandb", str(tmp_path))
    assert time.monotonic() - begun < 60
    assert said == f"wandb sync {tmp_path}/wandb/offline-run-*"
    found = {}
    for path in sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb")):
        name, losses = None, []
        for data in records(path.read_bytes()):
            record = wandb_internal_pb2.Record.FromString(data)
            if record.HasField("run"):
                name, group = record.run.display_name, record.run.run_group
                assert group == tracked(STUDY).title
            losses += [
                float(item.value_json)
                for item in record.history.item
                if "held_out_loss/median" in {item.key, *item.nested_key}
            ]
        found[name] = losses
    assert set(found) == {tracked(STUDY).title, *STUDY.design.schemes}
    assert found["he_normal"] == pytest.approx(medians("he_normal"))


def test_what_cannot_be_done(monkeypatch, tmp_path):
    with pytest.raises(FaninError, match=r"mlflow, tensorboard, wandb.*did you mean \"wandb\""):
        export_study(STUDY, "wandbb", str(tmp_path))
    monkeypatch.setattr(writers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="pip install tensorboard"):
        export_study(STUDY, "tensorboard", str(tmp_path))
