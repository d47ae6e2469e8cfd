"""A plan as a person sees it, and as a program reads it."""

import json
from dataclasses import replace

import pytest

from fanin import FaninError
from fanin.recipes import Role, Slot, assign, plan
from fanin.reports import plain
from fanin.schemes import Fans, Layout
from recipe_cases import bias, kernel

EXPECTED = """\
name      shape     role    fan_in  fan_out  scheme       mean     std  reason
0.weight  (10, 64)  kernel      64       10  he_normal       0  0.1768  kernel of Linear
0.bias    (10,)     bias        64       10  zeros           0       0  bias: starts at zero
slope     (1,)      other        -        -  constant(3)     3       0  rule "slope"
3 parameters, 651 values"""

KERNEL = Slot("0.weight", (10, 64), Role.KERNEL, Layout.linear(), Fans(64, 10), "Linear")
SLOTS = [
    KERNEL,
    Slot("0.bias", (10,), Role.BIAS, None, Fans(64, 10), "Linear"),
    Slot("slope", (1,), Role.OTHER, None, None, "Net"),
]
PLAN = assign(SLOTS, "he_normal", {"slope": "constant(3)"})


def test_a_plan_prints_as_a_plain_table() -> None:
    assert str(PLAN) == EXPECTED
    assert str(PLAN).isascii()


def test_long_names_are_never_cut() -> None:
    name = "model." + "block.0.attention." * 12 + "weight"
    long = replace(KERNEL, name=name)
    assert name in str(assign([long], "he_normal"))


def test_json_holds_the_table() -> None:
    stored = json.loads(PLAN.to_json())
    assert stored["recipe"] == "he_normal"
    assert [row["name"] for row in stored["rows"]] == ["0.weight", "0.bias", "slope"]
    assert stored["rows"][0] == {
        "name": "0.weight",
        "shape": [10, 64],
        "role": "kernel",
        "fan_in": 64.0,
        "fan_out": 10.0,
        "scheme": "he_normal",
        "reason": "kernel of Linear",
        "module": "Linear",
        "layout": {"in_axes": [1], "out_axes": [0]},
        "mean": 0.0,
        "std": (2 / 64) ** 0.5,
    }
    assert stored["rows"][2]["fan_in"] is None


def test_a_plan_is_a_value() -> None:
    assert assign(SLOTS, "he_normal", {"slope": "constant(3)"}) == PLAN
    assert assign(SLOTS, "he_uniform", {"slope": "constant(3)"}) != PLAN


def test_what_feeds_a_parameter_has_a_column_once_a_trace_found_something() -> None:
    slots = [kernel("w", 8, 4, fed_by="gated silu"), bias("b", 8)]
    made = assign(slots, "he_normal", {"b": "listed(0, 1, 2, 3, 4, 5, 6, 7)"})
    heading, first, second, count = str(made).splitlines()
    assert heading.split("  ")[0] == "name"
    assert "fed by" in heading
    start = heading.index("fed by")
    assert first[start:].startswith("gated silu  he_normal")
    assert second[start:].startswith("-           listed(0, 1, 2, ... 8 numbers)")
    assert count == "2 parameters, 40 values"


def test_what_is_kept_has_no_figures_and_notes_stand_below() -> None:
    made = plan([kernel("h.w", 8, 4), kernel("g.w", 8, 4)], "he", {"h.*": "keep", "*.w": "zeros"})
    lines = str(made).splitlines()
    assert lines[1].split()[:9] == ["h.w", "(8,", "4)", "kernel", "4", "8", "keep", "-", "-"]
    assert lines[-1] == 'note: rules "h.*" and "*.w" both want h.w: the first counts'
    stored = json.loads(made.to_json())
    assert stored["rows"][0]["std"] is None
    assert stored["notes"] == list(made.notes)


def test_worst_puts_the_kernels_first_that_lose_or_blow_up_their_signal() -> None:
    slots = [
        bias("bias", 8),
        kernel("right", 8, 4, fed_by="relu"),
        kernel("small", 8, 4, fed_by="relu"),
        kernel("zero", 8, 4, fed_by="relu"),
        kernel("large", 8, 4, fed_by="norm"),
    ]
    rules = {"small": "he_normal(gain=0.9)", "large": "normal(0, 5)", "zero": "zeros"}
    made = plan(slots, "he", rules)
    # Factors against gain / sqrt(4): infinite for zeros, 10 for 5 / 0.5, 0.9 / sqrt 2, and 1.
    names = [row.name for row in made.worst().rows]
    assert names == ["zero", "large", "small", "bias", "right"]
    assert sorted(names) == sorted(row.name for row in made.rows)


def test_a_plan_is_laid_out_for_a_terminal_and_a_pipe_alike() -> None:
    page = plain(PLAN.document())
    lines = page.splitlines()
    assert lines[0] == "plan: he_normal"
    assert lines[2] == "3 parameters, 651 values."
    assert "0.weight  (10, 64)  kernel      64       10  he_normal       0  0.1768" in page


def test_a_row_is_found_by_any_name() -> None:
    made = assign([replace(KERNEL, aliases=("head",))], "he_normal")
    assert made.row("head").name == "0.weight"
    with pytest.raises(FaninError, match="the plan has no parameter 'tail'"):
        made.row("tail")
