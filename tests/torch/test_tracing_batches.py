"""Any forward signature, any output, any dtype; and clear words where a pass cannot be made."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.errors import FaninError
from fanin.torch.tracing import trace
from fanin.torch.tracing.running import NEUTRAL
from fanin.trace import Kind, Trace
from traced import Model, kinds_of, normal, tokens

X = normal(8, 16)
LABELS = tokens(8, below=4)
NONE = "none: no output depends on a trainable parameter"


@dataclass
class Answer:
    logits: Tensor
    hidden_states: Any = None
    loss: Tensor | None = None


@dataclass
class Question:
    x: Tensor


class Bare:
    """An object of the person's own."""

    def __init__(self, **parts: Any) -> None:
        vars(self).update(parts)


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


def linear(run: Any) -> nn.Module:
    torch.manual_seed(0)
    return Model(run, l=nn.Linear(16, 4))


def gradients(seen: Trace) -> int:
    return sum(parameter.gradient is not None for parameter in seen.parameters)


def outputs(seen: Trace) -> int:
    return sum(op.kind is Kind.OUTPUT for op in seen.ops)


OUTPUTS: dict[str, tuple[int, Any]] = {
    "dict": (1, lambda m, x: {"y": m.l(x)}),
    "nested": (2, lambda m, x: {"y": [m.l(x), {"z": (m.l(x),)}]}),
    "dataclass": (1, lambda m, x: Answer(m.l(x), hidden_states=(m.l(x),))),
    "namedtuple": (2, lambda m, x: Pair(m.l(x), m.l(x).sum(-1))),
    "object": (1, lambda m, x: Bare(y=m.l(x))),
    "several": (2, lambda m, x: (m.l(x), None, m.l(x))),
    "with numbers": (1, lambda m, x: (m.l(x), 3, "text")),
}


