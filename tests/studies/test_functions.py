"""Functions of one variable against sympy and closed forms, and texts that are none."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.studies.chances import starts_needed
from fanin.studies.functions.descent import Descent, descend
from fanin.studies.functions.expression import Function
from fanin.studies.functions.landscape import survey
from fanin.studies.statistics import Estimate

LEAVES = st.sampled_from(["x", "2", "0.5", "3.25", "pi"])


def branches(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    named = st.builds(
        "{}({})".format, st.sampled_from(["sin", "cos", "tanh", "exp", "atan", "sinh"]), inside
    )
    pairs = st.builds("({} {} {})".format, inside, st.sampled_from("+-*/"), inside)
    return named | pairs | st.builds("({})^{}".format, inside, st.sampled_from(["2", "3"]))


@given(st.recursive(LEAVES, branches, max_leaves=6), st.floats(-2, 2))
def test_values_and_derivatives_are_those_of_sympy(text: str, at: float) -> None:
    try:
        jet = Function.parse(text)(at)
    except FaninError:  # a division by zero everywhere
        return
    x = sympy.Symbol("x")
    expression = sympy.sympify(text.replace("^", "**"), locals={"x": x})
    got = [float(part) for part in (jet.value, jet.slope, jet.bend)]
    if not all(math.isfinite(part) and abs(part) < 1e6 for part in got):
        return
    for order, part in enumerate(got):
        exact = sympy.diff(expression, x, order).evalf(40, subs={x: sympy.Float(at, 40)})
        # Rounding in each of some twenty operations, and what a quotient makes of it.
        assert part == pytest.approx(complex(exact).real, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5x^2 + 3x - 4", lambda x: 5 * x**2 + 3 * x - 4),
        ("-x^2", lambda x: -(x**2)),
        ("2^-x", lambda x: 2**-x),
        ("2x^3^2", lambda x: 2 * x**9),
        ("x(x - 1)(x + 1)", lambda x: x * (x - 1) * (x + 1)),
        ("2sin(x)cos(x)", lambda x: math.sin(2 * x)),
        ("x/2x", lambda x: x / 2 * x),
        ("1e-3x + .5", lambda x: 1e-3 * x + 0.5),
        ("x^x", lambda x: x**x),
        ("abs(x) - relu(-x)", lambda x: max(x, 0)),
    ],
)
def test_texts_are_read_as_mathematics_reads_them(text, meant) -> None:
    assert float(Function.parse(text)(0.7).value) == pytest.approx(meant(0.7))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "__import__('os')", "x.real", "lambda x: x", "exec(x)", "x; x", "x = 3", "y",
        "5x^",
        "(x", "x)", "sin x", "x2", "2 3", "x^^2", "1/0", "1e999", "x" * 2000, "(" * 100 + "x",
        "x if x else x", "x[0]", "9**9**9**9**9 x'", "\u00b2", "x,x", "sinn(x)",
    ],
)  # fmt: skip
def test_what_is_no_function_is_refused_and_never_run(text: str) -> None:
    with pytest.raises(FaninError):
        Function.parse(text)


def test_a_function_of_python_is_differentiated() -> None:
    for function in (lambda x: math.sin(3 * x), lambda x: np.sin(3 * x)):
        jet = Function.of(function)(np.array([0.3, -1.0]))
        x = np.array([0.3, -1.0])
        # Central differences: truncation h^2 f''' / 6 of 1e-10, rounding of eps / h.
        np.testing.assert_allclose(jet.slope, 3 * np.cos(3 * x), atol=1e-8)
        np.testing.assert_allclose(jet.bend, -9 * np.sin(3 * x), atol=1e-5)


def test_the_minima_of_a_function_with_several() -> None:
    """Those of sin 3x + x^2 / 10 are the roots of 3 cos 3x + x / 5 with a positive bend."""
    ground = survey(Function.parse("sin(3x) + x^2/10"), -5, 5)
    assert len(ground.valleys) == 5
    for valley in ground.valleys:
        assert 3 * math.cos(3 * valley.x) + valley.x / 5 == pytest.approx(0, abs=1e-9)
        assert valley.bend == pytest.approx(-9 * math.sin(3 * valley.x) + 0.2)
        assert valley.low < valley.x < valley.high
    assert not ground.convex


@pytest.mark.parametrize(
    ("text", "convex", "minima"),
    [
        ("x^2", True, 1), ("x^4", True, 1), ("x^4 - x^2", False, 2), ("x^3", False, 0),
        ("x^4 - 4x^3 + 6x^2 - 4x", True, 1), ("exp(x)", True, 0), ("abs(x)", True, 1),
        ("-1/x^2", False, 0), ("1/x^2", False, 0), ("x", True, 0), ("3", True, 0),
        ("log(cosh(x))", True, 1), ("1 - exp(-x^2)", False, 1), ("x^4 - 0.001x^2", False, 2),
    ],
)  # fmt: skip
def test_convexity_and_the_number_of_minima(text: str, convex: bool, minima: int) -> None:
    ground = survey(Function.parse(text), -3.0, 3.1)
    assert (ground.convex, len(ground.valleys)) == (convex, minima)


def go(text, **changes) -> Descent:
    settings = {
        "start": None, "rate": 0.01, "steps": 100, "starts": 400, "scheme": "uniform(-5, 5)",
        "seed": 0, "progress": [].append,
    }  # fmt: skip
    return descend(Function.parse(text), **{**settings, **changes})


def test_the_quadratic_of_the_lecture() -> None:
    """x_t + 0.3 = 0.9^t (x_0 + 0.3), so the end is known to the last digit."""
    result = go("5x^2 + 3x - 4", start=4)
    assert result.walk.end == pytest.approx(-0.3 + 4.3 * 0.9**100, abs=1e-14)
    np.testing.assert_allclose(result.ends, -0.3 + (result.starts + 0.3) * 0.9**100, atol=1e-13)
    (minimum,) = result.minima
    assert (minimum.x, minimum.value) == (pytest.approx(-0.3), pytest.approx(-4.45))
    assert minimum.largest_rate == pytest.approx(0.2)
    assert result.chance.value == 1
    assert result.needed.value == 1
    first, *_, last = result.document().verdict
    assert first.startswith("Restarting is pointless: f is convex (f'' = 10 everywhere)")
    assert "x = -0.3 with f = -4.45" in first
    assert "a rate above 0.2 diverges" in last


def test_too_large_a_rate_loses_every_run() -> None:
    result = go("5x^2 + 3x - 4", rate=0.21, steps=2000)
    assert result.lost == 400
    assert "every run is lost" in result.document().verdict[0]
    assert go("5x^2 + 3x - 4", rate=0.19, steps=2000).minima[0].arrived == 400


def test_a_double_well_is_parted_at_its_maximum() -> None:
    """With small steps a start stays on its side of 0, and half of the starts are on each."""
    result = go("x^4 - 3x^2 + 0.1x", rate=0.001, steps=3000, scheme="uniform(-2, 2)")
    low, high = result.minima
    assert low.x < 0 < high.x
    np.testing.assert_array_equal(result.ends < 0, result.starts < result.landscape.valleys[0].high)
    assert result.chance.low < 0.5 < result.chance.high
    assert [basin.minimum for basin in result.basins] == [0, 1]
    assert result.document().verdict[0].startswith("Restarting helps: ")


def test_equally_low_minima_are_one_answer() -> None:
    result = go("cos(x)", rate=0.5)
    assert result.as_low == 2
    assert result.chance.value == 1
    assert "equally low" in result.document().verdict[0]


def test_a_stuck_run_does_not_get_out_by_waiting() -> None:
    result = go("sin(3x) + x^2/10", start=4, rate=0.05)
    assert result.walk.minimum == result.walk.later_minimum == 3


def test_no_minimum_at_all() -> None:
    assert "no minimum" in go("exp(-x)").document().verdict[0]
    assert "-inf" not in go("-x^2", steps=3000).to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 0}, {"rate": math.nan}, {"start": math.inf}, {"steps": 0}, {"starts": 0},
        {"scheme": "he_normal"}, {"scheme": "nonsense(1)"}, {"seed": -1},
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(changes) -> None:
    with pytest.raises(FaninError):
        go("x^2", **changes)


def test_nowhere_defined_is_told() -> None:
    with pytest.raises(FaninError, match="no finite value"):
        go("log(x)", scheme="uniform(-3, -1)")


@given(st.floats(0.001, 0.98))
def test_so_many_starts_are_needed_and_not_one_less(p: float) -> None:
    n = starts_needed(Estimate(p, p, p)).value
    assert 1 - (1 - p) ** n >= 0.99 - 1e-9
    assert n == 1 or 1 - (1 - p) ** (n - 1) < 0.99 + 1e-9


def test_without_a_chance_there_is_no_number() -> None:
    assert starts_needed(Estimate(0.0, 0.0, 0.1)) == Estimate(math.inf, 44.0, math.inf)
    assert math.isnan(starts_needed(Estimate(math.nan, 0.0, 1.0)).value)
