"""FI313 and FI314: residual scaling by the number of branches, and sine networks."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from scale_cases import findings

LAYERS = 6


class Gated(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.w1, self.w3 = nn.Linear(width, 128), nn.Linear(width, 128)
        self.w2 = nn.Linear(128, width)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.norm(x)
        return x + self.w2(nn.functional.silu(self.w1(inside)) * self.w3(inside))


def stack(std: Callable[[str, int], float]) -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [Gated(64) for _ in range(LAYERS)]
    for place, block in enumerate(blocks):
        for name in ("w1", "w2", "w3"):
            layer = getattr(block, name)
            nn.init.normal_(layer.weight, std=std(name, place))
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*blocks, nn.LayerNorm(64))


def batch() -> Tensor:
    return torch.randn(8, 64, generator=torch.Generator().manual_seed(1))


def scaled(on: str, by: float) -> Callable[[str, int], float]:
    return lambda name, _: 0.02 * (by if name == on else 1)


def test_scaled_on_the_kernel_that_does_not_write():
    (one,) = findings(stack(scaled("w3", LAYERS**-0.5)), batch())
    assert (one.code, one.title) == ("FI313", "residual scaling on the wrong kernel")
    assert {f"{place}.w3.weight" for place in range(LAYERS)} <= set(one.where)


def test_scaled_twice():
    (one,) = findings(stack(scaled("w2", 1 / LAYERS)), batch())
    assert one.title == "residual scaling applied twice"
    assert set(one.where) == {f"{place}.w2.weight" for place in range(LAYERS)}


def test_half_of_the_writers_missed():
    model = stack(lambda name, place: 0.02 * (LAYERS**-0.5 if name == "w2" and place < 3 else 1))
    (one,) = findings(model, batch())
    assert one.title == "residual scaling missing on some writers"
    assert set(one.where) == {f"{place}.w2.weight" for place in (3, 4, 5)}


@pytest.mark.parametrize(
    "std",
    [
        scaled("w2", LAYERS**-0.5),
        scaled("w2", 1.0),
        scaled("w2", 0.3),
        lambda name, place: 0.02 * ((2 * place + 2) ** -0.5 if name == "w2" else 1),
        lambda name, _: (64 if name != "w2" else 128) ** -0.5,
        lambda *_: math.sqrt(2 / 192),
    ],
    ids=["scaled", "plain", "another factor", "by depth", "by fan_in", "glorot"],
)
def test_healthy_streams_are_silent(std):
    assert not findings(stack(std), batch())


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(30 * x)


def siren(first: float) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 64), Sine(), nn.Linear(64, 64), Sine(), nn.Linear(64, 64), Sine()
    )
    for place in (2, 4):
        layer = model[place]
        bound = math.sqrt(6 / 64) / 30
        nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.uniform_(model[0].weight, -first, first)
    return nn.Sequential(*model, nn.Linear(64, 1))


def test_a_first_sine_layer_with_the_hidden_bound():
    points = 2 * torch.rand(64, 2, generator=torch.Generator().manual_seed(0)) - 1
    assert not findings(siren(0.5), points)
    (one,) = findings(siren(math.sqrt(6 / 2) / 30), points)
    assert (one.code, one.where) == ("FI314", ("0.weight",))
    assert float(one.facts["wanted"]) == pytest.approx(0.5 / math.sqrt(3))
