"""FI6: losses against closed forms, on real heads."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from fanin import check
from fanin.checks import Severity
from fanin.torch.evidence.answer import read_answer
from fanin.torch.tracing.running import Chosen

SOURCE = torch.Generator().manual_seed(0)
INPUTS = torch.randn(256, 32, generator=SOURCE)
CLASSES = torch.randint(10, (256,), generator=SOURCE)


def read(loss, logits):
    return read_answer(Chosen(loss, "loss", loss.item(), (logits,)))


def codes(model, *rest, loss=None):
    report = check(model, INPUTS, *rest, loss=loss)
    return {one.code: one for one in report.findings if one.severity is not Severity.INFO}


def network(outputs=10):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, outputs))


def test_cross_entropy_is_recognised_however_it_is_called():
    logits = torch.randn(256, 10, generator=SOURCE).requires_grad_()
    truth = functional.cross_entropy(logits, CLASSES).item()
    for loss in (
        functional.cross_entropy(logits, CLASSES),
        nn.NLLLoss()(logits.log_softmax(-1), CLASSES),
        3 * functional.cross_entropy(logits, CLASSES, reduction="sum"),
    ):
        answer = read(loss, logits)
        assert answer.loss == "cross entropy"
        assert answer.value == pytest.approx(truth, rel=1e-5)
        assert answer.uniform == pytest.approx(math.log(10))
    shares = torch.bincount(CLASSES, minlength=10) / 256
    assert answer.prior == pytest.approx(-(shares * shares.log()).sum().item(), rel=1e-5)


def test_ignored_targets_do_not_count():
    logits = torch.zeros(8, 5, 6, requires_grad=True)
    target = torch.full((8, 6), -100)
    target[0] = 2
    answer = read(functional.cross_entropy(logits, target), logits)
    assert answer.value == pytest.approx(math.log(5))


def test_binary_and_squared_losses():
    logits = torch.zeros(100, 1, requires_grad=True)
    target = (torch.arange(100) < 10).float()[:, None]
    answer = read(functional.binary_cross_entropy_with_logits(logits, target), logits)
    assert answer.value == pytest.approx(math.log(2))
    assert answer.prior == pytest.approx(-(0.1 * math.log(0.1) + 0.9 * math.log(0.9)), rel=1e-5)
    output = torch.zeros(100, 1, requires_grad=True)
    numbers = torch.linspace(-1, 1, 100)[:, None]
    squared = read(functional.mse_loss(output, numbers), output)
    assert squared.prior == pytest.approx(numbers.var(correction=0).item(), rel=1e-5)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 30.0])
def test_a_loss_is_too_high_when_logits_are(scale):
    model = network()
    with torch.no_grad():
        model[2].weight.mul_(scale / 0.4)
        model[2].bias.zero_()
    found = codes(model, CLASSES)
    told = any("loss starts" in said for one in found.values()
               for said in (one.title, *one.consequences))  # fmt: skip
    assert told == (scale >= 10)


def test_a_wrong_bias_is_named():
    model = network()
    head: Any = model[2]
    head.bias.data[3] = 12
    assert codes(model, CLASSES)["FI601"].where == ("2.bias",)


def test_a_base_rate_that_is_ignored():
    rare = (torch.rand(256, 40, generator=SOURCE) < 0.01).float()
    bce = functional.binary_cross_entropy_with_logits
    found = codes(network(40), rare, loss=bce)["FI602"]
    assert found.where[0] == "2.bias"
    model = network(40)
    nn.init.constant_(model[2].bias, math.log(0.01 / 0.99))
    assert codes(model, rare, loss=bce) == {}


def test_targets_far_from_the_output():
    prices = 200 + 5 * torch.randn(256, 1, generator=SOURCE)
    assert "FI603" in codes(network(1), prices, loss=functional.mse_loss)
    assert codes(network(1), (prices - 200) / 5, loss=functional.mse_loss) == {}


def test_a_scale_of_zero_shuts_everything():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            return 0.0 * self.inner(x)

    assert codes(Scaled(), CLASSES)["FI604"].severity is Severity.ERROR


@pytest.mark.parametrize("loss", [functional.smooth_l1_loss, functional.huber_loss])
def test_far_targets_of_an_absolute_error(loss):
    prices = 200 + 5 * torch.randn(256, 1, generator=SOURCE)
    told = codes(network(1), prices, loss=loss)["FI603"]
    # The mean distance of a normal law from its median is sqrt(2 / pi) of its deviation.
    assert float(told.facts["reference"]) == pytest.approx(5 * math.sqrt(2 / math.pi), rel=0.15)
    assert codes(network(1), (prices - 200) / 5, loss=loss) == {}
    assert codes(network(1), (prices - 200) * 200, loss=loss) == {}


def test_probabilities_are_as_good_as_logits():
    rare = (torch.rand(256, 40, generator=SOURCE) < 0.01).float()
    inner = network(40)
    bce = functional.binary_cross_entropy
    of_logits = codes(inner, rare, loss=functional.binary_cross_entropy_with_logits)["FI602"]
    of_probabilities = codes(nn.Sequential(*inner, nn.Sigmoid()), rare, loss=bce)["FI602"]
    assert of_probabilities.observed == of_logits.observed
    sure = torch.tensor([[0.0], [1.0]], requires_grad=True)
    answer = read(bce(sure, torch.tensor([[1.0], [1.0]])), sure)
    assert math.isfinite(answer.value)
    assert math.isfinite(answer.output.rms)


def test_what_a_probability_of_one_half_costs_is_the_reference():
    half = torch.full((4, 1), 0.5, requires_grad=True)
    answer = read(functional.binary_cross_entropy(half, torch.ones(4, 1)), half)
    assert answer.value == pytest.approx(math.log(2))
    assert answer.mean_output == (0.0,)


def test_a_base_rate_of_a_few_positives_is_no_estimate():
    few = torch.zeros(256, 1)
    few[:4] = 1
    bce = functional.binary_cross_entropy_with_logits
    assert "FI602" not in codes(network(1), few, loss=bce)
    few[:6] = 1
    assert "FI602" in codes(network(1), few, loss=bce)
