"""FI4: what fades, grows, becomes one or leaves the numbers, on plain stacks and streams."""

import math

import pytest
import torch
from torch import nn

from fanin import check
from fanin.checks import Finding, Severity
from fanin.checks.families.depth import RULES
from fanin.checks.families.depth.lines import lines
from scale_cases import digits, evidence_of, he, mlp


def stack(std, depth, activation=nn.ReLU, width=128):
    return mlp(lambda w: w.normal_(0, std), width, depth, activation)


def found(model, *batch) -> dict[str, Finding]:
    evidence = evidence_of(model, *batch)
    return {one.code: one for rule in RULES for one in rule.look(evidence)}


@pytest.mark.parametrize(
    ("activation", "dtype"),
    [
        (nn.Sigmoid, torch.float32),
        (nn.Sigmoid, torch.bfloat16),
        (nn.SELU, torch.float16),
        (nn.ReLU, torch.float16),
        (nn.GELU, torch.float64),
    ],
)
def test_a_signal_that_fades_away_altogether_is_told_in_words(activation, dtype):
    x, y = digits()
    model = stack(0.01, 14, activation).to(dtype)
    report = check(model, x.to(dtype), y)
    (told,) = [one for one in report.findings if one.severity is not Severity.INFO]
    assert (told.code, told.severity) == ("FI301", Severity.ERROR)
    assert any("fades with depth" in said for said in told.consequences)


def test_what_is_left_of_nothing_is_nothing():
    told = found(stack(0.01, 10, nn.Sigmoid), *digits())["FI401"]
    assert "goes down to nothing" in told.observed
    assert told.facts["forward"] == 0


def test_the_rate_is_that_of_theory():
    told = found(stack(0.05, 14), *digits())["FI401"]
    # relu keeps half of the square: 0.05 * sqrt(128 / 2) per layer, and less of what inputs differ
    # by.
    assert 0.33 < float(told.facts["rate"]) < 0.4
    assert told.facts["theory"] == pytest.approx(0.4, rel=0.01)
    assert "2.5x too small: std 0.05 where 0.125" in told.expected


@pytest.mark.parametrize(
    ("rate", "depth", "severity"),
    [
        (0.5, 9, None),
        (0.5, 16, Severity.WARNING),
        (0.5, 26, Severity.ERROR),
        (2.0, 7, None),
        (2.0, 12, Severity.WARNING),
        (2.0, 22, Severity.ERROR),
    ],
)
def test_thresholds_of_the_strength(rate, depth, severity):
    told = found(stack(rate * math.sqrt(2 / 128), depth), *digits())
    code = "FI401" if rate < 1 else "FI402"
    assert (told[code].severity if code in told else None) is severity


def test_a_bias_keeps_the_size_up_and_carries_nothing():
    def default_biases(std):
        model = stack(std, 9)
        for layer in list(model)[::2]:
            nn.init.uniform_(layer.bias, -0.1, 0.1)
        return model

    (line,) = lines(evidence_of(default_biases(0.01), *digits()))
    assert line.points[-1].forward.rms > 0.03
    assert line.forward < 1e-6
    assert "FI401" in found(default_biases(0.01), *digits())


def test_one_example_is_judged_by_its_gradient():
    told = found(stack(0.01, 20, nn.Sigmoid), torch.randn(1, 64), torch.tensor([3]))["FI401"]
    assert told.severity is Severity.ERROR


class Residual(nn.Module):
    def __init__(self, branches, norm=False, scale=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.norms = nn.ModuleList(
            nn.LayerNorm(64) if norm else nn.Identity() for _ in range(branches)
        )
        self.branches = nn.ModuleList(nn.Linear(64, 64) for _ in range(branches))
        self.head = nn.Linear(64, 10)
        for branch in self.branches:
            nn.init.normal_(branch.weight, std=scale * math.sqrt(2 / 64))

    def forward(self, x):
        for norm, branch in zip(self.norms, self.branches, strict=True):
            x = x + branch(norm(x)).relu()
        return self.head(x)


def test_branches_as_large_as_their_stream_double_it():
    told = found(Residual(20), *digits())["FI402"]
    assert "over 20 branches" in told.observed
    assert "last kernel of each branch" in told.mend
    assert not found(Residual(20, norm=True), *digits())
    assert not found(Residual(20, scale=20**-0.5), *digits())


def test_a_hundred_relu_layers_make_inputs_alike_and_twenty_do_not():
    torch.manual_seed(0)
    batch = torch.randn(64, 64), torch.arange(64) % 10
    assert set(found(mlp(he, depth=100), *batch)) == {"FI403"}
    assert not found(mlp(he, depth=20), *batch)
    assert not found(mlp(nn.init.orthogonal_, depth=100, activation=nn.Tanh), *batch)


def test_what_overflows_is_named_where_it_begins():
    model = mlp(he)
    model[4].weight.data.mul_(1e15)
    model[6].weight.data.mul_(1e25)
    told = found(model, *digits())["FI404"]
    assert told.where[0] == "6.weight"


def test_a_batch_that_holds_nan_is_named():
    x, y = digits()
    x = x.clone()
    x[0, 0] = math.nan
    assert "the batch holds nan" in found(mlp(he), x, y)["FI404"].observed


def test_infinity_that_is_masked_away_is_fine():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.head = nn.Linear(64, 64), nn.Linear(64, 10)

        def forward(self, x):
            scores = self.inner(x).masked_fill(torch.arange(64) % 2 == 0, -math.inf)
            return self.head(scores.exp())

    assert "FI404" not in found(Masked(), digits()[0])
    assert "FI404" not in found(Masked(), *digits())


class Twice(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.one, self.other = nn.Linear(64, 64), nn.Linear(64, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(
            torch.cat([self.one(x), self.factor * self.other(x)], 1)[:, ::2].tanh()[:, :64]
        )


def test_updates_orders_apart_are_a_remark():
    told = found(Twice(1e-8), *digits())
    assert told["FI405"].severity is Severity.INFO
    assert told["FI405"].where[0] == "other.weight"
    assert "FI405" not in found(Twice(1e-3), *digits())


def test_a_stretch_that_fades_is_not_told_as_alike():
    torch.manual_seed(0)
    batch = torch.randn(64, 64), torch.arange(64) % 10
    assert "FI403" not in found(stack(0.117, 100), *batch)


def test_norms_on_the_way_bear_a_hundred_times_more():
    def normed(depth):
        torch.manual_seed(0)
        parts = [
            part
            for _ in range(depth)
            for part in (nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU())
        ]
        return nn.Sequential(*parts, nn.Linear(64, 10))

    torch.manual_seed(0)
    batch = torch.randn(64, 64), torch.arange(64) % 10
    (line,) = lines(evidence_of(normed(35), *batch))
    assert line.normalised
    assert 1e2 < line.strength < 1e4
    assert not found(normed(35), *batch)
    assert "FI402" in found(normed(80), *batch)


def test_what_is_frozen_has_no_mend():
    model = stack(0.01, 10).requires_grad_(False)
    model[-1].requires_grad_(True)
    assert [fix.name for fix in found(model, *digits())["FI401"].fixes] == ["18.weight"]
