"""Fans and layouts read from use, held to what the real operation does with them.

Whatever way a weight is stored and used, `lecun_normal` drawn with the fans and the layout of the
trace must keep the variance of a unit input, and its mirror with fan_out that of a unit gradient.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.schemes import variance_scaling
from fanin.torch.tracing import trace
from fanin.trace import Part, TracedParameter

EXAMPLES = 256


@dataclass
class Case:
    """A way to use a weight.

    Attributes:
        module: A model with that weight.
        input: Shape of one example.
        fan_in: Terms in an output.
        fan_out: Outputs of one matrix that an input reaches.
        blocks: Matrices that are fused along the outputs.
        batch: Stored axes whose every index is a matrix of its own.
        interior: Outputs to leave out at each border.
        readers: Matrices that read the same input.
    """

    module: nn.Module
    input: tuple[int, ...]
    fan_in: float = 0.0
    fan_out: float = 0.0
    blocks: int = 1
    batch: tuple[int, ...] = field(default=())
    interior: int = 0
    readers: int = 1


class Using(nn.Module):
    """A bare parameter and what is done with it."""

    def __init__(self, shape: tuple[int, ...], use: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.use = use

    def forward(self, x: Tensor) -> Tensor:
        return self.use(x, self.weight)


def experts(x: Tensor, w: Tensor) -> Tensor:
    return torch.stack([x @ w[e].T for e in range(len(w))], 1)


def heads(x: Tensor, w: Tensor) -> Tensor:
    return torch.einsum("nd,dhk->nhk", x, w)


def merged_heads(x: Tensor, w: Tensor) -> Tensor:
    return torch.einsum("nhk,hkd->nd", x.view(-1, 8, 16), w)


def fused(x: Tensor, w: Tensor) -> Tensor:
    q, k, v = (x @ w.T).chunk(3, -1)
    return torch.stack([q, k * 1.0, -v], 1)


def per_head(x: Tensor, w: Tensor) -> Tensor:
    """Heads outermost, and query, key and value of each side by side, as in GPT-NeoX."""
    q, k, v = functional.linear(x, w).view(-1, 4, 3 * 32).chunk(3, -1)
    return torch.stack([q + 0, k * 1.0, v.neg()], 1)


def standardised(x: Tensor, w: Tensor) -> Tensor:
    mean, std = w.mean((1, 2, 3), keepdim=True), w.std((1, 2, 3), keepdim=True)
    return functional.conv2d(x, (w - mean) / (std + 1e-5) / 12)


def sliced(x: Tensor, w: Tensor) -> Tensor:
    q, k, v = w.chunk(3)
    return torch.cat(
        [functional.linear(x, q), functional.linear(x, k), functional.linear(x, v)], -1
    )


LINEAR = {"fan_in": 128.0, "fan_out": 96.0}

CASES = {
    "linear": Case(nn.Linear(128, 96), (128,), **LINEAR),
    "functional": Case(Using((96, 128), functional.linear), (128,), **LINEAR),
    "in, out": Case(Using((128, 96), torch.matmul), (128,), **LINEAR),
    "operator": Case(Using((128, 96), lambda x, w: x @ w), (128,), **LINEAR),
    "right": Case(Using((96, 128), lambda x, w: (w @ x.T).T), (128,), **LINEAR),
    "addmm": Case(
        Using((128, 96), lambda x, w: torch.addmm(torch.zeros(96), x, w)), (128,), **LINEAR
    ),
    "sequence": Case(Using((128, 96), torch.matmul), (5, 128), **LINEAR),
    "einsum": Case(
        Using((96, 128), lambda x, w: torch.einsum("nd,od->no", x, w)), (128,), **LINEAR
    ),
    "einsum with dots": Case(
        Using((96, 128), lambda x, w: torch.einsum("...d,od->...o", x, w)), (3, 128), **LINEAR
    ),
    "tensordot": Case(
        Using((128, 96), lambda x, w: torch.tensordot(x, w, dims=1)), (128,), **LINEAR
    ),
    "reshaped": Case(Using((96 * 128,), lambda x, w: x @ w.view(96, 128).T), (128,), **LINEAR),
    "half of a cast": Case(
        Using((96, 128), lambda x, w: functional.linear(x, w.double().float())), (128,), **LINEAR
    ),
    "masked": Case(
        Using((96, 128), lambda x, w: functional.linear(x, w * torch.ones(96, 128))),
        (128,),
        **LINEAR,
    ),
    "heads": Case(Using((128, 6, 16), heads), (128,), **LINEAR),
    "merged heads": Case(Using((8, 16, 96), merged_heads), (128,), **LINEAR),
    "experts": Case(Using((4, 96, 128), experts), (128,), **LINEAR, batch=(0,), readers=4),
    "experts at once": Case(
        Using((4, 128, 96), lambda x, w: torch.bmm(x.transpose(0, 1), w).transpose(0, 1)),
        (4, 128),
        **LINEAR,
        batch=(0,),
    ),
    "experts in an einsum": Case(
        Using((4, 96, 128), lambda x, w: torch.einsum("ned,eod->neo", x, w)),
        (4, 128),
        **LINEAR,
        batch=(0,),
    ),
    "fused": Case(
        Using((3 * 128, 128), fused), (128,), fan_in=128, fan_out=128, blocks=3, readers=3
    ),
    "fused by head": Case(
        Using((3 * 128, 128), per_head), (128,), fan_in=128, fan_out=128, readers=3
    ),
    "slices": Case(
        Using((3 * 128, 128), sliced), (128,), fan_in=128, fan_out=128, blocks=3, readers=3
    ),
    "conv": Case(nn.Conv2d(16, 24, 3, bias=False), (16, 9, 9), fan_in=144, fan_out=216),
    "pointwise": Case(nn.Conv2d(16, 24, 1, bias=False), (16, 6, 6), fan_in=16, fan_out=24),
    "grouped": Case(nn.Conv2d(16, 24, 3, groups=4, bias=False), (16, 9, 9), fan_in=36, fan_out=54),
    "depthwise": Case(nn.Conv2d(64, 64, 3, groups=64, bias=False), (64, 9, 9), fan_in=9, fan_out=9),
    "depthwise, stored flat": Case(
        Using((64, 9), lambda x, w: functional.conv2d(x, w.view(64, 1, 3, 3), groups=64)),
        (64, 9, 9),
        fan_in=9,
        fan_out=9,
    ),
    "depthwise, squeezed": Case(
        Using(
            (64, 1, 3, 3), lambda x, w: functional.conv2d(x, w.squeeze(1)[:, None] + 0, groups=64)
        ),
        (64, 9, 9),
        fan_in=9,
        fan_out=9,
        batch=(1,),  # one index: whatever it is for, the matrices are the same
    ),
    "patches": Case(nn.Conv2d(3, 64, 4, stride=4, bias=False), (3, 16, 16), fan_in=48, fan_out=64),
    "one dimension": Case(nn.Conv1d(16, 24, 5, bias=False), (16, 20), fan_in=80, fan_out=120),
    "transposed": Case(
        nn.ConvTranspose2d(32, 16, 4, stride=2, bias=False),
        (32, 8, 8),
        fan_in=128,
        fan_out=256,
        interior=4,
    ),
    "transposed in groups": Case(
        nn.ConvTranspose1d(32, 16, 4, stride=4, groups=2, bias=False),
        (32, 8),
        fan_in=16,
        fan_out=32,
    ),
    "functional conv": Case(
        Using((24, 16, 3, 3), lambda x, w: functional.conv2d(x, w, stride=1)),
        (16, 9, 9),
        fan_in=144,
        fan_out=216,
    ),
    "standardised conv": Case(
        Using((24, 16, 3, 3), standardised),
        (16, 9, 9),
        fan_in=144,
        fan_out=216,
    ),
    "bilinear": Case(
        Using((96, 16, 12), lambda x, w: functional.bilinear(x[:, :16], x[:, 16:], w)),
        (28,),
        fan_in=192,
        fan_out=96,
    ),
}


def traced(case: Case) -> TracedParameter:
    (parameter,) = trace(case.module, torch.randn(8, *case.input)).parameters[:1]
    return parameter


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fans_and_layout(case: Case) -> None:
    use = traced(case).uses[0]
    assert use.part is Part.KERNEL
    assert (use.fans.fan_in, use.fans.fan_out) == (case.fan_in, case.fan_out)
    if case.module.get_parameter("weight").ndim > 1:
        assert use.layout.blocks == case.blocks
        assert use.layout.batch_axes == case.batch


BOTH_WAYS = [
    (name, mode)
    for name in CASES
    for mode in ("fan_in", "fan_out")
    # A bilinear form's gradient scales with its other input; a standardised weight has one size.
    if (name, mode) not in (("bilinear", "fan_out"), ("standardised conv", "fan_out"))
]


@pytest.mark.parametrize(("name", "mode"), BOTH_WAYS)
def test_the_layer_keeps_a_unit_signal(name: str, mode: str) -> None:
    case = CASES[name]
    parameter = traced(case)
    use = parameter.uses[0]
    scheme = variance_scaling(1, mode, "normal")
    drawn = scheme.values(parameter.shape, seed=1, name="weight", layout=use.layout, fans=use.fans)
    with torch.no_grad():
        case.module.get_parameter("weight").copy_(torch.as_tensor(drawn))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(EXAMPLES, *case.input, generator=generator, requires_grad=True)
    y = case.module(x)
    fan = case.fan_in if mode == "fan_in" else case.fan_out
    if mode == "fan_in":
        inner = (
            y[..., case.interior : -case.interior, case.interior : -case.interior]
            if case.interior
            else y
        )
        seen = float(inner.detach().square().mean())
        units = y[0].numel() / (y.shape[-1] ** (y.ndim - 2) if y.ndim > 2 else 1)
    else:
        delta = torch.randn(y.shape, generator=generator)
        (gradient,) = torch.autograd.grad((y * delta).sum(), x)
        if gradient.ndim == 4:
            # At the border fewer outputs are reached; the fan counts an input in the middle.
            gradient = gradient[..., 3:-3, 3:-3] if gradient.shape[-1] > 6 else gradient
        if gradient.ndim == 3 and isinstance(case.module, nn.Conv1d):
            gradient = gradient[..., 4:-4]
        seen = float(gradient.square().mean())
        units = case.input[0]
    # A mean of products of independent normals: weights over units, inputs over examples.
    error = math.sqrt(2 / (fan * units) + 2 / (fan * EXAMPLES) + 2 / (units * EXAMPLES))
    # An input that several matrices read gets the gradient of each.
    wanted = case.readers if mode == "fan_out" else 1.0
    assert seen == pytest.approx(wanted, rel=5 * error)
