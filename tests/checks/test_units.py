"""FI5: what is saturated, dead, one-hot or of another size, and what only looks so."""

import math

import pytest
import torch
from scipy.stats import norm
from torch import nn
from torch.nn import functional

from fanin import check
from fanin.checks import Finding, Severity
from fanin.checks.families.units import RULES
from fanin.checks.families.units.dead import all_off
from scale_cases import digits, evidence_of, he, mlp

NORMAL = torch.randn(64, 64, generator=torch.Generator().manual_seed(3))
CLASSES = torch.arange(64) % 10


def found(model, *batch) -> dict[str, Finding]:
    evidence = evidence_of(model, *batch)
    return {one.code: one for rule in RULES for one in rule.look(evidence)}


def shut(part: float, value: float = -10.0) -> nn.Sequential:
    model = mlp(he, depth=4)
    model[2].get_parameter("bias").data[: int(part * 128)] = value
    return model


def test_a_bias_that_shuts_a_layer_is_named_and_mended():
    told = found(shut(1.0), NORMAL, CLASSES)["FI502"]
    assert told.severity is Severity.ERROR
    assert told.where == ("2.bias", "2.weight")
    assert "2.bias has a mean of -10" in told.observed
    assert [(fix.name, fix.scheme) for fix in told.fixes] == [("2.bias", "zeros")]
    model = shut(1.0)
    report = check(model, NORMAL, CLASSES, fix=True)
    assert report.ok
    assert not model[2].bias.any()


def test_weights_that_shut_a_layer_are_named_alone():
    model = mlp(he, depth=4)
    model[2].weight.data.abs_().neg_()
    told = found(model, NORMAL, CLASSES)["FI502"]
    assert told.where == ("2.weight",)
    assert not told.fixes


@pytest.mark.parametrize(("part", "told"), [(0.1, False), (0.5, True)])
def test_a_quarter_of_dead_units_beyond_chance(part: float, told: bool):
    report = found(shut(part), NORMAL, CLASSES)
    assert ("FI502" in report) is told
    if told:
        assert report["FI502"].severity is Severity.WARNING
        assert report["FI502"].where[0] == "2.bias"


def test_an_offset_of_a_norm_shuts_a_layer_too():
    model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.constant_(model[1].bias, -8)
    assert found(model, NORMAL, CLASSES)["FI502"].where == ("1.bias", "0.weight")


@pytest.mark.parametrize("examples", [1, 2, 3])
def test_few_examples_leave_many_units_off_by_chance(examples: int):
    assert "FI502" not in found(mlp(he), NORMAL[:examples], CLASSES[:examples])


def test_the_chance_of_a_unit_that_is_off():
    assert all_off(5, 0.0) == pytest.approx(2.0**-5)
    # Two: 1/4 + arcsin(c) / (2 pi), Sheppard (1899).
    for cosine in (0.1, 0.5, 0.9):
        assert all_off(2, cosine) == pytest.approx(
            0.25 + math.asin(cosine) / (2 * math.pi), rel=1e-4
        )
    assert all_off(9, 1.0) == 0.5


@pytest.mark.parametrize(
    ("activation", "flat"), [(nn.Tanh, 3.0), (nn.Sigmoid, 6.0), (nn.Hardtanh, 1.0)]
)
def test_saturation_is_the_normal_law_beyond_the_flat_part(activation, flat: float):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 512), activation(), nn.Linear(512, 10))
    nn.init.zeros_(model[0].bias)

    def at(size: float) -> dict[str, Finding]:
        nn.init.normal_(model[0].weight, std=size / 8)
        return found(model, NORMAL, CLASSES)

    half = flat / norm.ppf(0.75)
    assert "FI501" not in at(0.85 * half)
    told = at(1.3 * half)["FI501"]
    assert (told.where, told.severity) == (("0.weight",), Severity.WARNING)
    assert at(300 * flat)["FI501"].severity is Severity.ERROR


def test_gates_and_the_last_activation_may_rest_at_an_end():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.value, self.head = (nn.Linear(64, 64) for _ in range(3))
            nn.init.constant_(self.gate.bias, 9)

        def forward(self, x):
            return torch.sigmoid(self.head(torch.sigmoid(self.gate(x)) * self.value(x)) + 9)

    assert "FI501" not in found(Gated(), NORMAL)


class Attention(nn.Module):
    def __init__(self, size, fused, causal=False):
        super().__init__()
        torch.manual_seed(0)
        self.query, self.key, self.value = (nn.Linear(64, 64, bias=False) for _ in range(3))
        self.head = nn.Linear(64, 10)
        self.fused, self.causal = fused, causal
        for layer in (self.query, self.key):
            nn.init.normal_(layer.weight, std=size / 8)

    def forward(self, x):
        query, key, value = self.query(x), self.key(x), self.value(x)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(
                query, key, value, is_causal=self.causal
            )
        else:
            mixed = (query @ key.transpose(1, 2) / 8).softmax(-1) @ value
        return self.head(mixed.mean(1))


@pytest.mark.parametrize("fused", [True, False])
def test_an_attention_that_has_chosen(fused: bool):
    x = torch.randn(8, 20, 64, generator=torch.Generator().manual_seed(1))
    told = found(Attention(3.0, fused), x, CLASSES[:8])["FI503"]
    assert told.where == ("query.weight", "key.weight")
    assert "FI503" not in found(Attention(1.0, fused), x, CLASSES[:8])
    # Seven places are no choice to speak of, and the first rows of a causal attention have fewer.
    assert "FI503" not in found(Attention(3.0, fused), x[:, :7], CLASSES[:8])
    assert "FI503" not in found(Attention(1.0, True, causal=True), x, CLASSES[:8])


def test_inputs_that_are_no_size_for_a_network():
    assert "255" not in str(found(mlp(he), *digits()))
    large = found(mlp(he), 100 * NORMAL, CLASSES)["FI504"]
    assert (large.title, large.severity) == ("inputs are large", Severity.WARNING)
    assert found(mlp(he), 1e-4 * NORMAL, CLASSES)["FI504"].title == "inputs are next to zero"
    one = NORMAL.clone()
    one[:, 5] *= 3000
    assert "dwarfs" in found(mlp(he), one, CLASSES)["FI504"].title
    for size in (0.01, 1.0, 9.0):
        assert "FI504" not in found(mlp(he), size * NORMAL, CLASSES)


def test_a_norm_right_behind_takes_the_size_of_inputs_out():
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    assert found(model, 100 * NORMAL, CLASSES)["FI504"].severity is Severity.INFO
    model = nn.Sequential(nn.BatchNorm1d(64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    assert "FI504" not in found(model, 100 * NORMAL, CLASSES)


def test_an_answer_that_has_chosen_is_no_attention():
    model = nn.Sequential(nn.Linear(64, 10), nn.Softmax(-1))
    nn.init.normal_(model[0].weight, std=5)
    assert "FI503" not in found(model, NORMAL)
