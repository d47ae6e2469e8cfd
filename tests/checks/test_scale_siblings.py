"""FI302 and FI309: layers and gates beside those of their kind."""

import pytest
import torch
from torch import nn

from scale_cases import digits, findings, he, mlp


def stack(factors: list[float], **more) -> nn.Sequential:
    model = mlp(he, depth=len(factors) + 2, **more)
    with torch.no_grad():
        for place, factor in enumerate(factors):
            model[2 * place + 2].weight.mul_(factor)
    return model


@pytest.mark.parametrize("factor", [1 / 50, 3, 20])
def test_one_layer_of_six_is_named_with_its_factor(factor: float):
    (one,) = findings(stack([1, 1, factor, 1, 1, 1]), *digits())
    assert (one.code, one.where) == ("FI302", ("6.weight",))
    assert float(one.facts["ratio"]) == pytest.approx(factor, rel=0.05)
    assert "5 others" in one.observed


def test_without_a_batch_too():
    (one,) = findings(stack([1, 1, 1 / 50, 1, 1]))
    assert (one.code, one.where) == ("FI302", ("6.weight",))


@pytest.mark.parametrize(
    "factors",
    [
        [1 / layer for layer in range(1, 9)],
        [layer**-0.5 for layer in range(1, 9)],
        [2.0**-layer for layer in range(6)],
        [1, 1.5, 1, 1.5, 1, 1.5],  # a pattern
        [1, 3, 1, 3, 1, 3],
        [1, 1, 1, 1, 1, 4],  # a special last one
        [1, 1.7, 1, 1, 1],
        [1, 1, 1],
    ],
)
def test_on_purpose_is_silent(factors: list[float]):
    assert "FI302" not in {one.code for one in findings(stack(factors), *digits())}


def test_an_end_takes_a_decade():
    (one,) = findings(stack([1 / 50, 1, 1, 1, 1]), *digits())
    assert (one.code, one.where) == ("FI302", ("2.weight",))


def test_two_missed_by_one_loop_are_one_finding():
    (one,) = findings(stack([1, 1, 0.1, 1, 1, 0.1, 1, 1, 1]), *digits())
    assert set(one.where) == {"6.weight", "12.weight"}


def test_chance_in_small_kernels_is_no_difference():
    for seed in range(20):
        torch.manual_seed(seed)
        layers = [nn.Linear(3, 3, bias=False) for _ in range(12)]
        for layer in layers:
            nn.init.normal_(layer.weight)
        assert "FI302" not in {one.code for one in findings(nn.Sequential(*layers))}


def test_gates_of_one_layer():
    torch.manual_seed(0)
    model = nn.LSTM(32, 32)
    assert not findings(model)
    with torch.no_grad():
        model.get_parameter("weight_hh_l0")[64:96].mul_(0.01)
    (one,) = findings(model)
    assert (one.code, one.where) == ("FI309", ("weight_hh_l0",))
    assert float(one.facts["ratio"]) == pytest.approx(100, rel=0.1)
