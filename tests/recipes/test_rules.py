"""Rules, recipes from elsewhere, and what a plan reports of them."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fanin import FaninError
from fanin.recipes import Recipe, Role, Rule, Slot, plan, recipe, recipe_names
from fanin.schemes import Fans, normal
from fanin.trace import Branch, Place, Surroundings
from fanin.verbs.explain import explain
from recipe_cases import bias, embedding, gain, kernel, residual, schemes, transformer

WEIGHT = kernel("a.weight", 8, 4, places=frozenset({Place.FIRST, Place.GATE}))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, True),
        ({"role": Role.KERNEL}, True),
        ({"role": (Role.BIAS, Role.KERNEL)}, True),
        ({"role": Role.HEAD}, False),
        ({"place": Place.GATE}, True),
        ({"place": (Place.LAST, Place.FIRST)}, True),
        ({"place": Place.LAST}, False),
        ({"name": "a.*"}, True),
        ({"name": "tied.*"}, True),
        ({"name": "*.bias"}, False),
        ({"module": "Lin*"}, True),
        ({"module": "Conv*"}, False),
        ({"role": Role.KERNEL, "place": Place.LAST}, False),
    ],
)
def test_a_rule_matches_what_it_asks_for(rule: dict[str, object], expected: bool) -> None:
    slot = replace(WEIGHT, aliases=("tied.weight",))
    assert Rule("zeros", "", **rule).matches(slot) is expected


def test_nothing_stands_anywhere_without_a_trace() -> None:
    assert not Rule("zeros", "", place=Place.FIRST).matches(kernel("w", 8, 4))


def test_the_first_rule_counts_and_formulas_may_give_reasons() -> None:
    mine = Recipe(
        "mine",
        (
            Rule(lambda slot, _: normal(0, 1 / len(slot.name)), "by its name", name="long*"),
            Rule(lambda *_: (normal(0, 9), "nine"), "unheard", name="nine"),
            Rule("ones", "the rest", role=Role.KERNEL),
        ),
        "made up",
    )
    slots = [kernel(name, 8, 4) for name in ("long name", "nine", "other")]
    made = plan([*slots, bias("b", 8), gain("g", 8)], mine)
    assert [(str(row.scheme), row.reason) for row in made.rows] == [
        (f"normal(0, {1 / 9!r})", "by its name"),
        ("normal(0, 9)", "nine"),
        ("ones", "the rest"),
        ("zeros", "bias: starts at zero"),
        ("ones", "norm gain: starts at one"),
    ]
    assert made.recipe == "mine"


def test_a_formula_sees_the_network() -> None:
    mine = Recipe(
        "mine",
        (Rule(lambda _, net: normal(0, net.slot("a").fans.fan_in), "as a", role=Role.KERNEL),),
        "made up",
    )
    assert schemes(plan([kernel("a", 8, 3), kernel("b", 8, 5)], mine))["b"] == "normal(0, 3)"


def test_rules_of_the_person_come_before_the_recipe() -> None:
    made = plan(residual(2, 2), "fixup", {"b.0.1": "he_normal"})
    assert schemes(made)["b.0.1"] == "he_normal"
    assert made.row("b.0.1").reason == 'rule "b.0.1"'
    assert schemes(made)["b.1.1"] == "zeros"


def test_rules_that_fight_are_told_and_rules_that_agree_are_not() -> None:
    slots = [kernel(f"h.{i}.w", 4, 4) for i in range(4)]
    made = plan(slots, "he", {"h.0.*": "zeros", "h.*": "ones"})
    assert made.notes == ('rules "h.0.*" and "h.*" both want h.0.w: the first counts',)
    assert plan(slots, "he", {"h.0.*": "ones", "h.*": "ones"}).notes == ()
    wide = plan(slots, "he", {"h.[0-2].*": "zeros", "h.*": "ones"})
    assert wide.notes == (
        'rules "h.[0-2].*" and "h.*" both want h.0.w, h.1.w and 1 more: the first counts',
    )


def test_what_nobody_speaks_for_is_an_error_or_is_kept_and_named() -> None:
    unknown = Slot("gamma", (8,), Role.OTHER, None, None, "Net")
    slots = [kernel("w", 8, 4), unknown]
    with pytest.raises(FaninError, match="1 parameter of unknown purpose"):
        plan(slots, "he")
    made = plan(slots, "he", keep_unknown=True)
    assert schemes(made)["gamma"] == "keep"
    assert made.notes == ("of unknown purpose, so what the model holds is kept: gamma",)
    # A recipe that speaks of heads only says nothing of other kernels.
    heads = Recipe("heads", (Rule("zeros", "head", role=Role.HEAD),), "made up")
    with pytest.raises(FaninError, match=r"(?s)w  \(8, 4\)  in Linear.*gamma"):
        plan(slots, heads)


def test_kept_parts_say_so_and_are_not_called_initialised() -> None:
    frozen = replace(kernel("backbone.w", 8, 4), frozen=True)
    row = plan([frozen], "he", {"backbone.*": "keep"}).rows[0]
    assert row.reason == 'rule "backbone.*"'
    assert row.mean != row.mean
    row = plan([frozen], "he").rows[0]
    assert row.reason == "kernel of Linear; frozen, initialised all the same"


def test_a_tied_weight_is_written_where_only_one_use_wants_numbers() -> None:
    other = Slot("t.w", (8, 4), Role.OTHER, None, None, "Odd")
    tied = replace(other, aliases=("fc.w",), uses=(kernel("fc.w", 8, 4),))
    row = plan([tied], "he", keep_unknown=True).rows[0]
    assert str(row.scheme) == "he_normal"
    assert row.fans == Fans(4, 8)


def test_a_parameter_that_the_pass_did_not_use_is_marked() -> None:
    idle = replace(kernel("w", 8, 4), used=False)
    assert plan([idle], "he").rows[0].reason == "kernel of Linear; not used in the traced pass"


def test_positions_tokens_and_scales_need_no_rule() -> None:
    token = frozenset({Place.TOKEN})
    slots = [
        Slot("pos", (1, 5, 8), Role.POSITIONAL, None, None, "Net"),
        Slot("cls", (8,), Role.OTHER, None, None, "Net", around=Surroundings(places=token)),
        Slot("ls", (8,), Role.SCALE, None, None, "Net"),
        kernel("w", 8, 4),
    ]
    assert list(schemes(plan(slots, "he")).values()) == [
        "normal(0, 0.02)",
        "normal(0, 0.02)",
        "ones",
        "he_normal",
    ]


def test_streams_are_counted_branch_by_branch() -> None:
    from fanin.recipes import Network

    network = Network(tuple(transformer(5, 8)))
    (stream,) = network.streams
    assert (stream.branches, stream.attentions, stream.layers) == (10, 5, 5)
    assert not stream.crossed
    (plain,) = Network(tuple(residual(7, 2))).streams
    assert (plain.branches, plain.layers) == (7, 7)
    with pytest.raises(FaninError, match=r"there is no parameter 'h\.0\.fc3'; did you mean"):
        network.slot("h.0.fc3")


# ------------------------------------------------------------------------- recipes by name


def test_every_recipe_is_there_by_name_and_reads_back() -> None:
    for name in recipe_names():
        made = recipe(name)
        assert recipe(str(made)).name == str(made)
        assert made.source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gtp2", "no recipe or scheme 'gtp2'; did you mean \"gpt2\"? The recipes are auto, he"),
        ("he_norml", 'did you mean "he_normal"'),
        ("gpt2(sdt=1)", 'gpt2 has no argument sdt; did you mean "std"? It takes std'),
        ("gpt2(0.02, 3)", "gpt2 has 1 arguments, got 2. It takes std"),
        ("gpt2(0.02, std=1)", "gpt2 was given std twice"),
        ("gpt2(std=0)", "gpt2: std must be a number above 0, got 0"),
        ("gpt2(std=a)", "gpt2: std must be a number above 0, got 'a'"),
        ("mup(True)", "mup: base_width must be a number above 0, got True"),
        ("he(1)", "he has 0 arguments, got 1. It takes no arguments"),
        ("he_normal(gain=-1)", "he_normal"),
        ("gpt2(", "cannot read"),
        ("no.toml", "cannot read no.toml"),
    ],
)
def test_mistakes_in_a_name_are_explained(text: str, message: str) -> None:
    with pytest.raises(FaninError) as caught:
        recipe(text)
    assert message in str(caught.value)


FILE = """
format = "fanin-recipe-1"
name = "house"
source = "our handbook"
base = "gpt2"

