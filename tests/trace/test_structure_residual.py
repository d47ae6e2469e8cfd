"""Residual sums, streams, writers and norms, on networks whose answer is known by their design."""

import pytest

from fanin.trace import Kind, Part, Place
from graph_cases import WIDTH, Net
from residual_cases import having, resnet, transformer, writers


@pytest.mark.parametrize("norm", ["before", "after", "none"])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_transformer_has_one_stream_of_two_branches_per_block(norm: str, flipped: bool) -> None:
    found = transformer(3, norm=norm, flipped=flipped).read()
    ends = {f"{block}.{end}" for block in range(3) for end in ("attn.out", "mlp.fc2")}
    assert writers(found) == {f"{end}.{part}" for end in ends for part in ("weight", "bias")}
    for block in range(3):
        for place, (name, kernel) in enumerate((("attn", "v"), ("mlp", "fc1"))):
            branch = found[f"{block}.{name}.{kernel}.weight"].branch
            assert branch is not None
            assert (branch.stream, branch.index, branch.of) == (0, 2 * block + place, 6)
            assert (branch.kernels, branch.norm) == (2, norm)
    assert found["head.weight"].branch is None
    assert found["head.weight"].places == {Place.LAST}
    if norm == "before":
        assert found["0.attn.norm.weight"].places == {Place.BRANCH}
        assert found["0.attn.norm.weight"].fed_by == "embedding"
        assert found["0.mlp.norm.bias"].fed_by == "residual stream"
        assert found["0.mlp.fc1.weight"].fed_by == "norm"
        assert found["norm.weight"].branch is None


def test_a_bias_has_what_its_kernel_has() -> None:
    found = transformer(2, norm="before").read()
    assert found["1.mlp.fc2.bias"] == found["1.mlp.fc2.weight"]
    assert found["1.mlp.fc2.weight"].fed_by == "gelu"
    assert found["1.mlp.fc2.weight"].followed_by == "residual stream"


@pytest.mark.parametrize("order", ["((x+a)+b)", "(x+(a+b))", "((a+b)+x)", "((a+x)+b)"])
def test_parallel_branches_in_any_order(order: str) -> None:
    net = Net()
    x = net.embedding(net.input(), "tokens")
    for block in range(2):
        h = net.norm(x, f"{block}.norm")
        a, b = net.heads(h, f"{block}.attn"), net.mlp(h, f"{block}.mlp")
        match order:
            case "((x+a)+b)":
                x = net.add(net.add(x, a), b)
            case "((a+x)+b)":
                x = net.add(net.add(a, x), b)
            case "(x+(a+b))":
                x = net.add(x, net.add(a, b))
            case _:
                x = net.add(net.add(a, b), x)
    net.output(net.linear(net.norm(x, "norm"), "head"))
    found = net.read()
    places = [(0, "attn.q"), (0, "mlp.fc1"), (1, "attn.q"), (1, "mlp.fc1")]
    branches = [found[f"{block}.{name}.weight"].branch for block, name in places]
    assert [(b.stream, b.index, b.of, b.norm) for b in branches if b] == [
        (0, index, 4, "before") for index in range(4)
    ]
    assert {name.removesuffix(".weight") for name in writers(found) if "weight" in name} == {
        f"{block}.{name}" for block in range(2) for name in ("attn.out", "mlp.fc2")
    }


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("norms", [False, True])
def test_a_residual_network_with_a_projection(norms: bool, pooled: bool) -> None:
    found = resnet(Net(), norms=norms, pooled=pooled).read()
    ending = ".bn.weight" if norms else ".weight"
    assert {name for name in writers(found) if name.endswith(ending)} == {
        f"{block}.conv2{ending}" for block in range(4)
    }
    for block in range(4):
        branch = found[f"{block}.conv1.weight"].branch
        assert branch is not None
        assert (branch.stream, branch.index, branch.of) == (0, block, 4)
        assert (branch.kernels, branch.norm) == (2, "inside" if norms else "none")
        assert Place.BRANCH in found[f"{block}.conv1.weight"].places
    shortcut = {"2.shortcut.weight"}
    shortcut |= {"2.shortcut.bn.weight", "2.shortcut.bn.bias"} if norms else set()
    assert having(found, Place.SHORTCUT) == shortcut
    assert found["2.shortcut.weight"].branch is None
    assert found["0.conv1.weight"].fed_by == found["3.conv1.weight"].fed_by == "relu"
    assert found["stem.weight"].places == {Place.FIRST}
    assert found["fc.weight"].places == {Place.LAST}
    if norms:
        assert Place.BRANCH in found["0.conv2.weight"].places
        assert found["0.conv2.weight"].followed_by == "norm"


