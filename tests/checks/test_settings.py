"""What a person wants to hear of."""

from dataclasses import replace

import pytest

from fanin import FaninError
from fanin.births import Allocation, Births, Frame
from fanin.checks import Settings, Severity, read_settings
from report_cases import REMARK, SCALE, births


def test_a_beginning_stands_for_the_family():
    assert Settings(select=("FI1",)).wants("FI102")
    assert not Settings(select=("FI2",)).wants("FI102")
    assert not Settings(select=("FI1",), ignore=("FI102",)).wants("FI102")


def test_severity_of_the_longest_code_counts():
    settings = Settings(severity={"FI1": Severity.WARNING, "FI102": Severity.INFO})
    kept, hidden = settings.sift([SCALE], None)
    assert kept[0].severity is Severity.INFO
    assert not hidden


def test_ignored_for_some_tensors_it_is_told_of_the_others():
    settings = Settings(per_tensor_ignore={"layers.1*.weight": ("FI1",)})
    kept, _ = settings.sift([SCALE], None)
    assert kept[0].where == tuple(f"layers.{i}.weight" for i in (0, *range(2, 10)))


def test_ignored_for_all_of_them_it_is_hidden():
    kept, hidden = Settings(per_tensor_ignore={"*": ("FI102",)}).sift([SCALE, REMARK], None)
    assert (len(kept), len(hidden)) == (0, 2)


@pytest.mark.parametrize(
    ("comment", "waved"),
    [
        ("# fanin: ignore[FI102]", True),
        ("# fanin: ignore[FI1, FI203]", True),
        ("#fanin:ignore", True),
        ("# fanin: ignore[FI2]", False),
        ("# ignore[FI102]", False),
    ],
)
def test_a_comment_on_the_writing_line(comment, waved):
    kept, _ = Settings().sift([SCALE], births(f"normal_(w)  {comment}"))
    assert ("layers.0.weight" not in kept[0].where) == waved
    assert "layers.1.weight" in kept[0].where


def test_a_comment_on_the_line_that_a_finding_names():
    line = Frame("net.py", 3, "build", "normal_(w.clone())  # fanin: ignore[FI104]")
    lost = replace(SCALE, code="FI104", location=line)
    kept, hidden = Settings().sift([lost, replace(lost, code="FI102")], None)
    assert ([one.code for one in kept], [one.code for one in hidden]) == (["FI102"], ["FI104"])


def test_a_comment_on_the_line_that_made_a_tensor():
    frame = Frame("net.py", 3, "build", "nn.Parameter(torch.randn(2, 2))  # fanin: ignore")
    made = replace(
        births("").tensors[0],
        allocation=Allocation("torch.randn", empty=False, frames=(frame,)),
        writes=(),
    )
    kept, _ = Settings().sift([SCALE], Births((made,)))
    assert "layers.0.weight" not in kept[0].where


def test_without_remarks():
    kept, hidden = Settings(remarks=False).sift([SCALE, REMARK], None)
    assert (kept, hidden) == ((SCALE,), ())


def test_read_from_the_project_above(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.fanin.check]\nignore = ["fi102"]\nfail-on = "error"\n'
        '[tool.fanin.check.severity]\nFI1 = "info"\n'
        '[tool.fanin.check.per-tensor-ignore]\n"head.*" = ["FI1"]\n'
    )
    inner = tmp_path / "src" / "net"
    inner.mkdir(parents=True)
    settings = read_settings(inner)
    assert settings == Settings(
        ignore=("FI102",),
        severity={"FI1": Severity.INFO},
        per_tensor_ignore={"head.*": ("FI1",)},
        fail_on=Severity.ERROR,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ignored = []", 'did you mean "ignore"'),
        ('ignore = ["FI999"]', 'no rule is called "FI999"'),
        ('ignore = "FI102"', "must be a list of codes"),
        ("ignore = [1]", "must be a list of codes"),
        ('fail-on = "bad"', "must be one of error, warning, info, got 'bad'"),
        ("severity = 3", "must be a table"),
        ('severity = { FI102 = "worse" }', "must be one of"),
    ],
)
def test_what_is_wrong_in_it_is_said(tmp_path, text, said):
    (tmp_path / "pyproject.toml").write_text(f"[tool.fanin.check]\n{text}\n")
    with pytest.raises(FaninError, match=said):
        read_settings(tmp_path)


@pytest.mark.parametrize("text", ["tool = 3", "[tool]\nfanin = 3", "[tool.fanin]\ncheck = 3"])
def test_what_should_be_a_table_is_named(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(FaninError, match=r"must be a table, and \w+ is 3"):
        read_settings(tmp_path)


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(FaninError, match=r"pyproject\.toml cannot be read as TOML"):
        read_settings(tmp_path)
