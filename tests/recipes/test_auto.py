"""The recipe `auto`: sizes by hand, and a signal that keeps its size in networks that are run."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fanin.recipes import Role, Slot, plan
from fanin.schemes import Fans, Layout
from fanin.trace import Branch, Place, Surroundings
from recipe_cases import WRITER, bias, embedding, gain, kernel, residual, schemes, transformer


@pytest.mark.parametrize(
    ("fed_by", "gain_"),
    [
        ("relu", math.sqrt(2)),
        ("leaky_relu(0.2)", math.sqrt(2 / 1.04)),
        ("tanh", 1 / math.sqrt(0.394294)),
        ("gated silu", 1 / math.sqrt(0.355776)),
        ("norm", 1),
        ("residual stream", 1),
        ("linear", 1),
        ("their_own_activation", 1),
        ("", 1),
    ],
)
def test_a_kernel_has_the_gain_of_what_feeds_it(fed_by: str, gain_: float) -> None:
    row = plan([kernel("w", 32, 64, fed_by=fed_by)], "auto").rows[0]
    assert row.std == pytest.approx(gain_ / 8, rel=1e-5)
    # Wide and narrow alike: the rows of a widening kernel are as long as those of a narrowing one.
    wide = plan([kernel("w", 256, 64, fed_by=fed_by)], "auto").rows[0].values(0)
    assert (wide**2).sum(axis=1).mean() == pytest.approx(gain_**2, rel=1e-4)


def test_the_first_kernel_makes_a_unit_signal_of_the_input() -> None:
    row = plan([kernel("w", 32, 64, fed_by="input", input_rms=0.4003)], "auto").rows[0]
    assert str(row.scheme) == "scaled_orthogonal(gain=2.5)"
    zero = plan([kernel("w", 32, 64, fed_by="input", input_rms=0.0)], "auto").rows[0]
    assert str(zero.scheme) == "scaled_orthogonal"


def test_writers_share_the_growth_of_the_stream() -> None:
    made = plan(residual(16, 2), "auto")
    assert made.row("b.3.0").std == pytest.approx(math.sqrt(2 / 16))
    assert made.row("b.3.1").std == pytest.approx(math.sqrt(2 / 16) / 4, rel=1e-5)


def test_a_factor_on_the_branch_takes_the_share_and_the_writer_none() -> None:
    places = frozenset({Place.SCALE})
    scales = [
        Slot(
            f"alpha.{index}",
            (1,),
            Role.SCALE,
            None,
            None,
            "Block",
            around=Surroundings(places=places, branch=Branch(0, index, 16, 2)),
        )
        for index in range(16)
    ]
    made = plan([*scales, *residual(16, 2)], "auto")
    assert made.row("alpha.5").mean == pytest.approx(1 / 4)
    assert made.row("b.3.1").std == pytest.approx(math.sqrt(2 / 16))


def test_a_norm_that_ends_a_branch_takes_the_share() -> None:
    last = replace(gain("bn", 8), around=Surroundings(places=WRITER, branch=Branch(0, 0, 4, 2)))
    assert plan([last], "auto").rows[0].mean == pytest.approx(0.5)
    shifted = plan([replace(last, one_plus=True)], "auto").rows[0]
    assert shifted.mean == pytest.approx(-0.5)
    inner = replace(last, around=Surroundings(branch=Branch(0, 0, 4, 2)))
    assert plan([inner], "auto").rows[0].mean == 1


def test_head_embedding_and_a_tie_of_both() -> None:
    made = plan(transformer(2, 64), "auto")
    assert made.row("wte").std == 1
    assert made.row("head").std == pytest.approx(1 / 8)
    numbers = {"places": frozenset({Place.LAST}), "fed_by": "norm", "regression": True}
    small = plan([kernel("head", 100, 64, role=Role.HEAD, **numbers)], "auto").rows[0]
    assert small.std == pytest.approx(0.1 / 8)
    head = kernel("head", 100, 64, places=frozenset({Place.LAST}), role=Role.HEAD)
    table = embedding("wte", 100, 64, uses=(head,), aliases=("head",), around=Surroundings())
    tied = plan([table], "auto").rows[0]
    # Logits of a normalised signal have unit size, and the embedding is the smaller for it.
    assert tied.std == pytest.approx(1 / 8)
    turned = replace(head, name="wte", uses=(replace(table, uses=(), around=None),))
    assert plan([turned], "auto").rows[0].std == pytest.approx(1 / 8)


def lstm() -> list[Slot]:
    stacked = Layout.stacked(4)
    last = frozenset({Place.LAST})
    known = {"layout": stacked, "module": "LSTM"}
    return [
        kernel("weight_ih_l0", 32, 4, fed_by="input", places=last, **known),
        kernel("weight_hh_l0", 32, 8, fed_by="state", places=last, recurrent=True, **known),
        replace(bias("bias_ih_l0", 32), module="LSTM"),
        replace(bias("bias_hh_l0", 32), module="LSTM"),
    ]


def test_an_lstm_has_open_forget_gates_and_an_orthogonal_state() -> None:
    found = schemes(plan(lstm(), "auto"))
    assert found == {
        "weight_ih_l0": "scaled_orthogonal",
        "weight_hh_l0": "orthogonal",
        "bias_ih_l0": "forget_gate(1)",
        "bias_hh_l0": "zeros",
    }


def test_positions_and_tokens_are_small_whatever_their_role() -> None:
    token = Slot("cls", (1, 1, 8), Role.EMBEDDING, None, None, "ViT")
    token = replace(token, around=Surroundings(places=frozenset({Place.TOKEN})))
    table = embedding("wpe", 16, 8, role=Role.POSITIONAL)
    assert set(schemes(plan([token, table], "auto")).values()) == {"normal(0, 0.02)"}


def run(slots: list[Slot], signal: np.ndarray) -> list[float]:
    """Push a signal through residual branches with relus, and note its root mean square."""
    drawn = plan(slots, "auto").start(0)
    signal = signal @ drawn["stem"].T
    sizes = []
    for index in range(sum(name.endswith(".1") for name in drawn)):
        inside = np.maximum(signal, 0) @ drawn[f"b.{index}.0"].T
        signal = signal + np.maximum(inside, 0) @ drawn[f"b.{index}.1"].T
        sizes.append(float(np.sqrt((signal**2).mean())))
    return sizes


@pytest.mark.parametrize("branches", [4, 64])
def test_the_stream_grows_by_one_factor_whatever_the_depth(branches: int) -> None:
    signal = np.random.default_rng(0).normal(size=(500, 8))
    slots = residual(branches, 2, width=128)
    slots[0] = replace(slots[0], fans=Fans(8, 128))
    sizes = run(slots, signal)
    # Second moments add up: (1 + 1 / L)**L, between 2.4 and e; half of it in logarithm is the rms.
    assert sizes[-1] == pytest.approx(math.sqrt((1 + 1 / branches) ** branches), rel=0.15)
