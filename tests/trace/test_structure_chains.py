"""Plain stretches and mirrored pairs, and how long the reading takes."""

import itertools
import random
import sys
from collections.abc import Callable

import pytest

from fanin.trace import Chain, Kind, Surroundings
from graph_cases import WIDTH, Net


def chain(found: dict[str, Surroundings], name: str) -> Chain:
    own = found[f"{name}.weight"].chain
    assert own is not None
    return own


def test_a_plain_network_is_one_stretch() -> None:
    net = Net()
    x = net.input()
    for layer in range(10):
        x = net.linear(net.dropout(net.act(x)) if layer else x, str(layer))
    net.output(x)
    found = net.read()
    for layer in range(10):
        own = chain(found, str(layer))
        assert (own.index, own.of) == (layer, 10)
        assert own.before == (() if layer == 0 else (f"{layer - 1}.weight",))
        assert own.after == (() if layer == 9 else (f"{layer + 1}.weight",))
    assert [found[f"{layer}.weight"].paired for layer in range(10)] == [True] * 9 + [False]


@pytest.mark.parametrize("end", ["norm", "softmax", "product", "gate", "recurrent", "residual"])
def test_what_ends_a_stretch(end: str) -> None:
    net = Net()
    x = net.act(net.linear(net.act(net.linear(net.input(), "0")), "1"))
    match end:
        case "norm":
            x = net.norm(x, "norm")
        case "softmax":
            x = net.op(Kind.SOFTMAX, x)
        case "product":
            x = net.op(Kind.PRODUCT, x, net.input())
        case "gate":
            x = net.mul(x, net.input())
        case "recurrent":
            x = net.recurrent(x, "lstm")
        case _:
            x = net.add(x, net.linear(net.act(net.linear(x, "a")), "b"))
    net.output(net.linear(net.act(net.linear(x, "2")), "3"))
    found = net.read()
    assert [(chain(found, n).index, chain(found, n).of) for n in "0123"] == [
        (0, 2), (1, 2), (0, 2), (1, 2)
    ]  # fmt: skip
    assert [found[f"{n}.weight"].paired for n in "0123"] == [True, False, True, False]
    if end == "residual":
        assert [(chain(found, n).index, chain(found, n).of) for n in "ab"] == [(0, 2), (1, 2)]


def test_ways_of_different_length() -> None:
    net = Net()
    x = net.act(net.linear(net.input(), "in"))
    long = net.act(net.linear(net.act(net.linear(x, "long.0")), "long.1"))
    joined = net.op(Kind.CONCATENATE, long, net.act(net.linear(x, "short")))
    net.output(net.linear(joined, "out", 2 * WIDTH))
    found = net.read()
    assert {n: (chain(found, n).index, chain(found, n).of) for n in ("in", "short", "out")} == {
        "in": (0, 4), "short": (1, 3), "out": (3, 4)
    }  # fmt: skip
    assert chain(found, "out").before == ("long.1.weight", "short.weight")
    assert not found["in.weight"].paired  # two readers
    assert not found["short.weight"].paired  # joined with others


@pytest.mark.parametrize(
    ("sizes", "activations", "paired"),
    [
        ((8, 6, 6, 4), ("relu",), True),
        ((8, 6, 18, 4), ("relu",), True),  # three positions, flattened
        ((8, 7, 7, 4), ("relu",), False),  # an odd number of units
        ((8, 6, 9, 4), ("relu",), False),  # not a whole multiple
        ((8, 6, 6, 4), ("relu", "tanh"), False),
        ((8, 6, 6, 4), (), False),
        ((8, 6, 6, 4), ("snake",), False),
    ],
)
def test_pairs(sizes: tuple[int, ...], activations: tuple[str, ...], paired: bool) -> None:
    net = Net()
    x = net.linear(net.input(), "0", sizes[0], sizes[1])
    for activation in activations:
        x = net.act(x, activation)
    net.output(net.linear(net.dropout(x), "1", sizes[2], sizes[3]))
    assert net.read()["0.weight"].paired == paired


