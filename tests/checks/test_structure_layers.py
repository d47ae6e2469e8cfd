"""Norms, gates, adapters: what the parts of a network are to start as."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from checked import alarms, check, codes, look
from fanin.checks import Cost, Evidence, GateBias, Layer, Probe, Severity, Values
from fanin.checks.families.structure import RULES

X, Y = torch.randn(16, 8), torch.randint(0, 2, (16,))
STEPS = torch.randn(8, 5, 8)


class RMS(nn.Module):
    """A norm of one's own, with or without a 1 added to its gain."""

    def __init__(self, gain: float, one: bool):
        super().__init__()
        self.weight = nn.Parameter(torch.full((16,), gain))
        self.one = one

    def forward(self, x):
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return x * (1 + self.weight) if self.one else x * self.weight


def plain(norm):
    return nn.Sequential(nn.Linear(8, 16), norm, nn.ReLU(), nn.Linear(16, 2))


def test_one_plus_one_is_two():
    (found,) = check(RULES, lambda: plain(RMS(1.0, one=True)), X, Y)
    assert (found.code, found.where) == ("FI704", ("1.weight",))
    assert found.facts["gain"] == 2.0
    assert not check(RULES, lambda: plain(RMS(0.0, one=True)), X, Y)
    assert not check(RULES, lambda: plain(RMS(1.0, one=False)), X, Y)


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.BatchNorm1d])
def test_gains_drawn_like_weights(norm):
    def build(mean):
        model = plain(norm(16))
        nn.init.normal_(model[1].weight, mean, 0.02)
        return model

    (found,) = check(RULES, lambda: build(0.0), X, Y)
    assert (found.code, found.severity, found.where) == ("FI704", Severity.WARNING, ("1.weight",))
    assert not check(RULES, lambda: build(1.0), X, Y)  # as DCGAN has it


def test_uniform_gains_of_old_torch_are_fine():
    def build():
        model = plain(nn.BatchNorm1d(16))
        nn.init.uniform_(model[1].weight)
        return model

    assert not check(RULES, build, X, Y)


def test_a_zero_gain_cuts_a_chain_and_opens_a_branch():
    def chain():
        model = plain(nn.LayerNorm(16))
        nn.init.zeros_(model[1].weight)
        return model

    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.norm, self.head = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)
            nn.init.zeros_(self.norm.weight)

        def forward(self, x):
            return self.head(functional.relu(x + self.norm(self.fc(x))))

    (found,) = [f for f in check(RULES, chain, X, Y) if f.code == "FI704"]
    assert found.title == "zero gain cuts the network"
    assert not check(RULES, Branch, X, Y)


@pytest.mark.parametrize(("fill", "severity"), [(-1.0, "error"), (0.0, "warning"), (1.0, None)])
def test_running_variance(fill, severity):
    def build():
        model = plain(nn.BatchNorm1d(16))
        model[1].running_var.fill_(fill)
        return model

    found = [f for f in check(RULES, build, X, Y) if f.code == "FI705"]
    assert [f.severity for f in found] == ([severity] if severity else [])
    assert all(f.where == ("1.running_var",) for f in found)


class Reads(nn.Module):
    """A bidirectional LSTM of three layers with a constant in one slice of some biases."""

    def __init__(self, *, among: str, gate: int = 1, units: int = 16):
        super().__init__()
        self.lstm = nn.LSTM(8, units, 3, bidirectional=True, batch_first=True)
        self.head = nn.Linear(2 * units, 2)
        for name, parameter in self.lstm.named_parameters():
            if among and name.startswith(among):
                parameter.data[gate * units : (gate + 1) * units] = 1.0

    def forward(self, steps):
        return self.head(self.lstm(steps)[0][:, -1])


def test_a_forget_bias_in_one_of_six():
    (found,) = check(RULES, lambda: Reads(among="bias_hh_l0"), STEPS, Y[:8])
    assert (found.code, found.severity) == ("FI706", Severity.WARNING)
    # The name of the reverse direction begins like that of the forward one: two of six are set.
    assert (found.facts["set"], found.facts["not set"]) == (2, 4)
    assert set(found.where) == {
        f"lstm.bias_{part}_l{layer}{way}"
        for part in ("ih", "hh") for layer in (1, 2) for way in ("", "_reverse")
    }  # fmt: skip


@pytest.mark.parametrize("units", [2, 16, 64])
def test_forget_biases_everywhere_or_nowhere_are_fine(units):
    assert not check(RULES, lambda: Reads(among="bias_hh", units=units), STEPS, Y[:8])
    assert not check(RULES, lambda: Reads(among="", units=units), STEPS, Y[:8])


def test_the_slice_of_the_cell_gate():
    (found,) = check(RULES, lambda: Reads(among="bias_hh", gate=2), STEPS, Y[:8])
    assert found.title == "bias in the slice of another gate"


