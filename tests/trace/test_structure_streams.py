"""Streams among other streams: stages, groups of blocks, long skips, branches within branches."""

from fanin.trace import Kind, Place
from graph_cases import WIDTH, Net
from residual_cases import having, writers


def test_norms_between_stages_do_not_make_it_post_norm() -> None:
    net = Net()
    x = net.conv(net.input(), "stem")
    for stage in range(3):
        if stage:
            x = net.conv(net.norm(x, f"{stage}.norm"), f"{stage}.down")
        for block in range(3):
            x = net.add(x, net.mlp(net.norm(net.conv(x, "dw"), "n"), f"{stage}{block}"))
    net.output(net.linear(net.norm(x, "norm"), "head"))
    found = net.read()
    branches = [found[f"{n // 3}{n % 3}.fc1.weight"].branch for n in range(9)]
    assert [(b.stream, b.index, b.of, b.norm) for b in branches if b] == [
        (0, index, 9, "inside") for index in range(9)
    ]


def test_values_of_the_first_layer_that_are_mixed_into_later_ones() -> None:
    """They come from the stream by one kernel, which has another reader: it is no shortcut."""
    net = Net()
    x, first = net.embedding(net.input(), "tokens"), None
    for block in range(2):
        h = net.norm(x, f"{block}.norm")
        q, k, v = (net.linear(h, f"{block}.{name}") for name in "qkv")
        first = v if first is None else first
        mixed = v if first == v else net.add(net.mul(v), net.mul(first))
        x = net.add(x, net.linear(net.attention(q, k, mixed), f"{block}.out"))
        x = net.add(x, net.mlp(x, f"{block}.mlp"))
    net.output(net.linear(x, "head"))
    found = net.read()
    assert having(found, Place.SHORTCUT) == set()
    branch = found["1.v.weight"].branch
    assert branch is not None
    assert (branch.index, branch.of) == (2, 4)
    assert Place.VALUE in found["0.v.weight"].places


def test_groups_of_blocks_within_blocks() -> None:
    """Residual in residual: each group is a branch, and its blocks are on a stream of their own."""
    net = Net()
    x = net.conv(net.input(), "stem")
    for group in range(2):
        y = x
        for block in range(2):
            h = net.conv(net.act(net.conv(y, f"{group}{block}.0")), f"{group}{block}.1")
            y = net.add(y, net.mul(h))
        x = net.add(x, net.mul(y))
    net.output(net.conv(x, "head"))
    found = net.read()
    branches = [found[f"{name}.0.weight"].branch for name in ("00", "01", "10", "11")]
    assert [(b.index, b.of) for b in branches if b] == [(0, 2), (1, 2), (0, 2), (1, 2)]
    assert [b.stream for b in branches if b] == [0, 0, 2, 2]


def test_two_layers_between_sums_begin_a_new_stream() -> None:
    net = Net()
    x = net.conv(net.input(), "stem")
    for stage in range(2):
        x = net.add(x, net.mlp(x, f"{stage}"))
        x = net.act(net.conv(net.act(net.conv(x, f"{stage}.down.0")), f"{stage}.down.1"))
    net.output(net.linear(x, "head"))
    found = net.read()
    branches = [found[f"{stage}.fc1.weight"].branch for stage in range(2)]
    assert [(b.stream, b.index, b.of) for b in branches if b] == [(0, 0, 1), (1, 0, 1)]


def test_a_low_rank_update_of_a_writer_is_one_branch() -> None:
    net = Net()
    x = net.linear(net.input(), "in")
    for block in range(2):
        h = net.act(net.linear(x, f"{block}.fc1"))
        update = net.linear(net.linear(h, f"{block}.down"), f"{block}.up")
        x = net.add(x, net.add(net.linear(h, f"{block}.fc2"), net.mul(update)))
    net.output(net.linear(x, "out"))
    found = net.read()
    branch = found["1.fc1.weight"].branch
    assert branch is not None
    assert (branch.index, branch.of, branch.kernels) == (1, 2, 3)
    assert {n for n in writers(found) if "weight" in n} == {
        f"{block}.{end}.weight" for block in range(2) for end in ("fc2", "up")
    }


