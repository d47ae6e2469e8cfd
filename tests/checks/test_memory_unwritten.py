"""Memory that nobody filled, and values that no formula makes."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from checked import alarms, check, codes, look
from fanin.births import Allocation, Birth, Births, Frame
from fanin.checks import Cost, Evidence, Probe, Severity, Values
from fanin.checks.families.memory import RULES, absurd_values

X, Y = torch.randn(8, 8), torch.randint(0, 2, (8,))
LINE = Frame("net.py", 7, "Net.__init__", "self.u = nn.Parameter(torch.empty(4, 8))")


class Bare(nn.Module):
    """A layer that adds a bias of its own."""

    def __init__(self, filled: bool):
        super().__init__()
        self.u = nn.Parameter(torch.empty(4, 8))
        self.fc = nn.Linear(8, 2)
        if filled:
            nn.init.normal_(self.u, std=0.02)

    def forward(self, x):
        return self.fc(x + self.u[0])


def test_a_forgotten_parameter_is_an_error_at_its_line():
    (found,) = alarms(check(RULES, lambda: Bare(filled=False), X, Y))
    assert (found.code, found.severity, found.where) == ("FI101", Severity.ERROR, ("u",))
    assert "torch.empty(4, 8)" in found.location.text
    assert found.facts["unwritten"] == 1.0
    assert not check(RULES, lambda: Bare(filled=True), X, Y)


def test_a_part_that_was_forgotten_is_counted():
    def build():
        model: Any = Bare(filled=False)
        with torch.no_grad():
            model.u[:3].zero_()
        return model

    (found,) = alarms(check(RULES, build, X, Y))
    assert found.title == "parameter written in part"
    assert "8 of its 32 elements" in found.observed
    assert found.facts["unwritten"] == 0.25


def test_to_empty_without_reset_names_every_tensor():
    def build(reset):
        with torch.device("meta"):
            model: Any = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
        model.to_empty(device="cpu")
        for layer in model if reset else model[::2]:
            layer.reset_parameters()
        return model

    found = alarms(check(RULES, lambda: build(reset=False), X, Y))
    assert set(codes(found)) == {"error FI101"}
    names = {name for finding in found for name in finding.where}
    assert names == {"1.weight", "1.bias", "1.running_mean", "1.running_var"} | (
        {"1.num_batches_tracked"} & names
    )
    assert not alarms(check(RULES, lambda: build(reset=True), X, Y))


class Cache(nn.Module):
    """A buffer that the pass fills before it reads it, or reads before it fills it."""

    def __init__(self, fills: bool):
        super().__init__()
        self.fills = fills
        self.fc = nn.Linear(8, 2)
        self.register_buffer("cache", torch.empty(2), persistent=False)

    def forward(self, x):
        if self.fills:
            self.cache.fill_(1.0)
        return self.fc(x) * self.cache


def test_a_cache_is_a_remark_and_a_constant_an_error():
    (remark,) = check(RULES, lambda: Cache(fills=True), X, Y)
    assert (remark.code, remark.severity) == ("FI101", Severity.INFO)
    (found,) = alarms(check(RULES, lambda: Cache(fills=False), X, Y))
    assert (found.code, found.where) == ("FI101", ("cache",))


def test_equal_layers_are_one_finding():
    births = Births(
        tuple(
            Birth(
                f"blocks.{i}.u",
                (4, 8),
                "float32",
                False,
                (),
                Allocation("torch.empty", True, (LINE,)),
                (),
                1.0,
            )
            for i in range(12)
        )
    )
    seen = Evidence(costs=(Cost(Probe.BIRTH, 0.0),), births=births)
    (found,) = look(RULES, seen)
    assert len(found.where) == 12
    assert found.location == LINE


@pytest.mark.parametrize("unwritten", [0.0, float("nan")])
def test_what_was_written_and_what_is_empty_is_silent(unwritten):
    births = Births((Birth("u", (4,), "float32", False, unwritten=unwritten),
                     Birth("v", (0, 4), "float32", False, unwritten=1.0)))  # fmt: skip
    assert not look(RULES, Evidence(costs=(Cost(Probe.BIRTH, 0.0),), births=births))


def test_nan_of_ones_own_beside_unwritten_memory_is_told_too():
    def build():
        model: Any = Bare(filled=False)
        with torch.no_grad():
            model.fc.weight[0, 0] = float("nan")
        return model

    found = alarms(check(RULES, build, X, Y))
    assert [(one.code, one.where) for one in found] == [
        ("FI101", ("u",)),
        ("FI102", ("fc.weight",)),
    ]


def held(tensor, **more):
    """The figures of a tensor, the obvious way."""
    known = tensor.double()
    finite = known[known.isfinite()]
    tiny = torch.finfo(tensor.dtype).tiny
    return Values(
        "w", tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), tensor.numel(),
        mean=float(finite.mean()), std=float(finite.std(correction=0)), minimum=float(finite.min()),
        maximum=float(finite.max()), nan=int(tensor.isnan().sum()),
        infinite=int(tensor.isinf().sum()), zero=int((tensor == 0).sum()),
        denormal=int(((known.abs() < tiny) & (known != 0)).sum()), **more,
    )  # fmt: skip


def absurd(tensor, **more):
    return list(absurd_values.look(Evidence(values={"w": held(tensor, **more)})))


def test_random_bits_are_absurd():
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(-(2**31), 2**31 - 1, (64, 64), generator=generator, dtype=torch.int32)
    memory = bits.view(torch.float32).nan_to_num(0.0, 0.0, 0.0)
    (found,) = absurd(memory)
    assert (found.severity, found.title) == (Severity.ERROR, "absurdly large values")
    small = torch.where(memory.abs() < 1e-30, memory, torch.zeros(()))
    (found,) = absurd(small)
    assert (found.severity, found.title) == (Severity.ERROR, "denormal values")
    assert not absurd(memory, buffer=True)
    assert not absurd(memory, frozen=True)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("law", ["normal", "uniform", "laplace"])
@pytest.mark.parametrize("std", [1.0, 0.02, 1e-3])
def test_draws_are_not_absurd_in_any_dtype(dtype, law, std):
    generator = torch.Generator().manual_seed(3)
    drawn = torch.empty(200_000, dtype=torch.float64)
    if law == "normal":
        drawn.normal_(0, std, generator=generator)
    elif law == "uniform":
        drawn.uniform_(-math.sqrt(3) * std, math.sqrt(3) * std, generator=generator)
    else:
        drawn.exponential_(math.sqrt(2) / std, generator=generator)
        drawn *= torch.randint(0, 2, drawn.shape, generator=generator) * 2 - 1
    assert not absurd(drawn.to(dtype).reshape(400, 500))


def test_a_few_decayed_values_are_a_warning():
    drawn = torch.randn(100, 100)
    drawn[0, :5] = 1e-40
    (found,) = absurd(drawn)
    assert found.severity is Severity.WARNING


def test_a_custom_linear_without_reset_is_seen_without_a_build():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.full((8, 8), 1e-41))

        def forward(self, x):
            return functional.linear(x, self.weight)

    assert "error FI103" in codes(check(RULES, Plain, X))
