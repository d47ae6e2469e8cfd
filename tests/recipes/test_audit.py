"""A plan against what is held: no false alarm in thousands, and usual mistakes by their name."""

import json
import math
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from fanin.recipes import Audit, Held, Line, Plan, Role, Slot, State, plan
from fanin.schemes import Fans, Layout, as_scheme, names
from recipe_cases import bias, embedding, gain, kernel

SPECIAL = {
    "constant": "constant(0.3)",
    "listed": f"listed({', '.join(str(place / 7) for place in range(96))})",
    "blocks": "blocks(zeros, normal(0, 1), constant(3))",
    "eye": "eye(gain=tanh)",
}


def held(values: NDArray[Any]) -> Held:
    """Moments by NumPy, in float64."""
    wide = values.astype(np.float64)
    return Held(
        float(wide.mean()),
        float(wide.std()),
        float(wide.min()),
        float(wide.max()),
        bool(np.isfinite(wide).all()),
        values.shape,
    )


def compare(made: Plan, values: dict[str, NDArray[Any]]) -> Audit:
    return made.compare({name: held(array) for name, array in values.items()})


def line(scheme: str, values: NDArray[Any], slot: Slot | None = None) -> Line:
    """One parameter planned as a scheme, holding some values."""
    slot = slot or replace(kernel("w", 2, 2), shape=values.shape, fans=Fans(64, 16))
    return compare(plan([slot], "he", {slot.name: scheme}), {slot.name: values}).lines[0]


# ---------------------------------------------------------------------------- no false alarms


@pytest.mark.parametrize("kind", [np.float32, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize(
    "name", [name for name in names() if name not in {"keep", "forget_gate", "chrono"}]
)
def test_what_was_drawn_as_planned_is_as_planned(name: str, kind: Any) -> None:
    slot = kernel("w", 12, 8)
    made = plan([slot], "he", {"w": SPECIAL.get(name, name)})
    for seed in range(30):
        drawn = made.start(seed)["w"].astype(kind)
        (only,) = compare(made, {"w": drawn}).lines
        assert only.state is State.AS_PLANNED, (seed, only)


@pytest.mark.parametrize("scheme", ["forget_gate(1)", "chrono(50)"])
def test_gates_are_as_planned(scheme: str) -> None:
    made = plan([bias("b", 32)], "he", {"b": scheme})
    for seed in range(30):
        assert compare(made, made.start(seed)).ok


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 20, 100])
@pytest.mark.parametrize("law", ["normal", "uniform", "mixed"])
def test_chance_is_told_from_error_whatever_the_size(law: str, size: int) -> None:
    """Numbers of NumPy's own generator: three figures, one false alarm in 600 000."""
    generator = np.random.default_rng(size)
    slot = kernel("w", size, 2) if law == "mixed" else bias("w", size)
    planned = {
        "normal": "normal(0, 1)",
        "uniform": "uniform(-1, 1)",
        "mixed": "sparse(sparsity=0.5, std=1)",
    }[law]
    made = plan([slot], "he", {"w": planned})
    for _ in range(500):
        if law == "normal":
            values = generator.normal(size=slot.shape)
        elif law == "uniform":
            values = generator.uniform(-1, 1, size=slot.shape)
        else:
            values = generator.normal(size=slot.shape)
            for column in range(2):
                values[generator.permutation(size)[: math.ceil(size / 2)], column] = 0
        audit = compare(made, {"w": values})
        assert audit.lines[0].state is not State.OFF, audit


def test_a_padding_row_is_part_of_the_plan() -> None:
    table = embedding("e", 20, 6, zero_row=3)
    made = plan([table], "lecture(std=0.5)")
    for seed in range(50):
        assert compare(made, made.start(seed)).ok
    full = np.random.default_rng(0).normal(0, 0.5, (20, 6))
    assert compare(made, {"e": full}).ok  # 5 percent more spread in 120 numbers: no error


def test_a_tensor_without_elements_holds_what_it_should() -> None:
    slot = replace(kernel("w", 2, 2), shape=(0, 4))
    made = plan([slot], "he", {"w": "normal(0, 1)"})
    nothing = Held(math.nan, math.nan, math.nan, math.nan, True, (0, 4))
    assert made.compare({"w": nothing}).ok


# ------------------------------------------------------------------------------- what is seen


def draw(scheme: str, shape: tuple[int, ...], fans: Fans | None = None) -> NDArray[Any]:
    made = as_scheme(scheme)
    return made.values(shape, seed=1, name="other", layout=Layout.linear(), fans=fans)


