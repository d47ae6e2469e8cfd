"""Initialisers that are never called, stuck on one layer, copied, or that miss a block."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from checked import alarms, check, codes
from fanin import blame
from fanin.checks.families.memory import RULES

X, Y = torch.randn(8, 8), torch.randint(0, 2, (8,))


class Uncalled(nn.Module):
    """Has an initialiser, and calls it or not; a hidden state is no weight."""

    def __init__(self, calls: bool):
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 2)
        if calls:
            self._initialize_weights()

    def _initialize_weights(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def init_hidden(self, examples):
        return torch.zeros(examples, 16)

    def forward(self, x):
        return self.last(functional.relu(self.first(x)))


def test_an_initialiser_that_nobody_calls():
    (found,) = check(RULES, lambda: Uncalled(calls=False), X, Y)
    assert codes([found]) == ["warning FI108"]
    assert "def _initialize_weights" in found.location.text
    assert set(found.where) == {"first.weight", "first.bias", "last.weight", "last.bias"}
    assert not check(RULES, lambda: Uncalled(calls=True), X, Y)


def test_an_initialiser_that_writes_nothing():
    class Given(Uncalled):
        def _initialize_weights(self):
            for module in (self.first.weight, self.last.weight):
                if hasattr(module, "weight"):
                    nn.init.kaiming_normal_(module.weight)

    births = blame(lambda: Given(calls=True))
    assert [name.rpartition(".")[2] for name, _ in births.idle] == ["_initialize_weights"]
    (found,) = check(RULES, lambda: Given(calls=True), X, Y)
    assert codes([found]) == ["warning FI108"]
    assert found.title == "_initialize_weights writes nothing"
    assert not blame(lambda: Uncalled(calls=True)).idle


def test_an_idle_initialiser_beside_a_sweep_is_a_remark():
    def build():
        model = Uncalled(calls=False)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.1)
        return model

    assert codes(check(RULES, build, X, Y)) == ["info FI108"]


def test_casts_and_copies_are_no_initialisation():
    def build():
        return copy.deepcopy(Uncalled(calls=False)).double().float()

    assert codes(check(RULES, build, X, Y)) == ["warning FI108"]


class Gain(nn.Module):
    """A gain that starts at one, and a method that starts it again after `to_empty`."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))

    def reset_parameters(self):
        nn.init.ones_(self.weight)

    def forward(self, x):
        return x * self.weight


def test_a_vector_of_ones_needs_no_reset():
    def build():
        return nn.Sequential(nn.Linear(8, 8), Gain(), nn.Linear(8, 2))

    assert codes(check(RULES, build, X, Y)) == ["info FI108"]

    class Placeholder(Gain):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(8, 8))

    def forgotten():
        return nn.Sequential(nn.Linear(8, 8), Placeholder(), nn.Flatten(), nn.Linear(64, 2))

    found = check(RULES, forgotten, X[:, None], Y)
    assert "warning FI108" in codes(found)


@pytest.mark.parametrize("layers", [2, 4])
def test_a_callback_that_forgets_its_argument(layers):
    def build(slip):
        model: Any = nn.Sequential(*[nn.Linear(8, 8) for _ in range(layers)])

        def init(module):
            if isinstance(module, nn.Linear):
                nn.init.normal_(model[0].weight if slip else module.weight, std=0.01)

        return model.apply(init)

    (found,) = check(RULES, lambda: build(slip=True), X, Y)
    assert codes([found]) == ["warning FI109"]
    assert found.where == tuple(f"{i}.weight" for i in range(layers))
    assert f"{layers} times" in found.observed
    assert not check(RULES, lambda: build(slip=False), X, Y)


class Twins(nn.Module):
    """Two embedders, and the line of the second names the first."""

    def __init__(self, slip: bool):
        super().__init__()
        self.one, self.two, self.out = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)
        self.initialise(self.one if slip else self.two)

    def initialise(self, second):
        nn.init.xavier_uniform_(self.one.weight)
        nn.init.constant_(self.one.bias, 0)
        nn.init.xavier_uniform_(self.two.weight)
        nn.init.constant_(second.bias, 0)

    def forward(self, x):
        return self.out(self.one(x) + self.two(x))


def test_a_copied_line_with_the_name_of_the_first():
    (found,) = check(RULES, lambda: Twins(slip=True), X, Y)
    assert codes([found]) == ["warning FI107"]
    assert found.where == ("one.bias",)
    assert "two.bias" in found.expected
    assert "constant_(second.bias, 0)" in found.location.text
    assert not check(RULES, lambda: Twins(slip=False), X, Y)


def test_a_gain_set_twice_and_the_offset_not_at_all():
    def build(slip):
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        nn.init.ones_(model[1].weight)
        nn.init.constant_(model[1].weight if slip else model[1].bias, 0.5)
        return model

    (found,) = check(RULES, lambda: build(slip=True), X, Y)
    assert codes([found]) == ["warning FI107"]
    assert "1.bias" in found.expected
    assert not check(RULES, lambda: build(slip=False), X, Y)


def test_a_sweep_before_a_special_rule_is_good_practice():
    def build():
        model: Any = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        for layer in model[::2]:
            nn.init.xavier_uniform_(layer.weight)
        nn.init.normal_(model[2].weight, std=0.01)
        return model

    assert not check(RULES, build, X, Y)


def test_nested_callbacks_draw_again_and_again():
    def build():
        model: Any = nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2))

        def init(module):
            for parameter in module.parameters():
                nn.init.normal_(parameter, std=0.1)

        return model.apply(init)

    (found,) = check(RULES, build, X, Y)
    assert codes([found]) == ["info FI107"]
    assert found.facts["times"] == 3.0  # by the layer, its container and the model


class Block(nn.Module):
    """A residual branch of two layers."""

    def __init__(self):
        super().__init__()
        self.up, self.out = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.out(functional.relu(self.up(x)))


class Stack(nn.Module):
    """Blocks, and a loop over some of them."""

    def __init__(self, stop: int | None):
        super().__init__()
        blocks = [Block() for _ in range(6)]
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(8, 2)
        for block in blocks[:stop]:
            nn.init.normal_(block.out.weight, std=0.02)

    def forward(self, x):
        return self.head(self.blocks(x))


def test_a_loop_that_leaves_out_the_last_block():
    (found,) = alarms(check(RULES, lambda: Stack(-1), X, Y))
    assert (found.code, found.where) == ("FI110", ("blocks.5.out.weight",))
    assert "block.out.weight" in found.location.text
    assert not check(RULES, lambda: Stack(None), X, Y)
    assert not check(RULES, lambda: Stack(2), X, Y)  # a choice, and no slip


def test_the_ends_of_a_plain_list_may_differ():
    def build(skipped):
        model: Any = nn.Sequential(*[nn.Linear(8, 8) for _ in range(5)])
        for index in set(range(5)) - {skipped}:
            nn.init.xavier_normal_(model[index].weight)
        return model

    assert not check(RULES, lambda: build(4), X, Y)
    assert not check(RULES, lambda: build(0), X, Y)
    (found,) = check(RULES, lambda: build(2), X, Y)
    assert (found.code, found.where) == ("FI110", ("2.weight",))
