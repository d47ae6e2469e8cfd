"""What becomes of a table, with scikit-learn's own functions and plain NumPy as the truth."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fanin.errors import FaninError
from fanin.studies.data import Data, load
from fanin.studies.data.prepare import MOST_CLASSES


@pytest.fixture
def table() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The like of the banknotes: 97 rows, an odd number, of four features on different scales."""
    generator = np.random.default_rng(1)
    x = generator.normal([3, -1, 200, 0], [1, 5, 30, 0.01], (97, 4))
    return x, (x[:, 0] + generator.normal(size=97) > 3).astype(np.int64)


@pytest.mark.parametrize(("holdout", "split_seed"), [(0.3, 42), (0.25, 0), (0.01, 7)])
def test_split_and_scale_are_what_a_teacher_would_write(
    table: tuple[NDArray[np.float64], NDArray[np.int64]], holdout: float, split_seed: int
) -> None:
    x, y = table
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=holdout, random_state=split_seed
    )
    scaler = StandardScaler().fit(x_train)
    data = load(table, scale=True, holdout=holdout, split_seed=split_seed)
    assert data.held_out is not None
    np.testing.assert_array_equal(data.train.target, y_train)
    np.testing.assert_array_equal(data.held_out.target, y_test)
    np.testing.assert_array_equal(data.train.features, scaler.transform(x_train).astype("f4"))
    np.testing.assert_array_equal(data.held_out.features, scaler.transform(x_test).astype("f4"))

    plain = load(table, holdout=holdout, split_seed=split_seed)
    np.testing.assert_array_equal(plain.train.features, x_train.astype("f4"))


def test_scale_of_the_training_part_is_one(
    table: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    features = load(table, scale=True).train.features.astype(np.float64)
    # Rounding to float32 moves each value by at most 2^-24 of its size, which is below 4 here.
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=3e-7)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=3e-7)