@pytest.mark.parametrize(
    ("planned", "happened", "words"),
    [
        ("he_normal", "torch_default", "times the plan's; matches torch's default"),
        ("lecun_normal", "he_normal", "1.41 times the plan's; matches he_normal"),
        ("normal(0, 0.02)", "normal(0, 0.0004)", "the plan's variance taken for a std"),
        ("normal(0, 0.04)", "normal(0, 0.2)", "the plan's std taken for a variance"),
        ("he_normal", "variance_scaling(2, fan_out, normal)", "(2, fan_out, normal)"),
        ("glorot_uniform", "normal(0, 1)", "matches normal(0, 1)"),
        ("he_normal", "he_uniform", "the mean: another law; matches he_uniform"),
        ("he_uniform", "he_normal", "from the mean: another law; matches he_normal"),
        ("he_truncated_normal", "he_normal", "another law; matches he_normal"),
        ("zeros", "normal(0, 0.02)", "and not 0; matches normal(0, 0.02)"),
    ],
)
def test_the_usual_mistakes_are_called_by_name(planned: str, happened: str, words: str) -> None:
    slot = kernel("w", 300, 100)
    found = line(planned, draw(happened, (300, 100)), slot)
    assert found.state is State.OFF
    assert words in found.words


def test_a_number_no_formula_explains_is_given_without_a_name() -> None:
    found = line("he_normal", draw("normal(0, 0.0777)", (300, 100)), kernel("w", 300, 100))
    assert found.words.endswith("times the plan's")
    assert "matches" not in found.words


@pytest.mark.parametrize(
    ("planned", "values", "state", "words"),
    [
        ("he_normal", np.zeros((8, 8)), State.CONSTANT, "every element is 0"),
        ("he_normal", np.full((8, 8), 0.25), State.CONSTANT, "every element is 0.25"),
        ("ones", np.zeros((8, 8)), State.OFF, "from 0 to 0, and not 1"),
        ("he_normal", np.full((8, 8), np.nan), State.NOT_FINITE, "it holds nan or infinity"),
        ("normal(0, 1)", 5 + draw("normal(0, 1)", (8, 8)), State.OFF, "instead of 0"),
        ("eye", 1.05 * np.eye(8), State.OFF, "1.05 times the plan's"),
        ("listed(1, 2)", np.array([2.0, 1.5]), State.OFF, "times the plan's"),
        ("listed(1, 2)", np.array([3.0, 2.0]), State.OFF, "mean 2.5 instead of 1.5"),
        ("normal(3, 1)", np.array([9.0]), State.OFF, "mean 9 instead of 3"),
        ("normal(3, 1)", np.array([7.0]), State.AS_PLANNED, ""),
    ],
)
def test_each_state(planned: str, values: NDArray[Any], state: State, words: str) -> None:
    slot = replace(kernel("w", 2, 2), shape=values.shape, fans=Fans(8, 8))
    if values.ndim == 1:
        slot = replace(slot, layout=None, role=Role.BIAS)
    found = line(planned, values, slot)
    assert (found.state, words in found.words) == (state, True), found


def test_half_as_much_again_is_seen_in_a_small_kernel() -> None:
    """64 numbers: 5 standard errors of the spread are 44 percent."""
    generator = np.random.default_rng(1)
    seen = [
        line("normal(0, 1)", generator.normal(0, 1.6, (8, 8))).state is State.OFF for _ in range(40)
    ]
    assert sum(seen) > 30


def test_all_of_a_model_prints_what_is_wrong_and_counts_the_rest() -> None:
    slots = [
        kernel("a", 64, 64),
        kernel("b", 64, 64),
        kernel("frozen", 4, 4),
        gain("gone", 4),
        gain("g", 4),
    ]
    made = plan(slots, "he", {"frozen": "keep"})
    values = {
        "a": draw("he_normal", (64, 64)),
        "b": draw("torch_default", (64, 64)),
        "frozen": np.full((4, 4), 7.0),
        "g": np.ones(5),
        "new": np.ones(3),
    }
    audit = compare(made, values)
    assert not audit.ok
    assert [found.state for found in audit.lines] == [
        State.AS_PLANNED,
        State.OFF,
        State.KEPT,
        State.MISSING,
        State.OTHER_SHAPE,
    ]
    assert audit.unplanned == ("new",)
    spread = values["b"].std()
    times = f"{spread * math.sqrt(32):.3g} times the plan's; matches torch's default"
    assert str(audit).splitlines() == [
        "1 of 4 parameters hold what the plan says, 1 is kept as it was",
        "name  state        planned       std  held std  what",
        f"b     off          he_normal  0.1768   {spread:.4g}  std {spread:.4g}, {times}",
        "gone  missing      ones            0         -  the model has no such parameter",
        "g     other shape  ones            0         0  its shape is (5,)",
        "not in the plan: new",
    ]
    stored = json.loads(audit.to_json())
    assert (stored["ok"], stored["unplanned"]) == (False, ["new"])
    assert stored["lines"][2]["planned"] == {"mean": None, "std": None}
    assert stored["lines"][3]["held"] is None


def test_a_model_that_is_as_planned_says_so_in_one_line() -> None:
    made = plan([kernel("a", 64, 64), bias("b", 4)], "he")
    audit = compare(made, made.start(0))
    assert audit.ok
    assert str(audit) == "2 of 2 parameters hold what the plan says"


def test_a_tied_weight_is_found_by_its_other_name() -> None:
    made = plan([embedding("wte", 9, 4, aliases=("head",))], "lecture")
    assert compare(made, {"head": made.start(0)["wte"]}).ok
