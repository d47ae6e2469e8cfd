"""Data by name against scikit-learn called directly; OpenML without a network."""

import warnings
from collections.abc import Callable
from typing import Any
from urllib.error import URLError

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

from fanin.errors import FaninError
from fanin.studies.data import load
from fanin.studies.data.sets import names


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_shipped_sets(name: str) -> None:
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    data = load(name, holdout=0)
    np.testing.assert_array_equal(data.train.features, bunch.data.astype("f4"))
    np.testing.assert_array_equal(data.train.target.reshape(-1), bunch.target)
    assert data.feature_names == tuple(bunch.feature_names)
    assert data.classes == tuple(str(label) for label in bunch.get("target_names", ()))
    assert data.kind == ("classification" if data.classes else "regression")
    assert data.notes == ()


@pytest.mark.parametrize(
    ("text", "make", "name"),
    [
        (
            "circles(n=300, noise=0.05)",
            lambda: sklearn.datasets.make_circles(n_samples=300, noise=0.05, random_state=0),
            "circles(n=300, noise=0.05, factor=0.8, seed=0)",
        ),
        (
            "moons(50, seed=3)",
            lambda: sklearn.datasets.make_moons(n_samples=50, noise=0.1, random_state=3),
            "moons(n=50, noise=0.1, seed=3)",
        ),
        (
            "friedman2",
            lambda: sklearn.datasets.make_friedman2(n_samples=300, noise=1.0, random_state=0),
            "friedman2(n=300, noise=1, seed=0)",
        ),
    ],
)
def test_generated_sets(text: str, make: Callable[[], Any], name: str) -> None:
    x, y = make()
    data = load(text, holdout=0)
    np.testing.assert_array_equal(data.train.features, x.astype("f4"))
    np.testing.assert_array_equal(data.train.target.reshape(-1), y.astype(data.train.target.dtype))
    assert data.name == name


@pytest.mark.parametrize("name", names())
def test_the_printed_name_makes_the_same_data(name: str) -> None:
    first = load(name, scale=True)
    again = load(first.name, scale=True)
    np.testing.assert_array_equal(first.train.features, again.train.features)
    np.testing.assert_array_equal(first.train.target, again.train.target)
    assert str(first) == str(again)


def test_several_generated_targets() -> None:
    data = load("regression(n_targets=3)")
    assert data.train.target.shape == (210, 3)
    assert data.target_names == ("y0", "y1", "y2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("irs", ['no data set "irs"', 'mean "iris"', "circles"]),
        ("banknote-authentication", ["no data set", "openml:NAME"]),
        ("", ["no data set"]),
        ("circle(n=3)", ['mean "circles"']),
        ("circles(noise=0.1, nois=2)", ['no argument "nois"', 'mean "noise"', "factor"]),
        ("circles(n=3, n=4)", ["given twice"]),
        ("circles(3, 0.1)", ["given twice", "only n"]),
        ("circles(3, n=4)", ["given twice"]),
        ("circles(n=3", ["cannot read"]),
        ("circles(noise=-1)", ["cannot be made", "noise", "-1"]),
        ("circles(n=none)", ["cannot be made"]),
        ("circles(seed=-1)", ["cannot be made", "seed"]),
        ("classification(n_classes=50)", ["cannot be made", "n_informative"]),
        ("iris(n=10)", ["takes no arguments"]),
    ],
)
def test_bad_names_are_told(text: str, words: list[str]) -> None:
    with pytest.raises(FaninError) as caught:
        load(text)
    for word in words:
        assert word in str(caught.value)


def test_a_file_nearby_is_suggested(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "banknotes.csv").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaninError, match=r'did you mean "banknotes\.csv"'):
        load("banknotes")


def openml(monkeypatch: pytest.MonkeyPatch, fetch: Callable[..., Any]) -> None:
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)


def test_openml(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(
        {"V1": np.arange(20.0), "V2": 1.5, "Class": pd.Categorical(["1", "2"] * 10)}
    )
    asked = list[dict[str, Any]]()

    def fetch(**settings: Any) -> Bunch:
        asked.append(settings)
        warnings.warn("Multiple active versions", UserWarning, stacklevel=1)
        return Bunch(frame=frame, target_names=["Class"])

    openml(monkeypatch, fetch)
    data = load("openml:banknote-authentication", holdout=0)
    assert data.name == "openml:banknote-authentication"
    assert data.classes == ("1", "2")
    assert data.notes == ("Multiple active versions",)
    np.testing.assert_array_equal(data.train.features[:, 0], np.arange(20))
    assert load("openml:1462", target="V1", holdout=0).target_names == ("V1",)
    assert asked == [
        {"name": "banknote-authentication", "as_frame": True},
        {"data_id": 1462, "as_frame": True},
    ]


@pytest.mark.parametrize("problem", [URLError("no network"), ValueError("no set of that name")])
def test_openml_out_of_reach(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def fetch(**_: Any) -> Bunch:
        raise problem

    openml(monkeypatch, fetch)
    with pytest.raises(FaninError, match=f"cannot be fetched from OpenML .*{problem}.*downloaded"):
        load("openml:banknote-authentication")


def test_openml_without_a_target_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"a": np.arange(20.0), "b": [0, 1] * 10})
    openml(monkeypatch, lambda **_: Bunch(frame=frame, target_names=None))
    with pytest.raises(FaninError, match=r'name the target column of openml:x .*"a", "b"'):
        load("openml:x")
    assert load("openml:x", target="b").classes == ("0", "1")
