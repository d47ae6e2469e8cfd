"""Rules, ties and what is refused: from slots to a plan."""

import ast
from dataclasses import replace
from typing import Any

import pytest

from fanin import FaninError
from fanin.recipes import Plan, Role, Slot, assign
from fanin.schemes import Fans, Layout, constant, he_normal, normal


def kernel(name: str, outputs: int = 8, inputs: int = 4, **more: Any) -> Slot:
    layout, shape = Layout.linear(), (outputs, inputs)
    known = Slot(name, shape, Role.KERNEL, layout, layout.fans(shape), "Linear")
    return replace(known, **more)


def bias(name: str, size: int = 8) -> Slot:
    return Slot(name, (size,), Role.BIAS, None, Fans(4, size), "Linear")


def unknown(name: str, *shape: int) -> Slot:
    return Slot(name, shape, Role.OTHER, None, None, "Net")


def schemes(plan: Plan) -> dict[str, str]:
    return {row.name: str(row.scheme) for row in plan.rows}


def test_the_first_rule_that_matches_counts_and_says_so() -> None:
    slots = [kernel("a.weight"), bias("a.bias"), kernel("head.weight")]
    plan = assign(slots, "he_normal", {"head.*": "zeros", "*.weight": normal(0, 0.02)})
    assert schemes(plan) == {
        "a.weight": "normal(0, 0.02)",
        "a.bias": "zeros",
        "head.weight": "zeros",
    }
    reasons = {row.name: row.reason for row in plan.rows}
    assert reasons["a.weight"] == 'rule "*.weight"'
    assert reasons["head.weight"] == 'rule "head.*" (before "*.weight")'


def test_a_rule_comes_before_the_role() -> None:
    assert schemes(assign([bias("bias")], "he_normal", {"bias": "constant(3)"})) == {
        "bias": "constant(3)"
    }


def test_patterns_mind_the_case() -> None:
    with pytest.raises(FaninError, match="matches no parameter"):
        assign([kernel("Head.weight")], "zeros", {"head.*": "ones"})


def test_a_rule_without_effect_is_an_error() -> None:
    with pytest.raises(FaninError, match=r'rule "haed.\*" matches no parameter'):
        assign([kernel("head.weight")], "zeros", {"haed.*": "ones"})
    with pytest.raises(FaninError, match=r'"head.weight" has no effect: rules before it.*"\*"'):
        assign([kernel("head.weight")], "zeros", {"*": "ones", "head.weight": "zeros"})


def test_all_that_is_wrong_is_told_at_once_with_the_line_that_mends_it() -> None:
    slots = [
        kernel("fc.weight"),
        unknown("token", 1, 1, 8),
        unknown("a.gamma", 8),
        unknown("b.gamma", 8),
        unknown("a.beta", 8),
    ]
    with pytest.raises(FaninError) as caught:
        assign(slots, "he_normal", {"tokens": "zeros"})
    message = str(caught.value)
    assert 'rule "tokens" matches no parameter; did you mean "token"?' in message
    assert "4 parameters of unknown purpose" in message
    assert all(name in message for name in ("token", "a.gamma", "b.gamma", "a.beta"))
    rules = message.rpartition("rules=")[2]
    assert rules == '{"token": "normal(0, 0.02)", "*.gamma": "ones", "a.beta": "zeros"}'
    assign(slots, "he_normal", ast.literal_eval(rules))


def test_the_offered_rules_are_as_short_as_a_deep_model_allows_and_can_be_pasted() -> None:
    slots = [
        *(unknown(f"h.{i}.attn.c_attn.weight", 8, 24) for i in range(12)),
        *(unknown(f"h.{i}.attn.c_attn.bias", 24) for i in range(12)),
        *(unknown(f"h.{i}.moe.{j}.c_attn.bias", 24) for i in range(2) for j in range(2)),
        unknown("h.0.twice", 3),
        unknown("h.1.twice", 3, 3),
        kernel("head.weight"),
        kernel("head.bias"),
    ]
    with pytest.raises(FaninError) as caught:
        assign(slots, "he_normal")
    rules = ast.literal_eval(str(caught.value).rpartition("rules=")[2])
    assert rules == {
        "h.*.attn.c_attn.weight": "normal(0, 0.02)",
        "h.*.attn.c_attn.bias": "zeros",
        "h.*.moe.*.c_attn.bias": "zeros",
        "h.0.twice": "ones",
        "h.1.twice": "normal(0, 0.02)",
    }
    assign(slots, "he_normal", rules)


def test_a_whole_name_matches_itself_whatever_brackets_it_holds() -> None:
    slots = [unknown("scale[0]", 3), unknown("scale[1]", 3)]
    with pytest.raises(FaninError) as caught:
        assign(slots, "he_normal")
    rules = ast.literal_eval(str(caught.value).rpartition("rules=")[2])
    assert [str(row.scheme) for row in assign(slots, "he_normal", rules).rows] == ["ones", "ones"]


