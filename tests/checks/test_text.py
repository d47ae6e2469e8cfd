"""What a person sees of a report."""

import io
from dataclasses import replace

from fanin.checks import Fix, Report
from fanin.checks.text import lines, plain, wrapped
from report_cases import EVIDENCE, REPORT, SCALE

GOLDEN = """\
error[FI102]: too small, for <relu> & co
  --> layers.0.weight  (128, 128) float32
  --> layers.1.weight  (128, 128) float32
  --> layers.2.weight  (128, 128) float32
  --> layers.3.weight  (128, 128) float32
  --> layers.4.weight  (128, 128) float32
  --> layers.5.weight  (128, 128) float32
  --> layers.6.weight  (128, 128) float32
  --> layers.7.weight  (128, 128) float32
      and 4 more, which --json lists
   |  observed  std 0.01 is 12x below he_normal for fan_in 128
   |  expected  std 0.125
   |  written   src/net.py:41 in Net.__init__: nn.init.normal_(self.fc.weight, std=0.01)
   =  why       the signal shrinks 12x in every layer; 100% of it is gone
   =  hence     the gradient of the first layer is 1e-12
   =  mend      nn.init.kaiming_normal_(weight) [safe: --fix does it]
   =  see       fanin explain FI102

info[FI102]: zero
  --> head.weight  (128, 128) float32
   |  observed  all zero
   =  why       its gradient is not

1 error in 13 tensors (1 remark); 1 safe fix; values 0.02 s; signal 0.50 s; seed 0"""


class Terminal(io.StringIO):
    """A terminal that remembers."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_in_a_pipe_every_field_is_a_line():
    assert str(REPORT) == GOLDEN


def test_nothing_found():
    assert str(Report((), EVIDENCE)).startswith("nothing is wrong with 13 tensors; values 0.02 s")


def test_a_terminal_wraps_and_colours(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Terminal()
    REPORT.show(screen)
    assert "\x1b[1;31merror[FI102]" in screen.getvalue()


def test_no_color_is_honoured_and_nothing_is_too_wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Terminal()
    REPORT.show(screen)
    text = screen.getvalue()
    assert "\x1b[3" not in text
    bare = text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert max(map(len, bare.splitlines())) <= 60
    assert "layers.0.weight" in bare


def test_ascii_streams_get_escapes():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    REPORT.show(stream)
    assert stream.buffer.tell() > 100


def test_a_mend_is_called_safe_only_where_all_of_it_is():
    fixes = (Fix("a", "zeros"), Fix("b", "zeros", safe=False))
    told = plain(lines([replace(SCALE, fixes=fixes)], EVIDENCE))
    assert "--fix does it" not in told
    assert "--fix does it" in plain(lines([replace(SCALE, fixes=fixes[:1])], EVIDENCE))


def test_what_wraps_does_not_say_its_label_again():
    told = list(wrapped(lines([SCALE], EVIDENCE), 40))
    assert sum("why" in line.lead for line in told) == 1
    assert len({line.lead for line in told if line.text.startswith("the signal")}) == 1
