"""Predicted sizes against closed forms, and against wide networks that were really run.

A wide network is written out here in plain NumPy, forward and backward, with many draws of its
weights. Its mean square is compared with the prediction: what a prediction may be off by is the
standard error of that mean, times 4.5 (one false alarm in 10 000 figures), and 1 / width, the part
of a second moment that theory leaves out.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fanin.schemes import Fans, Layout
from fanin.theory import activation, gain
from fanin.trace import Kind, Op, Part, Predicted, Signal, TracedParameter, Use, predict
from fanin.trace.activations import passed, slope
from graph_cases import Net

WIDTH, EXAMPLES, DRAWS, SIGMAS = 256, 16, 30, 4.5
Array = NDArray[np.float64]


class Run:
    """A network that is run once: values and gradients of every signal, by name of the signal."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.values = list[Array]()
        self.back = list[Callable[[Array], list[tuple[int, Array]]]]()

    def put(self, value: Array, back: Callable[[Array], list[tuple[int, Array]]]) -> int:
        self.values.append(value)
        self.back.append(back)
        return len(self.values) - 1

    def input(self, width: int, scale: float) -> int:
        drawn = scale * self.random.standard_normal((EXAMPLES, width))
        return self.put(drawn, lambda _: [])

    def linear(self, x: int, outputs: int, std: float, bias: float = 0.0) -> int:
        weight = std * self.random.standard_normal((outputs, self.values[x].shape[1]))
        offset = bias * self.random.standard_normal(outputs)
        return self.put(self.values[x] @ weight.T + offset, lambda g: [(x, g @ weight)])

    def act(self, x: int, name: str) -> int:
        phi, z = activation(name), self.values[x]
        # A slope of another order than the package's: two points, Richardson's weights.
        wide, near = ((phi(z + h) - phi(z - h)) / (2 * h) for h in (2e-4, 1e-4))
        return self.put(phi(z), lambda g: [(x, g * (4 * near - wide) / 3)])

    def add(self, *xs: int) -> int:
        total = np.sum([self.values[x] for x in xs], axis=0)
        return self.put(total, lambda g: [(x, g) for x in xs])

    def multiply(self, x: int, y: int) -> int:
        a, b = self.values[x], self.values[y]
        return self.put(a * b, lambda g: [(x, g * b), (y, g * a)])

    def scale(self, x: int, factor: Array) -> int:
        return self.put(self.values[x] * factor, lambda g: [(x, g * factor)])

    def norm(self, x: int) -> int:
        z = self.values[x]
        size = np.sqrt((z**2).mean(1, keepdims=True))
        y = z / size

        def back(g: Array) -> list[tuple[int, Array]]:
            return [(x, (g - y * (g * y).mean(1, keepdims=True)) / size)]

        return self.put(y, back)

    def join(self, x: int, y: int) -> int:
        edge = self.values[x].shape[1]
        joined = np.concatenate([self.values[x], self.values[y]], axis=1)
        return self.put(joined, lambda g: [(x, g[:, :edge]), (y, g[:, edge:])])

    def gradients(self) -> list[Array]:
        found = [np.zeros_like(value) for value in self.values]
        found[-1] = self.random.standard_normal(self.values[-1].shape)
        for index in reversed(range(len(found))):
            for source, gradient in self.back[index](found[index]):
                found[source] = found[source] + gradient
        return found


def compare(build: Callable[[Run], Net]) -> list[Predicted]:
    """Run a network with many weights, and hold the prediction against the mean squares."""
    forward, back = list[list[float]](), list[list[float]]()
    net, shapes = Net(), list[tuple[int, ...]]()
    for seed in range(DRAWS):
        run = Run(seed)
        net = build(run)
        shapes = [value.shape for value in run.values]
        forward.append([float((value**2).mean()) for value in run.values])
        back.append([float((gradient**2).mean()) for gradient in run.gradients()])
    q, g = np.array(forward), np.array(back)
    ops = [
        replace(
            op,
            forward=Signal(shape, 0.0, math.sqrt(q[:, index].mean())),
            backward=Signal(shape, 0.0, math.sqrt(g[:, index].mean())),
        )
        for index, (op, shape) in enumerate(zip(net.ops, shapes, strict=True))
    ]
    found = predict(ops, [*net.parameters.values()], net.moments)
    for index, own in enumerate(found):
        check(f"{index} {ops[index].kind} forward", own.forward, q[:, index])
        check(f"{index} {ops[index].kind} backward", own.backward, g[:, index])
    return [*found]


