"""`fanin.init_` under a plan: each parameter once, verified, and refused before it begins."""

import copy
import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import fanin
from fanin.recipes import Plan, assign
from fanin.schemes import Scheme, keep
from fanin.torch import slots, values
from fanin.torch.held import held


class Net(nn.Module):
    """Tied, padded, normalised, and with a parameter of its own."""

    def __init__(self, words: int = 9) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, 6, padding_idx=2)
        self.norm = nn.BatchNorm1d(6)
        self.body = nn.Linear(6, 6)
        self.shift = nn.Parameter(torch.zeros(6))
        self.head = nn.Linear(6, words, bias=False)
        self.head.weight = self.embed.weight


RULES = {"shift": "normal(0, 0.1)"}


def plan_of(model: nn.Module, scheme: str = "lecun_normal") -> Plan:
    return assign(slots(model), scheme, RULES)


def altered(plan: Plan, name: str, scheme: Scheme) -> Plan:
    rows = [
        dataclasses.replace(row, scheme=scheme) if row.name == name else row for row in plan.rows
    ]
    return dataclasses.replace(plan, rows=tuple(rows))


def hashes(model: nn.Module) -> dict[str, str]:
    """Of every parameter and buffer, bit by bit."""
    return {
        name: hashlib.sha256(tensor.reshape(-1).view(torch.uint8).numpy()).hexdigest()
        for name, tensor in model.state_dict().items()
    }


@pytest.mark.parametrize("scheme", ["lecun_normal", "orthogonal", "torch_default"])
def test_a_plan_gives_what_its_scheme_gives(scheme: str) -> None:
    first, second = Net(), Net()
    plan = fanin.init_(first, scheme, 5, RULES)
    applied = fanin.init_(second, plan_of(Net(), scheme), 5)
    assert hashes(first) == hashes(second)
    assert applied == plan
    assert fanin.init_(second, applied, 5) == plan, "what was carried out can be again"


def test_the_start_is_that_of_the_plan() -> None:
    model = Net()
    plan = plan_of(model)
    fanin.init_(model, plan, 3)
    held = dict(model.named_parameters())
    for name, expected in plan.start(3).items():
        assert torch.equal(held[name], torch.from_numpy(expected)), name


def test_the_name_in_the_plan_is_the_stream() -> None:
    class Reversed(Net):
        def __init__(self) -> None:
            super().__init__()
            self.head = self._modules.pop("head")
            self.embed = self._modules.pop("embed")

    model, turned = Net(), Reversed()
    assert slots(turned)[-1].name == "head.weight"
    fanin.init_(model, plan_of(model), 3)
    fanin.init_(turned, plan_of(model), 3)
    assert hashes(model) == hashes(turned)


def test_it_says_what_it_did() -> None:
    model = Net()
    told = str(fanin.init_(model, plan_of(model), 4)).splitlines()
    assert told[-2:] == [
        "6 parameters, 114 values",
        "seed 4: each was written once and read back",
    ]
    again = str(fanin.init_(Net(), plan_of(model), 4)).splitlines()
    assert again == told


