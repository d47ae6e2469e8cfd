"""The verb `explain`: whatever it lists, it explains."""

import json
import math

import pytest

from fanin.schemes import names
from fanin.theory import activation_names
from fanin.verbs.explain import Explanation, explain
from theory_cases import CRITICAL_AT_ONE, HALF_STABLE, MOMENTS

PAGES = dict[str, Explanation]()


def page_of(name: str) -> Explanation:
    if name not in PAGES:
        PAGES[name] = explain(name)
    return PAGES[name]


@pytest.mark.parametrize("name", [*names(), *activation_names()])
def test_every_listed_name_has_a_page(name: str) -> None:
    page = page_of(name)
    assert page.text
    assert page.name.startswith(name)
    assert all(math.isfinite(value) for _, value in page.figures)
    assert json.loads(page.to_json())["figures"] == dict(page.figures)


def test_a_scheme_without_its_number_has_words_and_no_figures() -> None:
    assert explain("constant").figures == ()
    assert dict(explain("constant(2)").figures)["mean"] == 2


@pytest.mark.parametrize("name", ["tanh", "gelu", "sigmoid", "relu2"])
def test_an_activation_s_figures_are_those_of_the_survey(name: str) -> None:
    figures = dict(page_of(name).figures)
    mean, second, variance, slope, forward, about_mean, backward = MOMENTS[name]
    expected = {
        f"mean of {name}(z), z ~ N(0, 1)": mean,
        f"second moment of {name}(z), z ~ N(0, 1)": second,
        f"variance of {name}(z), z ~ N(0, 1)": variance,
        "second moment of its slope, z ~ N(0, 1)": slope,
        "gain": forward,
        "backward gain": backward,
        "variance gain": about_mean,
        "chi_1 at the gain": forward**2 * slope,
        "gradient factor of linear, batch norm and this": slope / variance,
    }
    for label, value in expected.items():
        assert figures[label] == pytest.approx(value, abs=6e-6), label


@pytest.mark.parametrize(
    ("name", "slope"), [("gelu", "1.144"), ("silu", "1.173"), ("mish", "1.076")]
)
def test_an_unstable_size_is_warned_of(name: str, slope: str) -> None:
    text = page_of(name).text
    assert "Warning: unit size is unstable at this gain." in text
    assert f"multiplied by {slope} per layer" in text
    assert "use normalisation, residual branches or mirrored weights" in text
    figures = dict(page_of(name).figures)
    q, sigma_w2, sigma_b2 = HALF_STABLE[name]
    assert figures["gain of the half-stable point"] ** 2 == pytest.approx(sigma_w2, abs=1e-8)
    assert figures["standard deviation of biases there"] ** 2 == pytest.approx(sigma_b2, abs=1e-8)
    assert figures["variance that it holds"] == pytest.approx(q, rel=1e-7)


@pytest.mark.parametrize("name", ["relu", "tanh", "selu", "sigmoid"])
def test_a_stable_or_neutral_size_is_not(name: str) -> None:
    assert "Warning" not in page_of(name).text


def test_what_a_page_tells() -> None:
    tanh = page_of("tanh")
    sigma_w, sigma_b, slope = CRITICAL_AT_ONE["tanh"]
    figures = dict(tanh.figures)
    assert figures["critical gain for q = 1"] == pytest.approx(sigma_w, abs=6e-6)
    assert figures["critical standard deviation of biases for q = 1"] == pytest.approx(
        sigma_b, abs=6e-6
    )
    assert figures["slope of the length map there"] == pytest.approx(slope, abs=6e-4)
    assert figures["critical gain without biases, for q near 0"] == pytest.approx(1)
    assert "multiplied by 1.178 per layer, by 3.6e+03 over 50 layers" in tanh.text
    assert tanh.text.endswith("Efficient BackProp, section 4.4.")
    assert "Gradients keep their size." in page_of("relu").text
    assert "Mirrored weights see a straight line" in page_of("relu").text
    assert "No plain start of softplus holds 50 layers." in page_of("softplus").text
