"""The figures of a signal, held to slow obvious versions in NumPy and to torch's own gradients."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.torch.tracing import trace
from fanin.torch.tracing.measure import measure
from fanin.trace import Kind, Signal
from traced import normal

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def obvious(values: np.ndarray, units: tuple[int, ...]) -> dict[str, object]:
    """Every figure by its definition, one unit and one pair at a time."""
    rest = [axis for axis in range(values.ndim) if axis not in units]
    rows = np.transpose(values, [*units, *rest]).reshape(
        math.prod(values.shape[axis] for axis in units), -1
    )
    means = sorted(float(row.mean()) for row in rows)
    stds = sorted(float(row.std()) for row in rows)
    cosines = list[float]()
    examples = values.reshape(len(values), -1)
    for i in range(len(examples)):
        for j in range(i):
            a, b = examples[i], examples[j]
            cosines.append(float(a @ b / np.sqrt((a @ a) * (b @ b))))
    middle = (len(rows) - 1) // 2
    return {
        "mean": float(values.mean()),
        "rms": float(np.sqrt((values**2).mean())),
        "unit_means": (means[0], means[middle], means[-1]),
        "unit_stds": (stds[0], stds[middle], stds[-1]),
        "dead": float(np.mean([len(set(row.tolist())) == 1 for row in rows])),
        "correlation": float(np.mean(cosines)),
    }


def agree(signal: Signal, expected: dict[str, object], rel: float) -> None:
    for name, value in expected.items():
        assert getattr(signal, name) == pytest.approx(value, rel=rel, abs=rel), name


SHAPES = [
    ((7, 5), (1,)),
    ((6, 4, 3), (2,)),
    ((6, 4, 3, 3), (1,)),
    ((5, 3, 4), (1, 2)),
    ((8, 1), (1,)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "units"), SHAPES)
def test_every_figure(shape: tuple[int, ...], units: tuple[int, ...], dtype: torch.dtype) -> None:
    values = (normal(*shape) * 3 + 1).to(dtype)
    signal = measure(values, units)
    # What is measured are the rounded values themselves, with sums in float32 at least.
    agree(signal, obvious(values.double().numpy(), units), 1e-5)
    assert signal.shape == shape
    assert signal.finite


@pytest.mark.parametrize("dtype", DTYPES)
def test_dead_units_are_counted_exactly(dtype: torch.dtype) -> None:
    values = normal(64, 20).to(dtype)
    values[:, 3] = 0
    values[:, 7] = 0.1  # no power of two: its square and its mean are rounded
    values[:, 11] = -1234.0
    values[:, 12] = 1000.0
    values[5, 12] = 1000.5 if dtype is not torch.bfloat16 else 1004.0
    signal = measure(values, (1,))
    assert signal.dead == pytest.approx(3 / 20)
    assert min(signal.unit_stds or ()) == 0


def test_a_small_spread_around_a_large_mean_is_not_lost() -> None:
    values = 1000 + 1e-2 * normal(512, 4)
    signal = measure(values, (1,))
    agree(signal, {"unit_stds": obvious(values.double().numpy(), (1,))["unit_stds"]}, 1e-4)


def slope(name: str, x: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    functions = {
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "relu": functional.relu,
        "erf": torch.erf,
    }
    functions |= {
        "relu6": functional.relu6,
        "hardtanh": functional.hardtanh,
        "hardsigmoid": functional.hardsigmoid,
    }
    (gradient,) = torch.autograd.grad(functions[name](x).sum(), x)
    return gradient


@pytest.mark.parametrize(
    "name", ["tanh", "sigmoid", "relu", "erf", "relu6", "hardtanh", "hardsigmoid"]
)
def test_saturated_means_that_the_slope_is_next_to_nothing(name: str) -> None:
    x = normal(400, 10).double() * 4
    functions = {
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "relu": functional.relu,
        "erf": torch.erf,
        "relu6": functional.relu6,
        "hardtanh": functional.hardtanh,
        "hardsigmoid": functional.hardsigmoid,
    }
    y = functions[name](x)
    steepest = float(slope(name, torch.linspace(-8, 8, 4001, dtype=torch.float64)).max())
    expected = float((slope(name, x) < 0.01 * steepest).double().mean())
    assert measure(y, (1,), name).saturated == pytest.approx(expected, abs=1e-12)


def test_zeros_are_counted() -> None:
    y = functional.relu(normal(50, 8))
    signal = measure(y, (1,), "relu")
    assert signal.zero == pytest.approx(float((y == 0).double().mean()))
    assert signal.saturated == signal.zero


def test_examples_that_are_the_same_correlate_fully() -> None:
    one = normal(1, 30)
    assert measure(one.expand(6, 30), (1,)).correlation == pytest.approx(1, abs=1e-6)
    assert measure(one, (1,)).correlation is None
    both = torch.cat([one, -one])
    assert measure(both, (1,)).correlation == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.empty(0, 3),
        torch.empty(2, 3, device="meta"),
        torch.ones(3, dtype=torch.int64),
        torch.eye(3).to_sparse(),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
    ],
)
def test_what_cannot_be_measured(tensor: Tensor) -> None:
    assert measure(tensor, ()) is None


def test_values_that_are_not_finite_are_told() -> None:
    values = normal(6, 4)
    values[2, 1] = math.inf
    assert not measure(values, (1,)).finite


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(16, 24), nn.Linear(24, 4)
        self.norm = nn.LayerNorm(24)
        self.kept = list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        signals = [self.a(x)]
        signals.append(torch.tanh(signals[-1]))
        signals.append(self.norm(signals[-1]))
        signals.append(self.b(signals[-1]))
        self.kept[:] = signals
        return signals[-1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_signals_and_gradients_are_those_of_the_pass(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = Network().to(dtype)
    x, target = normal(12, 16).to(dtype), normal(12, 4, seed=1).to(dtype)
    seen = trace(model, x, loss=lambda y: functional.mse_loss(y, target))
    loss = functional.mse_loss(model(x), target)
    weights = dict(model.named_parameters())
    gradients = torch.autograd.grad(loss, [*model.kept, *weights.values()])
    ops = [op for op in seen.ops if op.kind not in (Kind.INPUT, Kind.OUTPUT, Kind.LOSS)]
    assert len(ops) == len(model.kept)
    for op, forward, backward in zip(ops, model.kept, gradients, strict=False):
        wide = forward.detach().double().numpy()
        expected = obvious(wide, (1,)) | {"correlation": obvious(wide[:8], (1,))["correlation"]}
        agree(op.forward, expected, 1e-4)
        wide = backward.double().numpy()
        expected = obvious(wide, (1,)) | {"correlation": obvious(wide[:8], (1,))["correlation"]}
        agree(op.backward, expected, 1e-4)
    for parameter, gradient in zip(seen.parameters, gradients[len(model.kept) :], strict=True):
        assert parameter.gradient.rms == pytest.approx(
            float(gradient.square().mean().sqrt()), rel=1e-5
        )
    assert seen.loss_value == pytest.approx(float(loss.detach()))
