"""FI2 on real layers: what stays equal, and what only begins equal."""

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from fanin import check
from fanin.checks import Severity

INPUTS, TARGET = (
    torch.randn(64, 20, generator=torch.Generator().manual_seed(0)),
    torch.arange(64) % 4,
)


def found(model, loss=None):
    report = check(model, INPUTS, TARGET, loss=loss)
    return {one.code: one for one in report.findings if one.severity is not Severity.INFO}


def remarks(model):
    report = check(model, INPUTS, TARGET)
    return {one.code for one in report.findings if one.severity is Severity.INFO}


def stack(*widths) -> Any:
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_constant_layers_stay_one_unit():
    model = stack(20, 16, 16, 4)
    for layer in list(model)[::2]:
        nn.init.constant_(layer.weight, 0.05)
        nn.init.zeros_(layer.bias)
    one = found(model)["FI201"]
    assert one.severity is Severity.ERROR
    assert one.facts["distinct"] == 1
    assert {"0.weight", "2.weight"} <= set(one.where)


def test_training_agrees_that_they_stay_equal():
    model = stack(20, 16, 4)
    nn.init.constant_(model[0].weight, 0.05)
    nn.init.constant_(model[0].bias, 0.0)
    nn.init.constant_(model[2].weight, 0.05)
    assert "FI201" in found(model)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(INPUTS), TARGET).backward()
        optimizer.step()
    rows = model[0].weight
    assert torch.allclose(rows, rows[:1].expand_as(rows), atol=1e-5)


def test_a_head_at_zero_is_told_apart_by_the_first_step():
    model = stack(20, 16, 4)
    nn.init.zeros_(model[2].weight)
    assert found(model) == {}
    assert "FI207" in remarks(model)


def test_both_factors_of_an_adapter_at_zero_never_open():
    class Adapted(nn.Module):
        def __init__(self, up):
            super().__init__()
            self.base = nn.Linear(20, 4).requires_grad_(False)
            self.down, self.up = nn.Linear(20, 2, bias=False), nn.Linear(2, 4, bias=False)
            nn.init.zeros_(self.up.weight)
            if up:
                nn.init.zeros_(self.down.weight)

        def forward(self, x):
            return self.base(x) + self.up(self.down(x))

    one = found(Adapted(up=True))["FI206"]
    assert set(one.where) == {"down.weight", "up.weight"}
    assert found(Adapted(up=False)) == {}


def test_copied_layers_in_a_row():
    block = nn.Sequential(nn.Linear(20, 20), nn.ReLU())
    model = nn.Sequential(*[copy.deepcopy(block) for _ in range(3)], nn.Linear(20, 4))
    one = found(model)["FI203"]
    assert one.severity is Severity.WARNING
    assert set(one.where) == {"0.0.weight", "1.0.weight", "2.0.weight"}


def test_shards_of_one_seed_put_together():
    model = stack(20, 16, 16, 4)
    with torch.no_grad():
        model[2].weight[8:] = model[2].weight[:8]
    one = found(model)["FI202"]
    assert one.where == ("2.weight",)
    assert one.facts == {"distinct": 8, "matrices": 16}
    assert "units" in one.title


def test_equal_neighbours_of_an_upsampling_layer_are_meant():
    model = stack(20, 16, 16, 4)
    with torch.no_grad():
        model[2].weight[1::2] = model[2].weight[::2]
    assert "FI202" not in found(model)


def test_layers_of_torch_that_copy_are_a_remark():
    layer = nn.TransformerEncoderLayer(20, 2, 32, batch_first=True)
    model = nn.Sequential(nn.Unflatten(1, (1, 20)), nn.TransformerEncoder(layer, 3), nn.Flatten(),
                          nn.Linear(20, 4))  # fmt: skip
    assert "FI203" not in found(model)
    assert "FI203" in remarks(model)


def test_one_layer_in_several_places():
    repeated = nn.Sequential(*[nn.Linear(20, 20)] * 3, nn.Linear(20, 4))
    assert found(repeated)["FI204"].where[:3] == ("0.weight", "1.weight", "2.weight")


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_networks_are_silent(seed):
    torch.manual_seed(seed)
    assert found(stack(20, 64, 64, 4)) == {}
