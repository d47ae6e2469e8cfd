"""The verb and the command `sweep`, through real trainings."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import fanin
from fanin.cli.main import app
from fanin.errors import FaninError

SMALL = {"values": "0.01, 0.5", "depth": "1, 3", "repeats": 2, "steps": 60, "rate": 0.1}


def test_small_weights_train_one_layer_and_not_three() -> None:
    found = fanin.sweep("4-16-3 relu", "iris", scale=True, quiet=True, **SMALL)
    assert found.learnt[0, :, 1].tolist() == [1, 1]
    assert found.learnt[0, 1, 0] == 0
    study = fanin.compare(
        "4-16-16-16-3 relu",
        "iris",
        schemes="normal(0, 0.01), normal(0, 0.5)",
        scale=True,
        repeats=2,
        steps=60,
        rate=0.1,
        quiet=True,
    )
    ours = found.studies[3, 16].dataset["loss"]
    np.testing.assert_allclose(ours, study.dataset["loss"], rtol=1e-6)


def test_it_goes_on_from_a_store(tmp_path: Path) -> None:
    first, again = (
        fanin.sweep("4-8-3 relu", "iris", store=tmp_path / "s", quiet=True, **SMALL)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.losses, again.losses)
    assert sorted(path.name for path in (tmp_path / "s").iterdir() if path.suffix == ".zarr") == [
        "depth-1-width-8.zarr",
        "depth-3-width-8.zarr",
    ]
    assert any("nothing was left to train" in note for note in again.notes)


def test_the_command() -> None:
    options = "--values 0.01,0.5 --depth 1,2 --width 4,8 --repeats 2 --steps 20 --json --quiet"
    run = CliRunner().invoke(
        app, ["sweep", "--network", "4-8-3 relu", "--data", "iris", *options.split()]
    )
    assert run.exit_code == 0, run.output
    said = json.loads(run.stdout)
    assert (said["widths"], said["depths"]) == ([4, 8], [1, 2])
    assert np.shape(said["learnt"]) == (2, 2, 2)


def test_a_function_has_no_hidden_layers_to_replace() -> None:
    with pytest.raises(FaninError, match="replaces the hidden layers of a line"):
        fanin.sweep(lambda: None, "iris")