def test_default_biases_are_never_called_set():
    generator = torch.Generator().manual_seed(5)
    for units in (1, 2, 4, 8, 32, 512):
        bound = 1 / math.sqrt(units)
        draws = torch.empty(2000, 2, units).uniform_(-bound, bound, generator=generator).sum(1)
        gates = tuple(
            GateBias((f"l{i}",), "forget", float(draw.mean()), float(draw.std(correction=0)), units)
            for i, draw in enumerate(draws)
        )
        layer = Layer("lstm", "LSTM", gates=gates)
        seen = Evidence(costs=(Cost(Probe.VALUES, 0.0),), layers=(layer,))
        assert not look(RULES, seen)


def test_trained_biases_go_their_own_ways():
    def told(spread, below=0.8):
        gates = tuple(
            GateBias((f"l{i}",), "forget", mean, spread, 64) for i, mean in enumerate((below, 0.1))
        )
        layer = Layer("lstm", "LSTM", gates=gates)
        return codes(look(RULES, Evidence(costs=(Cost(Probe.VALUES, 0.0),), layers=(layer,))))

    default = math.sqrt(2 / (3 * 64))
    assert told(default) == ["warning FI706"]
    assert told(0.4) == []
    assert told(default, below=0.1) == []


def test_a_constant_and_a_spread_in_all_layers_are_fine():
    gates = (GateBias(("l0",), "forget", 1.0, 0.1, 64), GateBias(("l1",), "forget", 3.0, 1.0, 64))
    layer = Layer("lstm", "LSTM", gates=gates)
    assert not look(RULES, Evidence(costs=(Cost(Probe.VALUES, 0.0),), layers=(layer,)))


@pytest.mark.parametrize(("mean", "told"), [(1.0, ["warning FI706"]), (-1.0, [])])
def test_only_what_a_forget_gate_would_be_given_slips_into_the_cell_gate(mean, told):
    gates = (GateBias(("l0",), "forget", 0.0, 0.1, 64), GateBias(("l0",), "cell", mean, 0.1, 64))
    layer = Layer("lstm", "LSTM", gates=gates)
    seen = Evidence(costs=(Cost(Probe.VALUES, 0.0),), layers=(layer,))
    assert codes(look(RULES, seen)) == told


class Lora(nn.Module):
    """A frozen layer and a branch of low rank beside it."""

    def __init__(self, zero: bool):
        super().__init__()
        self.base = nn.Linear(8, 8).requires_grad_(False)
        self.down, self.up = nn.Linear(8, 2, bias=False), nn.Linear(2, 8, bias=False)
        if zero:
            nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.base(x) + 2 * self.up(self.down(x))


def lora(zero):
    last = nn.Linear(8, 2).requires_grad_(False)
    return nn.Sequential(Lora(zero), nn.ReLU(), Lora(zero), nn.ReLU(), last)


class Adapter(nn.Module):
    """A bottleneck with a skip around it."""

    def __init__(self, std: float):
        super().__init__()
        self.down, self.up = nn.Linear(8, 2), nn.Linear(2, 8)
        nn.init.normal_(self.up.weight, std=std)
        nn.init.zeros_(self.up.bias)

    def forward(self, x):
        return x + self.up(torch.tanh(self.down(x)))


def adapted(std, *, frozen_above=True, whole=True):
    below, above = nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    below.requires_grad_(not whole)
    above.requires_grad_(not frozen_above)
    return nn.Sequential(below, Adapter(std), above)


def test_low_rank_branches_start_at_zero():
    (found,) = alarms(check(RULES, lambda: lora(zero=False), X, Y))
    assert (found.code, set(found.where)) == ("FI707", {"0.up.weight", "2.up.weight"})
    assert not check(RULES, lambda: lora(zero=True), X, Y)


def test_an_adapter_is_near_the_identity():
    (found,) = alarms(check(RULES, lambda: adapted(0.5), X, Y))
    assert (found.code, found.where) == ("FI707", ("1.up.weight",))
    assert not check(RULES, lambda: adapted(0.0), X, Y)
    assert not check(RULES, lambda: adapted(1e-3), X, Y)


def test_a_residual_head_on_a_frozen_trunk_is_no_adapter():
    assert not check(RULES, lambda: adapted(0.5, frozen_above=False), X, Y)
    assert not check(RULES, lambda: adapted(0.5, frozen_above=False, whole=False), X, Y)


def test_one_time_step_for_all_channels_is_a_remark():
    def found(name, low, high):
        held = Values(name, (8,), "float32", 8, minimum=low, maximum=high)
        return codes(look(RULES, Evidence(costs=(Cost(Probe.VALUES, 0.0),), values={name: held})))

    assert found("mixer.dt_bias", 1.0, 1.0) == ["info FI713"]
    assert found("mixer.dt_proj.bias", 0.0, 0.0) == ["info FI713"]
    assert not found("mixer.dt_bias", -6.9, -2.3)
    assert not found("mixer.bias", 0.0, 0.0)
    assert not found("mixer.dt_bias", -4.0, -4.0)


def test_gains_that_are_held_constant_are_as_they_were_trained():
    def build():
        model = plain(nn.LayerNorm(16))
        nn.init.normal_(model[1].weight, 0.0, 0.5)
        return model.requires_grad_(False)

    assert not [one for one in check(RULES, build, X, Y) if one.code == "FI704"]
