"""CSV and Parquet as people have them: separators, index columns, no header, rubbish."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.studies.data import Data, load

HEADER = "variace,skewness,curtosis,entropy,class\n"
LINES = [f"{i / 3},{-i},{i * i},{i % 5},{i % 2}\n" for i in range(20)]
TRUTH = np.array([[i / 3, -i, i * i, i % 5] for i in range(20)], np.float32)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.csv"
    path.write_text(HEADER + "".join(LINES))
    return path


def test_a_csv_is_read(notes: Path) -> None:
    data = load(str(notes), target="class", holdout=0)
    np.testing.assert_array_equal(data.train.features, TRUTH)
    np.testing.assert_array_equal(data.train.target, np.arange(20) % 2)
    assert data.feature_names == ("variace", "skewness", "curtosis", "entropy")
    assert data.name == "notes.csv"  # the folder is nobody's business
    assert load(notes, target="class").name == "notes.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ((HEADER + "".join(LINES)).replace(",", ";"), False),
        ((HEADER + "".join(LINES)).replace(",", "\t"), False),
        ("\ufeff" + HEADER + "".join(LINES), False),
        ("\n\n" + HEADER + "\n".join(LINES), False),
        ((HEADER + "".join(LINES)).replace(",", ", "), False),
        ((HEADER + "".join(LINES)).replace("\n", "\r\n"), False),
        ("," + HEADER + "".join(f"{i},{line}" for i, line in enumerate(LINES)), True),
        ("," + HEADER + "".join(f"{i + 1},{line}" for i, line in enumerate(LINES)), True),
    ],
    ids=["semicolons", "tabs", "mark", "blank lines", "spaces", "windows", "index", "index from 1"],
)
def test_dialects(tmp_path: Path, text: str, said: bool) -> None:
    path = tmp_path / "dialect.csv"
    path.write_bytes(text.encode())
    data = load(path, target="class", holdout=0)
    np.testing.assert_array_equal(data.train.features, TRUTH)
    assert any("counts the rows" in note for note in data.notes) is said


def test_an_unnamed_column_that_does_not_count_is_a_feature(tmp_path: Path) -> None:
    path = tmp_path / "unnamed.csv"
    path.write_text("," + HEADER + "".join(f"{i * 2},{line}" for i, line in enumerate(LINES)))
    assert load(path, target="class").feature_names[0] == "Unnamed: 0"


def test_quoted_names_may_hold_separators(tmp_path: Path) -> None:
    path = tmp_path / "quoted.csv"
    path.write_text('"width, cm";"height, cm";class\n' + "1;2;a\n3;4;b\n" * 5)
    assert load(path, target="class").feature_names == ("width, cm", "height, cm")


def test_parquet_is_the_same(notes: Path) -> None:
    pd.read_csv(notes).to_parquet(notes.with_suffix(".parquet"))
    parquet = load(notes.with_suffix(".parquet"), target="class", scale=True)
    plain = load(notes, target="class", scale=True)
    np.testing.assert_array_equal(parquet.train.features, plain.train.features)
    np.testing.assert_array_equal(parquet.train.target, plain.train.target)


def test_several_targets(notes: Path) -> None:
    data = load(notes, target=["skewness", "curtosis"], holdout=0)
    assert data.kind == "regression"
    np.testing.assert_array_equal(data.train.target, TRUTH[:, 1:3])
    assert data.feature_names == ("variace", "entropy", "class")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["bad.csv is empty"]),
        ("\n\n", ["bad.csv is empty"]),
        (HEADER, ["no rows"]),
        ("class\n0\n1\n", ["no column but its target"]),
        (HEADER.replace("class", "klass") + "".join(LINES), ['"class"', 'mean "klass"', "variace"]),
        ("".join(LINES), ["first line data", "name the columns"]),
        (HEADER.replace("entropy", "skewness") + "".join(LINES), ["several", '"skewness"']),
        (
            HEADER + "".join(LINES) + "1,?,2,3,0\n" * 5,
            ['"skewness"', "'?'", "rows 21, 22, 23 and 2"],
        ),
        (HEADER + "1,red,2,3,0\n4,blue,2,3,1\n", ["'red', 'blue'", "are not numbers"]),
        (HEADER + "".join(LINES) + "1,,2,3,0\n", ['"skewness"', "1 missing", "row 21;", "is 1"]),
        (HEADER + "".join(LINES) + "1,2,3\n", ['"entropy"', "1 missing", "row 21"]),
        (HEADER + "".join(LINES) + "1,2,3,4,\n", ['target "class"', "row 21"]),
        (HEADER + "".join(LINES) + "1,2,3,4,5,6\n", ["bad.csv cannot be read", "line 22"]),
        (HEADER + "".join(f"{line.strip()},9\n" for line in LINES), ["more values in a row"]),
        (HEADER + "".join(LINES) + '"', ["bad.csv cannot be read"]),
        (HEADER + "1e999,2,3,4,0\n1,2,3,4,1\n", ['"variace"', "infinite", "row 1;"]),
        (HEADER + "2020-01-01,2,3,4,0\n2020-01-02,2,3,4,1\n", ["'2020-01-01'"]),
    ],
)
def test_bad_files_are_told(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(FaninError) as caught:
        load(path, target="class")
    for word in words:
        assert word in str(caught.value)


def test_files_that_are_not_there(notes: Path) -> None:
    folder = notes.parent
    for name, words in {
        "note.csv": 'did you mean "notes.csv"',
        "else/note.csv": "no folder",
        "notes.xlsx": "no file",
        "n" * 400 + ".csv": "cannot be read",
    }.items():
        with pytest.raises(FaninError, match=words):
            load(folder / name, target="class")
    (folder / "notes.xlsx").touch()
    with pytest.raises(FaninError, match=r"end in \.csv or \.parquet"):
        load(folder / "notes.xlsx", target="class")
    (folder / "folder.csv").mkdir()
    with pytest.raises(FaninError, match="is a folder"):
        load(folder / "folder.csv", target="class")
    with pytest.raises(FaninError, match=r"name the target column.*skewness"):
        load(notes)
    (folder / "x.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(FaninError, match=r"x\.parquet cannot be read"):
        load(folder / "x.parquet", target="class")
    (folder / "latin.csv").write_bytes("größe,class\n1,0\n".encode("latin-1"))
    with pytest.raises(FaninError, match=r"latin\.csv cannot be read"):
        load(folder / "latin.csv", target="class")


CELLS = st.sampled_from(
    ["0", "1", "2.5", "-3e4", "", "a", "?", " ", '"', "1e999", "nan", "True", "é"]
)


@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=12),
    header=st.lists(st.sampled_from(["a", "b", "", "1", "class"]), max_size=3),
    separator=st.sampled_from([",", ";", "\t"]),
    scale=st.booleans(),
    holdout=st.sampled_from([0, 0.3, 0.9]),
)
@example(rows=[["0", "0"]], header=["a"], separator=",", scale=True, holdout=0.3)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_ends_in_a_traceback(
    tmp_path: Path,
    rows: list[list[str]],
    header: list[str],
    separator: str,
    scale: bool,
    holdout: float,
) -> None:
    path = tmp_path / "any.csv"
    lines = [separator.join(cells) for cells in [[*header, "class"], *rows]]
    path.write_text("\n".join(lines), encoding="utf-8")
    try:
        data = load(path, target="class", scale=scale, holdout=holdout)
    except FaninError:
        return
    assert isinstance(data, Data)
    assert np.isfinite(data.train.features).all()


@given(content=st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_end_in_a_traceback(tmp_path: Path, content: bytes) -> None:
    for suffix in (".csv", ".parquet"):
        path = tmp_path / f"any{suffix}"
        path.write_bytes(content)
        with pytest.raises(FaninError):
            load(path, target="a column of that name")


def test_a_file_that_is_not_text_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes("a,class\n1,é\n".encode("latin-1"))
    with pytest.raises(FaninError, match=r"not in UTF-8 \(see its byte 11\); save it as UTF-8"):
        load(path, target="class")
    path.write_bytes(b"\0" * 5000)
    with pytest.raises(FaninError) as problem:
        load(path, target="class")
    assert str(problem.value).isprintable()
    assert len(str(problem.value)) < 400


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("3,25", "decimal point"),
        ("2026-11-22", "days since"),
        ("red", "get_dummies"),
    ],
)
def test_what_to_do_with_text_depends_on_the_text(tmp_path: Path, value: str, advice: str) -> None:
    path = tmp_path / "notes.csv"
    path.write_text(f"a;class\n{value};0\n{value};1\n", encoding="utf-8")
    with pytest.raises(FaninError, match=advice):
        load(path, target="class")


def test_a_value_that_overflows_in_scaling_is_named(tmp_path: Path) -> None:
    """Its standard deviation is infinite, so what is scaled holds NaN and small numbers only."""
    path = tmp_path / "notes.csv"
    path.write_text("a,b,class\n" + "".join(f"{i},{i}e300,{i % 2}\n" for i in range(9)))
    with pytest.raises(FaninError, match=r'column "b" of notes\.csv .*too large for float32'):
        load(path, target="class", scale=True)