def test_pre_activation_blocks_begin_with_a_norm() -> None:
    net = Net()
    x = net.conv(net.input(), "stem")
    for block in range(3):
        h = net.conv(net.act(net.norm(x, f"{block}.bn1")), f"{block}.conv1")
        h = net.conv(net.act(net.norm(h, f"{block}.bn2")), f"{block}.conv2")
        x = net.add(h, x)
    net.output(net.linear(net.norm(x, "bn"), "fc"))
    found = net.read()
    branches = {own.branch for name, own in found.items() if name[0].isdigit()}
    assert {b.norm for b in branches if b} == {"before"}
    assert {b.index for b in branches if b} == {0, 1, 2}
    assert found["1.conv2.weight"].followed_by == "residual stream"


def test_sums_that_are_not_residual() -> None:
    net = Net()
    ids = net.input()
    x = net.add(net.embedding(ids, "tokens"), net.embedding(None, "positions", "positions"))
    x = net.add(x, net.embedding(net.input(), "segments"))
    one = net.act(net.conv(x, "one"))
    two = net.act(net.conv(net.act(net.conv(x, "two.0")), "two.1"))
    x = net.add(one, two)
    x = net.add(net.linear(x, "three"), net.linear(x, "four"))
    # A low-rank update of a kernel, as in LoRA.
    x = net.add(net.linear(x, "base"), net.mul(net.linear(net.linear(x, "down"), "up")))
    # Rotary positions, and the sum of two kinds of pooling.
    x = net.add(net.mul(x), net.mul(net.op(Kind.CONCATENATE, net.mul(x), x)))
    x = net.add(net.op(Kind.POOL, x), net.op(Kind.POOL, x))
    net.output(net.linear(x, "head"))
    found = net.read()
    assert all(own.branch is None for own in found.values())
    assert having(found, Place.WRITER) == having(found, Place.SHORTCUT) == set()
    assert found["one.weight"].fed_by == "embedding"
    assert found["three.weight"].fed_by == "relu"
    assert found["positions.weight"].places == {Place.POSITION}


def test_what_is_added_again_in_every_block_is_no_skip() -> None:
    """Positions on queries and keys, a condition, and a mask: earlier blocks have seen them."""
    net = Net()
    x, mask = net.conv(net.input(), "stem"), net.input()
    positions = net.act(net.linear(net.input(), "time"), "silu")
    place = net.embedding(None, "place", "positions")
    for block in range(3):
        query = net.add(x, place)
        q, k, v = (net.linear(s, f"{block}.{n}") for s, n in ((query, "q"), (query, "k"), (x, "v")))
        scores = net.add(net.mul(net.op(Kind.PRODUCT, q, k)), mask)
        weights = net.dropout(net.op(Kind.SOFTMAX, scores))
        x = net.norm(net.add(x, net.linear(net.op(Kind.PRODUCT, weights, v), f"{block}.out")), "n")
        h = net.conv(x, f"{block}.conv1")
        h = net.add(h, net.linear(positions, f"{block}.time"))
        x = net.add(x, net.conv(net.act(h, "silu"), f"{block}.conv2"))
    net.output(net.linear(x, "head"))
    found = net.read()
    assert {n for n in writers(found) if "weight" in n} == {
        f"{block}.{name}.weight" for block in range(3) for name in ("out", "conv2")
    }
    assert having(found, Place.SHORTCUT) == set()
    branch = found["2.conv1.weight"].branch
    assert branch is not None
    assert (branch.index, branch.of) == (5, 6)
    assert Place.BRANCH in found["1.time.weight"].places


@pytest.mark.parametrize("gated", ["sum", "interpolation"])
def test_a_highway_is_residual(gated: str) -> None:
    net = Net()
    x = net.linear(net.input(), "in")
    for block in range(3):
        h = net.act(net.linear(x, f"{block}.h"), "tanh")
        t = net.act(net.linear(x, f"{block}.t"), "sigmoid")
        if gated == "sum":
            x = net.add(net.mul(t, h), net.mul(net.add(t), x))
        else:
            x = net.add(x, net.mul(net.op(Kind.ADD, h, x, function="sub"), t))
    net.output(net.linear(x, "out"))
    found = net.read()
    assert {n for n in writers(found) if "weight" in n} >= {
        f"{block}.h.weight" for block in range(3)
    }
    assert having(found, Place.GATE) >= {f"{block}.t.weight" for block in range(3)}
    assert not {f"{block}.t.weight" for block in range(3)} & writers(found)
    branches = [found[f"{block}.h.weight"].branch for block in range(3)]
    assert [(b.stream, b.index, b.of) for b in branches if b] == [(0, 0, 3), (0, 1, 3), (0, 2, 3)]


