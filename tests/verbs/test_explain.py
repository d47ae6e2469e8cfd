"""The verb `explain`: whatever it lists, it explains."""

import pytest

from fanin.schemes import names
from fanin.theory import activation_names
from fanin.verbs.explain import explain


@pytest.mark.parametrize("name", [*names(), *activation_names()])
def test_every_listed_name_has_a_page(name: str) -> None:
    page = explain(name)
    assert page.text
    assert page.name.startswith(name)


def test_a_scheme_without_its_number_has_words_and_no_figures() -> None:
    assert explain("constant").figures == ()
    assert dict(explain("constant(2)").figures)["mean"] == 2
