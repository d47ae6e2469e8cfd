"""FI310: a declared plan, followed or not."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from fanin.checks import Evidence, Finding
from fanin.checks.declared import declared
from scale_cases import evidence_of, found

LAYERS, WIDTH = 3, 32


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.ln_1(x)).chunk(3, -1)
        x = x + self.proj(nn.functional.scaled_dot_product_attention(q, k, v))
        return x + self.down(nn.functional.gelu(self.fc(self.ln_2(x))))


def gpt(writers: float) -> Evidence:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Embedding(50, WIDTH),
        *(Block() for _ in range(LAYERS)),
        nn.LayerNorm(WIDTH),
        nn.Linear(WIDTH, 50, bias=False),
    )
    for name, value in model.named_parameters():
        if value.dim() > 1:
            writes = name.endswith(("proj.weight", "down.weight"))
            nn.init.normal_(value, std=writers if writes else 0.02)
        elif name.endswith("bias"):
            nn.init.zeros_(value)
    tokens = torch.randint(0, 50, (2, 7))
    return declared(evidence_of(model, tokens, tokens), "gpt2")


def off(evidence: Evidence) -> list[Finding]:
    return [one for one in found(evidence) if one.code == "FI310"]


def test_a_plan_that_was_followed_is_silent():
    assert not off(gpt(0.02 / math.sqrt(2 * LAYERS)))


def test_all_writers_that_were_never_scaled_are_one_error():
    (one,) = off(gpt(0.02))
    assert one.severity == "error"
    assert set(one.where) == {
        f"{layer}.{name}.weight" for layer in range(1, LAYERS + 1) for name in ("proj", "down")
    }
    assert float(one.facts["ratio"]) == pytest.approx(math.sqrt(2 * LAYERS), rel=0.1)
    assert "matches normal(0, 0.02)" in one.observed


def test_slightly_off_is_a_warning():
    (one,) = off(gpt(1.25 * 0.02 / math.sqrt(2 * LAYERS)))
    assert one.severity == "warning"


def test_without_a_plan_nothing_is_held_against_it():
    assert not off(replace(gpt(0.02), plan=None, audit=None))


def test_zeros_and_nan_where_the_plan_draws():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32))
    for layer in model:
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    nn.init.zeros_(model[0].weight)
    nn.init.constant_(model[1].weight, float("nan"))
    seen = off(declared(evidence_of(model), "he_normal"))
    assert {(one.where, str(one.severity)) for one in seen} == {
        (("0.weight",), "error"),
        (("1.weight",), "error"),
    }
