"""Writes that reached nothing, and special values that a sweep wrote over."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from checked import alarms, check, codes, look
from fanin.births import Birth, Births, Frame, Lost, Snapshot, Write
from fanin.checks import Cost, Evidence, Probe, Severity
from fanin.checks.families.memory import RULES

X, Y = torch.randn(8, 8), torch.randint(0, 2, (8,))
WORDS = torch.randint(0, 20, (8, 5))


def only(findings):
    (found,) = alarms(findings)
    return found


def test_a_write_to_a_derived_weight_names_the_weight():
    def build(after):
        layer = nn.Linear(8, 8)
        if not after:
            nn.init.normal_(layer.weight, std=0.02)
        model: Any = nn.Sequential(parametrizations.weight_norm(layer), nn.ReLU(), nn.Linear(8, 2))
        if after:
            nn.init.normal_(model[0].weight, std=0.02)
        return model

    found = only(check(RULES, lambda: build(after=True), X, Y))
    assert (found.code, found.where, found.severity) == ("FI104", ("0.weight",), Severity.WARNING)
    assert "model[0].weight" in found.location.text
    assert not check(RULES, lambda: build(after=False), X, Y)


def test_a_write_to_a_copy_is_lost_and_one_to_a_view_is_not():
    def build(index):
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        with torch.no_grad():
            model[0].weight[index].zero_()
        return model

    found = only(check(RULES, lambda: build([0, 2]), X, Y))
    assert (found.code, found.title) == ("FI104", "write lost to a temporary")
    assert found.where == ("0.weight",)
    assert not check(RULES, lambda: build(slice(0, 2)), X, Y)


def test_a_write_to_a_placeholder_is_lost():
    def build():
        model: Any = nn.Sequential(nn.Embedding(20, 8), nn.Flatten(), nn.Linear(40, 2))
        shard = model[0].weight.data
        model[0].weight.data = torch.empty(0)
        nn.init.normal_(model[0].weight, std=0.02)
        model[0].weight.data = shard
        return model

    found = only(check(RULES, build, WORDS, Y))
    assert (found.code, found.where) == ("FI104", ("0.weight",))
    assert "GatheredParameters" in found.mend


def test_a_new_head_and_a_value_worked_out_elsewhere_are_fine():
    def build():
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 5))
        for layer in model[::2]:
            nn.init.kaiming_normal_(layer.weight)
        model[2] = nn.Linear(8, 2)
        kernel = model[0].weight.detach().clone()
        nn.init.orthogonal_(kernel)
        with torch.no_grad():
            model[0].weight.copy_(kernel)
        return model

    assert not alarms(check(RULES, build, X, Y))


def test_an_empty_selection_has_no_effect():
    def build(bound):
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        with torch.no_grad():
            model[0].bias[bound:].fill_(1.0)
        return model

    found = only(check(RULES, lambda: build(8), X, Y))
    assert (found.code, found.where) == ("FI105", ("0.bias",))
    assert not check(RULES, lambda: build(4), X, Y)


def test_an_empty_mask_has_no_effect_but_a_clip_may_find_nothing():
    def build(mask):
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        with torch.no_grad():
            model[0].bias[mask(model[0].bias)] = 0
        return model

    found = only(check(RULES, lambda: build(lambda _: torch.arange(8) > 9), X, Y))
    assert (found.code, found.where) == ("FI105", ("0.bias",))
    assert not check(RULES, lambda: build(lambda _: torch.arange(8) > 6), X, Y)
    assert not check(RULES, lambda: build(lambda bias: bias > 9), X, Y)


def test_zeros_that_are_scaled_stay_zeros_but_a_sweep_may_pass_over_them():
    def build(sweep):
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        nn.init.zeros_(model[2].weight)
        for layer in model[::2] if sweep else model[2:]:
            layer.weight.data.mul_(0.5)
        return model

    found = only(check(RULES, lambda: build(sweep=False), X, Y))
    assert (found.code, found.where) == ("FI105", ("2.weight",))
    assert not alarms(check(RULES, lambda: build(sweep=True), X, Y))


def test_ones_over_ones_and_zeros_over_zeros_are_fine():
    def build():
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 2))
        nn.init.ones_(model[1].weight)
        nn.init.zeros_(model[1].bias)
        return model

    assert not check(RULES, build, X, Y)


class Block(nn.Module):
    """A residual branch that ends in zeros, and a gate with a bias of its own."""

    def __init__(self):
        super().__init__()
        self.inner, self.out, self.gate = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 8)
        self.special()

    def special(self):
        nn.init.zeros_(self.out.weight)
        nn.init.constant_(self.gate.bias, -2.0)

    def forward(self, x):
        return x + torch.sigmoid(self.gate(x)) * self.out(functional.relu(self.inner(x)))


class Net(nn.Module):
    """Sweeps over its blocks, and sets their special values again or not."""

    def __init__(self, again: bool):
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(3)])
        self.head = nn.Linear(8, 2)
        self.apply(self.sweep)
        for block in self.blocks if again else ():
            block.special()

    def sweep(self, module):
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def test_special_values_lost_to_a_sweep():
    found = alarms(check(RULES, lambda: Net(again=False), X, Y))
    assert codes(found) == ["warning FI106"] * 2
    assert {one.where for one in found} == {
        tuple(f"blocks.{i}.out.weight" for i in range(3)),
        tuple(f"blocks.{i}.gate.bias" for i in range(3)),
    }
    (zeros,) = [one for one in found if "out.weight" in one.where[0]]
    assert "xavier_uniform_(module.weight)" in zeros.location.text
    assert "set zeros" in zeros.observed


def test_special_values_after_the_sweep_are_fine():
    assert not alarms(check(RULES, lambda: Net(again=True), X, Y))


class Custom(nn.Module):
    """A layer of one's own, whose constructor leaves a default that others may write over."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 8))
        self.bias = nn.Parameter(torch.zeros(8))
        nn.init.kaiming_uniform_(self.weight)
        nn.init.uniform_(self.bias, -0.3, 0.3)

    def forward(self, x):
        return functional.linear(x, self.weight, self.bias)


