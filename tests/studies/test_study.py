"""A study as an object: made of curves, tabulated, drawn, written as JSON and as a page."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.studies.design import Design
from fanin.studies.export import thinned, to_json
from fanin.studies.study import EMBEDDED, Study
from study_cases import LN2, design, falling, lesson, study_of

INF, NAN = math.inf, math.nan


def test_the_dataset_as_promised():
    study = lesson()
    data = study.dataset
    assert dict(data.sizes) == {"scheme": 5, "repeat": 20, "epoch": 6}
    assert list(data.data_vars) == ["loss", "held_out_loss", "accuracy", "held_out_accuracy"]
    assert all(data[name].dtype == np.float32 for name in data.data_vars)
    assert data["epoch"].values.tolist() == [0, 1, 2, 3, 4, 5]
    assert data["step"].values.tolist() == [0, 10, 20, 30, 40, 50]
    assert data["seed"].values.tolist() == list(range(20))
    assert Design.from_json(data.attrs["design"]) == study.design
    assert data.attrs["baseline_loss"] == LN2


def test_what_was_not_measured_is_left_out():
    study = study_of({"a": falling([0.1])}, held_out=False)
    assert list(study.dataset.data_vars) == ["loss"]
    assert "held_out_baseline_loss" not in study.dataset.attrs


def test_curves_of_another_shape_are_refused():
    plan = design(("a", "b"), repeats=3, points=4)
    with pytest.raises(FaninError, match=r"\(2, 2, 3, 4\), got \(2, 2, 3, 5\)"):
        Study.from_curves(plan, {"loss": np.zeros((2, 2, 3, 5), np.float32)}, baseline=1.0)


def test_the_dataframe_of_the_lesson():
    study = lesson()
    table = study.to_dataframe()
    assert table.index.names == ["scheme", "metric"]
    assert table.columns.name == "epoch"
    assert table.columns.tolist() == [0, 1, 2, 3, 4, 5]
    assert table.index[:4].tolist() == [
        ("zeros", metric) for metric in ("loss", "accuracy", "held_out_loss", "held_out_accuracy")
    ]
    assert len(table) == 20
    ends = study.dataset["held_out_loss"].sel(scheme="he_normal", epoch=5).values
    assert table.loc[("he_normal", "held_out_loss"), 5] == pytest.approx(np.sort(ends)[9:11].mean())


def test_the_dataframe_of_an_interrupted_study_holds_what_is_finished():
    curves = {"a": falling([0.1, 0.2, 0.3])}
    curves["a"][2, 3:] = NAN
    table = study_of(curves).to_dataframe()
    assert table.loc[("a", "held_out_loss"), 5] == pytest.approx(0.15)


def test_text_and_short_text():
    study = lesson()
    assert str(study).startswith(
        '5 schemes x 20 repeats of "4-1 sigmoid" on banknotes.csv, 50 steps'
    )
    assert str(study).endswith("Trained by hand.")
    assert repr(study).startswith("<Study: 5 schemes x 20 repeats")


# -------------------------------------------------------------------------------------------- JSON


def strict(text):
    """Read JSON that may not have NaN or Infinity in it."""

    def refuse(word):
        raise AssertionError(word)

    return json.loads(text, parse_constant=refuse)


def shape_of(value):
    """The keys and types of a JSON value, lists by their first element."""
    if isinstance(value, dict):
        return {key: shape_of(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return type(value).__name__


def test_the_keys_are_stable(golden):
    golden("study.json", json.dumps(shape_of(strict(lesson().to_json())), indent=2) + "\n")


def test_json_holds_the_curves_and_the_figures():
    study = lesson()
    content, summary = strict(study.to_json()), study.summary()
    assert content["verdict"] == list(summary.sentences)
    assert [row["scheme"] for row in content["schemes"]] == [row.scheme for row in summary.rows]
    assert content["schemes"][0]["loss"]["value"] == summary.rows[0].loss.value
    assert [len(pairs) for pairs in content["comparisons"].values()] == [10, 10, 10]
    assert content["step"] == [0, 10, 20, 30, 40, 50]
    stored = np.array(content["curves"]["held_out_loss"]["zeros"], dtype=np.float32)
    np.testing.assert_array_equal(stored, study.dataset["held_out_loss"].sel(scheme="zeros").values)
    assert content["curves"]["loss"]["he_normal"][3][3:] == [
        pytest.approx(0.4, abs=0.2),
        "inf",
        "inf",
    ]


def test_json_of_an_interrupted_study():
    curves = {s: falling([0.1, 0.2]) for s in "ab"}
    curves["b"][1] = NAN
    content = strict(study_of(curves).to_json())
    assert content["curves"]["held_out_loss"]["b"][1] == [None] * 6
    assert content["seed"] == [0, 1]
    assert content["repeats"] == 1
    curves["b"][0] = NAN
    assert strict(study_of(curves).to_json())["schemes"] == []


@pytest.mark.parametrize(("points", "most"), [(1, 1), (6, 4), (101, 10), (5, 1), (7, 7), (7, 99)])
def test_thinned_points(points, most):
    places = thinned(points, most).tolist()
    assert places[-1] == points - 1
    assert len(places) <= most
    assert len(set(np.diff(places))) <= 1


def test_curves_are_thinned_to_a_limit():
    """Two schemes, 40 repeats, 51 points: 4080 numbers, 50 to 120 characters for one point each."""
    study = study_of({s: falling(np.linspace(1, 2, 40), points=51) for s in "ab"})
    whole = study.to_json()
    content = strict(to_json(study, limit=len(whole) // 2))
    assert 1 < len(content["epoch"]) < 40
    assert content["step"][-1] == 500
    assert len(content["curves"]["held_out_loss"]["a"][0]) == len(content["epoch"])
    assert len(to_json(study, limit=len(whole) // 2)) <= len(whole) // 2
    assert to_json(study, limit=len(whole)) == whole
    least = strict(to_json(study, limit=100))
    assert (least["epoch"], least["comparisons"]) == ([], {})
    assert least["schemes"] == content["schemes"]


def test_no_room_for_any_point():
    assert thinned(5, 0).tolist() == []


# ---------------------------------------------------------------------------------------- pictures


def test_plot_is_an_altair_chart():
    import altair as alt

    chart = lesson().plot()
    assert isinstance(chart, alt.VConcatChart)
    title = chart.to_dict()["title"]
    assert title["text"][0].startswith("Best: lecun_uniform.")


def test_a_notebook_gets_text_and_drawing():
    shown = lesson()._repr_html_()
    assert "Best: lecun_uniform." in shown
    assert "<svg" in shown
    assert "<script" not in shown


def test_a_notebook_gets_the_text_of_a_study_without_result():
    curves = {s: falling([0.1]) for s in "ab"}
    curves["b"][:] = NAN
    shown = study_of(curves)._repr_html_()
    assert "there is no result" in shown
    assert "<svg" not in shown


def test_the_page_is_written(tmp_path):
    path = tmp_path / "study.html"
    lesson().save_html(path)
    text = path.read_text(encoding="utf-8")
    assert "Best: lecun_uniform." in text
    assert str(tmp_path) not in text
    lesson().save_html(str(path))
    assert path.read_text(encoding="utf-8") == text


def test_a_page_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(FaninError, match="No such file or directory"):
        lesson().save_html(tmp_path / "nowhere" / "study.html")


def test_a_large_study_still_fits_into_a_mail(tmp_path):
    """20 schemes, 200 repeats, 21 points: 336 000 numbers, of which a page cannot hold many."""
    curves = {
        f"truncated_normal(0, {i}, cut=2)": falling(np.linspace(1, 2, 200), points=21)
        for i in range(1, 21)
    }
    path = tmp_path / "large.html"
    study_of(curves, accuracy=True).save_html(path)
    text = path.read_text(encoding="utf-8")
    assert len(text) < 1_500_000
    stored = text.partition('id="fanin-data">')[2].partition("</script>")[0]
    assert len(stored) < 1.2 * EMBEDDED
    assert len(strict(stored)["schemes"]) == 20


def test_a_study_needs_no_heavy_library_until_it_is_asked():
    code = (
        "import sys, fanin.studies.study\n"
        "heavy = {'scipy', 'xarray', 'pandas', 'altair', 'vl_convert', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