[[rule]]
scheme = "zeros"
reason = "our heads start at zero"
place = "last"
essential = true

[[rule]]
scheme = "normal(0, 1)"
role = ["embedding", "positional"]
"""


def test_a_recipe_from_a_file_builds_on_another(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text(FILE)
    made = plan(transformer(2, 8), str(path))
    found = schemes(made)
    assert (found["head"], found["wte"]) == ("zeros", "normal(0, 1)")
    assert found["h.0.fc2"] == "normal(0, 0.01)"
    assert made.recipe == "house"
    read = recipe(str(path))
    assert (read.source, read.needs_trace) == ("our handbook", True)
    assert read.rules[1].reason == "rule 2 of the recipe"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"fanin-recipe-1"', '"fanin-plan-1"', "this is no recipe: it must say format"),
        ("base =", "bass =", "the recipe has an unknown key 'bass'; did you mean \"base\"?"),
        ('base = "gpt2"', 'base = "gpt3"', "no recipe or scheme 'gpt3'"),
        ('"last"', '"lost"', "rule 1: place knows no 'lost'; did you mean \"last\"?"),
        ('"zeros"', '"zeroes"', "rule 1: there is no scheme 'zeroes'"),
        ('scheme = "zeros"', "", "rule 1 needs scheme, a text"),
        ("essential = true", "essential = 1", "rule 1: essential must be true or false, got 1"),
        ('name = "house"', "name = 3", "the recipe needs name, a text, got 3"),
        ("[[rule]]", "[[rule]", "is no TOML"),
        ("[[rule]]", "[rule]", "is no TOML"),
    ],
)
def test_mistakes_in_a_file_are_explained(
    tmp_path: Path, before: str, after: str, message: str
) -> None:
    path = tmp_path / "house.toml"
    path.write_text(FILE.replace(before, after))
    with pytest.raises(FaninError) as caught:
        recipe(str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_recipe_without_rules_is_none(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text('format = "fanin-recipe-1"\n')
    with pytest.raises(FaninError, match="a recipe has rules, each headed"):
        recipe(str(path))
    path.write_text('format = "fanin-recipe-1"\nrule = 3\n')
    with pytest.raises(FaninError, match="rules of a recipe are tables"):
        recipe(str(path))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that offers recipes."""
    (tmp_path / "theirs.py").write_text(
        "from fanin.recipes import Recipe, Rule\n"
        "fixed = Recipe('theirs', (Rule('zeros', 'all zero'),), 'their paper')\n"
        "def sized(std: float = 0.5):\n"
        "    return Recipe(f'sized(std={std})', (Rule(f'normal(0, {std})', 'sized'),), 'theirs')\n"
        "def wrong():\n"
        "    return 3\n"
    )
    about = tmp_path / "theirs-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[fanin.recipes]\ntheirs = theirs:fixed\nsized = theirs:sized\nwrong = theirs:wrong\n"
        "gone = theirs:missing\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "theirs", raising=False)