@pytest.mark.parametrize(("count", "run"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_of_every_form(count: int, run: Any) -> None:
    seen = trace(linear(run), X)
    assert seen.loss == NEUTRAL
    assert seen.loss_value is None
    assert outputs(seen) == count
    assert gradients(seen) == 2


def test_the_loss_in_the_output() -> None:
    model = linear(lambda m, x: Answer(m.l(x), loss=m.l(x).square().mean()))
    seen = trace(model, X)
    assert seen.loss == "the model's own loss"
    assert seen.loss_value == pytest.approx(float(model.l(X).detach().square().mean()))
    weight = model.l.weight
    (expected,) = torch.autograd.grad(model.l(X).square().mean(), weight)
    assert seen.parameters[0].gradient.rms == pytest.approx(float(expected.square().mean().sqrt()))


def test_a_single_number_is_a_loss() -> None:
    assert trace(linear(lambda m, x: m.l(x).mean()), X).loss == "the model's own loss"


@pytest.mark.parametrize(
    ("batch", "name"),
    [
        ((X, LABELS), "cross entropy with the batch's target"),
        ((X, normal(8, 4)), "mean squared error with the batch's target"),
        ((X,), NEUTRAL),
        ((X, "text"), NEUTRAL),
    ],
)
def test_the_loss_that_the_batch_calls_for(batch: tuple[Any, ...], name: str) -> None:
    model = nn.Linear(16, 4)
    seen = trace(model, *batch)
    assert seen.loss == name
    if batch[-1] is LABELS:
        assert seen.loss_value == pytest.approx(
            float(functional.cross_entropy(model(X), LABELS).detach())
        )


def test_the_loss_of_the_person() -> None:
    seen = trace(nn.Linear(16, 4), X, LABELS, loss=functional.cross_entropy)
    assert seen.loss == "cross_entropy"
    with pytest.raises(FaninError, match="take its mean"):
        trace(nn.Linear(16, 4), X, loss=lambda y: y)
    with pytest.raises(FaninError, match=r"loss=cross_entropy failed on \(float32 \(8, 4\)\)"):
        trace(nn.Linear(16, 4), X, loss=functional.cross_entropy)


def test_the_neutral_loss_sends_unit_gradients() -> None:
    model = nn.Linear(16, 4, bias=False)
    seen = trace(model, normal(4096, 16))
    (op,) = [op for op in seen.ops if op.kind is Kind.LINEAR]
    # One normal per element, over the number of examples; 16384 of them.
    assert op.backward.rms * 4096 == pytest.approx(1, abs=5 / np.sqrt(2 * 4096 * 4))


class KeywordsOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(16, 4)

    def forward(self, *, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.l(x) * scale


class TakesADict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l = nn.Linear(16, 4)

    def forward(self, batch: Any) -> Tensor:
        return self.l(batch["x"] if isinstance(batch, dict) else batch.x)


BATCHES: dict[str, tuple[nn.Module, tuple[Any, ...], str]] = {
    "keywords": (KeywordsOnly(), ({"x": X, "scale": 2.0},), NEUTRAL),
    "keywords and a target": (
        KeywordsOnly(),
        ({"x": X, "labels": LABELS},),
        "cross entropy with the batch's target",
    ),
    "a dict": (TakesADict(), ({"x": X},), NEUTRAL),
    "a dataclass": (TakesADict(), (Question(X),), NEUTRAL),
    "an object": (TakesADict(), (Bare(x=X),), NEUTRAL),
    "a list": (Model(lambda m, parts: m.l(parts[1]), l=nn.Linear(16, 4)), ([X, X],), NEUTRAL),
    "one example": (nn.Linear(16, 4), (X[:1],), NEUTRAL),
    "one example without a batch axis": (nn.Linear(16, 4), (X[0],), NEUTRAL),
    "strides": (nn.Linear(16, 4), (normal(16, 8).t(),), NEUTRAL),
    "spread": (nn.Linear(16, 4), (X[:1].expand(8, 16),), NEUTRAL),
    "with a gradient": (nn.Linear(16, 4), (X.clone().requires_grad_(),), NEUTRAL),
}


@pytest.mark.parametrize(("model", "batch", "loss"), BATCHES.values(), ids=BATCHES)
def test_batches_of_every_form(model: nn.Module, batch: tuple[Any, ...], loss: str) -> None:
    seen = trace(model, *batch)
    assert seen.loss == loss
    assert gradients(seen) == 2
    assert seen.ops[0].kind is Kind.INPUT
    linear_op = next(op for op in seen.ops if op.kind is Kind.LINEAR)
    assert linear_op.inputs
    assert linear_op.forward.finite


def test_an_empty_batch() -> None:
    seen = trace(nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4)), X[:0])
    assert kinds_of(seen) == ["linear", "activation relu", "linear"]
    assert all(op.forward is None for op in seen.ops)


def test_a_model_that_takes_nothing() -> None:
    model = Model(lambda m: m.l(functional.relu(m.z)), l=nn.Linear(16, 4), z=normal(3, 16))
    seen = trace(model)
    assert [str(op.kind) for op in seen.ops] == ["embedding", "linear", "output", "loss"]
    assert gradients(seen) == 3


NO_GRADIENT: dict[str, Any] = {
    "numbers only": lambda m, x: m.l(x).argmax(-1),
    "nothing": lambda m, x: [m.l(x), None][1],
    "detached": lambda m, x: m.l(x).detach(),
    "no_grad": torch.no_grad()(lambda m, x: m.l(x)),
    "inference": torch.inference_mode()(lambda m, x: m.l(x)),
}


@pytest.mark.parametrize("run", NO_GRADIENT.values(), ids=NO_GRADIENT)
def test_outputs_without_a_gradient(run: Any) -> None:
    seen = trace(linear(run), X)
    assert seen.loss == NONE
    assert gradients(seen) == 0
    assert len(seen.parameters[0].uses) == 1


def test_frozen_parts_are_seen_and_get_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    model[0].requires_grad_(False)
    seen = trace(model, X)
    assert [p.gradient is not None for p in seen.parameters] == [False, False, True, True]
    assert all(p.uses for p in seen.parameters)
    model.requires_grad_(False)
    seen = trace(model, X)
    assert seen.loss == NONE
    assert kinds_of(seen) == ["linear", "activation relu", "linear"]


def test_a_part_without_gradients() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = functional.relu(m.a(x))
        return m.l(h)

    model = Model(run, a=nn.Linear(16, 16), l=nn.Linear(16, 4))
    seen = trace(model, X)
    assert kinds_of(seen) == ["linear", "activation relu", "linear"]
    assert {p.name: p.gradient is not None for p in seen.parameters} == {
        "a.weight": False,
        "a.bias": False,
        "l.weight": True,
        "l.bias": True,
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 4))
    wide = trace(model, X)
    seen = trace(model.to(dtype), X.to(dtype))
    assert kinds_of(seen) == kinds_of(wide)
    # bfloat16 keeps eight bits.
    for a, b in zip(seen.ops, wide.ops, strict=True):
        if b.forward is not None:
            assert a.forward.rms == pytest.approx(b.forward.rms, rel=0.02)
        if b.backward is not None:
            assert a.backward.rms == pytest.approx(b.backward.rms, rel=0.02)


