"""Small networks as graphs of operations, written the way a tracer writes them down."""

from dataclasses import dataclass, field, replace
from typing import Any

from fanin.schemes import Fans, Layout
from fanin.trace import Kind, Op, Part, Signal, Surroundings, TracedParameter, Use
from fanin.trace.structure import surroundings

WIDTH = 16


@dataclass
class Net:
    """A network under construction; each method adds an operation and returns its index."""

    ops: list[Op] = field(default_factory=list)
    parameters: dict[str, TracedParameter] = field(default_factory=dict)

    def op(
        self, kind: Kind, *sources: int, detail: str = "", function: str = "", **more: Any
    ) -> int:
        self.ops.append(Op(kind, function or kind.value, inputs=sources, detail=detail, **more))
        return len(self.ops) - 1

    def use(
        self, name: str, shape: tuple[int, ...], part: Part, layout: Layout | None = None
    ) -> None:
        """Let the last operation take a parameter, which may be known already."""
        known = self.parameters.get(name, TracedParameter(name, shape))
        fans = None if layout is None else layout.fans(shape)
        use = Use(len(self.ops) - 1, part, layout, fans)
        self.parameters[name] = replace(known, uses=(*known.uses, use))

    def input(self, shape: tuple[int, ...] = (8, WIDTH)) -> int:
        return self.op(Kind.INPUT, forward=Signal(shape, 0.0, 2.0))

    def linear(
        self,
        source: int,
        name: str,
        inputs: int = WIDTH,
        outputs: int = WIDTH,
        *,
        bias: bool = True,
    ) -> int:
        index = self.op(Kind.LINEAR, source)
        self.use(f"{name}.weight", (outputs, inputs), Part.KERNEL, Layout.linear())
        if bias:
            self.use(f"{name}.bias", (outputs,), Part.BIAS)
        return index

    def conv(
        self, source: int, name: str, inputs: int = WIDTH, outputs: int = WIDTH, groups: int = 1
    ) -> int:
        index = self.op(Kind.CONVOLUTION, source)
        shape = (outputs, inputs // groups, 3, 3)
        self.use(f"{name}.weight", shape, Part.KERNEL, Layout.conv(2, groups))
        return index

    def embedding(self, source: int | None, name: str, detail: str = "") -> int:
        index = self.op(Kind.EMBEDDING, *(() if source is None else (source,)), detail=detail)
        self.use(f"{name}.weight", (100, WIDTH), Part.TABLE, Layout.embedding())
        return index

    def recurrent(self, source: int, name: str, steps: int = 100) -> int:
        index = self.op(Kind.RECURRENT, source, steps=steps)
        stacked = Layout.stacked(4)
        self.use(f"{name}.weight_ih", (4 * WIDTH, WIDTH), Part.KERNEL, stacked)
        self.use(f"{name}.weight_hh", (4 * WIDTH, WIDTH), Part.STATE_KERNEL, stacked)
        self.use(f"{name}.bias_ih", (4 * WIDTH,), Part.BIAS)
        return index

    def norm(self, source: int, name: str) -> int:
        index = self.op(Kind.NORM, source, detail="layer_norm")
        self.use(f"{name}.weight", (WIDTH,), Part.GAIN)
        self.use(f"{name}.bias", (WIDTH,), Part.OFFSET)
        return index

    def act(self, source: int, name: str = "relu") -> int:
        return self.op(Kind.ACTIVATION, source, detail=name)

    def add(self, *sources: int) -> int:
        return self.op(Kind.ADD, *sources)

    def mul(self, *sources: int) -> int:
        return self.op(Kind.MULTIPLY, *sources)

    def scale(self, source: int, name: str) -> int:
        index = self.mul(source)
        self.use(name, (WIDTH,), Part.FACTOR)
        return index

    def term(self, source: int, name: str, shape: tuple[int, ...]) -> int:
        index = self.add(source)
        self.use(name, shape, Part.TERM)
        return index

    def dropout(self, source: int) -> int:
        return self.op(Kind.DROPOUT, source, detail="0.1")

    def attention(self, query: int, key: int, value: int) -> int:
        return self.op(Kind.ATTENTION, query, key, value, detail="query key value")

    def mlp(self, source: int, name: str, activation: str = "gelu") -> int:
        hidden = self.act(self.linear(source, f"{name}.fc1", WIDTH, 4 * WIDTH), activation)
        return self.linear(hidden, f"{name}.fc2", 4 * WIDTH, WIDTH)

    def heads(self, source: int, name: str, memory: int | None = None) -> int:
        """Attention with projections of its own."""
        other = source if memory is None else memory
        query = self.linear(source, f"{name}.q")
        key, value = self.linear(other, f"{name}.k"), self.linear(other, f"{name}.v")
        return self.linear(self.attention(query, key, value), f"{name}.out")

    def output(self, *sources: int) -> int:
        return self.op(Kind.OUTPUT, *sources)

    def loss(self, *sources: int) -> int:
        return self.op(Kind.LOSS, *sources)

    def read(self) -> dict[str, Surroundings]:
        return surroundings(self.ops, [*self.parameters.values()])

    def fans(self, name: str) -> Fans | None:
        return self.parameters[name].uses[0].fans