@pytest.mark.usefixtures("package")
def test_recipes_of_installed_packages_are_found_by_name() -> None:
    assert {"theirs", "sized", "wrong", "gone"} <= set(recipe_names())
    assert schemes(plan([kernel("w", 4, 4)], "theirs")) == {"w": "zeros"}
    assert schemes(plan([kernel("w", 4, 4)], "sized(std=2)")) == {"w": "normal(0, 2)"}
    assert explain("theirs").text == "their paper"
    with pytest.raises(FaninError, match=r"wrong of theirs must be a fanin\.recipes\.Recipe or a"):
        recipe("wrong")
    with pytest.raises(FaninError, match="recipe gone of theirs cannot be loaded"):
        recipe("gone")
    with pytest.raises(FaninError, match='no argument sdt; did you mean "std"'):
        recipe("sized(sdt=1)")


def test_a_recipe_is_a_recipe_or_a_name() -> None:
    import inspect

    from fanin.recipes import as_recipe

    unchecked = inspect.unwrap(as_recipe)  # the tests' own type checker would be first
    with pytest.raises(FaninError, match='a recipe is a name, such as "auto"'):
        unchecked(3)


def test_branches_beside_each_other_share_a_stream() -> None:
    """Attention and feed-forward in parallel: one sum of two branches per layer is two branches."""
    here = [Branch(0, index, 2, 2) for index in range(2)]
    writer = frozenset({Place.WRITER})
    slots = [
        kernel("attn.out", 8, 8, places=writer | {Place.ATTENTION_OUTPUT}, branch=here[0]),
        kernel("mlp.out", 8, 32, places=writer, branch=here[1]),
        embedding("wte", 10, 8, around=Surroundings()),
    ]
    found = plan(slots, "gpt2(std=0.2)")
    assert (
        found.row("attn.out").std
        == found.row("mlp.out").std
        == pytest.approx(0.2 / 2**0.5, rel=1e-5)
    )
