"""The page holds all it shows, asks the network for nothing, and lets no text become markup."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from fanin.reports.charts import final_chart
from fanin.reports.document import Document, Table
from fanin.reports.page import STILL, fragment, page

EVIL = '</script><img src=x onerror="alert(1)"><!-- & "quoted" \''
CHART = final_chart({"a": np.array([0.1, 0.2]), EVIL: np.array([0.3, 0.4])}, {}, "held-out loss")
TABLE = Table("Table", ("scheme", "loss"), (("a", "0.1"), (EVIL, "0.2")), ("note " + EVIL,))
DOCUMENT = Document(
    f"Which start? {EVIL}", ("He wins.", f"Says {EVIL}"), (TABLE,), (f"Note {EVIL}",)
)
DATA = json.dumps({"schemes": ["a", EVIL]})

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Reader(HTMLParser):
    """Collects elements and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open = list[str]()
        self.elements = list[tuple[str, dict[str, str | None]]]()
        self.text = list[str]()
        self.scripts = dict[str, str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[str(self.elements[-1][1].get("id"))] = data
        else:
            self.text.append(data)


@pytest.fixture(scope="module")
def text() -> str:
    return page(DOCUMENT, {"Runs": CHART}, (TABLE,), {"seed": EVIL}, DATA)


@pytest.fixture(scope="module")
def read(text: str) -> Reader:
    return Reader(text)


def test_it_is_whole(read: Reader) -> None:
    assert read.open == []
    tags = [tag for tag, _ in read.elements]
    assert tags.count("html") == tags.count("main") == tags.count("title") == 1


def test_no_text_becomes_markup(read: Reader) -> None:
    assert "img" not in {tag for tag, _ in read.elements}
    assert not any(name.startswith("on") for _, attrs in read.elements for name in attrs)
    shown = "".join(read.text)
    # Title, heading, sentence, two cells, two notes below tables, the fact, the note; and a label.
    assert shown.count(EVIL) >= 9


def test_the_verdict_comes_first(read: Reader) -> None:
    shown = "".join(read.text[read.text.index("He wins.") :])
    order = ["He wins.", "Says", "Runs", "Table", "How this was made", "Note"]
    places = [shown.index(word) for word in order]
    assert places == sorted(places)


def test_it_asks_the_network_for_nothing(text: str, read: Reader) -> None:
    for tag, attrs in read.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form"}
        assert "src" not in attrs
        href = attrs.get("href") or attrs.get("xlink:href")
        assert href is None or href.startswith("#")
    styles = "".join(re.findall(r"<style>.*?</style>", text, re.DOTALL))
    assert "@import" not in styles
    assert "url(" not in styles
    assert not re.search(r"url\((?!#)", "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL)))
    policy = next(attrs["content"] for _, attrs in read.elements if "http-equiv" in attrs)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert not re.search(r"https?:|\*|'self'", policy)
    # No specification loads data from elsewhere, and no menu leads to an online editor.
    assert '"url"' not in read.scripts["chart-1"]
    assert "editor: false" in text


def test_the_data_are_inside(read: Reader) -> None:
    assert json.loads(read.scripts["fanin-data"]) == json.loads(DATA)
    assert json.loads(read.scripts["chart-1"]) == CHART


def test_the_drawing_is_there_without_script(text: str) -> None:
    assert re.search(r'data-chart="chart-1"[^>]*><svg', text)


def test_many_drawings_give_way_to_their_scripts() -> None:
    many = final_chart({f"s{i}": np.linspace(1, 2, 20) for i in range(150)}, {}, "loss")
    text = page(DOCUMENT, {"Runs": many, "Again": many}, (), {}, DATA)
    assert len(re.findall(r"<noscript>", text)) == 2
    assert sum(map(len, re.findall(r"<svg.*?</svg>", text, re.DOTALL))) <= STILL


def test_light_and_dark_and_system_fonts(text: str) -> None:
    assert "prefers-color-scheme: dark" in text
    assert "system-ui" in text
    assert "@font-face" not in text


def test_it_is_small_and_the_same_each_time(text: str) -> None:
    assert len(text.encode()) < 1_200_000
    assert page(DOCUMENT, {"Runs": CHART}, (TABLE,), {"seed": EVIL}, DATA) == text


def test_a_fragment_has_no_script_and_the_notebooks_colours() -> None:
    shown = fragment(DOCUMENT, [CHART])
    assert "<script" not in shown
    assert "body" not in re.findall(r"<style>.*?</style>", shown, re.DOTALL)[0]
    assert "currentColor" in shown
    assert Reader(shown).open == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser here")
def test_a_browser_brings_the_chart_to_life(text: str, tmp_path) -> None:
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=5000", f"file://{path}"]
    command += [f"--user-data-dir={tmp_path / 'profile'}"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r'<div class="fanin-wide[^"]*\bvega-embed\b', run.stdout)
    said = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    assert said == []