def test_an_offered_pattern_never_takes_a_known_parameter() -> None:
    slots = [kernel("fc.weight"), unknown("a.weight", 8, 8), unknown("b.weight", 8, 8)]
    with pytest.raises(FaninError) as caught:
        assign(slots, "he_normal")
    rules = str(caught.value).rpartition("rules=")[2]
    assert rules == '{"a.weight": "normal(0, 0.02)", "b.weight": "normal(0, 0.02)"}'


def test_a_scheme_that_needs_fans_cannot_serve_an_unknown_parameter() -> None:
    with pytest.raises(FaninError, match=r"token \(1, 8\).*how it is used is not known.*normal"):
        assign([unknown("token", 1, 8)], "he_normal", {"token": "he_normal"})


@pytest.mark.parametrize("scheme", ["he_norml", "normal(std=-1)"])
def test_a_wrong_scheme_is_named_with_its_rule(scheme: str) -> None:
    with pytest.raises(FaninError, match=r"there is no scheme|std must"):
        assign([kernel("weight")], scheme)
    with pytest.raises(FaninError, match='rule "weight": '):
        assign([kernel("weight")], "zeros", {"weight": scheme})


def test_a_scheme_that_cannot_fill_a_parameter_names_it() -> None:
    with pytest.raises(FaninError, match=r"^bias \(8,\): orthogonal cannot fill"):
        assign([bias("bias")], "zeros", {"bias": "orthogonal"})


def embedding(name: str, rows: int, width: int, **more: Any) -> Slot:
    layout, shape = Layout.embedding(), (rows, width)
    known = Slot(name, shape, Role.EMBEDDING, layout, layout.fans(shape), "Embedding")
    return replace(known, **more)


def tied(scheme: str, **rules: str) -> Plan:
    head = kernel("head.weight", 100, 16)
    return assign(
        [embedding("wte.weight", 100, 16, aliases=("head.weight",), uses=(head,), zero_row=3)],
        scheme,
        {name.replace("_", "."): scheme for name, scheme in rules.items()},
    )


def test_a_tied_weight_takes_its_strictest_use() -> None:
    (row,) = tied("lecun_normal").rows
    # As an embedding one row is read, which asks for std 1; as the head 16 terms meet.
    assert row.std == pytest.approx(16**-0.5)
    assert row.fans == Fans(16, 100)
    assert row.reason == (
        "kernel of Linear; its strictest use (std 1 as embedding); tied with head.weight; "
        "padding row 3 stays zero"
    )
    (row,) = tied("keras_default").rows
    # uniform(-0.05, 0.05) as an embedding; Glorot's bound sqrt(6 / 116) = 0.23 as a kernel.
    assert str(row.scheme) == "uniform(-0.05, 0.05)"


def test_a_rule_reaches_a_tied_weight_by_any_of_its_names() -> None:
    assert schemes(tied("lecun_normal", head_weight="normal(0, 0.02)")) == {
        "wte.weight": "normal(0, 0.02)"
    }


def test_uses_that_disagree_on_the_mean_need_a_rule() -> None:
    gain = Slot("norm.weight", (8,), Role.NORM_GAIN, None, None, "LayerNorm")
    shared = replace(bias("fc.bias"), aliases=("norm.weight",), uses=(gain,))
    with pytest.raises(FaninError, match="different means: zeros as bias of Linear, ones as norm"):
        assign([shared], "he_normal")
    assert schemes(assign([shared], "he_normal", {"norm.weight": "ones"})) == {"fc.bias": "ones"}


def test_start_is_what_the_schemes_draw() -> None:
    slots = [kernel("a.weight"), bias("a.bias"), embedding("e.weight", 5, 3, zero_row=-2)]
    drawn = assign(slots, "he_normal", {"a.bias": constant(2)}).start(7)
    layout = Layout.linear()
    expected = he_normal().values((8, 4), seed=7, name="a.weight", layout=layout)
    assert (drawn["a.weight"] == expected).all()
    assert (drawn["a.bias"] == 2).all()
    assert (drawn["e.weight"][3] == 0).all()
    assert (drawn["e.weight"][[0, 1, 2, 4]] != 0).all()
    assert {values.dtype.name for values in drawn.values()} == {"float32"}


def test_start_of_a_name_depends_on_nothing_else() -> None:
    alone = assign([kernel("b.weight")], "he_normal").start(1)["b.weight"]
    among = assign([kernel("a.weight", 16, 16), kernel("b.weight")], "he_normal").start(1)[
        "b.weight"
    ]
    assert (alone == among).all()
    assert (alone != assign([kernel("b.weight")], "he_normal").start(2)["b.weight"]).all()
