"""FI303 and the slips: each formula mistyped by hand, and told from those that are right."""

import math

import pytest
import torch
from torch import nn

from fanin.checks.cause import held_of
from fanin.recipes import explaining, stored_fans
from scale_cases import digits, evidence_of, findings, found, he, mlp, written


def slip(weight: torch.Tensor, kind: str) -> None:
    outputs, inputs = weight.shape
    he_std, glorot = math.sqrt(2 / inputs), math.sqrt(2 / (inputs + outputs))
    if kind == "std as bound":
        weight.uniform_(-he_std, he_std)
    elif kind == "bound as std":
        weight.normal_(0, math.sqrt(6 / inputs))
    elif kind == "glorot std as bound":
        weight.uniform_(-glorot, glorot)
    elif kind == "variance as std":
        weight.normal_(0, 2 / inputs)
    elif kind == "no root":
        weight.uniform_(-6 / inputs, 6 / inputs)
    elif kind == "std as variance":
        weight.normal_(0, math.sqrt(he_std))


SLIPS = {
    "std as bound": "the std of he_normal used as a bound",
    "bound as std": "the bound of he_uniform used as a std",
    "glorot std as bound": "the std of glorot_normal used as a bound",
    "variance as std": "the variance of he_normal used as a std",
    "no root": "the bound of he_uniform without its square root",
    "std as variance": "the std of he_normal taken for a variance",
}


@pytest.mark.parametrize("kind", list(SLIPS))
def test_each_slip_is_recognised(kind: str):
    seen = evidence_of(mlp(lambda w: slip(w, kind), width=150))
    fitting = explaining(seen.slot("0.weight"), held_of(seen.values["0.weight"]))
    assert any(SLIPS[kind] in one.words for one in fitting)
    assert any(
        one.code == "FI303" and SLIPS[kind] in one.observed and one.severity == "warning"
        for one in found(seen)
    )


GOOD = {
    "he": he,
    "he uniform": nn.init.kaiming_uniform_,
    "glorot": nn.init.xavier_normal_,
    "glorot uniform": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
    "torch": lambda w: nn.init.kaiming_uniform_(w, a=5**0.5),
    "he for fan_out": lambda w: nn.init.kaiming_normal_(w, mode="fan_out"),
    "lecun": lambda w: w.normal_(0, w.shape[1] ** -0.5),
    "a tenth": lambda w: w.uniform_(-0.1, 0.1),
    "two hundredths": lambda w: w.normal_(0, 0.02),
}


@pytest.mark.parametrize("kind", list(GOOD))
def test_good_formulas_are_no_slips(kind: str):
    for width in (96, 200, 300):
        model = mlp(GOOD[kind], width=width, depth=4)
        assert "FI303" not in {one.code for one in findings(model, *digits())}


def test_typed_numbers_prove_the_slip_of_one_tensor():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Linear(200, 10))
    bound = math.sqrt(2 / 300)
    nn.init.uniform_(model[0].weight, -bound, bound)
    seen = evidence_of(model)
    assert not [one for one in found(seen) if one.code == "FI303"]  # one tensor proves nothing
    seen = written(seen, "0.weight", "nn.init.uniform_", f"a={-bound!r}, b={bound!r}")
    (one,) = [one for one in found(seen) if one.code == "FI303"]
    assert one.where == ("0.weight",)


def test_a_round_number_is_a_choice():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(200, 300), nn.ReLU(), nn.Linear(300, 10))
    nn.init.uniform_(model[0].weight, -0.1, 0.1)  # and sqrt(2 / 200) is 0.1
    seen = written(evidence_of(model), "0.weight", "nn.init.uniform_", "-0.1, 0.1")
    assert not [one for one in found(seen) if one.code == "FI303"]


def test_depthwise_fan_out_without_groups_is_a_remark_before_a_norm():
    torch.manual_seed(0)
    parts = list[nn.Module]()
    for width in (64, 96):
        depthwise = nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False)
        nn.init.kaiming_normal_(depthwise.weight, mode="fan_out")
        parts += [depthwise, nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 96, 1)]
    seen = evidence_of(nn.Sequential(*parts[:-1]), torch.randn(2, 64, 8, 8))
    (one,) = [one for one in found(seen) if one.code == "FI303"]
    assert one.severity == "info"
    assert "groups" in one.observed
    # sqrt(2 / (96 * 9)) instead of sqrt(2 / 9): sqrt(96) times less.
    assert float(one.facts["ratio"]) == pytest.approx(96**-0.5, rel=0.1)


def test_a_packed_projection_by_glorot_and_torchs_own():
    torch.manual_seed(0)

    class Attention(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            nn.init.xavier_uniform_(self.qkv.weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(x).chunk(3, -1)
            return self.out(nn.functional.scaled_dot_product_attention(q, k, v))

    seen = evidence_of(
        nn.Sequential(Attention(96), nn.Linear(96, 64), Attention(64)), torch.randn(2, 5, 96)
    )
    (one,) = [one for one in found(seen) if one.code == "FI303"]
    assert "packed" in one.observed
    assert float(one.facts["ratio"]) == pytest.approx(2**-0.5, rel=0.05)
    own = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    assert not findings(own, torch.randn(2, 5, 32))


def test_the_wrong_axis_before_a_first_layer():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(8, 400), nn.ReLU(), nn.Linear(400, 300), nn.ReLU(), nn.Linear(300, 2)
    )
    for layer in (model[0], model[2]):
        weight = layer.get_parameter("weight")
        bound = weight.shape[0] ** -0.5
        nn.init.uniform_(weight, -bound, bound)
    one = next(one for one in findings(model, torch.randn(16, 8)) if one.code == "FI303")
    assert "0.weight" in one.where
    assert "fan_out" in one.observed
    assert one.severity == "warning"


def test_fans_of_a_shape_are_torchs():
    for shape in [(5, 3), (8, 4, 3, 3), (6, 1, 5)]:
        read = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
        fans = stored_fans(shape)
        assert (fans.fan_in, fans.fan_out) == read
