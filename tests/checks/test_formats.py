"""A report in the languages of programs, read back by their own readers."""

import json
import re
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import torch
from torch import nn

from fanin import FaninError, check
from fanin.checks import Finding, Report, Severity, rules
from fanin.checks.formats import SCHEMA, fragment
from fanin.reports.depth import SERIES
from report_cases import EVIDENCE, REMARK, REPORT, SCALE


def test_json_is_what_its_schema_says():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    read = json.loads(REPORT.to_json())
    jsonschema.validate(read, SCHEMA)
    first = read["findings"][0]
    assert first["code"] == "FI102"
    assert len(first["where"]) == 12
    assert first["facts"] == {"ratio": 12.0, "matches": "normal(0, 0.01)", "worst": "inf"}
    assert first["location"]["line"] == 41
    assert read["tensors"][0]["maximum"] is None
    assert not read["ok"]


def test_an_empty_report_is_valid_too():
    jsonschema.validate(json.loads(Report((), EVIDENCE).to_json()), SCHEMA)


def test_junit_has_a_case_for_each_rule():
    suite = ET.fromstring(REPORT.to("junit"))
    assert suite.attrib["failures"] == "1"
    cases = suite.findall("testcase")
    assert len(cases) == len(rules()) == int(suite.attrib["tests"])
    failed = [case for case in cases if case.find("failure") is not None]
    assert [case.attrib["name"].split()[0] for case in failed] == ["FI102"]
    assert "12x below he_normal" in failed[0].find("failure").attrib["message"]
    skipped = len(suite.findall("testcase/skipped"))
    assert skipped == int(suite.attrib["skipped"])


def test_junit_survives_characters_that_xml_has_not():
    odd = Finding("FI102", Severity.ERROR, ("a\x00b",), "\x1b[31m", "x", "y", "z")
    assert ET.fromstring(Report((odd,), EVIDENCE).to("junit")) is not None


def test_sarif_names_lines_and_tensors():
    log = json.loads(REPORT.to("sarif"))
    run = log["runs"][0]
    assert log["version"] == "2.1.0"
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert ids == [rule.code for rule in rules()]
    first = run["results"][0]
    assert ids[first["ruleIndex"]] == first["ruleId"] == "FI102"
    assert first["level"] == "error"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "src/net.py"
    assert place["region"]["startLine"] == 41
    assert run["results"][1]["level"] == "note"
    assert "physicalLocation" not in run["results"][1]["locations"][0]


def test_hidden_findings_are_suppressed_results():
    log = json.loads(Report((), EVIDENCE, hidden=(SCALE,)).to("sarif"))
    assert log["runs"][0]["results"][0]["suppressions"] == [{"kind": "inSource"}]


def test_github_commands_are_one_line_each():
    lines = REPORT.to("github").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(
        "::error file=src/net.py,line=41,title=FI102 too small%2C for <relu> & co::"
    )
    assert "100%25 of it" not in lines[0]  # why is left to the log
    assert "%0Aexpected: std 0.125%0A" in lines[0]
    assert lines[1].startswith("::notice title=")


def test_github_keeps_a_percent_sign():
    half = Finding("FI502", Severity.WARNING, ("a",), "50% of it", "x", "y", "z", title="dead: 50%")
    (line,) = Report((half,), EVIDENCE).to("github").splitlines()
    assert line.startswith("::warning title=FI502 dead%3A 50%25::a: 50%25 of it%0A")


def test_remarks_fail_no_case_of_junit():
    suite = ET.fromstring(Report((REMARK,), EVIDENCE).to("junit"))
    assert suite.attrib["failures"] == "0"
    assert suite.find("testcase/failure") is None


def test_a_page_draws_what_theory_expects_beside_what_was_measured():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    page = check(model, torch.randn(8, 8)).to("html")
    for name in SERIES:
        assert f'"what":"{name}"' in page.replace('": "', '":"'), name
    assert "Every tensor" in page


def test_a_page_holds_everything_and_asks_for_nothing():
    page = REPORT.to("html")
    assert "too small, for &lt;relu&gt; &amp; co" in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="https?:', page)
    assert page.count("<code>layers.") == 12
    assert "fanin-error" in fragment(REPORT)


def test_an_unknown_form_is_refused():
    with pytest.raises(FaninError, match='did you mean "json"'):
        REPORT.to("jsn")


def test_the_ending_says_the_form(tmp_path):
    for name in ("r.html", "r.json", "r.xml", "r.sarif", "r.txt"):
        REPORT.save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 100
    with pytest.raises(FaninError, match=r"\.pdf is none of these"):
        REPORT.save(tmp_path / "r.pdf")
    with pytest.raises(FaninError, match="cannot be written"):
        REPORT.save(tmp_path / "nowhere" / "r.json")