def check(name: str, predicted: float | None, squares: Array) -> None:
    if predicted is None:
        return
    error = SIGMAS * squares.std(ddof=1) / math.sqrt(len(squares)) + squares.mean() / WIDTH
    assert abs(predicted**2 - squares.mean()) < error + 1e-3 * squares.mean(), name


class Both(Net):
    """A network that is written down and run at once."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.moments = dict[str, tuple[float, float]]()

    def data(self, width: int = WIDTH, scale: float = 1.0) -> int:
        self.run.input(width, scale)
        return self.op(Kind.INPUT)

    def layer(self, x: int, outputs: int = WIDTH, gain: float = 1.0, bias: float = 0.0) -> int:
        inputs = self.run.values[x].shape[1]
        name, std = str(len(self.ops)), gain / math.sqrt(inputs)
        index = self.linear(x, name, inputs, outputs, bias=bool(bias))
        self.moments |= {f"{name}.weight": (0.0, std), f"{name}.bias": (0.0, bias)}
        self.run.linear(x, outputs, std, bias)
        return index

    def phi(self, x: int, name: str) -> int:
        self.run.act(x, name)
        return self.act(x, name)

    def plus(self, *xs: int) -> int:
        self.run.add(*xs)
        return self.add(*xs)

    def times(self, x: int, y: int) -> int:
        self.run.multiply(x, y)
        return self.mul(x, y)

    def unit(self, x: int, gain: float) -> int:
        index = self.op(Kind.NORM, x, detail="rms_norm")
        self.run.norm(x)
        self.run.values[-1] *= gain
        inner = self.run.back[-1]
        self.run.back[-1] = lambda g: inner(g * gain)
        name = str(index)
        self.use(name, (WIDTH,), Part.GAIN)
        self.moments[name] = (gain, 0.0)
        return index


ACTIVATIONS = ["relu", "tanh", "gelu", "sigmoid", "silu", "leaky_relu(0.2)", "elu", "hardtanh"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_plain_network(name: str) -> None:
    def build(run: Run) -> Net:
        net = Both(run)
        x = net.data(100, 2.0)
        for _ in range(3):
            x = net.phi(net.layer(x, gain=1.5, bias=0.3), name)
        net.layer(x, 300)
        return net

    found = compare(build)
    assert all(own.forward is not None for own in found[1:])
    # The input's gradient comes of its layer's; the last one is where the gradients begin.
    assert all(own.backward is not None for own in found[:-1])


@pytest.mark.parametrize("norm", [False, True])
def test_a_residual_network(norm: bool) -> None:
    def build(run: Run) -> Net:
        net = Both(run)
        x = net.layer(net.data())
        for _ in range(3):
            h = net.unit(x, 1.5) if norm else x
            h = net.phi(net.layer(h, 2 * WIDTH), "relu")
            x = net.plus(x, net.layer(h, gain=0.7))
        net.layer(x)
        return net

    found = compare(build)
    assert all(own.forward is not None for own in found[1:])
    assert all(own.backward is not None for own in found[:-1])


def test_a_gated_unit() -> None:
    def build(run: Run) -> Net:
        net = Both(run)
        x = net.data()
        gated = net.times(net.phi(net.layer(x, gain=1.3), "silu"), net.layer(x))
        net.layer(gated)
        return net

    found = compare(build)
    assert all(own.forward is not None for own in found[1:])
    assert all(own.backward is not None for own in found[:-1])


def test_joined_signals_of_different_size() -> None:
    def build(run: Run) -> Net:
        net = Both(run)
        x = net.data()
        one, two = net.layer(x, 100, 3.0), net.layer(x, 300)
        run.join(one, two)
        net.layer(net.op(Kind.CONCATENATE, one, two), 200)
        return net

    found = compare(build)
    one, two, both = (found[index].forward or math.nan for index in (1, 2, 3))
    assert one == pytest.approx(3 * two)
    assert both == pytest.approx(math.sqrt((100 * one**2 + 300 * two**2) / 400))


@pytest.mark.parametrize("name", ["relu", "tanh", "gelu", "silu", "selu", "leaky_relu(0.2)"])
def test_the_gain_keeps_the_size(name: str) -> None:
    square = gain(name) ** 2
    q = 1.0
    for _ in range(5):
        q = square * (passed(name, q) or math.nan)
    # Rounded to four digits on the way, and gelu and silu drift away from 1 by their slope there.
    assert q == pytest.approx(1.0, rel=5 * 5e-4 * 2)


SLOPES = {
    # By hand: P(z > 0); (1 + a^2) / 2; E[erf'(sqrt(q) z)^2] = 4 / pi / sqrt(1 + 4 q);
    # P(|sqrt(q) z| < 1); E[cos^2] = (1 + exp(-2 q)) / 2; E[4 relu(sqrt(q) z)^2] = 2 q.
    "relu": lambda _: 0.5,
    "leaky_relu(0.2)": lambda _: 0.52,
    "erf": lambda q: 4 / math.pi / math.sqrt(1 + 4 * q),
    "hardtanh": lambda q: math.erf(1 / math.sqrt(2 * q)),
    "sin": lambda q: (1 + math.exp(-2 * q)) / 2,
    "relu2": lambda q: 2 * q,
    "linear": lambda _: 1.0,
}


@pytest.mark.parametrize("name", SLOPES)
@pytest.mark.parametrize("q", [1e-3, 0.04, 1.0, 9.0, 300.0])
def test_slopes(name: str, q: float) -> None:
    assert slope(name, q) == pytest.approx(SLOPES[name](q), rel=2e-4)


def test_sizes_at_the_edge() -> None:
    assert passed("relu", 0.0) == 0.0
    assert passed("sigmoid", 0.0) == pytest.approx(0.25)
    assert slope("tanh", 0.0) == pytest.approx(1.0, abs=1e-5)
    assert slope("relu", 1e-300) == pytest.approx(0.5, rel=1e-3)
    assert passed("relu", 1e200) == pytest.approx(5e199)
    assert passed("relu2", 1e200) is None  # its square is no float64 any more
    assert passed("snake", 1.0) is None
    assert slope("snake", 1.0) is None


def measured(op: Op, rms: float, shape: tuple[int, ...] = (8, 16), back: float = 1.0) -> Op:
    return replace(op, forward=Signal(shape, 0.0, rms), backward=Signal(shape, 0.0, back))


def single(
    kind: Kind, part: Part | None = None, held: tuple[float, float] = (0.0, 0.0), **more: object
) -> Predicted:
    """Predict one operation behind an input of size 2, before a gradient of size 3."""
    shape = (8, 16)
    ops = (
        measured(Op(Kind.INPUT, "input"), 2.0),
        measured(Op(kind, **{"function": kind.value, "inputs": (0,), **more}), 7.0, back=3.0),
    )
    use = () if part is None else (Use(1, part),)
    parameter = TracedParameter("p", shape[1:], uses=use)
    return replace(predict(ops, [parameter], {"p": held})[1], backward=None)


def test_what_one_operation_makes_of_a_signal() -> None:
    assert single(Kind.DROPOUT, detail="0.75").forward == 4.0
    assert single(Kind.DROPOUT).forward is None
    assert single(Kind.MULTIPLY, detail="0.5", function="mul").forward == 1.0
    assert single(Kind.MULTIPLY, detail="0.5", function="div").forward == 4.0
    assert single(Kind.MULTIPLY, detail="0.5", function="__rdiv__").forward is None
    assert single(Kind.MULTIPLY, Part.FACTOR, (1e-3, 0.0)).forward == pytest.approx(2e-3)
    assert single(Kind.ADD, Part.TERM, (0.0, 1.5)).forward == 2.5
    assert single(Kind.ADD, detail="1").forward is None
    assert single(Kind.NORM, Part.GAIN, (3.0, 4.0), detail="layer_norm").forward == 5.0
    assert single(Kind.NORM, detail="rms_norm").forward == 1.0
    assert single(Kind.NORM, detail="by hand").forward is None
    assert single(Kind.EMBEDDING, Part.TABLE, (0.0, 0.02)).forward == 0.02
    assert single(Kind.ATTENTION).forward is None
    assert single(Kind.OTHER, function="cumsum").forward is None
    assert single(Kind.OUTPUT).forward == 2.0


def test_theory_goes_on_behind_what_it_does_not_know() -> None:
    net = Net()
    x = net.op(Kind.POOL, net.linear(net.input(), "0", bias=False))
    net.linear(x, "1", bias=False)
    ops = [measured(op, rms) for op, rms in zip(net.ops, (2.0, 5.0, 3.0, 7.0), strict=True)]
    moments = {"0.weight": (0.0, 0.25), "1.weight": (0.25, 0.0)}
    found = predict(ops, [*net.parameters.values()], moments)
    assert [own.forward for own in found] == [None, 2.0, None, 3.0]
    # The gradient of 1 comes through 16 outputs of 0.25 each; pooling spreads it nobody knows how.
    assert [own.backward for own in found] == [1.0, None, 1.0, None]


def test_batch_statistics_of_another_time_are_not_guessed() -> None:
    ops = (
        measured(Op(Kind.INPUT, "input"), 2.0),
        measured(Op(Kind.NORM, "batch_norm", inputs=(0,), detail="batch_norm"), 7.0),
    )
    assert predict(ops, [], {})[1].forward == 1.0
    assert predict(ops, [], {}, training=False)[1].forward is None


def test_a_fused_kernel_sends_back_through_all_its_blocks() -> None:
    """Query, key and value of one matrix; each third of its output has a gradient of its own."""
    stacked = Layout.stacked(3)
    ops = (
        measured(Op(Kind.INPUT, "input"), 1.0, (8, 16)),
        measured(Op(Kind.LINEAR, "linear", inputs=(0,)), 1.0, (8, 48), back=2.0),
    )
    use = Use(1, Part.KERNEL, stacked, stacked.fans((48, 16)))
    found = predict(ops, [TracedParameter("w", (48, 16), uses=(use,))], {"w": (0.0, 0.25)})
    random = np.random.default_rng(0)
    weight, gradient = 0.25 * random.normal(size=(48, 16)), 2 * random.normal(size=(20_000, 48))
    # 16 columns of 48 weights each: their mean square is known to sqrt(2 / 768), 5 per cent.
    assert found[0].backward == pytest.approx(np.sqrt(((gradient @ weight) ** 2).mean()), rel=0.1)
    assert found[0].backward == pytest.approx(2 * 0.25 * math.sqrt(48))


def test_a_part_that_is_read_alone() -> None:
    """A classifier on one of ten tokens: the gradients of the other nine are zero."""
    ops = (
        measured(Op(Kind.NORM, "norm", detail="rms_norm"), 1.0, (8, 10, 16)),
        measured(Op(Kind.LINEAR, "linear", inputs=(0,)), 1.0, (8, 3)),
    )
    use = Use(1, Part.KERNEL, Layout.linear(), Fans(16, 3))
    found = predict(ops, [TracedParameter("w", (3, 16), uses=(use,))], {"w": (0.0, 1.0)})
    assert found[0].backward == pytest.approx(math.sqrt(3 / 10))


def test_nothing_is_known_of_what_was_not_measured() -> None:
    net = Net()
    net.output(net.linear(net.op(Kind.INPUT), "0"))
    assert predict(net.ops, [*net.parameters.values()], {}) == (Predicted(),) * 3
    assert predict((), (), {}) == ()
