"""Weights that reach their use by a detour: parametrised, low-rank, tied, scaled, generated."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from fanin.recipes import Role, Slot
from fanin.torch.tracing import trace
from fanin.trace import Part
from traced import Model, normal, roles_of, slots_of, tokens

X = normal(8, 16)


def fans(slot: Slot) -> tuple[float, float]:
    return slot.fans.fan_in, slot.fans.fan_out


# ------------------------------------------------------------------------------- parametrised


def with_head(layer: nn.Module) -> nn.Module:
    return nn.Sequential(layer, nn.ReLU(), nn.Linear(24, 4))


@pytest.mark.filterwarnings("ignore:.*weight_norm")
@pytest.mark.parametrize(
    "wrap",
    [
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        parametrizations.orthogonal,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
    ids=["weight_norm", "spectral_norm", "orthogonal", "old weight_norm", "old spectral_norm"],
)
def test_parametrised_weights_are_used_as_the_layer_uses_them(wrap: Callable[..., Any]) -> None:
    model = with_head(wrap(nn.Linear(16, 24)))
    seen = slots_of(model, X)
    assert set(seen) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert seen["0.weight"].role is Role.KERNEL
    assert fans(seen["0.weight"]) == (16, 24)
    assert seen["0.weight"].layout.in_axes == (1,)
    # Not the power iteration of the spectral norm: the layer's own product, once.
    (parameter,) = [p for p in trace(model, X).parameters if p.name == "0.weight"]
    assert len(parameter.uses) == 1
    assert parameter.gradient is not None


def test_a_parametrisation_is_named_on_the_way() -> None:
    model = parametrizations.weight_norm(nn.Linear(16, 24))
    (weight,) = [p for p in trace(model, X).parameters if p.name == "weight"]
    assert any("WeightNorm" in step for step in weight.uses[0].through)


# ----------------------------------------------------------------------------------- low rank


def beside(m: Any, x: Tensor) -> Tensor:
    return m.base(x) + functional.linear(functional.linear(x, m.down), m.up) * 2


def merged(m: Any, x: Tensor) -> Tensor:
    return functional.linear(x, m.base.weight + m.up @ m.down * 2, m.base.bias)


@pytest.mark.parametrize("run", [beside, merged])
def test_low_rank_factors_have_fans_of_their_own(run: Callable[..., Tensor]) -> None:
    model = Model(run, base=nn.Linear(16, 24), down=normal(4, 16), up=torch.zeros(24, 4))
    seen = slots_of(model, X)
    assert fans(seen["down"]) == (16, 4)
    assert fans(seen["up"]) == (4, 24)
    assert fans(seen["base.weight"]) == (16, 24)
    assert all(seen[name].layout.in_axes == (1,) for name in ("down", "up", "base.weight"))


# --------------------------------------------------------------------------------------- ties


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, i: Tensor) -> Tensor:
        return self.head(self.norm(self.embed(i)))


def test_a_tied_table_has_both_uses() -> None:
    model = Tied()
    (table,) = [p for p in trace(model, tokens(4, 6)).parameters if p.name == "embed.weight"]
    assert table.aliases == ("head.weight",)
    assert [use.part for use in table.uses] == [Part.TABLE, Part.KERNEL]
    assert [(use.fans.fan_in, use.fans.fan_out) for use in table.uses] == [(1, 16), (16, 20)]
    slot = slots_of(model, tokens(4, 6))["embed.weight"]
    assert slot.role is Role.HEAD
    assert [other.role for other in slot.uses] == [Role.EMBEDDING]


def shared(m: Any, x: Tensor) -> Tensor:
    for _ in range(3):
        x = x + m.down(functional.gelu(m.up(m.norm(x))))
    return m.head(x)


def test_a_shared_layer_has_a_use_for_every_time_it_runs() -> None:
    model = Model(
        shared,
        norm=nn.LayerNorm(16),
        up=nn.Linear(16, 32),
        down=nn.Linear(32, 16),
        head=nn.Linear(16, 4),
    )
    uses = {p.name: len(p.uses) for p in trace(model, X).parameters}
    assert uses["up.weight"] == uses["norm.bias"] == 3
    assert uses["head.weight"] == 1
    assert slots_of(model, X)["down.weight"].uses == ()


# --------------------------------------------------------------------- scaled and standardised


def standardised(m: Any, x: Tensor) -> Tensor:
    w = m.conv.weight
    mean, var = w.mean((1, 2, 3), keepdim=True), w.var((1, 2, 3), keepdim=True)
    return functional.conv2d(x, (w - mean) / torch.sqrt(var + 1e-5), m.conv.bias)


def by_batch_norm(m: Any, x: Tensor) -> Tensor:
    flat = m.conv.weight.reshape(1, 12, -1)
    w = functional.batch_norm(flat, None, None, training=True, momentum=0.0)
    return functional.conv2d(x, w.reshape_as(m.conv.weight), m.conv.bias)


def with_a_gain(m: Any, x: Tensor) -> Tensor:
    w = m.conv.weight
    var, mean = torch.var_mean(w, dim=[1, 2, 3], keepdim=True, correction=0)
    scale = torch.rsqrt(torch.maximum(var * 72, torch.tensor(1e-4))) * m.gain
    return functional.conv2d(x, w * scale - mean * scale, m.conv.bias)


@pytest.mark.parametrize("run", [standardised, by_batch_norm])
def test_a_standardised_weight_is_the_kernel_of_its_convolution(run: Any) -> None:
    seen = slots_of(Model(run, conv=nn.Conv2d(8, 12, 3)), normal(2, 8, 6, 6))
    assert fans(seen["conv.weight"]) == (72, 108)
    assert seen["conv.weight"].layout.kernel_axes == (2, 3)
    assert seen["conv.bias"].role is Role.BIAS


def test_a_gain_on_a_weight_is_a_scale() -> None:
    model = Model(with_a_gain, conv=nn.Conv2d(8, 12, 3), gain=torch.ones(12, 1, 1, 1))
    seen = slots_of(model, normal(2, 8, 6, 6))
    assert seen["gain"].role is Role.SCALE
    assert fans(seen["conv.weight"]) == (72, 108)


def modulated(m: Any, x: Tensor, z: Tensor) -> Tensor:
    """The modulated convolution of StyleGAN 2: a weight for each example."""
    w = m.weight[None] * m.style(z)[:, None, :, None, None]
    w = w * torch.rsqrt(w.pow(2).sum([2, 3, 4], keepdim=True) + 1e-8)
    out = functional.conv2d(x.reshape(1, -1, 6, 6), w.reshape(-1, 8, 3, 3), groups=len(x))
    return out.reshape(len(x), 12, 4, 4)


def test_a_modulated_weight_is_one_kernel_for_all_examples() -> None:
    model = Model(modulated, style=nn.Linear(5, 8), weight=normal(12, 8, 3, 3))
    seen = slots_of(model, normal(4, 8, 6, 6), normal(4, 5))
    assert fans(seen["weight"]) == (72, 108)
    assert seen["weight"].layout.groups == 1
    assert seen["style.weight"].role is Role.KERNEL


def generated(m: Any, x: Tensor, z: Tensor) -> Tensor:
    weight = m.make(functional.relu(m.embed(z))).view(-1, 12, 16)
    return m.head(torch.bmm(x, weight.transpose(1, 2)))


def test_a_generated_weight_is_a_signal() -> None:
    model = Model(generated, embed=nn.Linear(5, 8), make=nn.Linear(8, 192), head=nn.Linear(12, 3))
    seen = slots_of(model, normal(4, 6, 16), normal(4, 5))
    assert fans(seen["make.weight"]) == (8, 192)
    assert seen["make.weight"].around.fed_by == "relu"
    assert seen["make.weight"].around.followed_by == "product"


def test_cosine_classifiers_have_a_head() -> None:
    def cosine(m: Any, x: Tensor) -> Tensor:
        return 10 * functional.linear(
            functional.normalize(m.body(x)), functional.normalize(m.weight)
        )

    seen = slots_of(Model(cosine, body=nn.Linear(16, 12), weight=normal(5, 12)), X)
    assert seen["weight"].role is Role.HEAD
    assert fans(seen["weight"]) == (12, 5)


# ---------------------------------------------------------------- functions torch hides


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
        ctx.save_for_backward(x, w)
        return x @ w.T

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        x, w = ctx.saved_tensors
        return gradient @ w, gradient.T @ x


def each(m: Any, x: Tensor) -> Tensor:
    return torch.vmap(lambda row: functional.linear(row, m.weight))(x)


def at_once(m: Any, x: Tensor) -> Tensor:
    return Product.apply(x, m.weight)


def called(m: Any, x: Tensor) -> Tensor:
    return torch.func.functional_call(nn.Linear(16, 12, bias=False), {"weight": m.weight}, (x,))


@pytest.mark.parametrize("run", [each, at_once, called], ids=["vmap", "Function", "call"])
def test_weights_are_found_inside(run: Any) -> None:
    model = Model(
        lambda m, x: m.head(functional.relu(run(m, x))),
        weight=normal(12, 16),
        head=nn.Linear(12, 4),
    )
    seen = slots_of(model, X)
    assert seen["weight"].role is Role.KERNEL
    assert fans(seen["weight"]) == (16, 12)
    assert seen["weight"].around.followed_by == "relu"
    ops = trace(model, X).ops
    assert next(op for op in ops if op.kind == "activation").forward.shape == (8, 12)


def test_experts_under_vmap_are_matrices_of_their_own() -> None:
    def experts(m: Any, x: Tensor) -> Tensor:
        return torch.vmap(lambda w: torch.tanh(x @ w))(m.weight).mean(0)

    (slot,) = slots_of(Model(experts, weight=normal(5, 16, 3)), X).values()
    assert fans(slot) == (16, 3)
    assert (slot.layout.batch_axes, slot.layout.in_axes) == ((0,), (1,))


def test_gradients_taken_inside_the_model_do_not_hide_its_weights() -> None:
    def energy(m: Any, x: Tensor) -> Tensor:
        x = x.detach().clone().requires_grad_()
        total = functional.silu(m.body(x)).sum()
        (force,) = torch.autograd.grad(total, x, create_graph=True)
        return m.head(force)

    seen = slots_of(Model(energy, body=nn.Linear(16, 8), head=nn.Linear(16, 3)), X)
    assert fans(seen["body.weight"]) == (16, 8)
    assert seen["head.weight"].role is Role.HEAD


def test_what_is_never_used_is_told() -> None:
    model = Model(lambda m, x: m.a(x), a=nn.Linear(16, 4), dead=nn.Linear(3, 3))
    seen = slots_of(model, X)
    assert [name for name, slot in seen.items() if slot.used is False] == [
        "dead.weight",
        "dead.bias",
    ]
    assert roles_of(model, X)["a.weight"] == "head"


def test_a_fixed_matrix_is_no_weight() -> None:
    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frequencies = nn.Buffer(normal(16, 32))
            self.head = nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            angle = x @ self.get_buffer("frequencies")
            return self.head(torch.cat([angle.sin(), angle.cos()], -1))

    seen = trace(Features(), X)
    assert [len(p.uses) for p in seen.parameters] == [1, 1]
    assert [op.function for op in seen.ops[1:5]] == ["matmul", "sin", "cos", "cat"]
