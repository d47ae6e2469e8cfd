"""Findings with one cause are one; what is not explained stands by itself."""

import torch
from torch import nn

from fanin import check
from fanin.checks import Evidence, Finding, Severity
from fanin.checks.causes import merged

WARNING, ERROR, INFO = Severity.WARNING, Severity.ERROR, Severity.INFO


def one(code, severity, *where, title="", **facts):
    return Finding(code, severity, where, f"{code} seen", "", "", "", title=title, facts=facts)


def codes(findings):
    return [finding.code for finding in merged(findings, Evidence())]


def test_a_symptom_of_the_same_tensors_goes_under_its_cause_and_lends_its_harm():
    cause, effect = one("FI301", WARNING, "a.w", "b.w"), one("FI401", ERROR, "a.w", "b.w", "c.w")
    (told,) = merged([effect, cause], Evidence())
    assert (told.code, told.severity) == ("FI301", ERROR)
    assert told.consequences == ("FI401 seen",)


def test_a_symptom_elsewhere_stands_by_itself():
    assert codes([one("FI302", WARNING, "a.w"), one("FI502", ERROR, "z.w")]) == ["FI502", "FI302"]


def test_one_odd_layer_does_not_explain_a_whole_stretch():
    stretch = one("FI401", ERROR, *(f"{i}.w" for i in range(8)))
    assert codes([one("FI302", WARNING, "3.w"), stretch]) == ["FI401", "FI302"]


def test_memory_without_numbers_explains_everything():
    assert codes([one("FI502", ERROR, "z.w"), one("FI101", ERROR, "a.w")]) == ["FI101"]


def test_a_bias_explains_the_dead_units_of_its_layer():
    assert codes([one("FI312", WARNING, "2.bias"), one("FI502", WARNING, "2.weight")]) == ["FI312"]


def test_large_inputs_explain_a_high_loss():
    assert codes([one("FI601", WARNING, "h.w"), one("FI504", WARNING, "0.w")]) == ["FI504"]


def test_two_warnings_of_one_tensor_may_be_two_faults():
    assert len(codes([one("FI203", WARNING, "a.w"), one("FI302", WARNING, "a.w")])) == 2


def test_remarks_on_what_is_told_already_are_dropped():
    assert codes([one("FI207", INFO, "a.w"), one("FI206", ERROR, "a.w", "b.w")]) == ["FI206"]


def test_the_worst_comes_first_then_the_widest():
    narrow, wide = one("FI302", WARNING, "a.w"), one("FI203", WARNING, "b.w", "c.w")
    told = codes([narrow, wide, one("FI206", ERROR, "d.w")])
    assert told == ["FI206", "FI203", "FI302"]


def test_eight_small_layers_are_one_error_with_its_cause():
    torch.manual_seed(0)
    layers = [part for _ in range(8) for part in (nn.Linear(64, 64), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    for layer in list(model)[::2]:
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.zeros_(layer.bias)
    report = check(model, torch.randn(64, 64), torch.arange(64) % 10)
    (told,) = report.findings
    assert told.severity is ERROR
    assert "18x below he_normal for fan_in 64" in told.observed
    assert any("fades with depth" in said for said in told.consequences)
