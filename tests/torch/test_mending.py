"""Mends applied and proven, and what must not be touched left alone."""

import copy
import math

import pytest
import torch
from torch import nn

from fanin import FaninError, check
from fanin.checks import Severity
from fanin.torch.proof import Proof

torch.manual_seed(0)
BATCH = torch.randn(64, 64), torch.arange(64) % 10


def small(std=0.01):
    torch.manual_seed(1)
    layers = [part for _ in range(8) for part in (nn.Linear(64, 64), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    for layer in list(model)[::2]:
        nn.init.normal_(layer.weight, std=std)
    return model


def test_what_is_fixed_is_healthy_and_trains():
    model = small()
    report = check(model, *BATCH, fix=True)
    assert report.ok
    assert len(report.fixed) >= 7
    assert "(std 0.01" in report.fixed[0]
    optimizer, loss = torch.optim.SGD(model.parameters(), 0.1), torch.tensor(math.inf)
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(BATCH[0]), BATCH[1])
        loss.backward()
        optimizer.step()
    assert loss.item() < 1.0


def test_only_the_named_tensors_change():
    model = small()
    model[3] = nn.Identity()
    before = copy.deepcopy(model.state_dict())
    report = check(model, *BATCH, fix=True)
    changed = {
        name for name, now in model.state_dict().items() if not torch.equal(now, before[name])
    }
    assert changed == {line.partition(": ")[0] for line in report.fixed}
    assert all(name.endswith("weight") for name in changed)


def test_frozen_tensors_are_left_alone():
    model = small().requires_grad_(False)
    model[16].requires_grad_(True)
    before = copy.deepcopy(model.state_dict())
    check(model, *BATCH, fix=True)
    for name in ("0.weight", "2.weight", "14.weight"):
        assert torch.equal(model.state_dict()[name], before[name])


def test_nothing_to_fix_changes_nothing():
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    before = copy.deepcopy(model.state_dict())
    report = check(model, *BATCH, fix=True)
    assert report.fixed == ("nothing was changed: no finding has a safe fix",)
    assert all(torch.equal(now, before[name]) for name, now in model.state_dict().items())


def test_a_proof_shows_the_harm_and_keeps_the_model():
    model = small()
    before = copy.deepcopy(model.state_dict())
    report = check(model, *BATCH, prove=True)
    (told,) = report.findings
    assert told.severity is Severity.ERROR
    assert any(said.startswith("proof: in 50 steps") for said in told.consequences)
    assert all(torch.equal(now, before[name]) for name, now in model.state_dict().items())


def test_what_trains_as_well_falls_by_one():
    torch.manual_seed(2)
    parts = [part for _ in range(4) for part in (nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU())]
    model = nn.Sequential(*parts, nn.Linear(64, 10))
    model[6].weight.data.div_(50)
    plain, proven = (check(model, *BATCH, prove=prove) for prove in (False, True))
    for before in plain.findings:
        after = next(one for one in proven.findings if one.code == before.code)
        assert after.severity.rank >= before.severity.rank


def test_a_proof_needs_a_batch():
    with pytest.raises(FaninError, match="a proof trains the model on a batch"):
        check(nn.Linear(2, 2), prove=True)


def test_what_was_declared_is_held_against_the_mended_model_too():
    def build():
        model = small()
        nn.init.normal_(model[16].weight, std=0.5)
        return model

    fixed = check(build, *BATCH, plan="he_normal", fix=True)
    held = check(build, *BATCH, plan="he_normal")
    assert "FI310" in [one.code for one in held.findings]
    assert fixed.evidence.audit is not None
    told = [one for one in fixed.findings if one.code == "FI310"]
    assert bool(told) != fixed.evidence.audit.ok


def test_what_the_build_did_wrong_stays_told():
    def build():
        model = small()
        nn.init.ones_(model[0].bias.clone())
        return model

    before, after = check(build, *BATCH), check(build, *BATCH, fix=True)
    assert "FI104" in [one.code for one in before.findings]
    assert "FI104" in [one.code for one in after.findings]


@pytest.mark.parametrize(
    ("as_it_is", "mended", "harmless"),
    [
        ((1.0, 1.0), (1.0, 1.0), True),
        ((1.1, 1.0), (1.0, 1.0), True),  # 0.1 of what was learned, 1.0
        ((1.2, 1.0), (1.0, 1.0), False),
        ((1.0, 1.2), (1.0, 1.0), False),
        ((math.inf, 1.0), (1.0, 1.0), False),
        ((1.0, 1.0), (math.inf, 1.0), True),
        ((math.inf, 1.0), (math.inf, 1.0), True),
        ((math.inf, math.inf), (math.inf, math.inf), False),  # nothing is shown
    ],
)
def test_what_counts_as_harmless(as_it_is, mended, harmless):
    losses = [dict(zip(("SGD", "Adam"), one, strict=True)) for one in (as_it_is, mended)]
    assert Proof(50, 2.0, losses[0], losses[1], 2.0).harmless is harmless


def test_loaded_tensors_are_left_alone():
    weights = small().state_dict()

    def build():
        model = small()
        model.load_state_dict(weights)
        return model

    report = check(build, *BATCH, fix=True)
    assert not report.ok
    assert report.fixed == ("nothing was changed: no finding has a safe fix",)
    named = check(small(), *BATCH, pretrained=weights, fix=True)
    assert named.fixed == report.fixed


def test_what_was_loaded_is_not_filled_again():
    trained = nn.Linear(8, 4).state_dict()
    trained["bias"].fill_(float("nan"))

    def build():
        model = nn.Linear(8, 4)
        model.load_state_dict(trained)
        return model

    report = check(build, fix=True)
    assert [one.code for one in report.findings] == ["FI102"]
    assert report.fixed == ("nothing was changed: no finding has a safe fix",)


def test_a_model_that_keeps_its_outputs_is_proven_too():
    model = small()
    model.last = model(BATCH[0])
    (told,) = check(model, *BATCH, prove=True).findings
    assert any(said.startswith("proof: in 50 steps") for said in told.consequences)


def test_a_model_that_cannot_be_copied_is_refused():
    class Locked(nn.Sequential):
        def __deepcopy__(self, memo):
            raise TypeError("cannot copy a lock")

    with pytest.raises(FaninError, match="Locked cannot be copied: TypeError: cannot copy a lock"):
        check(Locked(*small()), *BATCH, prove=True)
