"""A plan is laid on a model only if every row and every parameter have found each other."""

import dataclasses
from typing import Any

import pytest

from fanin import FaninError
from fanin.recipes import Plan, Role, Slot, assign
from fanin.recipes.fit import fit
from fanin.schemes import Fans, Layout


def kernel(name: str, shape: tuple[int, int] = (4, 3), **more: Any) -> Slot:
    fans = Fans(shape[1], shape[0])
    return Slot(name, shape, Role.KERNEL, Layout.linear(), fans, "Linear", **more)


def plan_of(*slots: Slot) -> Plan:
    return assign(slots, "lecun_normal")


def test_rows_come_in_the_order_of_the_model() -> None:
    first, second = kernel("a"), kernel("b")
    rows = fit(plan_of(first, second), [second, first])
    assert [row.name for row in rows] == ["b", "a"]


def test_a_tied_weight_may_be_met_under_another_of_its_names_first() -> None:
    planned, own = kernel("wte", aliases=("head",)), kernel("head", aliases=("wte",))
    (row,) = fit(plan_of(planned), [own])
    assert row.name == "wte", "the plan's name is the name of the stream"


DIFFERENCES: dict[str, tuple[tuple[Slot, ...], tuple[Slot, ...], str]] = {
    "missing": ((kernel("a"), kernel("b")), (kernel("a"),), "b is not in the model"),
    "misspelt": ((kernel("layer.a"),), (kernel("layer.b"),), 'did you mean "layer.b"'),
    "extra": ((kernel("a"),), (kernel("a"), kernel("b")), r"b \(4, 3\) of Linear is not in the pl"),
    "shape": (
        (kernel("a"),),
        (kernel("a", (4, 5)),),
        r"a has shape \(4, 3\) in the plan and \(4, 5\) in the model",
    ),
    "tied in the plan": (
        (kernel("a", aliases=("b",)),),
        (kernel("a"), kernel("b")),
        "a is tied with b in the plan, and not in the model",
    ),
    "tied in the model": (
        (kernel("a"), kernel("b")),
        (kernel("a", aliases=("b",)),),
        "a is tied with b in the model, and not in the plan",
    ),
    "padding": (
        (kernel("a", zero_row=0),),
        (kernel("a"),),
        "a: its padding row is 0 in the plan and none in the model",
    ),
}


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_every_difference_is_refused(kind: str) -> None:
    planned, own, message = DIFFERENCES[kind]
    with pytest.raises(FaninError, match=message):
        fit(plan_of(*planned), own)


def test_all_differences_are_told_at_once() -> None:
    planned = [kernel("a"), kernel("b"), kernel("c", aliases=("d",)), kernel("e")]
    own = [kernel("a", (5, 3)), kernel("c"), kernel("d"), kernel("f"), kernel("e")]
    with pytest.raises(FaninError) as caught:
        fit(plan_of(*planned), own)
    lines = str(caught.value).splitlines()
    assert lines[0] == "this plan is not for this model:"
    told = "\n".join(lines[1:-1])
    for name, what in (("a", "shape"), ("b", "not in the model"), ("f", "not in the plan")):
        assert f"  {name} " in told
        assert what in told
    assert "c is tied with d" in told
    assert "  e " not in told


def test_a_plan_for_a_quite_different_model_is_told_in_short() -> None:
    planned = [kernel(f"layers.{place}.weight") for place in range(300)]
    own = [kernel(f"blocks.{place}.kernel") for place in range(300)]
    with pytest.raises(FaninError) as caught:
        fit(plan_of(*planned), own)
    message = str(caught.value)
    assert message.count("... and 280 more") == 2
    assert len(message.splitlines()) < 50


def test_a_name_twice_would_be_written_twice() -> None:
    plan = plan_of(kernel("a"))
    twice = dataclasses.replace(plan, rows=plan.rows * 2)
    with pytest.raises(FaninError, match="a is in the plan 2 times"):
        fit(twice, [kernel("a")])


def test_a_wrapper_is_recognised() -> None:
    bare, wrapped = [kernel("a"), kernel("b")], [kernel("module.a"), kernel("module.b")]
    with pytest.raises(FaninError, match=r"begin with 'module': pass model\.module"):
        fit(plan_of(*bare), wrapped)
    with pytest.raises(FaninError, match="made for a wrapped model"):
        fit(plan_of(*wrapped), bare)