class Writes(TorchDispatchMode):
    """Counts what is written into the memory of some tensors, by operation of torch."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.names = {p.data_ptr(): name for name, p in model.named_parameters()}
        self.counts = dict.fromkeys(self.names.values(), 0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for argument, value in zip(func._schema.arguments, args, strict=False):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written and isinstance(value, Tensor) and value.data_ptr() in self.names:
                self.counts[self.names[value.data_ptr()]] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("scheme", ["lecun_normal", "orthogonal"])
def test_every_parameter_is_written_once(scheme: str) -> None:
    """In bfloat16 every write is an operation of torch, which can be counted."""
    model = Net().bfloat16()
    with Writes(model) as writes:
        fanin.init_(model, plan_of(model, scheme))
    assert set(writes.counts.values()) == {1}


def test_rules_are_for_a_scheme() -> None:
    model = Net()
    with pytest.raises(fanin.FaninError, match="rules= is for a scheme"):
        fanin.init_(model, plan_of(model), rules=RULES)


def bad_plans() -> dict[str, tuple[Plan, str]]:
    good = plan_of(Net())
    shorter = dataclasses.replace(good, rows=good.rows[:-1])
    return {
        "missing row": (shorter, r"body\.bias \(6,\) of Linear is not in the plan"),
        "other model": (plan_of(Net(words=5)), r"embed\.weight has shape \(5, 6\) in the plan"),
        "overflow": (altered(good, "shift", fanin.schemes.normal(0, 1e39)), "shift: .* reaches"),
    }


@pytest.mark.parametrize("case", bad_plans())
def test_a_refused_plan_changes_nothing(case: str) -> None:
    plan, message = bad_plans()[case]
    model = Net()
    before = hashes(model)
    with pytest.raises(fanin.FaninError, match=message):
        fanin.init_(model, plan)
    assert hashes(model) == before


def test_what_the_plan_keeps_is_left_alone() -> None:
    model = Net()
    plan = altered(plan_of(model), "body.weight", keep())
    before = hashes(model)
    objects = dict(model.named_parameters())
    told = str(fanin.init_(model, plan, 2)).splitlines()
    after = hashes(model)
    assert after["body.weight"] == before["body.weight"]
    assert after["embed.weight"] != before["embed.weight"]
    assert all(objects[name] is tensor for name, tensor in model.named_parameters())
    assert told[-2:] == [
        "seed 2: 5 of 6 were written once and read back",
        "left as they were: body.weight",
    ]
    given = values(model, plan, 2)
    assert all(torch.equal(given[name], tensor) for name, tensor in model.named_parameters())


def test_what_cannot_be_written_can_be_kept() -> None:
    model: Any = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    plan = assign(slots(model), "he_normal")
    model[1].weight = nn.Parameter(torch.ones(3, 3, dtype=torch.int8), requires_grad=False)
    with pytest.raises(fanin.FaninError, match=r"1\.weight: not floating-point"):
        fanin.init_(model, plan)
    fanin.init_(model, altered(plan, "1.weight", keep()))
    assert model[1].weight.dtype is torch.int8


def test_there_is_nothing_to_keep_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = Net()
    plan = altered(plan_of(model), "body.weight", keep())
    with pytest.raises(fanin.FaninError, match=r"keeps what body\.weight holds.*nothing to keep"):
        fanin.init_(model, plan)
    assert all(tensor.is_meta for tensor in model.parameters())


def test_a_plan_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    plan_of(Net()).save(path)
    models = [Net() for _ in range(3)]
    for model, given in zip(models, (plan_of(Net()), path, str(path)), strict=True):
        fanin.init_(model, given, 1)
    first, *others = map(hashes, models)
    assert all(other == first for other in others)
    with pytest.raises(fanin.FaninError, match=r"cannot read .*missing\.toml"):
        fanin.init_(Net(), tmp_path / "missing.toml")


def test_was_my_init_applied() -> None:
    model = Net()
    plan = fanin.init_(model, "lecun_normal", 5, RULES)
    assert plan.compare(held(model)).ok
    with torch.no_grad():
        model.body.weight.normal_(0, 0.02, generator=torch.Generator().manual_seed(0))
    answer = plan.compare(held(model))
    assert [line.row.name for line in answer.lines if line.state != "as planned"] == ["body.weight"]


def test_a_write_that_is_written_over_is_seen() -> None:
    """A buffer that shares the memory of a parameter, and that a parametrisation writes to."""

    class Meddling(nn.Parameter):
        """Falls back to zero whenever its neighbour is written."""

    model: Any = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[0].bias = Meddling(torch.zeros(3))
    weight = model[1].weight

    def copy_(self: Any, other: Tensor) -> Any:
        with torch.no_grad():
            weight.zero_()
        return Tensor.copy_(self, other)

    Meddling.copy_ = copy_
    # The order of the model: the weight of 1 is drawn after the bias of 0, so turn them round.
    turned = nn.ModuleDict({"first": model[1], "second": model[0]})
    with pytest.raises(fanin.FaninError, match=r"first\.weight does not hold what was written"):
        fanin.init_(turned, "he_normal")


def test_a_compiled_or_copied_model_takes_the_plan_of_the_plain_one() -> None:
    model = Net()
    plan = plan_of(model)
    other = copy.deepcopy(model)
    fanin.init_(model, plan)
    fanin.init_(other, plan)
    assert hashes(model) == hashes(other)
