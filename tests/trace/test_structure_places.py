"""Ends, attention, gates and words, on networks whose answer is known by their design."""

import pytest

from fanin.errors import FaninError
from fanin.schemes import Layout
from fanin.trace import Kind, Op, Part, Place, Signal, Surroundings, TracedParameter, Use
from fanin.trace.structure import surroundings, surroundings_by_use
from graph_cases import WIDTH, Net


def places(found: dict[str, Surroundings], name: str) -> set[Place]:
    return {*found[name].places}


def words(found: dict[str, Surroundings], name: str) -> tuple[str, str]:
    return found[name].fed_by, found[name].followed_by


def test_an_mlp() -> None:
    net = Net()
    x = net.act(net.linear(net.input(), "1"), "tanh")
    x = net.dropout(net.act(net.linear(x, "2"), "leaky_relu(0.2)"))
    x = net.linear(net.linear(x, "3"), "4")
    net.loss(net.op(Kind.SOFTMAX, x), net.input())
    found = net.read()
    assert [words(found, f"{n}.weight") for n in (1, 2, 3, 4)] == [
        ("input", "tanh"),
        ("tanh", "leaky_relu(0.2)"),
        ("leaky_relu(0.2)", "linear"),
        ("linear", "softmax"),
    ]
    assert [places(found, f"{n}.weight") for n in (1, 2, 3, 4)] == [
        {Place.FIRST}, set(), set(), {Place.LAST}
    ]  # fmt: skip
    assert found["1.weight"].input_rms == 2.0
    assert found["2.weight"].input_rms is None


def test_a_bias_by_hand_has_what_its_kernel_has() -> None:
    net = Net()
    x = net.linear(net.input(), "1", bias=False)
    x = net.add(x)
    net.use("1.bias", (WIDTH,), Part.BIAS)
    net.output(net.linear(net.act(net.mul(x)), "2"))
    found = net.read()
    assert found["1.bias"] == found["1.weight"]
    assert words(found, "1.weight") == ("input", "relu")
    assert words(found, "2.weight") == ("relu", "output")


@pytest.mark.parametrize("fused", [False, True])
def test_attention(fused: bool) -> None:
    """The fused function, and the same written by hand with scale, mask and dropout."""
    net = Net()
    x, mask = net.norm(net.embedding(net.input(), "tokens"), "norm"), net.input()
    q, k, v = (net.linear(x, name) for name in "qkv")
    q = net.add(net.mul(q), net.mul(net.op(Kind.CONCATENATE, net.mul(q), q)))  # rotary
    q = net.norm(q, "qnorm")
    if fused:
        attended = net.attention(q, k, v)
    else:
        scores = net.add(net.mul(net.op(Kind.PRODUCT, q, k)), mask)
        net.use("bias", (4, 32, 32), Part.TERM)
        attended = net.op(Kind.PRODUCT, net.dropout(net.op(Kind.SOFTMAX, scores)), v)
    net.output(net.linear(net.linear(attended, "out"), "head"))
    found = net.read()
    assert places(found, "q.weight") == {Place.QUERY}
    assert places(found, "k.bias") == {Place.KEY}
    assert places(found, "v.weight") == {Place.VALUE}
    assert places(found, "out.weight") == {Place.ATTENTION_OUTPUT}
    assert words(found, "out.weight") == ("attention", "linear")
    assert words(found, "v.weight") == ("norm", "attention")
    assert words(found, "k.weight") == ("norm", "attention")
    if not fused:
        assert found["bias"].followed_by == "softmax"
        assert places(found, "bias") == {Place.POSITION}


def test_one_kernel_for_query_key_and_value() -> None:
    net = Net()
    x = net.linear(net.input(), "qkv", WIDTH, 3 * WIDTH)
    net.output(net.linear(net.attention(x, x, x), "out"))
    found = net.read()
    assert places(found, "qkv.weight") == {Place.FIRST, Place.QUERY, Place.KEY, Place.VALUE}


def test_one_matrix_cut_in_rows_has_the_places_of_all_its_uses() -> None:
    net = Net()
    x, memory = net.input(), net.input()
    made = list[int]()
    for row, source in enumerate((x, memory, memory)):
        made.append(net.op(Kind.LINEAR, source))
        net.use("in_proj", (3 * WIDTH, WIDTH), Part.KERNEL, Layout.stacked(3))
        assert net.parameters["in_proj"].uses[row].op == made[row]
    net.output(net.linear(net.attention(*made), "out"))
    assert places(net.read(), "in_proj") == {Place.FIRST, Place.QUERY, Place.KEY, Place.VALUE}
    by_use = surroundings_by_use(net.ops, [*net.parameters.values()])["in_proj"]
    assert [own.places for own in by_use] == [
        {Place.FIRST, place} for place in (Place.QUERY, Place.KEY, Place.VALUE)
    ]


