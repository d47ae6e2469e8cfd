"""A study as a table that pandas and R take as it is."""

import json
from typing import Any

import pytest

from fanin.errors import FaninError
from fanin.studies.run import run_study
from fanin.studies.tidy import export, tidy
from killed import Counter
from store_cases import Stopping, task_of
from training_cases import case, line


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs" / "study.zarr"


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
