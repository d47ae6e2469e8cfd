"""Stacked starts: at [repeat, plan] stands what `init_` would leave behind."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import fanin
from fanin.recipes import Plan
from fanin.schemes import keep
from fanin.torch.starts import plans_of, stack_starts

SEEDS = [3, 0, 8]


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2).bfloat16())


def normed() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 6)), nn.Linear(6, 2))


def kept(plan: Plan, name: str) -> Plan:
    rows = [
        dataclasses.replace(row, scheme=keep()) if row.name == name else row for row in plan.rows
    ]
    return dataclasses.replace(plan, rows=tuple(rows))


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("build", [plain, normed])
def test_each_is_what_init_leaves_behind(build: Callable[[], nn.Module]) -> None:
    module = build()
    before = state(module)
    plans = plans_of(module, ["he_normal", "orthogonal"], {"2.weight": "ones"} if build is plain
                     else {"1.weight": "ones"})  # fmt: skip
    plans = (*plans, kept(plans[0], "0.weight"), kept(plans[0], "0.bias"))
    starts = stack_starts(module, plans, SEEDS)
    stacks = starts.parameters | starts.buffers
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    for r, seed in enumerate(SEEDS):
        for p, plan in enumerate(plans):
            module.load_state_dict(before)
            fanin.init_(module, plan, seed)
            for name, tensor in module.state_dict().items():
                assert torch.equal(stacks[name][r, p], tensor), (seed, p, name)


def test_a_plan_comes_as_it_is() -> None:
    module = plain()
    (plan,) = plans_of(module, ["he_normal"], {})
    assert plans_of(module, [plan, "he_normal"], {}) == (plan, plan)
    other = nn.Sequential(nn.Linear(3, 3))
    with pytest.raises(fanin.FaninError, match="not for this model"):
        stack_starts(other, [plan], SEEDS)