def test_autocast() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return m.l(functional.relu(m.a(x)))

    seen = trace(Model(run, a=nn.Linear(16, 16), l=nn.Linear(16, 4)), X)
    assert kinds_of(seen) == ["linear", "activation relu", "linear"]
    assert gradients(seen) == 4


def test_channels_last_changes_nothing() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3))
    images = normal(4, 3, 8, 8)
    plain = trace(model, images)
    moved = model.to(memory_format=torch.channels_last)
    seen = trace(moved, images.to(memory_format=torch.channels_last))
    for a, b in zip(seen.ops, plain.ops, strict=True):
        assert (a.kind, a.inputs) == (b.kind, b.inputs)
        if b.forward is not None:
            assert a.forward.unit_stds == pytest.approx(b.forward.unit_stds, rel=1e-4)


def test_the_meta_device_gives_the_graph_alone() -> None:
    with torch.device("meta"):
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)
        )
    seen = trace(model, normal(4, 3, 8, 8))
    assert kinds_of(seen) == ["convolution", "norm", "activation relu", "linear"]
    assert all(op.forward is None for op in seen.ops)
    assert "meta device" in seen.notes[0]
    assert seen.parameters[0].uses[0].fans.fan_in == 27


def test_values_that_are_not_finite() -> None:
    seen = trace(nn.Linear(16, 4), X / 0)
    assert not seen.ops[1].forward.finite


def test_examples_of_different_length() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        ragged = torch.nested.nested_tensor([x[:3], x[3:]], layout=torch.jagged)
        return m.l(ragged)

    seen = trace(linear(run), X)
    assert gradients(seen) == 2
    assert seen.parameters[0].uses[0].fans.fan_in == 16


def test_sparse_gradients() -> None:
    model = nn.Sequential(nn.Embedding(20, 16, sparse=True), nn.Linear(16, 3))
    assert gradients(trace(model, tokens(4, 6))) == 3


def test_writing_in_place() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        h = m.a(x)
        h.add_(1).mul_(2)
        out = torch.zeros(8, 16)
        out[:, :8] = h
        out[:, 8:].copy_(torch.tanh(h))
        out /= 2
        return m.l(out)

    seen = trace(Model(run, a=nn.Linear(16, 8), l=nn.Linear(16, 4)), X)
    assert gradients(seen) == 4
    reached = {len(seen.ops) - 1}
    for index in range(len(seen.ops) - 1, -1, -1):
        reached |= set(seen.ops[index].inputs) if index in reached else set()
    # Nothing is lost on the way: the loss still hangs on the input, by both halves.
    assert 0 in reached
    assert any(op.detail == "tanh" and index in reached for index, op in enumerate(seen.ops))


# ------------------------------------------------------------------------------- clear words


REFUSED: dict[str, tuple[nn.Module, tuple[Any, ...], str]] = {
    "no parameters": (nn.Identity(), (X,), "no parameters"),
    "lazy": (nn.Sequential(nn.LazyLinear(4)), (X,), "0.weight has no shape yet"),
    "no batch": (nn.Linear(16, 4), (), r"Linear failed on the batch \(\): TypeError"),
    "wrong width": (nn.Linear(3, 4), (X,), r"Linear failed.*float32 \(8, 16\)"),
    "goes backward by itself": (
        linear(lambda m, x: [y := m.l(x).square(), y.sum().backward()][0]),
        (X,),
        "no gradient could be sent back",
    ),
}


@pytest.mark.parametrize(("model", "batch", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_traced(model: nn.Module, batch: tuple[Any, ...], words: str) -> None:
    with pytest.raises(FaninError, match=words):
        trace(model, *batch)


def test_gradients_that_are_there_stay_when_the_model_goes_backward_itself() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        m.l(x).square().sum().backward()
        return m.l(x)

    model = linear(run)
    model.l.weight.grad = before = torch.ones(4, 16)
    trace(model, X)
    assert model.l.weight.grad is before
    assert bool((before == 1).all())
    assert model.l.bias.grad is None
