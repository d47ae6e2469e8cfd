"""Schemes as texts: printing in full, reading back, and what is said about mistakes."""

import inspect
import re
from typing import Any

import pytest
from hypothesis import given, settings

import fanin.schemes
from fanin.errors import FaninError
from fanin.schemes import as_scheme, find, names, parse
from scheme_cases import ARGUMENTS, calls


@settings(max_examples=400)
@given(call=calls())
def test_the_printed_form_reads_back(call: tuple[str, dict[str, Any]]) -> None:
    name, arguments = call
    scheme = find(name)(**arguments)
    again = parse(str(scheme))
    assert again == scheme
    assert str(again) == str(scheme)
    assert hash(again) == hash(scheme)


def test_the_cases_cover_every_scheme() -> None:
    assert set(ARGUMENTS) == set(names())
    for name, arguments in ARGUMENTS.items():
        assert set(arguments) == {argument.name for argument in find(name).arguments()}


@pytest.mark.parametrize("name", names())
def test_every_scheme_is_public_and_explained(name: str) -> None:
    assert getattr(fanin.schemes, name) is find(name)
    text = inspect.getdoc(find(name)) or ""
    assert "Example:" in text
    for argument in find(name).arguments():
        assert f"    {argument.name}: " in text


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("zeros", "zeros"),
        ("constant(0.50)", "constant(0.5)"),
        ("uniform", "uniform(-0.05, 0.05)"),
        ("uniform(high=1)", "uniform(-0.05, 1)"),
        ("normal", "normal(0, 0.05)"),
        ("normal(std=1e-2)", "normal(0, 0.01)"),
        ("truncated_normal", "truncated_normal(std=0.05, cut=2)"),
        (
            "variance_scaling(2, mode=fan_out)",
            "variance_scaling(scale=2, mode=fan_out, distribution=truncated_normal)",
        ),
        ("he_normal", "he_normal"),
        ("he_normal(gain=relu)", "he_normal"),
        ("he_normal(tanh)", "he_normal(gain=tanh)"),
        ("kaiming_uniform(gain='leaky_relu(0.20)')", "he_uniform(gain=leaky_relu(0.2))"),
        ("kaiming_truncated_normal", "he_truncated_normal"),
        ("xavier_normal", "glorot_normal"),
        ("xavier_uniform(gain=swish)", "glorot_uniform(gain=silu)"),
        ("lecun_normal(gain=1.0)", "lecun_normal"),
        ("orthogonal(gain=2)", "orthogonal(gain=2)"),
        ("sparse", "sparse(sparsity=0.9, std=0.01)"),
        ("identity_plus_noise(0.1)", "identity_plus_noise(std=0.1, gain=1)"),
        ("dirac(groups=4)", "dirac(groups=4)"),
        ("looks_linear(mirror=outputs)", "looks_linear(mirror=outputs)"),
        ("torch_default", "torch_default"),
        ("forget_gate", "forget_gate(1)"),
        ("chrono(100)", "chrono(100)"),
        ("listed(0.10, -2, 1e-3)", "listed(0.1, -2, 0.001)"),
        ("keep", "keep"),
        (
            "blocks(normal, he_normal(gain='leaky_relu(0.20)'),zeros)",
            "blocks(normal(0, 0.05), he_normal(gain=leaky_relu(0.2)), zeros)",
        ),
        ("blocks(blocks(zeros, ones), zeros)", "blocks(blocks(zeros, ones), zeros)"),
    ],
)
def test_canonical_forms(written: str, printed: str) -> None:
    assert str(parse(written)) == printed
    assert as_scheme(written) == parse(printed) == as_scheme(parse(printed))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("he_norml", "there is no scheme 'he_norml'; did you mean \"he_normal\"? The schemes are "),
        ("kaiming", 'did you mean "he_normal"?'),
        ("He", 'did you mean "he_normal"?'),
        ("normal(" + "-" * 9999 + "1)", "cannot read"),
        ("kaiming_norml", 'did you mean "he_normal"?'),
        ("xyz", "there is no scheme 'xyz'. The schemes are zeros, ones, constant, uniform"),
        ("he_normal(", "cannot read 'he_normal('"),
        ("zeros(1)", "zeros has 0 arguments, got 1. It takes no arguments"),
        ("normal(0, 1, 2)", "normal has 2 arguments, got 3. It takes mean, std"),
        ("normal(0, mean=1)", "normal was given mean twice"),
        ("normal(sdt=1)", 'normal has no argument sdt; did you mean "std"? It takes mean, std'),
        ("constant", "constant needs its argument value: constant(value=...)"),
        ("constant(a)", "constant: value must be a finite number, got 'a'"),
        ("constant(1e999)", "constant: value must be a finite number, got inf"),
        ("constant(True)", "constant: value must be a finite number, got True"),
        ("normal(std=-1)", "normal: std must be a finite number, 0 or more, got -1"),
        ("uniform(1, -1)", "low <= high, got low=1.0, high=-1.0"),
        ("truncated_normal(0, 0.02)", "truncated_normal: std must be a finite number above 0"),
        ("truncated_normal(0.02, 0.01)", "in sigmas and at least 0.1, got cut=0.01"),
        ("variance_scaling(0)", "variance_scaling: scale must be a finite number above 0, got 0"),
        ("variance_scaling(mode=fan_inn)", "got 'fan_inn'; did you mean \"fan_in\"?"),
        ("variance_scaling(mode=3)", "fan_in, fan_out, fan_avg or fan_geo_avg, got 3"),
        ("he_normal(gain=tahn)", "he_normal: gain='tahn': there is no activation 'tahn'; did"),
        ("he_normal(gain=-1)", "0 or more, or the name of an activation, got -1"),
        ("orthogonal(gain=None)", "a finite number or the name of an activation, got None"),
        ("sparse(1.5)", "sparse: sparsity must be a number from 0 to 1, got 1.5"),
        ("dirac(0)", "dirac: groups must be a whole number, 1 or more, got 0"),
        ("dirac(1.5)", "dirac: groups must be a whole number, 1 or more, got 1.5"),
        ("keep(1)", "keep has 0 arguments, got 1. It takes no arguments"),
        ("listed", "listed: numbers must be finite numbers, one or more, got ()"),
        ("listed(1, a)", "listed: numbers must be finite numbers, one or more, got (1, 'a')"),
        ("listed(numbers=1)", "listed: numbers must be finite numbers, one or more, got 1"),
        ("blocks(zeros)", "blocks: parts must be two schemes or more, got ('zeros',)"),
        ("blocks(zeros, he_norml)", "blocks: there is no scheme 'he_norml'; did you mean"),
        ("blocks(zeros, keep)", "blocks: a tensor is written as a whole, so no part of it can"),
        ("chrono(2)", "chrono: steps must be a finite number above 2, got 2"),
        ("looks_linear(mirror=output)", "got 'output'; did you mean \"outputs\"?"),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    with pytest.raises(FaninError, match=re.escape(message)):
        parse(text)


@pytest.mark.parametrize("given", [None, 3, ["zeros"], find("he_normal")])
def test_only_schemes_are_schemes(given: Any) -> None:
    unchecked = inspect.unwrap(as_scheme)  # the tests' own type checker would be first
    with pytest.raises(FaninError, match='a scheme is a name, such as "he_normal"'):
        unchecked(given)


def test_equal_however_it_was_written() -> None:
    schemes = fanin.schemes
    assert schemes.he_normal() == schemes.he_normal(gain="relu") == schemes.kaiming_normal("relu")
    assert schemes.normal(0, 1) == schemes.normal(0.0, 1.0)
    assert schemes.lecun_normal() != schemes.glorot_normal()
    assert schemes.he_normal() != schemes.he_normal(gain=2)
    assert len({schemes.zeros(), schemes.zeros(), schemes.ones()}) == 2


def test_schemes_do_not_change() -> None:
    with pytest.raises(AttributeError):
        fanin.schemes.normal().std = 1
