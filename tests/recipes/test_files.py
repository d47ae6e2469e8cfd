"""A plan as a file: what goes out comes back, and what was edited wrongly is named."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin import FaninError
from fanin.recipes import Plan, Role, Slot, plan
from fanin.schemes import Fans, Layout, constant
from fanin.trace import Place, Surroundings
from recipe_cases import bias, embedding, gain, kernel, schemes, transformer

CONV = Layout.conv_transpose(2, groups=2, stride=4)
HEAD = kernel("head.weight", 30, 8)
SLOTS = [
    embedding("wte.weight", 30, 8, aliases=("head.weight",), uses=(HEAD,), zero_row=0),
    *transformer(2, 8)[1:-1],
    Slot("up", (4, 3, 2, 2), Role.KERNEL, CONV, CONV.fans((4, 3, 2, 2)), "ConvTranspose2d"),
    bias("b", 8),
    gain("ln", 8),
    Slot("slope", (1,), Role.OTHER, None, None, "PReLU", native=constant(0.25)),
    replace(kernel("rnn", 8, 8), recurrent=True, frozen=True, used=False, one_plus=True),
    Slot("odd", (), Role.OTHER, None, None, "Odd"),
    Slot("none", (0, 4), Role.KERNEL, Layout.linear(), None, "Linear"),
]
RULES = {"b": "listed(1, 2, 3, 4, 5, 6, 7, 0.1)", "up": "he_normal(gain='leaky_relu(0.2)')"}


def made() -> Plan:
    return plan(SLOTS, "deepnet", RULES, keep_unknown=True)


def test_a_plan_comes_back_as_it_was() -> None:
    before = made()
    after = Plan.from_toml(before.to_toml())
    assert str(after) == str(before)
    assert after.to_toml() == before.to_toml()
    assert (after.recipe, after.notes) == (before.recipe, before.notes)
    for old, new in zip(before.rows, after.rows, strict=True):
        # Only what decided is left out: the uses, and the finer points of the surroundings.
        assert replace(new.slot, around=None) == replace(old.slot, around=None, uses=())
        assert new.scheme == old.scheme
        assert new.fed_by == old.fed_by
        if str(old.scheme) != "keep":
            np.testing.assert_array_equal(new.values(3), old.values(3))


def test_a_file_is_written_read_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("old")
    before = made()
    before.save(path)
    assert str(Plan.load(path)) == str(before)
    assert Plan.load(str(path)).to_toml() == path.read_text("utf-8")
    with pytest.raises(FaninError, match="cannot write"):
        before.save(tmp_path / "no" / "plan.toml")
    with pytest.raises(FaninError, match=r"cannot read .*none\.toml: No such file"):
        Plan.load(tmp_path / "none.toml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaninError, match="no text in UTF-8"):
        Plan.load(path)
    path.write_text("format = 3")
    with pytest.raises(FaninError, match=r"plan\.toml: this is no plan: .* and says 3"):
        Plan.load(path)


def test_a_file_tells_a_person_what_they_want_to_know() -> None:
    text = plan([kernel("fc.weight", 8, 32)], "he").to_toml()
    assert 'scheme = "he_normal"  # mean 0, std 0.25' in text
    assert tomllib.loads(text)["parameter"][0]["layout"] == {"in_axes": [1], "out_axes": [0]}


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)


@given(name=NAMES, module=NAMES, reason=NAMES)
def test_any_text_survives(name: str, module: str, reason: str) -> None:
    slot = Slot(name, (2,), Role.BIAS, None, Fans(0.1, 1e-300), module)
    row = replace(plan([slot], "he").rows[0], reason=reason)
    before = Plan(name, (row,), (reason, module))
    assert Plan.from_toml(before.to_toml()) == before


def test_an_edited_scheme_is_what_is_drawn() -> None:
    text = plan([kernel("fc.weight", 8, 32), bias("fc.bias", 8)], "he").to_toml()
    edited = Plan.from_toml(text.replace('"he_normal"', '"glorot_uniform(gain=tanh)"'))
    assert schemes(edited) == {"fc.weight": "glorot_uniform(gain=tanh)", "fc.bias": "zeros"}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('format = "fanin-plan-1"', "", "this is no plan: it must say format"),
        ("[[parameter]]", "[[parameter]", "this is no TOML"),
        ('recipe = "he"', "", "the plan needs recipe"),
        (
            'recipe = "he"',
            'recipe = "he"\nnote = "x"',
            "unknown key 'note'; did you mean \"notes\"",
        ),
        ('recipe = "he"', 'recipe = "he"\nnotes = 3', "the plan: notes must be a list, got 3"),
        ('recipe = "he"', 'recipe = "he"\nnotes = [3]', "notes must be a list of texts, got [3]"),
        ('name = "fc.weight"\n', "", "parameter number 1 needs name"),
        ('name = "fc.weight"', "name = 3", "parameter number 1: name must be a text, got 3"),
        ('name = "fc.bias"', 'name = "fc.weight"', "parameter 'fc.weight' is there twice"),
        ('"he_normal"', '"he_norml"', "parameter 'fc.weight': scheme: there is no scheme 'he_norm"),
        ('"zeros"', '"orthogonal"', "parameter 'fc.bias': orthogonal cannot fill a tensor of"),
        ('scheme = "zeros"', "", "parameter 'fc.bias' needs scheme"),
        ("shape = [8]", "shape = 8", "parameter 'fc.bias': shape must be a list, got 8"),
        ("shape = [8]", "shape = [8.0]", "shape must be a list of whole numbers, got [8.0]"),
        ("shape = [8]", "shape = [-8]", "shape must be a list of whole numbers, got [-8]"),
        ("shape = [8]", "", "parameter 'fc.bias' needs shape"),
        ('"bias"', '"bais"', "parameter 'fc.bias': role knows no 'bais'; did you mean \"bias\"?"),
        ("fan_in = 32.0", "fan_in = true", "fan_in must be a number, got True"),
        ("fan_in = 32.0", "fan_in = -1", "fan_in must be a finite number, 0 or more"),
        ("fan_in = 32.0\n", "", "fan_in and fan_out go together"),
        ("in_axes = [1]", "in_axis = [1]", "layout has an unknown key 'in_axis'; did you mean \"i"),
        ("in_axes = [1], ", "", "parameter 'fc.weight': layout needs in_axes"),
        ("in_axes = [1]", "in_axes = [0]", "a layout names every axis of the tensor once"),
        (
            "out_axes = [0]",
            "out_axes = [0], blocks = 1.5",
            "blocks must be a whole number, got 1.5",
        ),
        ("out_axes = [0]", "out_axes = [0], lookup = 1", "lookup must be true or false, got 1"),
        ('module = "Linear"', 'module = "L"\nfrozen = "no"', "frozen must be true or false"),
        ('module = "Linear"', 'module = "L"\nplaces = ["lost"]', "places knows no 'lost'; did you"),
        ('module = "Linear"', 'module = "L"\nnative = "zeroes"', "native: there is no scheme"),
    ],
)
def test_mistakes_are_told_by_the_parameter(before: str, after: str, message: str) -> None:
    text = plan([kernel("fc.weight", 8, 32), bias("fc.bias", 8)], "he").to_toml()
    assert before in text
    with pytest.raises(FaninError, match=re.escape(message)):
        Plan.from_toml(text.replace(before, after, 1))


def test_parameters_are_tables() -> None:
    head = 'format = "fanin-plan-1"\nrecipe = "he"\n'
    with pytest.raises(FaninError, match="the parameters of a plan are tables"):
        Plan.from_toml(head + "parameter = [1, 2]\n")
    assert Plan.from_toml(head) == Plan("he", ())
    assert str(Plan("he", ())) == "0 parameters, 0 values"


def test_places_come_back() -> None:
    placed = Surroundings(fed_by="relu", places=frozenset({Place.WRITER, Place.ATTENTION_OUTPUT}))
    before = plan([replace(kernel("w", 4, 4), around=placed)], "he")
    assert Plan.from_toml(before.to_toml()) == before
