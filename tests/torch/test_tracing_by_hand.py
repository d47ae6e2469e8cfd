"""Activations and norms written out in arithmetic are told as what they compute."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.recipes import Role
from fanin.torch.tracing import trace
from traced import Model, kinds_of, normal, slots_of

X = normal(16, 32)

ACTIVATIONS: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "max with zero": ("relu", lambda x: torch.maximum(x, torch.zeros(()))),
    "clamp": ("relu", lambda x: x.clamp(min=0)),
    "times its sign": ("relu", lambda x: x * (x > 0)),
    "relu in place": ("relu", functional.relu_),
    "relu squared": ("relu2", lambda x: functional.relu(x) ** 2),
    "gelu": ("gelu", lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))),
    "gelu of GPT-2": (
        "gelu_tanh",
        lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "silu": ("silu", lambda x: x * torch.sigmoid(x)),
    "silu by exp": ("silu", lambda x: x / (1 + torch.exp(-x))),
    "silu in place": ("silu", lambda x: x.mul_(x.detach().clone().sigmoid())),
    "mish": ("mish", lambda x: x * torch.tanh(functional.softplus(x))),
    "softplus": ("softplus", lambda x: torch.log(1 + torch.exp(x))),
    "sigmoid": ("sigmoid", lambda x: 1 / (1 + torch.exp(-x))),
    "hardswish": ("hardswish", lambda x: x * functional.relu6(x + 3) / 6),
    "softsign": ("softsign", lambda x: x / (1 + x.abs())),
    "leaky by cases": ("leaky_relu(0.2)", lambda x: torch.where(x > 0, x, 0.2 * x)),
    "elu by cases": ("elu", lambda x: torch.where(x > 0, x, torch.exp(x) - 1)),
    "with a slope": ("leaky_relu(0.3)", lambda x: functional.leaky_relu(x, 0.3)),
    "unknown": ("by hand", lambda x: x * torch.sigmoid(1.702 * x)),
}


@pytest.mark.parametrize(("name", "run"), ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_activations(name: str, run: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 24), Model(lambda _, x: run(x)), nn.Linear(24, 4))
    seen = trace(model, X)
    assert kinds_of(seen) == ["linear", f"activation {name}", "linear"]
    assert seen.notes == ()


class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * (ctx.saved_tensors[0] > 0)


def test_an_activation_with_a_backward_pass_of_its_own() -> None:
    model = nn.Sequential(nn.Linear(32, 24), Model(lambda _, x: Clipped.apply(x)), nn.Linear(24, 4))
    assert kinds_of(trace(model, X)) == ["linear", "activation relu", "linear"]


def test_a_slope_that_is_learned_is_a_slope() -> None:
    model = nn.Sequential(nn.Linear(32, 24), nn.PReLU(24), nn.Linear(24, 4))
    (slope,) = [p for p in trace(model, X).parameters if p.name == "1.weight"]
    assert [str(use.part) for use in slope.uses] == ["slope"]


def layer_norm(m: Any, x: Tensor) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    var = (x - mean).pow(2).mean(-1, keepdim=True)
    return (x - mean) / torch.sqrt(var + 1e-5) * m.gain + m.offset


def annotated(m: Any, x: Tensor) -> Tensor:
    """As in The Annotated Transformer: the gain stands before the division."""
    return m.gain * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6) + m.offset


def in_one_call(m: Any, x: Tensor) -> Tensor:
    var, mean = torch.var_mean(x, -1, keepdim=True, correction=0)
    return torch.addcmul(m.offset, m.gain, (x - mean) * torch.rsqrt(var + 1e-5))


def in_torch(m: Any, x: Tensor) -> Tensor:
    return functional.layer_norm(x, (24,), m.gain, m.offset)


def rms(m: Any, x: Tensor) -> Tensor:
    return m.gain * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)) + m.offset


def by_length(m: Any, x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True) * m.gain + m.offset


@pytest.mark.parametrize("norm", [layer_norm, annotated, in_one_call, in_torch, rms, by_length])
def test_norms(norm: Callable[..., Tensor]) -> None:
    model = Model(
        lambda m, x: m.head(norm(m, m.body(x))),
        body=nn.Linear(32, 24),
        gain=torch.ones(24),
        offset=torch.zeros(24),
        head=nn.Linear(24, 4),
    )
    seen = slots_of(model, X)
    assert seen["gain"].role is Role.NORM_GAIN
    assert seen["offset"].role is Role.NORM_OFFSET
    assert not seen["gain"].one_plus
    assert seen["body.weight"].around.followed_by == "norm"
    assert seen["head.weight"].around.fed_by == "norm"


def test_a_gain_kept_around_zero_says_so() -> None:
    def gemma(m: Any, x: Tensor) -> Tensor:
        wide = m.body(x).float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
        return m.head(wide.type_as(x) * (1 + m.gain))

    model = Model(gemma, body=nn.Linear(32, 24), gain=torch.zeros(24), head=nn.Linear(24, 4))
    seen = slots_of(model, X)
    assert seen["gain"].role is Role.NORM_GAIN
    assert seen["gain"].one_plus
