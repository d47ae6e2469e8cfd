"""What calibration leaves as planned, and the kinds of pass it goes through."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import fanin
from calibrated_cases import CONVOLUTIONS, SEED, calibrated, cycling, gaussian, outputs_of, plan_of
from fanin.recipes import Plan
from fanin.schemes import normal
from fanin.torch.calibrate import calibrate


def reasons(model: nn.Module, plan: Plan, *batch: Tensor) -> dict[str, str]:
    result = calibrate(model, plan, SEED, lambda: model(*batch))
    for before, after in zip(plan.rows, result.rows, strict=True):
        if "; calibrated: " not in after.reason:
            assert after.scheme == before.scheme
    return {row.name: row.reason.rpartition("; ")[2] for row in result.rows}


class Mixed(nn.Module):
    """All that is left as planned."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 16)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.normed = parametrizations.weight_norm(nn.Linear(16, 16))
        self.identity = nn.Linear(16, 16)
        self.unused = nn.Linear(16, 16)
        self.constant = nn.Linear(16, 16, bias=False)
        self.head = nn.Linear(16, 9, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, words: Tensor) -> Tensor:
        signal = self.identity(self.normed(self.lstm(self.embed(words))[0]))
        return self.head(signal) + self.constant(torch.ones(1, 16)).sum()


def test_what_is_left_as_planned_says_why() -> None:
    model, batch = Mixed(), torch.arange(9).reshape(3, 3)
    told = reasons(model, plan_of(model, **{"identity.weight": "dirac"}), batch)
    assert told["lstm.weight_ih_l0"] == "not calibrated: part of a recurrent layer"
    assert told["lstm.weight_hh_l0"] == "not calibrated: part of a recurrent layer"
    assert told["normed.weight"] == "not calibrated: behind a parametrisation"
    assert told["identity.weight"].startswith("not calibrated: dirac")
    assert told["unused.weight"] == "not calibrated: no output of it was seen to vary"
    assert "calibrated" not in told["unused.bias"]
    assert told["embed.weight"] == "not calibrated: tied with an embedding"


def test_an_output_that_is_the_same_everywhere_says_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    told = reasons(model, plan_of(model, **{"0.weight": "zeros"}), gaussian(20, 4))
    assert told["1.weight"] == "not calibrated: no output of it was seen to vary"
    told = reasons(model, plan_of(model), torch.full((20, 4), torch.nan))
    assert told["0.weight"] == "not calibrated: no output of it was seen to vary"


@pytest.mark.parametrize("training", [True, False])
def test_a_pass_in_inference_mode(training: bool) -> None:
    """There a layer is one operation, and not what it is made of."""
    model, batch = CONVOLUTIONS["linear on sequences"][0], 4 + gaussian(10, 20, 8)
    model = nn.Sequential(copy.deepcopy(model), nn.Sigmoid(), nn.Linear(16, 8)).train(training)

    def run() -> None:
        with torch.inference_mode():
            model(batch)

    plan = plan_of(model)
    assert calibrate(model, plan, SEED, run) == calibrate(model, plan, SEED, lambda: model(batch))


def test_a_pass_under_autocast() -> None:
    """The products take casts of the weights; what they are cast from is set."""
    model, batch = cycling(depth=5), gaussian(256, 64)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            model(batch)

    plan = calibrate(model, plan_of(model), SEED, run)
    fanin.init_(model, plan, SEED)
    for signals in outputs_of(model, batch).values():
        # As in half precision: an output is off by 2**-9 of itself, and so is the next input.
        assert signals[0].mean(1).abs().max().item() < 0.05
        assert signals[0].var(1, correction=0).mean().sqrt().item() == pytest.approx(1, rel=0.03)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_a_compiled_model() -> None:
    model, batch = cycling(depth=3), gaussian(64, 64)
    compiled: Any = torch.compile(model, backend="eager")
    plan = plan_of(model)
    expected = calibrate(model, plan, SEED, lambda: model(batch))
    assert calibrate(compiled, plan, SEED, lambda: compiled(batch)) == expected


def test_half_precision() -> None:
    model, batch = cycling(depth=5).bfloat16(), gaussian(256, 64).bfloat16()
    calibrated(model, plan_of(model), batch)
    for signals in outputs_of(model, batch).values():
        # A bfloat16 has a relative error of 2**-9, and the biases are up to 8 in size.
        assert signals[0].mean(1).abs().max().item() < 8 * 2**-9 + 0.03
        assert signals[0].var(1, correction=0).mean().sqrt().item() == pytest.approx(1, rel=0.03)


def test_a_model_without_memory_cannot_run() -> None:
    with torch.device("meta"):
        model = nn.Linear(4, 4)
    with pytest.raises(fanin.FaninError, match=r"on the meta device: call fanin\.init_ first"):
        calibrate(model, plan_of(model), SEED, lambda: None)


def test_another_plan_is_refused() -> None:
    model: Any = nn.Linear(4, 4)
    before = model.weight.clone()
    with pytest.raises(fanin.FaninError, match="not for this model"):
        calibrate(model, plan_of(nn.Linear(3, 3)), SEED, lambda: None)
    assert torch.equal(model.weight, before)


def test_numbers_are_short_enough_to_read() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    plan = plan_of(model, **{"0.weight": "normal(0.001, 0.5)"})
    result = calibrate(model, plan, SEED, lambda: model(gaussian(50, 4)))
    scheme = result.rows[0].scheme
    assert isinstance(scheme, normal)
    assert scheme.mean / scheme.std == pytest.approx(0.002, rel=1e-3), "scaled together"
    assert len(str(scheme)) <= len("normal(0.00012345, 0.12345)")
