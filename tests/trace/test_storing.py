"""A trace goes through JSON and comes back as it was, and nothing else is taken for one."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.schemes import Fans, Layout
from fanin.trace import (
    Branch,
    Chain,
    Kind,
    Op,
    Part,
    Place,
    Signal,
    Surroundings,
    Trace,
    TracedParameter,
    Use,
)
from graph_cases import Net


def parts(kind: type, *fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw the fields of a dataclass; `build` makes it of them.

    The checker of annotations may not run inside a strategy.
    """
    return st.tuples(st.just(kind), *fields)


def build(drawn: Any) -> Any:
    if isinstance(drawn, dict):
        return {key: build(own) for key, own in drawn.items()}
    if isinstance(drawn, tuple) and drawn and isinstance(drawn[0], type):
        return drawn[0](*map(build, drawn[1:]))
    return tuple(map(build, drawn)) if isinstance(drawn, tuple) else drawn


TEXT = st.text(max_size=8)
FLOATS = st.floats()
COUNTS = st.integers(0, 2**40)
SHAPES = st.lists(COUNTS, max_size=4).map(tuple)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
THREE = st.tuples(FLOATS, FLOATS, FLOATS)
SIGNALS = parts(
    Signal, SHAPES, FLOATS, FLOATS, st.none() | THREE, st.none() | THREE, st.none() | FLOATS,
    st.none() | FLOATS, st.none() | FLOATS, st.none() | FLOATS, st.booleans(),
)  # fmt: skip
OPS = parts(
    Op, st.sampled_from(Kind), TEXT, TEXT, TEXT, SHAPES, TEXT, COUNTS, st.none() | SIGNALS,
    st.none() | SIGNALS,
)  # fmt: skip
LAYOUTS = st.sampled_from(
    [Layout.linear(), Layout.conv(2, 4, 4), Layout.stacked(3), Layout.embedding(), Layout.vector()]
)
FANS = parts(Fans, st.floats(0, 1e9), st.floats(0, 1e9))
USES = parts(
    Use, COUNTS, st.sampled_from(Part), st.none() | LAYOUTS, st.none() | FANS, NAMES,
    st.none() | st.tuples(COUNTS, COUNTS),
)  # fmt: skip
PARAMETERS = parts(
    TracedParameter, TEXT, SHAPES, NAMES, st.lists(USES, max_size=2).map(tuple),
    st.none() | SIGNALS,
)  # fmt: skip
AROUND = parts(
    Surroundings, TEXT, TEXT, st.frozensets(st.sampled_from(Place)),
    st.none() | parts(Branch, COUNTS, COUNTS, COUNTS, COUNTS, TEXT),
    st.none() | parts(Chain, COUNTS, COUNTS, NAMES, NAMES),
    st.none() | FLOATS, COUNTS, st.booleans(),
)  # fmt: skip
TRACES = st.fixed_dictionaries(
    {
        "ops": st.lists(OPS, max_size=3).map(tuple),
        "parameters": st.lists(PARAMETERS, max_size=3).map(tuple),
        "loss": TEXT,
        "loss_value": FLOATS,
        "training": st.booleans(),
        "notes": NAMES,
        "surroundings": st.dictionaries(TEXT, AROUND, max_size=2),
        "moments": st.dictionaries(TEXT, st.tuples(FLOATS, FLOATS), max_size=2),
    }
)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal to the last bit, nan and the sign of zero included."""
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if hasattr(one, "__dataclass_fields__"):
        return all(same(getattr(one, f), getattr(other, f)) for f in one.__dataclass_fields__)
    return one == other


@given(TRACES)
def test_what_is_written_is_read_back(fields: dict[str, Any]) -> None:
    trace = Trace(**build(fields))
    text = trace.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert same(Trace.from_json(text), trace)
    assert Trace.from_json(text).to_json() == text


def small() -> Trace:
    net = Net()
    net.output(net.linear(net.act(net.linear(net.input(), "0")), "1"))
    return Trace(
        tuple(net.ops), tuple(net.parameters.values()), "mse", math.inf, training=True,
        surroundings=net.read(),
    )  # fmt: skip


def test_the_surroundings_are_stored_too() -> None:
    assert Trace.from_json(small().to_json()) == small()
    assert Trace.from_json(small().to_json()).surroundings["0.weight"].places == {Place.FIRST}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("weights", "cannot be read as JSON"),
        ("[1, 2]", "'fanin trace 1', and has None"),
        ('"fanin trace 1"', "'fanin trace 1', and has None"),
        ('{"scheme": "zeros"}', "has None"),
        ('{"format": "fanin trace 2"}', "has 'fanin trace 2'"),
        ('{"format": "fanin trace 1", "ops": []}', "Trace has a field 'parameters'"),
    ],
)
def test_foreign_texts(text: str, message: str) -> None:
    with pytest.raises(FaninError, match=message):
        Trace.from_json(text)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("training",), 1, "training: expected true or false, got 1"),
        (("loss_value",), "much", "loss_value: expected a number, got 'much'"),
        (("loss_value",), True, "loss_value: expected a number, got True"),
        (("ops",), {}, "ops: expected a list"),
        (("ops", 1, "kind"), "linaer", r"ops\[1\], kind: expected one of input, linear"),
        (("ops", 1, "inputs", 0), 0.5, r"ops\[1\], inputs\[0\]: expected a whole number"),
        (("ops", 1, "inputs", 0), True, r"ops\[1\], inputs\[0\]: expected a whole number"),
        (("ops", 0, "forward", "colour"), 1, "Signal has no field 'colour'"),
        (("ops", 0, "forward", "unit_means"), [1.0], "unit_means: expected 3 entries"),
        (("parameters", 0, "uses", 0, "layout", "groups"), 0, "groups must be at least 1"),
        (("surroundings", "0.weight", "places"), ["here"], "expected one of first"),
    ],
)
def test_damaged_files(place: tuple[Any, ...], value: Any, message: str) -> None:
    found = json.loads(small().to_json())
    part = found
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    with pytest.raises(FaninError, match=message):
        Trace.from_json(json.dumps(found))


def test_the_format_is_that_of_the_files_out_there() -> None:
    """Read by every later version: what is in this text must not change its meaning."""
    text = (
        '{"format": "fanin trace 1", "ops": [{"kind": "input", "function": "input"}], '
        '"parameters": [{"name": "w", "shape": [2, 3], "uses": [{"op": 0, "part": "kernel", '
        '"layout": {"in_axes": [1], "out_axes": [0]}, "fans": {"fan_in": 3.0, "fan_out": 2.0}}]}], '
        '"loss": "mse", "loss_value": "nan", "training": true}'
    )
    use = Use(0, Part.KERNEL, Layout.linear(), Fans(3, 2))
    trace = Trace(
        (Op(Kind.INPUT, "input"),), (TracedParameter("w", (2, 3), uses=(use,)),), "mse", 0.0,
        training=True,
    )  # fmt: skip
    assert replace(Trace.from_json(text), loss_value=0.0) == trace
    assert trace.to_json() == text.replace('"nan"', "0.0")
