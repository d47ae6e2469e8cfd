"""Hand-made slots with what stands around them, as a trace of such a network would tell."""

from dataclasses import replace
from typing import Any

from fanin.recipes import Plan, Role, Slot
from fanin.schemes import Fans, Layout
from fanin.trace import Branch, Place, Surroundings

BRANCH, WRITER = frozenset({Place.BRANCH}), frozenset({Place.WRITER})


def kernel(name: str, outputs: int, inputs: int, **more: Any) -> Slot:
    """A linear kernel of (outputs, inputs); words of `Surroundings` are kept apart."""
    layout, shape = more.pop("layout", Layout.linear()), (outputs, inputs)
    words = ("fed_by", "places", "branch", "input_rms", "steps", "regression")
    here = {word: more.pop(word) for word in words if word in more}
    slot = Slot(name, shape, Role.KERNEL, layout, layout.fans(shape), "Linear")
    return replace(slot, **({"around": Surroundings(**here)} if here else {}), **more)


def bias(name: str, size: int, fan_in: int = 4) -> Slot:
    return Slot(name, (size,), Role.BIAS, None, Fans(fan_in, size), "Linear")


def gain(name: str, size: int) -> Slot:
    return Slot(name, (size,), Role.NORM_GAIN, None, None, "LayerNorm")


def embedding(name: str, rows: int, width: int, **more: Any) -> Slot:
    layout, shape = Layout.embedding(), (rows, width)
    known = Slot(name, shape, Role.EMBEDDING, layout, layout.fans(shape), "Embedding")
    return replace(known, **more)


def layer(
    name: str,
    width: int,
    first: int,
    of: int,
    *,
    stream: int = 0,
    fused: bool = True,
    crossed: bool = False,
    norm: str = "before",
) -> list[Slot]:
    """The kernels of one layer of a transformer, whose branches start at `first` of `of`."""

    def attention(prefix: str, index: int) -> list[Slot]:
        here = Branch(stream, index, of, 2, norm)
        looks = (Place.QUERY, Place.KEY, Place.VALUE)
        if fused:
            inner = [
                kernel(
                    f"{prefix}.qkv",
                    3 * width,
                    width,
                    layout=Layout.stacked(3),
                    places=frozenset({*looks, Place.BRANCH}),
                    branch=here,
                    fed_by="norm",
                )
            ]
        else:
            inner = [
                kernel(
                    f"{prefix}.{letter}",
                    width,
                    width,
                    places=frozenset({look, Place.BRANCH}),
                    branch=here,
                    fed_by="norm",
                )
                for letter, look in zip("qkv", looks, strict=True)
            ]
        out = frozenset({Place.ATTENTION_OUTPUT, Place.WRITER})
        return [
            *inner,
            kernel(f"{prefix}.out", width, width, places=out, branch=here, fed_by="attention"),
        ]

    slots = attention(f"{name}.attn", first)
    if crossed:
        slots += attention(f"{name}.cross", first + 1)
    here = Branch(stream, first + 1 + crossed, of, 2, norm)
    return [
        *slots,
        kernel(f"{name}.fc1", 4 * width, width, places=BRANCH, branch=here, fed_by="norm"),
        kernel(f"{name}.fc2", width, 4 * width, places=WRITER, branch=here, fed_by="gelu"),
    ]


def transformer(layers: int, width: int, **more: Any) -> list[Slot]:
    """Embedding, layers of two branches each, and a head."""
    slots = [embedding("wte", 100, width, around=Surroundings(fed_by="input"))]
    for index in range(layers):
        slots += layer(f"h.{index}", width, 2 * index, 2 * layers, **more)
    last = frozenset({Place.LAST})
    return [*slots, kernel("head", 100, width, places=last, fed_by="norm", role=Role.HEAD)]


def residual(branches: int, kernels: int, width: int = 16) -> list[Slot]:
    """A stem, residual branches of some kernels each with relus between, and a head."""
    slots = [kernel("stem", width, 8, fed_by="input", places=frozenset({Place.FIRST}))]
    for index in range(branches):
        here = Branch(0, index, branches, kernels)
        slots += [
            kernel(
                f"b.{index}.{place}",
                width,
                width,
                fed_by="relu",
                branch=here,
                places=WRITER if place == kernels - 1 else BRANCH,
            )
            for place in range(kernels)
        ]
    last = frozenset({Place.LAST})
    return [*slots, kernel("head", 10, width, places=last, fed_by="relu", role=Role.HEAD)]


def stds(plan: Plan) -> dict[str, float]:
    return {row.name: row.std for row in plan.rows}


def schemes(plan: Plan) -> dict[str, str]:
    return {row.name: str(row.scheme) for row in plan.rows}