def test_a_key_that_is_also_put_out_is_no_last_kernel() -> None:
    net = Net()
    q, k, v = (net.linear(net.input(), name) for name in "qkv")
    net.output(net.linear(net.attention(q, k, v), "out"))
    net.output(k)
    found = net.read()
    assert Place.LAST not in places(found, "k.weight")
    assert places(found, "out.weight") == {Place.ATTENTION_OUTPUT, Place.LAST}


@pytest.mark.parametrize("activation", ["silu", "gelu", "sigmoid", "relu"])
def test_gated_linear_units(activation: str) -> None:
    net = Net()
    x = net.norm(net.linear(net.input(), "in"), "norm")
    gate, up = net.act(net.linear(x, "gate"), activation), net.linear(x, "up")
    net.output(net.linear(net.mul(up, gate), "down"))
    found = net.read()
    assert places(found, "gate.weight") == {Place.GATE}
    assert places(found, "up.weight") == {Place.GATED}
    assert words(found, "gate.weight") == ("norm", activation)
    assert words(found, "up.weight") == ("norm", f"gated {activation}")
    assert words(found, "down.weight") == (f"gated {activation}", "output")


def test_a_fused_gate_is_both() -> None:
    net = Net()
    one = net.linear(net.input(), "one")
    two = net.linear(net.mul(net.act(one, "sigmoid"), one), "two")
    net.output(net.linear(net.act(two, "glu"), "three"))
    found = net.read()
    assert places(found, "one.weight") == {Place.FIRST, Place.GATE, Place.GATED}
    assert places(found, "two.weight") == {Place.GATE, Place.GATED}
    assert found["three.weight"].fed_by == "gated sigmoid"


def test_of_two_activations_the_bounded_one_is_the_gate() -> None:
    net = Net()
    x = net.linear(net.input(), "in")
    filtered = net.act(net.linear(x, "filter"), "tanh")
    net.output(net.linear(net.mul(filtered, net.act(net.linear(x, "gate"), "sigmoid")), "out"))
    found = net.read()
    assert places(found, "gate.weight") == {Place.GATE}
    assert places(found, "filter.weight") == {Place.GATED}


def test_a_router_is_a_gate() -> None:
    net = Net()
    x = net.linear(net.input(), "in")
    chosen = net.op(Kind.OTHER, net.op(Kind.SOFTMAX, net.linear(x, "router")), function="topk")
    parts = [net.mul(net.mlp(x, f"expert{n}"), chosen) for n in range(2)]
    net.output(net.linear(net.add(*parts), "out"))
    found = net.read()
    assert places(found, "router.weight") == {Place.GATE}
    assert places(found, "expert0.fc2.weight") == {Place.GATED}


def test_a_plain_product_gates_nothing() -> None:
    net = Net()
    x = net.input()
    net.output(net.linear(net.mul(net.linear(x, "a"), net.linear(x, "b")), "out"))
    found = net.read()
    assert places(found, "a.weight") == places(found, "b.weight") == {Place.FIRST}
    assert found["out.weight"].fed_by == "product"


def test_positions_and_tokens() -> None:
    net = Net()
    x = net.conv(net.input(), "patches")
    x = net.op(Kind.CONCATENATE, x)
    net.use("token", (1, 1, WIDTH), Part.PIECE)
    x = net.term(x, "positions", (1, 33, WIDTH))
    x = net.norm(x, "norm")
    net.output(net.linear(x, "head"))
    found = net.read()
    assert places(found, "token") == {Place.TOKEN}
    assert places(found, "positions") == {Place.POSITION}
    assert words(found, "positions") == words(found, "token") == ("", "norm")
    assert words(found, "norm.weight") == ("linear", "linear")


def test_first_kernels_beside_positions_and_further_inputs() -> None:
    net = Net()
    x = net.add(net.input(), net.embedding(net.input(), "places", "positions"))
    one = net.act(net.linear(x, "one"))
    both = net.op(Kind.CONCATENATE, one, net.linear(net.input(), "two"))
    net.output(net.linear(both, "three", 2 * WIDTH))
    found = net.read()
    assert places(found, "one.weight") == places(found, "two.weight") == {Place.FIRST}
    assert places(found, "three.weight") == {Place.LAST}
    assert found["three.weight"].fed_by == ""


def test_tied_weights_stand_where_the_kernel_stands() -> None:
    net = Net()
    x = net.norm(net.embedding(net.input(), "tied"), "norm")
    net.output(net.op(Kind.LINEAR, x))
    weight = net.parameters["tied.weight"]
    uses = (*weight.uses, Use(len(net.ops) - 2, Part.KERNEL, Layout.linear()))
    tied = TracedParameter("tied.weight", weight.shape, uses=uses)
    own = surroundings(net.ops, [tied])["tied.weight"]
    assert (own.fed_by, own.followed_by, own.places) == ("norm", "output", {Place.LAST})
    table = surroundings_by_use(net.ops, [tied])["tied.weight"][0]
    assert (table.fed_by, table.followed_by, table.places) == ("input", "norm", {Place.FIRST})


