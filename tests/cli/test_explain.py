"""`fanin explain` and the frame around all commands."""

import json
from importlib.metadata import version

import pytest


def test_a_scheme(run):
    outcome = run("explain 'he_normal(gain=tanh)'")
    assert outcome.status == 0
    assert outcome.out.startswith("he_normal(gain=tanh) (scheme)")
    # tanh's gain over the root of 256 inputs: 1.592537 / 16.
    assert "standard deviation for 256 inputs and 64 outputs: 0.0995336" in outcome.out


def test_an_activation_as_json(run):
    page = json.loads(run("explain --json 'leaky_relu(0.2)'").out)
    assert page["kind"] == "activation"
    assert page["figures"]["gain"] == pytest.approx((2 / 1.04) ** 0.5)


def test_an_activation_that_drifts(run):
    outcome = run("explain gelu")
    assert outcome.status == 0
    assert outcome.out.startswith("gelu (activation)")
    assert "Warning: unit size is unstable at this gain." in outcome.out
    assert "slope of the length map at the gain: 1.14406" in outcome.out


def test_the_list(run):
    assert "he_normal" in run("explain").out


def test_an_unknown_name(run):
    outcome = run("explain he_norml")
    assert outcome.status == 2
    assert 'did you mean "he_normal"' in outcome.err


def test_version_and_help(run):
    assert run("--version").out == f"fanin {version('fanin')}\n"
    assert "compare" in run("--help").out
    assert run("compre").status == 2
