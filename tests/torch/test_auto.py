"""The recipe auto on real networks: what it promises is measured through their own layers."""

import math

import pytest
import torch
from torch import nn

import fanin
from fanin.torch.tracing import trace
from fanin.trace import Kind

DEPTH = 50

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def stack(make: type[nn.Module], depth: int, width: int = 64) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(64, width)]
    for _ in range(depth - 2):
        layers += [make(), nn.Linear(width, width)]
    return nn.Sequential(*layers, make(), nn.Linear(width, 10))


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(256, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_signal_gradient_and_differences_pass_fifty_layers(make, inputs) -> None:
    model = stack(make, DEPTH)
    fanin.init_(model, fanin.plan(model, inputs), seed=0)
    kernels = [op for op in trace(model, inputs).ops if op.kind is Kind.LINEAR]
    sizes = [op.forward.rms for op in kernels]
    gradients = [op.backward.rms for op in kernels[:-1]]
    # A bounded activation comes to rest below the size of the input.
    assert 0.1 < min(sizes) < max(sizes) < 2
    assert max(gradients) / min(gradients) < 6
    # Eight random inputs of 64 numbers have cosines of 1/8 at most, on average 0.
    assert abs(kernels[-2].forward.correlation) < 0.2


@pytest.mark.parametrize("make", [nn.ReLU, nn.GELU, nn.Tanh, nn.Sigmoid])
def test_what_pytorch_starts_with_does_not_pass_them(make, inputs) -> None:
    """The measure would see a failure."""
    torch.manual_seed(0)
    kernels = [op for op in trace(stack(make, DEPTH), inputs).ops if op.kind is Kind.LINEAR]
    vanished = kernels[0].backward.rms < 1e-6 * kernels[-1].backward.rms
    assert vanished
    assert (kernels[-2].forward.correlation or 0) > 0.9


class Residual(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.inner = nn.ModuleList(nn.Linear(64, 64) for _ in range(blocks))
        self.outer = nn.ModuleList(nn.Linear(64, 64) for _ in range(blocks))
        self.head = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for inner, outer in zip(self.inner, self.outer, strict=True):
            x = x + outer(torch.relu(inner(x)))
        return self.head(x)


@pytest.mark.parametrize("blocks", [4, 64])
def test_a_residual_stream_grows_by_the_same_factor_at_any_depth(blocks, inputs) -> None:
    model = Residual(blocks)
    plan = fanin.plan(model, inputs)
    fanin.init_(model, plan, seed=0)
    sums = [op for op in trace(model, inputs).ops if op.kind is Kind.ADD]
    # Each of n branches adds 1/n of what is there: a factor of (1 + 1/n)**n, at most e.
    expected = math.sqrt((1 + 1 / blocks) ** blocks)
    # A hundred-odd independent contributions of 64 units each scatter the size by a few percent.
    assert sums[-1].forward.rms == pytest.approx(expected, rel=0.25)
    assert f"sqrt({blocks} branches)" in plan.row("outer.0.weight").reason


def test_a_head_for_numbers_starts_small_and_one_for_classes_at_unit_size(inputs) -> None:
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 64))
    classes = fanin.plan(model, inputs, torch.randint(0, 64, (256,)))
    numbers = fanin.plan(model, inputs, torch.randn(256, 64))
    ratio = classes.row("2.weight").std / numbers.row("2.weight").std
    assert ratio == pytest.approx(10, rel=1e-4)


def test_the_size_of_the_inputs_is_made_up_for() -> None:
    x = 16 * torch.rand(512, 64, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    fanin.init_(model, fanin.plan(model, x), seed=0)
    # 128 units, each with a mean of its own because the inputs have one.
    size = float(model[0](x).detach().square().mean())
    assert size == pytest.approx(1, abs=5 * math.sqrt(2 / 128))


def test_the_forget_gates_of_an_lstm_remember_as_long_as_it_reads() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 16, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.lstm(x)[0][:, -1]

    plan = fanin.plan(Reader(), torch.randn(3, 50, 2))
    assert str(plan.row("lstm.bias_ih_l0").scheme) == "chrono(50)"
    assert str(plan.row("lstm.weight_hh_l0").scheme) == "orthogonal"
    assert (
        str(fanin.plan(Reader(), torch.randn(3, 5, 2)).row("lstm.bias_ih_l0").scheme)
        == "forget_gate(1)"
    )