def test_defaults_of_ones_own_layers_may_be_written_over():
    def build():
        model: Any = nn.Sequential(Custom(), nn.ReLU(), Custom(), nn.ReLU(), nn.Linear(8, 2))
        for name, parameter in model.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(parameter, std=0.3)
            else:
                nn.init.zeros_(parameter)
        return model

    assert not alarms(check(RULES, build, X, Y))


def write(order, line, function, std, of=64, scope=("build", "f"), **more):
    after = Snapshot(0.0, std, -3 * std, 3 * std, 0.0, f"{order}")
    return Write(order, function, "", (Frame("net.py", line, scope[-1]),), "init", scope, of, of,
                 None, after, **more)  # fmt: skip


@pytest.mark.parametrize(("library", "severity"), [("", "warning"), ("transformers", "info")])
def test_what_a_library_loses_is_not_for_the_person_to_mend(library, severity):
    lost = Lost(write(0, 3, "nn.init.normal_", 0.02, library=library), "a derived tensor", "w")
    births = Births((Birth("w", (8, 8), "float32", False),), (lost,))
    found = look(RULES, Evidence(costs=(Cost(Probe.BIRTH, 0.0),), births=births))
    assert codes(found) == [f"{severity} FI104"]


def test_orthogonal_values_are_special_and_plain_draws_are_not():
    def births(first):
        sweep = write(2, 9, "nn.init.normal_", 0.02, scope=("build", "Net.sweep"))
        names = ("a", "b")
        own = {
            "a": (write(1, 4, first, 0.3, scope=("build", "Block.__init__")), sweep),
            "b": (sweep,),
        }
        return Births(tuple(Birth(n, (8, 8), "float32", False, writes=own[n]) for n in names))

    def found(first):
        return look(RULES, Evidence(costs=(Cost(Probe.BIRTH, 0.0),), births=births(first)))

    assert codes(alarms(found("nn.init.orthogonal_"))) == ["warning FI106"]
    assert codes(found("nn.init.xavier_normal_")) == ["info FI107"]