def test_dtypes_and_words(table: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    data = load(table, scale=True)
    assert data.train.features.dtype == np.float32
    assert data.train.target.dtype == np.int64
    assert str(data) == (
        "arrays, target y, 67 training and 30 held-out rows (split seed 42), standardised"
    )
    assert list(data.parts) == ["train", "held-out"]
    assert len(data.train) == 67


def test_without_holdout(table: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    data = load(table, holdout=0)
    assert data.held_out is None
    assert list(data.parts) == ["train"]
    np.testing.assert_array_equal(data.train.features, table[0].astype("f4"))
    assert data.preparation == "97 rows, none held out, not scaled"


def test_data_passes_through(table: tuple[NDArray[np.float64], NDArray[np.int64]]) -> None:
    data = load(table)
    assert load(data) is data
    with pytest.raises(FaninError, match="loaded already"):
        load(data, scale=True)


def test_constant_features_are_scaled_to_zero_and_named() -> None:
    x = np.stack([np.arange(20.0), np.full(20, 0.1), np.full(20, 7.0)], axis=1)
    data = load((x, np.arange(20) % 2), scale=True)
    # 0.1 has no exact binary form: its mean over 14 rows may be one rounding away from it.
    np.testing.assert_allclose(data.train.features[:, 1:], 0, atol=1e-15)
    (note,) = data.notes
    assert note.startswith("2 of 3 features are constant")
    assert '"x1", "x2"' in note


WHOLE = np.arange(40) % 2
FINE = np.linspace(0, 1, 40)


@pytest.mark.parametrize(
    ("target", "kind", "classes"),
    [
        (WHOLE, "classification", ("0", "1")),
        (WHOLE.astype(bool), "classification", ("False", "True")),
        (WHOLE * 2.0 - 1, "classification", ("-1", "1")),
        (np.array(["b", "a"])[WHOLE], "classification", ("a", "b")),
        (np.array(["b", "a"], object)[WHOLE], "classification", ("a", "b")),
        (pd.Series(["b", "a"] * 20, dtype="category"), "classification", ("a", "b")),
        (pd.Series([3, 10] * 20, dtype="Int64"), "classification", ("3", "10")),
        (WHOLE.reshape(-1, 1), "classification", ("0", "1")),
        (FINE, "regression", ()),
        (np.arange(40.0), "regression", ()),  # whole, but not few
        (np.stack([FINE, -FINE], axis=1), "regression", ()),
    ],
)
def test_the_task_is_read_off_the_target(target: Any, kind: str, classes: tuple[str, ...]) -> None:
    data = load((np.arange(80.0).reshape(40, 2), target))
    assert data.kind == kind
    assert data.classes == classes
    together = np.concatenate([part.target for part in data.parts.values()])
    rows = np.concatenate([part.features[:, 0] for part in data.parts.values()]).astype(int) // 2
    if kind == "classification":
        plain = np.asarray(target).reshape(-1).tolist()
        order = sorted(set(plain))
        assert together.tolist() == [order.index(plain[row]) for row in rows]
        assert together.dtype == np.int64
    else:
        np.testing.assert_array_equal(together, np.asarray(target, "f4").reshape(40, -1)[rows])
        assert together.dtype == np.float32


def test_where_few_ends() -> None:
    x = np.zeros((2 * MOST_CLASSES + 2, 1))
    values = np.arange(len(x)) // 2
    few = np.minimum(values, MOST_CLASSES - 1).astype(float)
    assert load((x, few), holdout=0).kind == "classification"
    assert load((x, values.astype(float)), holdout=0).kind == "regression"
    assert load((x, few), holdout=0, task="regression").kind == "regression"


def test_a_guess_between_classes_and_quantity_is_said() -> None:
    x, y = np.zeros((60, 1)), np.arange(60) % 3
    (note,) = load((x, y)).notes
    assert "3 classes" in note
    assert load((x, y), task="classification").notes == ()
    assert load((x, y % 2)).notes == ()


ROWS = np.arange(40.0).reshape(20, 2)
HALVES = np.arange(20) % 2


def spoilt(array: NDArray[Any], place: Any, value: float) -> NDArray[Any]:
    copy = array.astype(float)
    copy[place] = value
    return copy


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ((ROWS, HALVES * 0), {}, ["two classes", '"0"']),
        ((ROWS, HALVES * 0.5 + 3 - HALVES * 0.5 + 0.5), {}, ["nothing to learn", "3.5"]),
        ((ROWS, np.arange(20)), {}, ["20 classes", "training part", "split_seed", "regression"]),
        ((ROWS, HALVES), {"holdout": 1.0}, ["holdout", "below 1", "got 1"]),
        ((ROWS, HALVES), {"holdout": -0.1}, ["holdout", "-0.1"]),
        ((ROWS, HALVES), {"holdout": float("nan")}, ["holdout", "nan"]),
        ((ROWS, HALVES), {"holdout": 0.99}, ["too few rows", "20", "0.99"]),
        ((ROWS, HALVES), {"split_seed": -1}, ["split_seed", "-1"]),
        ((ROWS, HALVES), {"task": "clasification"}, ["task", 'did you mean "classification"']),
        ((ROWS, HALVES), {"target": "y"}, ["target", "with arrays it is y"]),
        ((spoilt(ROWS, (4, 1), np.nan), HALVES), {}, ['"x1"', "1 missing", "row 4;"]),
        ((spoilt(ROWS, np.s_[3:9, :], np.inf), HALVES), {}, ["6 missing", "rows 3, 4, 5 and 3"]),
        ((ROWS, spoilt(HALVES, 7, np.nan)), {}, ['target "y"', "row 7;"]),
        ((ROWS, spoilt(HALVES, 7, -np.inf)), {}, ['target "y"', "row 7;"]),
        ((ROWS, np.array([None, *"ab" * 9, "b"], object)), {}, ['target "y"', "row 0;"]),
        ((ROWS, np.array(["a", "b"] * 10)), {"task": "regression"}, ["needs numbers", "'a'"]),
        ((ROWS, np.array(["2020-01-01"] * 20, "M8[D]")), {}, ["truth values", "datetime64"]),
        ((ROWS, np.eye(20)[:, :2] + np.eye(20, 2)[::-1]), {}, []),
        ((ROWS, np.eye(2)[HALVES]), {}, ["one-hot", "argmax"]),
        ((ROWS, HALVES[:-1]), {}, ["X and y", "same number of rows", "(20, 2)", "(19,)"]),
        ((ROWS[:0], HALVES[:0]), {}, ["at least one"]),
        ((ROWS[:, 0], HALVES), {}, ["shape (n, d)", "reshape"]),
        ((ROWS, HALVES.reshape(1, 20, 1)), {}, ["y must have the shape"]),
        ((ROWS * 1j, HALVES), {}, ["real numbers", "complex128"]),
        ((ROWS.astype("M8[s]"), HALVES), {}, ["real numbers", "datetime64"]),
        ((ROWS.astype(str).astype(object), HALVES), {}, []),
        (
            ([*ROWS.tolist()[:19], ["?", 1]], HALVES),
            {},
            ["'?'", "row 19"],
        ),
        (([[1, 2], [3]], [0, 1]), {}, ["X cannot be read as an array"]),
        ((ROWS, HALVES, ROWS), {}, ["(X, y)", "3 of them"]),
        ((ROWS, HALVES, ROWS[:, :1], HALVES), {}, ["X_train and X_held_out", "(20, 1)"]),
        ((ROWS, HALVES, ROWS, HALVES[1:]), {}, ["X_held_out and y_held_out"]),
        ((ROWS, HALVES * 0, ROWS, HALVES), {}, ["training part", '"1"']),
        ((spoilt(ROWS, (0, 0), 1e300), HALVES), {}, ["too large for float32", '"x0"', "row 0"]),
        ((spoilt(ROWS, (0, 0), 1e300), HALVES), {"scale": True}, ["too large", '"x0"']),
        (3, {}, ["path", "got int"]),
    ],
)
def test_bad_values_are_told(source: Any, options: dict[str, Any], words: list[str]) -> None:
    if not words:
        assert isinstance(load(source, **options), Data)
        return
    with pytest.raises(FaninError) as caught:
        load(source, **options)
    for word in words:
        assert word in str(caught.value)


