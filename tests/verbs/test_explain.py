"""The verb `explain`: whatever it lists, it explains."""

import pytest

from fanin.recipes import recipe_names
from fanin.schemes import names
from fanin.theory import activation_names
from fanin.verbs.explain import explain


@pytest.mark.parametrize("name", sorted({*names(), *activation_names(), *recipe_names()}))
def test_every_listed_name_has_a_page(name: str) -> None:
    page = explain(name)
    assert page.text
    assert page.name.startswith(name)


def test_a_scheme_without_its_number_has_words_and_no_figures() -> None:
    assert explain("constant").figures == ()
    assert dict(explain("constant(2)").figures)["mean"] == 2


def test_a_recipe_is_explained_with_its_source() -> None:
    page = explain("t-fixup")
    assert (page.name, page.kind) == ("t_fixup", "recipe")
    assert "Huang, Perez, Ba and Volkovs (2020)" in page.text
    assert explain("mup(base_width=64)").name == "mup(base_width=64)"
    assert "1706.02515" in explain("selu").text
    assert explain("keep").figures == ()
