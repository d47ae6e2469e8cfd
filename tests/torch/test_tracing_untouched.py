"""A trace leaves no trace: all that a model and the process hold is as it was, however it ends."""

import hashlib
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

from fanin.errors import FaninError
from fanin.torch.tracing import trace


class FailAt(TorchFunctionMode):
    """Raises at one call of torch, counted from 1; at none while that is 0."""

    place = 0
    error: type[BaseException] = RuntimeError

    def __init__(self) -> None:
        super().__init__()
        self.left = self.place

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.left -= 1
        if self.left == 0:
            raise self.error("stop here")
        return func(*args, **(kwargs or {}))


class Restless(nn.Module):
    """A model that changes all it can reach in its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8))
        self.head = nn.Linear(8, 4)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("average", torch.zeros(8), persistent=False)
        self.cache: list[Tensor] = []
        self.seen: dict[str, Tensor] = {}
        self.plain = torch.ones(3)
        self.calls = 0
        self.last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        with FailAt():
            return self.run(x)

    def run(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.extra = x
        self.head.weight.data.mul_(0.5)
        with torch.no_grad():
            self.head.bias.add_(1.0)
        self.plain += 1
        h = functional.relu(self.norm(self.conv(x))).mean((2, 3))
        self.average.copy_(h.detach().mean(0))
        self.cache.append(h)
        self.seen["h"] = h
        h = self.drop(self.spectral(h)) + random.random() + float(np.random.rand())  # noqa: NPY002  # as models do
        self.last = h
        self.eval()
        torch.set_default_dtype(torch.float64)
        return self.head(h)


def state(model: nn.Module) -> str:
    """Everything, as one digest."""
    parts: list[Any] = []
    for name, module in model.named_modules():
        parts.append((name, module.training, sorted(vars(module)), len(module._forward_hooks)))
        for key, value in vars(module).items():
            if isinstance(value, Tensor):
                parts.append((key, value.detach().numpy().tobytes()))
            elif isinstance(value, list | dict | int | float) and not key.startswith("_"):
                parts.append((key, repr(value)))
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        parts.append((name, tensor.detach().numpy().tobytes(), tensor.requires_grad))
        parts.append(None if tensor.grad is None else tensor.grad.numpy().tobytes())
    parts.append((torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()))  # noqa: NPY002
    parts.append((torch.get_default_dtype(), torch.is_grad_enabled()))
    parts.append((torch.get_num_threads(), len(torch.nn.modules.module._global_forward_hooks)))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


PYTHONS_OWN = """
import random, torch
from fanin.torch.tracing import trace

class Drawing(torch.nn.Linear):
    def forward(self, x):
        return super().forward(x) * random.random()

before = random.getstate()
trace(Drawing(4, 2), torch.ones(3, 4))
assert random.getstate() == before
"""


def test_pythons_own_generator_stays_where_it_was() -> None:
    # In a process of its own: here the checks of annotations draw from that generator.
    subprocess.run([sys.executable, "-c", PYTHONS_OWN], check=True)


@pytest.fixture
def restless() -> Restless:
    torch.manual_seed(0)
    model = Restless()
    model.head.weight.grad = torch.ones(4, 8)
    return model


def test_a_pass_leaves_nothing_behind(restless: Restless) -> None:
    x = torch.randn(4, 3, 6, 6)
    before = state(restless)
    seen = trace(restless, x)
    assert state(restless) == before
    assert seen.training
    assert any("dropout" in note for note in seen.notes)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_at_any_operation_leaves_nothing_behind(
    restless: Restless, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(4, 3, 6, 6)
    before = state(restless)
    monkeypatch.setattr(FailAt, "error", error)
    finished, place = False, 0
    for place in range(1, 500):
        monkeypatch.setattr(FailAt, "place", place)
        try:
            trace(restless, x)
            finished = True
        except (FaninError, KeyboardInterrupt):
            pass
        assert state(restless) == before, place
        if finished:
            break
    assert finished
    assert place > 30


def test_the_same_numbers_every_time(restless: Restless) -> None:
    x = torch.randn(4, 3, 6, 6)
    assert trace(restless, x) == trace(restless, x)


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            if self.reentrant is None:
                x = torch.tanh(layer(x))
            else:
                x = checkpoint(
                    lambda y, own=layer: torch.tanh(own(y)), x, use_reentrant=self.reentrant
                )
        return x


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_changes_nothing(reentrant: bool) -> None:
    plain, saved = Checkpointed(None), Checkpointed(reentrant)
    saved.load_state_dict(plain.state_dict())
    x = torch.randn(16, 8, requires_grad=True)
    a, b = trace(plain, x), trace(saved, x)
    assert [(op.kind, op.forward, op.backward) for op in a.ops] == [
        (op.kind, op.forward, op.backward) for op in b.ops
    ]
    assert [p.gradient for p in a.parameters] == [p.gradient for p in b.parameters]
    assert all(p.gradient is not None for p in b.parameters)


def test_hooks_of_the_person_run_and_stay() -> None:
    calls = []
    model = nn.Linear(4, 2)
    model.register_forward_hook(lambda *_: calls.append("forward"))
    trace(model, torch.randn(3, 4))
    assert calls == ["forward"]
    assert len(model._forward_hooks) == 1


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_compiled_models_are_traced_through_the_original() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x = torch.randn(16, 4)
    assert trace(torch.compile(model), x).ops == trace(model, x).ops


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_scripted_models_are_refused_with_the_way_out() -> None:
    scripted = torch.jit.script(nn.Linear(4, 2))
    with pytest.raises(FaninError, match=r"scripted.*torch.jit.script"):
        trace(scripted, torch.randn(3, 4))
    with pytest.raises(FaninError, match=r"^1: scripted"):
        trace(nn.Sequential(nn.Linear(4, 4), scripted), torch.randn(3, 4))


def test_a_failing_model_is_told_with_the_place_and_the_batch() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(9, 2))
    with pytest.raises(
        FaninError, match=r"Sequential failed in 1 \(Linear\) on the batch \(float32 \(3, 4\)\)"
    ):
        trace(model, torch.randn(3, 4))
