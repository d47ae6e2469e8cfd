"""A plan as a person sees it, and as a program reads it."""

import json
from dataclasses import replace

from fanin.recipes import Role, Slot, assign
from fanin.schemes import Fans, Layout

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