def test_four_arrays_keep_their_split(
    table: tuple[NDArray[np.float64], NDArray[np.int64]],
) -> None:
    x, y = table
    data = load((x[:60], y[:60], x[60:], y[60:]), scale=True)
    scaler = StandardScaler().fit(x[:60])
    assert data.held_out is not None
    np.testing.assert_array_equal(data.train.features, scaler.transform(x[:60]).astype("f4"))
    np.testing.assert_array_equal(data.held_out.features, scaler.transform(x[60:]).astype("f4"))
    np.testing.assert_array_equal(data.held_out.target, y[60:])
    assert "split as given" in str(data)


def test_examples_keep_their_shape() -> None:
    images = np.random.default_rng(0).normal(size=(30, 2, 3))
    data = load((images, np.arange(30) % 3), scale=True)
    assert data.train.features.shape == (21, 2, 3)
    assert data.feature_names[:4] == ("x[0, 0]", "x[0, 1]", "x[0, 2]", "x[1, 0]")
    flat = load((images.reshape(30, 6), np.arange(30) % 3), scale=True)
    np.testing.assert_array_equal(data.train.features.reshape(21, 6), flat.train.features)


def test_tensors_are_read() -> None:
    torch = pytest.importorskip("torch")
    x, y = torch.arange(40.0).reshape(20, 2), torch.arange(20) % 2
    np.testing.assert_array_equal(
        load((x, y)).train.features, load((x.numpy(), y.numpy())).train.features
    )
    with pytest.raises(FaninError, match=r"X cannot be read as an array.*grad"):
        load((x.requires_grad_(), y))


def test_frames_name_their_columns() -> None:
    frame = pd.DataFrame({"a": range(20), "b": 0.5, "kind": ["x", "y"] * 10})
    data = load(frame, target="kind", holdout=0)
    assert data.feature_names == ("a", "b")
    assert data.target_names == ("kind",)
    assert data.classes == ("x", "y")
    assert load((frame[["a", "b"]], frame["kind"])).feature_names == ("a", "b")
    assert load((frame[["a", "b"]], frame["kind"])).target_names == ("kind",)
    two = load(frame[["a", "b"]].assign(c=range(20)), target=["a", "c"], holdout=0)
    assert two.kind == "regression"
    np.testing.assert_array_equal(two.train.target, np.stack([np.arange(20)] * 2, axis=1))


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, fanin.studies.trainer, fanin.studies.fits\n"
        "heavy = {'pandas', 'sklearn', 'scipy', 'torch', 'numba', 'xarray'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
