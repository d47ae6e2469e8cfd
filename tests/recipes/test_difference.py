"""Two plans held against each other."""

import json

import pytest

from fanin.recipes import plan
from recipe_cases import bias, embedding, kernel, transformer


def test_what_changed_is_told_with_the_ratio_of_the_scales() -> None:
    kernels = [kernel("a", 8, 4), kernel("b", 8, 4), kernel("d", 2, 2)]
    before = plan([*kernels, kernel("c", 8, 4), bias("old", 8)], "he")
    after = plan(
        [*kernels, kernel("c", 8, 16), bias("new", 8)],
        "he",
        {"a": "he_normal(gain=0.7071067811865476)", "d": "listed(1, 2, 3, 4)"},
    )
    difference = before.diff(after)
    assert [row.name for row in difference.removed] == ["old"]
    assert [row.name for row in difference.added] == ["new"]
    ratios = {change.after.name: change.ratio for change in difference.changed}
    # relu's gain halved; four times the fan; numbers with a standard deviation of sqrt(5 / 4).
    assert ratios == pytest.approx({"a": 0.5, "c": 0.5, "d": (5 / 4) ** 0.5}, rel=1e-9)
    assert not difference.ok
    stored = json.loads(difference.to_json())
    assert (stored["removed"], stored["added"], stored["same"]) == (["old"], ["new"], 1)
    assert stored["changed"][2]["before"] == {"shape": [8, 4], "scheme": "he_normal"}


def test_it_prints_as_a_table() -> None:
    kernels = [kernel("a", 8, 4), kernel("b", 8, 4)]
    before = plan([*kernels, kernel("c", 8, 4), bias("old", 8)], "he")
    after = plan(
        [*kernels, kernel("c", 8, 16), bias("new", 8)], "he", {"a": "he_normal(gain=0.7071)"}
    )
    lines = str(before.diff(after)).splitlines()
    assert lines == [
        "   name  before            after                   std ratio",
        "-  old   (8,) zeros        -                               -",
        "+  new   -                 (8,) zeros                      -",
        "~  a     he_normal         he_normal(gain=0.7071)        0.5",
        "~  c     (8, 4) he_normal  (8, 16) he_normal             0.5",
        "2 changed, 1 only before, 1 only after, 1 the same",
    ]


def test_a_plan_is_no_different_from_itself_in_any_order() -> None:
    made = plan(transformer(2, 8), "gpt2", {"head": "keep"})
    assert made.diff(made.worst()).ok
    assert str(made.diff(made)) == "no difference in 10 parameters"


def test_a_tied_parameter_is_found_by_any_of_its_names() -> None:
    first = embedding("wte", 9, 4, aliases=("head",))
    second = embedding("head", 9, 4, aliases=("wte",))
    difference = plan([first], "lecture").diff(plan([second], "lecture"))
    assert not difference.removed
    assert not difference.added
    # The name is the random stream: under another one other numbers are drawn.
    assert [change.after.name for change in difference.changed] == ["head"]


def test_zero_and_kept_have_no_ratio() -> None:
    slots = [kernel("a", 4, 4)]
    plans = [plan(slots, "he", {"a": scheme}) for scheme in ("zeros", "he_normal", "keep")]
    for before in plans:
        for after in plans:
            (change,) = before.diff(after).changed or [None]
            assert (change is None) == (before is after)
            assert change is None or change.ratio != change.ratio