def test_parallel_branches_before_a_norm() -> None:
    net = Net()
    x = net.embedding(net.input(), "tokens")
    for block in range(2):
        a, b = net.heads(x, f"{block}.attn"), net.mlp(x, f"{block}.mlp")
        x = net.norm(net.add(net.add(x, a), b), f"{block}.norm")
    net.output(net.linear(x, "head"))
    found = net.read()
    names = [f"{block}.{kernel}.weight" for block in range(2) for kernel in ("attn.q", "mlp.fc1")]
    branches = [found[name].branch for name in names]
    assert [(b.index, b.of, b.norm) for b in branches if b] == [
        (index, 4, "after") for index in range(4)
    ]


def test_long_skips_that_are_joined_are_not_residual() -> None:
    net = Net()
    down = net.act(net.conv(net.input(), "down"))
    inner = net.act(net.conv(net.op(Kind.POOL, down), "inner"))
    joined = net.op(Kind.CONCATENATE, inner, down)
    net.output(net.conv(net.act(net.conv(joined, "up", 2 * WIDTH, WIDTH)), "out"))
    found = net.read()
    assert all(own.branch is None for own in found.values())
    assert found["up.weight"].fed_by == "relu"


def test_a_stream_within_a_branch() -> None:
    """A global skip around blocks of their own (super-resolution nets are built so)."""
    net = Net()
    first = x = net.conv(net.input(), "stem")
    for block in range(3):
        y = net.conv(net.act(net.conv(x, f"{block}.0")), f"{block}.1")
        x = net.add(x, net.mul(y))
    x = net.add(net.conv(x, "body"), first)
    net.output(net.conv(x, "head"))
    found = net.read()
    inner = [found[f"{block}.0.weight"].branch for block in range(3)]
    assert [(b.index, b.of) for b in inner if b] == [(0, 3), (1, 3), (2, 3)]
    outer = found["body.weight"].branch
    assert outer is not None
    assert (outer.index, outer.of, outer.kernels) == (0, 1, 7)
    assert outer.stream not in {b.stream for b in inner if b}
    assert Place.WRITER in found["body.weight"].places


def test_a_projection_beside_whole_stages_does_not_cut_the_stream() -> None:
    """A feature pyramid adds a projected early stage to a late one."""
    net = Net()
    x, stages = net.conv(net.input(), "stem"), list[int]()
    for stage in range(2):
        for block in range(2):
            y = net.conv(net.act(net.conv(x, f"{stage}{block}.0")), f"{stage}{block}.1")
            x = net.act(net.add(x, y))
        stages.append(x)
    top = net.conv(stages[1], "top")
    net.output(net.add(net.conv(stages[0], "lateral"), top), top)
    found = net.read()
    branches = [found[f"{name}.0.weight"].branch for name in ("00", "01", "10", "11")]
    assert [(b.stream, b.index) for b in branches if b] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_a_recurrence_by_hand_is_no_residual_network() -> None:
    net = Net()
    x, h = net.input(), net.input()
    for _ in range(20):
        total = net.add(net.linear(x, "input", bias=False), net.linear(h, "state", bias=False))
        h = net.act(total, "tanh")
    net.output(net.linear(h, "out"))
    found = net.read()
    assert all(own.branch is None for own in found.values())
    assert found["state.weight"].chain is not None
    assert found["state.weight"].chain.of == 21


def test_squeeze_and_excite_before_the_sum() -> None:
    net = Net()
    x = net.conv(net.input(), "stem")
    h = net.norm(net.conv(net.act(net.conv(x, "expand"), "silu"), "project"), "bn")
    squeezed = net.act(net.linear(net.op(Kind.POOL, h), "reduce"), "silu")
    gate = net.act(net.linear(squeezed, "excite"), "sigmoid")
    net.output(net.linear(net.add(x, net.mul(h, gate)), "out"))
    found = net.read()
    assert having(found, Place.GATE) == {"excite.weight", "excite.bias"}
    assert writers(found) == {"bn.weight", "bn.bias"}
    assert Place.GATED in found["project.weight"].places
    assert found["expand.weight"].branch.kernels == 2


def test_shared_blocks_count_every_time_they_are_used() -> None:
    net = Net()
    x = net.embedding(net.input(), "tokens")
    for _ in range(6):
        x = net.add(x, net.mlp(x, "block"))
    net.output(net.linear(x, "head"))
    branch = net.read()["block.fc2.weight"].branch
    assert branch is not None
    assert (branch.index, branch.of) == (0, 6)
