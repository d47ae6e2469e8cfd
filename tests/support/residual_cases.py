"""Residual networks whose answer is known by their design, and what was found of them."""

from fanin.trace import Kind, Place, Surroundings
from graph_cases import WIDTH, Net


def writers(found: dict[str, Surroundings]) -> set[str]:
    return {name for name, own in found.items() if Place.WRITER in own.places}


def having(found: dict[str, Surroundings], place: Place) -> set[str]:
    return {name for name, own in found.items() if place in own.places}


def transformer(blocks: int, *, norm: str, flipped: bool = False) -> Net:
    net = Net()
    x = net.embedding(net.input(), "tokens")
    x = net.term(x, "positions", (1, 32, WIDTH))
    x = net.dropout(x)
    for block in range(blocks):
        for name, branch in (("attn", net.heads), ("mlp", net.mlp)):
            path = f"{block}.{name}"
            inside = net.norm(x, f"{path}.norm") if norm == "before" else x
            y = net.dropout(branch(inside, path))
            x = net.add(y, x) if flipped else net.add(x, y)
            if norm == "after":
                x = net.norm(x, f"{path}.norm")
    if norm == "before":
        x = net.norm(x, "norm")
    logits = net.linear(x, "head", bias=False)
    net.output(logits)
    net.loss(logits, net.input())
    return net


def resnet(net: Net, *, norms: bool = True, pooled: bool = False) -> Net:
    """Two stages of two basic blocks, the second one with a projection (He et al. 2016)."""

    def conv(source: int, name: str) -> int:
        index = net.conv(source, name)
        return net.norm(index, f"{name}.bn") if norms else index

    x = net.op(Kind.POOL, net.act(conv(net.input(), "stem")))
    for block, projected in enumerate((False, False, True, False)):
        h = net.act(conv(x, f"{block}.conv1"))
        h = conv(h, f"{block}.conv2")
        if projected:
            x = net.op(Kind.POOL, x) if pooled else x
            x = conv(x, f"{block}.shortcut")
        x = net.act(net.add(h, x))
    net.output(net.linear(net.op(Kind.POOL, x), "fc"))
    return net
