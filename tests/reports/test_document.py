"""Figures as they are printed, and a document on a terminal, in a pipe and in ASCII."""

import io
import re

import pytest

from fanin.reports import Document, Table, plain, show, write
from fanin.reports.document import between, counted, figure, listed, p_text, shortened

NAME = "transformer.h.11.mlp.c_proj.weight_of_a_very_long_name"
DOCUMENT = Document(
    title="Which start?",
    verdict=("he_normal, by more than luck.", "It wins 20 of 20."),
    tables=(
        Table(
            "by scheme",
            ("scheme", "loss", "stuck", "arrived"),
            (("he_normal", "0.40 [0.38, 0.43]", "0", "20 of 20"), (NAME, "0.50", "13", "9 of 20")),
            ("stuck: learnt nothing.",),
        ),
    ),
    notes=("Trained by hand.",),
)


class Screen(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        self.flush()
        self.seek(0)
        return self.read()


def on_screen(document, width=80, encoding="utf-8"):
    screen = Screen(encoding)
    show(document, screen, width)
    return screen.shown()


def bare(text):
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (0.05, "0.0500"),
        (0.12345, "0.123"),
        (12.345, "12.3"),
        (123.45, "123"),
        (12345.6, "12346"),
        (1.5e7, "1.50e+07"),
        (-0.5, "-0.500"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "-"),
    ],
)
def test_figures(value, text):
    assert figure(value) == text


def test_words():
    assert between("1", "0", "2") == "1 [0, 2]"
    assert (p_text(0.00009), p_text(0.0001), p_text(1)) == ("p < 0.0001", "p = 0.0001", "p = 1")
    assert (listed([]), listed(["a"]), listed(["a", "b"], "or")) == ("", "a", "a or b")
    assert shortened(list("abcdef")) == "a, b, c, d, e and f"
    assert shortened(list("abcdefg")) == "a, b, c, d, e and 2 others"
    assert (counted(1, "run"), counted(0, "run")) == ("1 run", "0 runs")


def test_a_pipe_gets_plain_lines(golden):
    stream = io.StringIO()
    show(DOCUMENT, stream)
    assert stream.getvalue() == plain(DOCUMENT) + "\n"
    golden("document.txt", stream.getvalue())


def test_plain_columns_line_up_and_names_are_whole():
    lines = plain(DOCUMENT).splitlines()
    start = lines.index("by scheme")
    head, first, second = lines[start + 1 : start + 4]
    assert second.startswith(NAME)
    assert head.index("loss") == first.index("0.40") == second.index("0.50")
    # Numbers end where the head of their column does.
    assert head.index("stuck") + 5 == first.index(" 0 ") + 2 == second.index("13") + 2


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_a_terminal_gets_its_width_and_whole_names(width):
    lines = bare(on_screen(DOCUMENT, width)).splitlines()
    assert all(len(line) <= width for line in lines)
    assert not any("…" in line for line in lines)
    # A name wider than the terminal wraps, and no letter of it is lost.
    start = next(place for place, line in enumerate(lines) if line.startswith("transf"))
    parts = [line.partition(" ")[0] for line in lines[start:]]
    assert "".join(parts).startswith(NAME)


def test_a_wide_table_is_cut_into_several_with_the_names_before_each():
    lines = bare(on_screen(DOCUMENT, 80)).splitlines()
    heads = [line.split() for line in lines if line.startswith("scheme")]
    assert heads == [["scheme", "loss"], ["scheme", "stuck", "arrived"]]
    assert sum(line.startswith("he_normal  ") for line in lines) == 2
    assert any("0.40 [0.38, 0.43]" in line for line in lines)
    whole = bare(on_screen(DOCUMENT, 120)).splitlines()
    assert sum(line.startswith("scheme") for line in whole) == 1


def test_colour_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1m" in on_screen(DOCUMENT)
    coloured = Document("", ("[red]not markup[/red] :smile:",))
    assert "[red]not markup[/red] :smile:" in bare(on_screen(coloured))


def test_an_ascii_terminal_is_not_broken():
    odd = Document("Größe", ("naïve ✓",), DOCUMENT.tables)
    text = on_screen(odd, encoding="ascii")
    assert text.isascii()
    assert "Gr\\xf6\\xdfe" in text
    assert "he_normal" in text


def test_an_ascii_pipe_is_not_broken():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    write(stream, "Größe ✓\n")
    stream.seek(0)
    assert stream.read() == "Gr\\xf6\\xdfe \\u2713\n"


def test_what_is_empty_is_left_out():
    assert plain(Document("t", ("v",))) == "t\n\nv"