def test_factors_on_a_branch() -> None:
    net = Net()
    x = net.linear(net.input(), "in")
    x = net.add(x, net.scale(net.mlp(net.norm(x, "norm"), "mlp"), "layer_scale"))
    x = net.add(net.scale(net.dropout(net.mlp(x, "rezero")), "alpha"), x)
    net.output(net.linear(net.scale(x, "after"), "out"))
    found = net.read()
    assert having(found, Place.SCALE) == {"layer_scale", "alpha"}
    assert having(found, Place.WRITER) == {
        "mlp.fc2.weight", "mlp.fc2.bias", "rezero.fc2.weight", "rezero.fc2.bias"
    }  # fmt: skip
    assert found["alpha"].branch == found["rezero.fc1.weight"].branch


def test_a_norm_or_an_activation_at_the_end_of_a_branch() -> None:
    net = Net()
    x = net.linear(net.input(), "in")
    x = net.add(x, net.norm(net.mlp(net.norm(x, "pre"), "sandwich"), "post"))
    x = net.add(x, net.act(net.linear(net.act(net.linear(x, "relu.0")), "relu.1")))
    bare = net.op(Kind.NORM, net.linear(x, "bare"))
    x = net.add(x, bare)
    by_hand = net.mul(net.op(Kind.NORM, net.linear(x, "rms")))
    net.use("gain", (WIDTH,), Part.GAIN)
    x = net.add(x, by_hand)
    net.output(net.linear(x, "out"))
    found = net.read()
    assert writers(found) == {
        "post.weight", "post.bias", "relu.1.weight", "relu.1.bias",
        "bare.weight", "bare.bias", "gain",
    }  # fmt: skip
    assert Place.BRANCH in found["sandwich.fc2.weight"].places
    assert found["gain"].fed_by == "linear"
    assert [found[n].branch.norm for n in ("pre.weight", "relu.0.weight", "bare.weight")] == [
        "before", "none", "inside"
    ]  # fmt: skip


def test_encoder_and_decoder_are_two_streams() -> None:
    net = Net()
    memory = net.embedding(net.input(), "source")
    for block in range(2):
        memory = net.norm(net.add(memory, net.heads(memory, f"enc.{block}.attn")), f"e{block}a")
        memory = net.norm(net.add(memory, net.mlp(memory, f"enc.{block}.mlp")), f"e{block}b")
    x = net.embedding(net.input(), "target")
    for block in range(2):
        x = net.norm(net.add(x, net.heads(x, f"dec.{block}.self")), f"d{block}a")
        cross = net.heads(x, f"dec.{block}.cross", memory)
        x = net.norm(net.add(x, cross), f"d{block}b")
        x = net.norm(net.add(x, net.mlp(x, f"dec.{block}.mlp")), f"d{block}c")
    net.output(net.linear(x, "head"))
    found = net.read()
    for name, expected in {
        "enc.0.attn.q": (0, 0, 4),
        "enc.1.mlp.fc1": (0, 3, 4),
        "dec.0.self.q": (1, 0, 6),
        "dec.0.cross.k": (1, 1, 6),
        "dec.1.cross.v": (1, 4, 6),
        "dec.1.mlp.fc2": (1, 5, 6),
    }.items():
        branch = found[f"{name}.weight"].branch
        assert branch is not None, name
        assert (branch.stream, branch.index, branch.of) == expected, name
        assert branch.norm == "after", name
    assert found["dec.0.cross.k.weight"].fed_by == "norm"


@pytest.mark.parametrize("split", [False, True])
def test_blocks_under_a_condition(split: bool) -> None:
    """Norms are scaled by 1 + s and shifted, branches scaled again, by one kernel or by three."""
    net = Net()
    x = net.linear(net.input(), "in")
    condition = net.act(net.linear(net.input(), "condition"), "silu")
    for block in range(2):
        for name, branch in (("attn", net.heads), ("mlp", net.mlp)):
            path = f"{block}.{name}"
            names = ("ada", "shift", "gate") if split else ("ada",)
            made = [net.linear(condition, f"{path}.{end}") for end in names]
            scale, shift, gate = made if split else made * 3
            h = net.op(Kind.NORM, x, detail="layer_norm")
            h = net.add(net.mul(h, net.op(Kind.ADD, scale, detail="1")), shift)
            x = net.add(x, net.mul(branch(h, path), gate))
    net.output(net.linear(x, "out"))
    found = net.read()
    assert {n for n in writers(found) if "weight" in n} == {
        f"{block}.{name}.weight" for block in range(2) for name in ("attn.out", "mlp.fc2")
    }
    for block in range(2):
        for place, kernel in enumerate(("attn.q", "mlp.fc1")):
            own = found[f"{block}.{kernel}.weight"]
            assert own.fed_by == "norm"
            assert own.branch is not None
            assert (own.branch.index, own.branch.of) == (2 * block + place, 4)
            assert (own.branch.kernels, own.branch.norm) == (2, "before")
            assert own.chain is not None
            assert own.chain.index == 0
    assert Place.BRANCH in found["1.mlp.ada.weight"].places
    assert found["condition.weight"].branch is None
    assert found["1.mlp.ada.weight"].fed_by == "silu"
