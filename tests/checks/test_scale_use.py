"""FI301 on plain stacks, and the words of the cause."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from fanin.checks import scale_cause
from scale_cases import codes, digits, evidence_of, findings, he, mlp


def test_eight_layers_at_a_hundredth_are_one_finding_with_its_cause():
    model = mlp(lambda w: w.normal_(0, 0.01), depth=8)
    (one,) = [f for f in findings(model, *digits()) if f.code == "FI301"]
    assert set(one.where) == {f"{2 * layer}.weight" for layer in range(7)}  # not the small head
    # sqrt(2 / 128) is 0.125.
    assert "12x below he_normal for fan_in 128" in one.observed
    assert "normal(0, 0.01)" in one.observed
    assert float(one.facts["ratio"]) == pytest.approx(0.01 / 0.125, rel=0.03)
    assert one.severity == "warning"
    assert all(fix.safe for fix in one.fixes)


def test_biases_do_not_hide_that_nothing_comes_through():
    torch.manual_seed(0)
    model = mlp(depth=6)  # with the biases that torch draws
    for layer in list(model)[:-1:2]:
        nn.init.normal_(layer.weight, std=0.01)
    (one,) = findings(model, *digits())
    assert one.code == "FI301"
    assert len(one.where) == 5


@pytest.mark.parametrize("seed", range(5))
def test_one_cause_is_one_finding_whatever_chance_does_to_each_layer(seed: int):
    torch.manual_seed(seed)
    sizes = (64, 100, 150, 230, 90, 10)
    for variance in (False, True):
        parts = list[nn.Module]()
        for inputs, outputs in pairwise(sizes):
            layer = nn.Linear(inputs, outputs)
            nn.init.normal_(layer.weight, std=2 / inputs if variance else 0.5)
            nn.init.zeros_(layer.bias)
            parts += [layer, nn.ReLU()]
        told = findings(nn.Sequential(*parts[:-1]), *digits())
        (one,) = [one for one in told if one.code == "FI301"]
        assert ("the variance of he_normal" if variance else "normal(0, 0.5)") in one.observed


def test_standard_normal_weights_are_too_large():
    (one,) = findings(mlp(lambda w: w.normal_(0, 1), depth=3), *digits())
    assert one.code == "FI301"
    assert "above" in one.observed
    assert "normal(0, 1)" in one.observed


def test_one_large_layer_is_enough_if_the_signal_grows_tenfold():
    def big(weight: torch.Tensor) -> None:
        he(weight)
        if weight.shape[1] == 64:
            weight.mul_(20)

    (one,) = findings(mlp(big), *digits())
    assert (one.code, one.where) == ("FI301", ("0.weight",))


@pytest.mark.parametrize("factor", [1, 3, 1 / 3])
def test_formulas_apart_by_what_conventions_explain_are_silent(factor: float):
    assert not findings(mlp(lambda w: w.normal_(0, factor / w.shape[1] ** 0.5), 128, 4), *digits())


def test_a_norm_behind_takes_the_scale_away():
    model = mlp(lambda w: w.normal_(0, 1))
    normed = nn.Sequential(
        *(
            part
            for layer in model
            for part in (
                (layer, nn.BatchNorm1d(layer.out_features))
                if isinstance(layer, nn.Linear)
                else (layer,)
            )
        )
    )
    assert not findings(normed, *digits())


def test_a_factor_in_the_forward_pass_makes_up_for_the_scale():
    class Scaled(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
            return super().forward(input) * math.sqrt(2 / self.in_features)

    torch.manual_seed(0)
    layers = [Scaled(64, 64, bias=False) for _ in range(6)]
    for layer in layers:
        nn.init.normal_(layer.weight)
    model = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
    assert "FI301" not in codes(findings(model, digits()[0]))


def test_data_of_another_size_are_no_fault_of_the_weights():
    x, y = digits()
    assert not findings(mlp(he), 255 * x, y)
    assert not findings(mlp(he), 0.01 * x, y)
    one_hot = torch.eye(64)
    # Each row has one entry, so a standard normal table of weights makes a unit signal.
    table = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.normal_(table[0].weight)
    assert not findings(table, one_hot)


def test_a_small_head_is_a_choice():
    model = mlp(he)
    nn.init.normal_(model[-1].weight, std=1e-4)
    assert not findings(model, *digits())


def test_frozen_features_are_left_alone():
    model = mlp(he)
    nn.init.normal_(model[0].weight, std=30)
    model[0].weight.requires_grad_(False)
    assert "0.weight" not in {name for f in findings(model, *digits()) for name in f.where}


@pytest.mark.parametrize(
    ("kind", "ratio", "told"),
    [(nn.RNN, 2.8, False), (nn.RNN, 4, True), (nn.GRU, 5, False), (nn.LSTM, 12, True)],
)
def test_a_state_meets_its_kernel_at_every_step(kind: type[nn.RNNBase], ratio: float, told: bool):
    torch.manual_seed(0)
    model = kind(64, 64)
    nn.init.normal_(model.weight_hh_l0, std=ratio / 8)
    assert ("FI301" in codes(findings(model, torch.randn(7, 4, 64)))) is told


def test_recurrent_weights_far_too_large():
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.RNN(128, 128, batch_first=True), nn.Linear(128, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.rnn(x)[0])

    model, batch = Net(), torch.randn(4, 7, 128)
    assert not findings(model, batch)
    nn.init.normal_(model.rnn.weight_hh_l0)
    assert any(f.where == ("rnn.weight_hh_l0",) for f in findings(model, batch))


CAUSES = {
    "it is the variance of he_normal used as a std": lambda w: w.normal_(0, 2 / w.shape[1]),
    "14x below he_normal for fan_in 300; it matches normal(0, 0.006)": lambda w: w.normal_(
        0, 0.006
    ),
    "it matches torch's default": lambda w: nn.init.kaiming_uniform_(w, a=5**0.5),
    "every element is 0.5": lambda w: w.fill_(0.5),
    "it holds nan or infinity": lambda w: w.fill_(float("nan")),
}


@pytest.mark.parametrize("words", list(CAUSES))
def test_the_cause_in_words(words: str):
    seen = evidence_of(mlp(width=300, depth=3), digits()[0])
    slot = seen.slot("2.weight")
    model = mlp(CAUSES[words], width=300, depth=3)
    held = evidence_of(model).values["2.weight"]
    assert words in scale_cause(slot, held)


def test_odd_models_do_not_break_the_rules():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scalar = nn.Parameter(torch.tensor(1.0))
            self.empty = nn.Parameter(torch.empty(0, 4))
            self.one = nn.Linear(1, 1)
            self.coarse = nn.Parameter(torch.randn(3).half())
            self.register_buffer("count", torch.tensor(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(x) * self.scalar

    assert not findings(Odd(), torch.randn(5, 1))
    assert not findings(Odd())
    assert not findings(nn.Linear(8, 4).bfloat16(), torch.randn(3, 8).bfloat16())