def test_pairs_of_convolutions() -> None:
    net = Net()
    x = net.act(net.conv(net.input(), "0", 3, 16))
    x = net.op(Kind.POOL, net.act(net.conv(x, "1", 16, 16)))
    x = net.act(net.conv(x, "2", 16, 16, groups=4))
    x = net.act(net.conv(x, "3", 16, 32))
    net.output(net.linear(x, "4", 32 * 16, 10))
    found = net.read()
    assert [found[f"{n}.weight"].paired for n in range(5)] == [True, False, False, True, False]


def test_shared_kernels_are_not_paired() -> None:
    net = Net()
    x = net.act(net.linear(net.input(), "in"))
    for _ in range(3):
        x = net.act(net.linear(x, "shared"))
    net.output(net.linear(x, "out"))
    found = net.read()
    assert not any(own.paired for own in found.values())
    assert chain(found, "shared").before == ("in.weight",)
    assert chain(found, "shared").of == 5


def longest_by_hand(edges: dict[int, set[int]], start: int) -> int:
    return 1 + max((longest_by_hand(edges, end) for end in edges[start]), default=0)


def test_random_networks_against_every_path() -> None:
    """Sums and joins of earlier signals; the longest way is found by trying all of them."""
    random.seed(5)
    for _ in range(50):
        net = Net()
        signals, names = [net.input()], list[str]()
        origin = {signals[0]: set[int]()}
        edges = dict[int, set[int]]()
        for number in range(9):
            picked = random.sample(signals, min(len(signals), random.choice([1, 1, 2])))
            x = picked[0] if len(picked) == 1 else net.op(Kind.CONCATENATE, *picked)
            feeders = set[int]().union(*(origin[source] for source in picked))
            for feeder in feeders:
                edges[feeder].add(number)
            edges[number] = set()
            x = net.act(net.linear(x, str(number)))
            origin[x] = {number}
            signals.append(x)
            names.append(str(number))
        net.output(*signals[1:])
        found = net.read()
        reverse = {end: {s for s in edges if end in edges[s]} for end in edges}
        for number, name in enumerate(names):
            own = chain(found, name)
            before, after = longest_by_hand(reverse, number), longest_by_hand(edges, number)
            assert (own.index, own.of) == (before - 1, before + after - 1)
            assert set(own.after) == {f"{end}.weight" for end in edges[number]}


def deep_transformer(blocks: int) -> Net:
    net = Net()
    x = net.embedding(net.input(), "tokens")
    for block in range(blocks):
        x = net.add(x, net.heads(net.norm(x, f"{block}.n1"), f"{block}.attn"))
        x = net.add(x, net.mlp(net.norm(x, f"{block}.n2"), f"{block}.mlp"))
    net.output(net.linear(x, "head"))
    return net


def post_norm(blocks: int) -> Net:
    net = Net()
    x = net.linear(net.input(), "in")
    for block in range(blocks):
        x = net.norm(net.add(x, net.mlp(x, f"{block}")), f"{block}.norm")
    net.output(net.linear(x, "out"))
    return net


def plain(layers: int) -> Net:
    net = Net()
    x = net.input()
    for layer in range(layers):
        x = net.act(net.linear(x, f"{layer}"))
    net.output(x)
    return net


def unrolled(steps: int) -> Net:
    net = Net()
    x, h = net.input(), net.input()
    for _ in range(steps):
        h = net.act(net.add(net.linear(x, "w"), net.linear(h, "u")), "tanh")
    net.output(net.linear(h, "out"))
    return net


@pytest.mark.parametrize("build", [deep_transformer, post_norm, plain, unrolled])
def test_the_work_is_in_proportion_to_the_size(build: Callable[[int], Net]) -> None:
    """Four times the operations are four times the calls; a walk for each of them makes sixteen."""
    small, large = (calls_while(build(size).read) for size in (20, 80))
    assert large < 5 * small


def calls_while(function: Callable[[], object]) -> int:
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_any_order_of_parameters_reads_the_same() -> None:
    net = deep_transformer(2)
    forward = net.read()
    net.parameters = dict(reversed(net.parameters.items()))
    assert net.read() == forward
    assert list(itertools.islice(net.read(), 1)) == ["head.bias"]
