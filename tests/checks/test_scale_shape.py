"""FI304, FI306, FI308 and FI312: centre, outliers, marks of the draw, wide biases."""

import pytest
import torch
from torch import nn

from scale_cases import codes, digits, findings, he, mlp


def shaped(init, width: int = 64) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.Linear(width, width))
    with torch.no_grad():
        init(model[0].weight)
    return model


def test_weights_from_zero_to_one():
    (one,) = findings(shaped(lambda w: w.uniform_(0, 1)))
    assert (one.code, one.where, one.severity) == ("FI304", ("0.weight",), "warning")
    assert "drawn evenly from" in one.observed


def test_a_table_from_zero_to_one():
    torch.manual_seed(0)
    table = nn.Embedding(300, 16)
    nn.init.uniform_(table.weight)
    assert codes(findings(table)) == {"FI304"}


@pytest.mark.parametrize(
    "init",
    [
        nn.init.eye_,
        lambda w: w.copy_(torch.eye(64) + 0.02 * torch.randn(64, 64)),
        lambda w: w.normal_(0.005, 0.1),  # drowned: (1 + 1) / sqrt(64) of a std is 0.025
        lambda w: nn.init.sparse_(w, 0.9),
        lambda w: w.copy_(torch.randn(64, 64).sign()),
        nn.init.orthogonal_,
    ],
    ids=["eye", "eye and noise", "small mean", "sparse", "signs", "orthogonal"],
)
def test_shapes_on_purpose_are_silent(init):
    assert not findings(shaped(init))


def test_one_unit_has_no_spread_to_speak_of():
    assert not findings(nn.Linear(1, 64))
    assert not findings(nn.Linear(64, 1))


def test_a_mean_is_seen_from_the_edge_on():
    # 128 by 128 at one standard deviation: the edge lies at 2 / sqrt(128), or 0.177.
    for mean, seen in [(0.12, False), (0.24, True)]:
        one = findings(shaped(lambda w, mean=mean: w.normal_(mean, 1), 128))
        assert ("FI304" in codes(one)) is seen


def test_an_element_on_the_bound_of_a_truncated_normal():
    def rare(weight: torch.Tensor) -> None:
        weight.normal_(0, 0.001)
        weight[3, 5] = -2.0

    (one,) = findings(shaped(rare))
    assert (one.code, one.severity) == ("FI306", "warning")
    assert "2," in one.observed


def test_ordinary_draws_have_no_outliers():
    for seed in range(10):
        torch.manual_seed(seed)
        assert "FI306" not in {f.code for f in findings(nn.Linear(4, 5000))}


def test_clamped_and_coarse_are_remarks():
    (one,) = findings(shaped(lambda w: w.normal_().clamp_(-1, 1)))
    assert (one.code, one.severity, one.title) == ("FI308", "info", "mass at the bounds")
    (one,) = findings(shaped(lambda w: w.copy_(torch.randn(64, 64).bfloat16())))
    assert (one.code, one.severity) == ("FI308", "info")
    assert "bfloat16" in one.observed


def test_biases_as_wide_as_the_signal():
    model = mlp(he)
    nn.init.normal_(model[2].bias, std=2)
    (one,) = findings(model, *digits())
    assert one.code == "FI312"
    assert one.where == ("2.bias",)
    # The signal has a mean square of 2 by He, the biases one of 4.
    assert float(one.facts["share"]) == pytest.approx(4 / 6, abs=0.15)


@pytest.mark.parametrize("depth", [3, 8])
def test_torchs_own_biases_are_silent(depth: int):
    assert not findings(mlp(depth=depth), *digits())


def test_phases_of_random_features_are_silent():
    class Features(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project, self.out = nn.Linear(8, 64), nn.Linear(64, 1)
            nn.init.normal_(self.project.weight)
            nn.init.uniform_(self.project.bias, -3.14, 3.14)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(torch.cos(self.project(x)))

    torch.manual_seed(0)
    assert not findings(Features(), torch.randn(16, 8))