def test_recurrent_layers() -> None:
    net = Net()
    x = net.recurrent(net.act(net.linear(net.input(), "in")), "lstm")
    net.output(net.linear(x, "out"))
    found = net.read()
    kernel, state = found["lstm.weight_ih"], found["lstm.weight_hh"]
    assert (kernel.fed_by, kernel.followed_by, kernel.steps) == ("relu", "linear", 100)
    assert (state.fed_by, state.steps) == ("state", 100)
    assert found["in.weight"].followed_by == "relu"
    assert found["out.weight"].fed_by == "state"
    assert found["out.weight"].steps == 1
    assert kernel.chain is not None
    assert (kernel.chain.of, kernel.chain.before, found["in.weight"].chain.after) == (1, (), ())


@pytest.mark.parametrize(("layers", "directions"), [(1, 2), (2, 1), (3, 2)])
def test_the_kernels_of_deeper_recurrent_layers_are_fed_by_the_state(
    layers: int, directions: int
) -> None:
    net = Net()
    x = net.input()
    out = Signal((8, 20, WIDTH * directions), 0.0, 0.5)
    net.op(Kind.RECURRENT, x, steps=20, forward=out)
    for layer in range(layers):
        for way in range(directions):
            width = WIDTH if layer == 0 else WIDTH * directions
            net.use(f"{layer}.{way}.ih", (64, width), Part.KERNEL, Layout.stacked(4))
            net.use(f"{layer}.{way}.hh", (64, WIDTH), Part.STATE_KERNEL, Layout.stacked(4))
            net.use(f"{layer}.{way}.ih.bias", (64,), Part.BIAS)
            net.use(f"{layer}.{way}.hh.bias", (64,), Part.BIAS)
    net.output(len(net.ops) - 1)
    found = net.read()
    for layer in range(layers):
        for way in range(directions):
            own = found[f"{layer}.{way}.ih"]
            assert own.fed_by == ("input" if layer == 0 else "state")
            assert (Place.FIRST in own.places) == (layer == 0)
            assert own.input_rms == (2.0 if layer == 0 else None)
            assert found[f"{layer}.{way}.hh"].input_rms == 0.5
            assert Place.FIRST not in found[f"{layer}.{way}.hh"].places
            assert found[f"{layer}.{way}.ih.bias"] == own
            assert found[f"{layer}.{way}.hh.bias"] == found[f"{layer}.{way}.hh"]


def test_unknown_functions_are_called_by_their_own_names() -> None:
    net = Net()
    x = net.op(Kind.OTHER, net.linear(net.input(), "1"), function="snake_")
    x = net.op(Kind.OTHER, net.linear(x, "2"), function="norm")
    net.output(net.linear(net.op(Kind.OTHER, x, function="roll"), "3"))
    found = net.read()
    assert words(found, "1.weight") == ("input", "snake")
    assert words(found, "2.weight") == ("snake", "")  # what "norm" does is not known
    assert words(found, "3.weight") == ("", "output")


def test_steps_that_lead_nowhere_tell_nothing() -> None:
    """A formula that was recognised as a whole leaves its steps behind."""
    net = Net()
    x = net.linear(net.input(), "1")
    net.act(net.mul(net.act(x, "pow(3)")), "tanh")
    net.output(net.linear(net.act(x, "gelu_tanh"), "2"))
    found = net.read()
    assert words(found, "1.weight") == ("input", "gelu_tanh")
    assert found["1.weight"].paired


def test_odd_graphs() -> None:
    assert surroundings((), ()) == {}
    unused = TracedParameter("unused", (3,))
    assert surroundings((), [unused]) == {"unused": Surroundings()}
    lonely = [Op(Kind.LINEAR, "linear"), Op(Kind.ADD, "add"), Op(Kind.NORM, "norm")]
    lonely += [Op(Kind.MULTIPLY, "mul"), Op(Kind.PRODUCT, "bmm"), Op(Kind.ATTENTION, "a")]
    used = [TracedParameter(f"{n}", (3,), uses=(Use(n, Part.KERNEL),)) for n in range(6)]
    found = surroundings(lonely, used)
    assert {own.fed_by for own in found.values()} == {""}
    assert all(not own.places and own.branch is None for own in found.values())


def test_what_cannot_be_a_graph() -> None:
    with pytest.raises(FaninError, match="does not come before"):
        surroundings([Op(Kind.ADD, "add", inputs=(0,))], [])
    with pytest.raises(FaninError, match="w is used by operation 3"):
        surroundings([], [TracedParameter("w", (1,), uses=(Use(3, Part.KERNEL),))])
