"""Public bugs are found at the right tensor; mended twins and what is meant are left in peace."""

import re
from pathlib import Path

import pytest

from fanin import check
from fanin.checks import Report, Severity
from wild import CASES, CONTROLS, MISSED, UNSEEN
from wild.harness import Case, Control


def complaints(report: Report) -> list[str]:
    return [
        f"{one.code} {', '.join(one.where)}: {one.observed}"
        for one in report.findings
        if one.severity is not Severity.INFO
    ]


FOUND = [bug for bug in CASES if bug.id not in MISSED]


@pytest.mark.parametrize("bug", FOUND, ids=str)
def test_the_bug_is_found(bug: Case, tmp_path):
    report = bug.check(mended=False, folder=tmp_path)
    assert any(bug.fits(finding) for finding in report.findings), complaints(report)


@pytest.mark.parametrize("bug", CASES, ids=str)
def test_the_mended_twin_is_left_in_peace(bug: Case, tmp_path):
    assert not complaints(bug.check(mended=True, folder=tmp_path))


@pytest.mark.parametrize("meant", CONTROLS, ids=str)
def test_what_is_meant_is_left_in_peace(meant: Control):
    assert not complaints(check(meant.build, *meant.batch(), loss=meant.loss))


def test_no_case_is_told_twice_or_both_ways():
    ids = [bug.id for bug in CASES]
    assert len(set(ids)) == len(ids)
    assert not UNSEEN.keys() & set(ids)
    assert len({meant.id[:3] for meant in CONTROLS}) == 9


def test_what_is_missed_is_known():
    assert MISSED.keys() <= {bug.id for bug in CASES}
    assert len(FOUND) >= 60


def test_the_page_tells_every_case():
    page = (Path(__file__).parents[2] / "docs" / "wild.md").read_text("utf-8")
    _, found, missed, unseen = re.split(r"^## .*$", page, flags=re.MULTILINE)
    row = re.compile(r"^\| (B\w+) \|", re.MULTILINE)
    assert row.findall(found) == [bug.id for bug in FOUND]
    assert row.findall(missed) == list(MISSED)
    assert row.findall(unseen) == list(UNSEEN)
