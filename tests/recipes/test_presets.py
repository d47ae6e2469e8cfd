"""The presets, against their formulas worked out by hand for small networks."""

import math
from dataclasses import replace

import pytest

from fanin import FaninError
from fanin.recipes import Role, Slot, plan
from fanin.schemes import Fans, Layout
from fanin.trace import Branch, Place, Surroundings
from recipe_cases import (
    bias,
    embedding,
    gain,
    kernel,
    layer,
    residual,
    schemes,
    stds,
    transformer,
)


def test_gpt2_scales_what_writes_to_the_stream_and_nothing_else() -> None:
    layers, width = 6, 32
    slots = [*transformer(layers, width), bias("h.0.fc1.bias", 128), gain("ln", width)]
    made = plan(slots, "gpt2")
    # 12 residual sums for 6 layers: 0.02 / sqrt(12), of the standard deviation.
    written = 0.02 / math.sqrt(12)
    for name, std in stds(made).items():
        if name.endswith((".out", ".fc2")):
            assert std == pytest.approx(written, rel=1e-5), name
        elif name in {"h.0.fc1.bias", "ln"}:
            assert std == 0
        else:
            assert std == 0.02, name
    assert made.row("ln").mean == 1
    assert made.row("h.3.fc2").reason == "residual writer: 0.02 / sqrt(12 branches)"
    assert made.notes == ()


def test_gpt2_on_a_network_without_a_residual_stream_says_that_it_is_not_gpt2() -> None:
    made = plan([kernel("fc", 8, 8, fed_by="relu")], "gpt2")
    assert len(made.notes) == 1
    assert made.notes[0].endswith("nothing matches its rule for residual writers")


def test_a_recipe_that_asks_for_places_wants_a_traced_model() -> None:
    with pytest.raises(FaninError, match=r"gpt2\(std=0.02\) asks where .* pass a batch"):
        plan([kernel("fc", 8, 8)], "gpt2")


def test_llama_leaves_the_gate_and_the_up_projection_alone() -> None:
    here = Branch(0, 1, 6, 2, "before")
    inside = {"branch": here, "fed_by": "norm"}
    gate = frozenset({Place.BRANCH, Place.GATE})
    gated = frozenset({Place.BRANCH, Place.GATED})
    slots = [
        embedding("tok", 100, 32, around=Surroundings(fed_by="input")),
        kernel("w1", 64, 32, places=gate, role=Role.GATE, **inside),
        kernel("w3", 64, 32, places=gated, **inside),
        kernel("w2", 32, 64, places=frozenset({Place.WRITER}), branch=here, fed_by="gated silu"),
        kernel("out", 100, 32, places=frozenset({Place.LAST}), fed_by="norm", role=Role.HEAD),
    ]
    made = stds(plan(slots, "llama"))
    assert made == {
        "tok": 1,
        "w1": 0.02,
        "w3": 0.02,
        "w2": pytest.approx(0.02 / math.sqrt(6), rel=1e-5),
        "out": pytest.approx(1 / math.sqrt(32), rel=1e-5),
    }


def test_bert_has_what_tensorflow_makes_of_a_cut_normal() -> None:
    # A normal cut at 2 sigma keeps 0.87962566 of its spread (JAX and Keras divide by it).
    spread = [row.std for row in plan(transformer(2, 16), "bert").rows]
    assert spread == pytest.approx([0.02 * 0.87962566103423978] * len(spread), rel=1e-5)


def test_vit_cuts_positions_and_tokens_too() -> None:
    position = Slot("pos", (1, 5, 16), Role.POSITIONAL, None, None, "ViT")
    token = Slot("cls", (1, 1, 16), Role.EMBEDDING, None, None, "ViT")
    token = replace(token, around=Surroundings(places=frozenset({Place.TOKEN})))
    made = plan([position, token, *transformer(2, 16)], "vit")
    assert set(schemes(made).values()) == {"truncated_normal(std=0.02, cut=2)"}


@pytest.mark.parametrize(("layers", "value"), [(18, 0.1), (24, 1e-5), (36, 1e-6)])
def test_vit_starts_layer_scales_by_depth(layers: int, value: float) -> None:
    around = Surroundings(places=frozenset({Place.SCALE}), branch=Branch(0, 0, 2 * layers, 2))
    scale = Slot("gamma", (16,), Role.SCALE, None, None, "LayerScale", around=around)
    made = plan([scale, *transformer(layers, 16)], "vit")
    assert made.row("gamma").mean == value


@pytest.mark.parametrize("fused", [True, False])
def test_deepnet_of_an_encoder_alone(fused: bool) -> None:
    layers, width = 4, 32
    made = plan(transformer(layers, width, fused=fused, norm="after"), "deepnet")
    beta = (8 * layers) ** -0.25
    glorot = math.sqrt(2 / (2 * width))
    assert made.row("h.1.attn.out").std == pytest.approx(beta * glorot, rel=1e-5)
    assert made.row("h.2.fc1").std == pytest.approx(beta * math.sqrt(2 / (5 * width)), rel=1e-5)
    assert made.row("h.3.fc2").std == pytest.approx(beta * math.sqrt(2 / (5 * width)), rel=1e-5)
    assert made.row("wte").std == pytest.approx(width**-0.5, rel=1e-5)
    assert made.row("head").std == pytest.approx(math.sqrt(2 / (100 + width)))
    if fused:
        drawn = made.row("h.0.attn.qkv").values(0).reshape(3, width, width)
        spread = drawn.std(axis=(1, 2))
        # The std of n normals is off by 1 / sqrt(2 n), five times that at most.
        assert spread == pytest.approx(
            [glorot, glorot, beta * glorot], rel=5 / math.sqrt(2 * width**2)
        )
    else:
        assert made.row("h.0.attn.q").std == made.row("h.0.attn.k").std == pytest.approx(glorot)
        assert made.row("h.0.attn.v").std == pytest.approx(beta * glorot, rel=1e-5)
    # alpha = (2 N)**1/4
    assert len(made.notes) == 1
    assert f"alpha = {8**0.25:.4g}" in made.notes[0]


def test_deepnet_of_an_encoder_and_a_decoder() -> None:
    n, m, width = 6, 4, 16
    encoder = [s for i in range(n) for s in layer(f"e.{i}", width, 2 * i, 2 * n, norm="after")]
    decoder = [
        slot
        for i in range(m)
        for slot in layer(f"d.{i}", width, 3 * i, 3 * m, stream=1, crossed=True, norm="after")
    ]
    made = plan([*encoder, *decoder], "deepnet")
    glorot = math.sqrt(2 / (2 * width))
    below = 0.87 * (n**4 * m) ** (-1 / 16)
    assert made.row("e.0.attn.out").std == pytest.approx(below * glorot, rel=1e-5)
    assert made.row("d.0.cross.out").std == pytest.approx((12 * m) ** -0.25 * glorot, rel=1e-5)
    assert any(f"alpha = {0.81 * (n**4 * m) ** (1 / 16):.4g}" in note for note in made.notes)
    assert any(f"alpha = {(3 * m) ** 0.25:.4g}" in note for note in made.notes)


def test_two_towers_are_two_encoders() -> None:
    towers = [*layer("a", 16, 0, 2), *layer("b", 16, 0, 2, stream=1)]
    made = plan(towers, "deepnet")
    assert made.row("a.attn.out").std == pytest.approx(8**-0.25 * math.sqrt(2 / 32), rel=1e-5)
    assert made.row("b.attn.out").std == made.row("a.attn.out").std
    assert any("deepnet is for norms after the sum" in note for note in made.notes)


def test_grouped_queries_cannot_be_cut_and_a_plan_says_so() -> None:
    here = Branch(0, 0, 2, 2)
    looks = frozenset({Place.QUERY, Place.KEY, Place.VALUE, Place.BRANCH})
    slots = [kernel("qkv", 16 + 2 * 4, 16, places=looks, branch=here), *layer("b", 16, 0, 2)]
    row = plan(slots, "deepnet").row("qkv")
    assert str(row.scheme) == f"glorot_normal(gain={8**-0.25:.6g})"
    assert row.reason.startswith("query, key and value in unequal parts")


def test_t_fixup() -> None:
    n, m, width = 6, 4, 16
    encoder = [s for i in range(n) for s in layer(f"e.{i}", width, 2 * i, 2 * n, fused=False)]
    decoder = [
        slot
        for i in range(m)
        for slot in layer(f"d.{i}", width, 3 * i, 3 * m, stream=1, crossed=True, fused=False)
    ]
    table = embedding("table", 50, width, around=Surroundings(fed_by="input"))
    made = plan([table, *encoder, *decoder, gain("ln", 16)], "t-fixup")
    glorot = math.sqrt(2 / (2 * width))
    encoded, decoded = 0.67 * n**-0.25, (9 * m) ** -0.25
    assert made.row("e.2.attn.v").std == pytest.approx(encoded * glorot, rel=1e-5)
    assert made.row("e.2.attn.out").std == pytest.approx(encoded * glorot, rel=1e-5)
    assert made.row("e.2.attn.q").std == pytest.approx(glorot)
    assert made.row("d.2.cross.v").std == pytest.approx(decoded * glorot, rel=1e-5)
    assert made.row("d.2.fc1").std == pytest.approx(decoded * math.sqrt(2 / (5 * width)), rel=1e-5)
    # d**-1/2 is the standard deviation, not the variance.
    assert made.row("table").std == pytest.approx(width**-0.5 * decoded, rel=1e-5)
    assert made.notes == (
        "t_fixup is for transformers without norms, and this one has 1 norm gains",
    )


@pytest.mark.parametrize(("kernels", "power"), [(2, 1 / 2), (3, 1 / 4)])
def test_fixup(kernels: int, power: float) -> None:
    branches = 9
    made = stds(plan(residual(branches, kernels), "fixup"))
    he = math.sqrt(2 / 16)
    assert made["stem"] == pytest.approx(math.sqrt(2 / 8))
    assert made["head"] == 0
    for index in range(branches):
        assert made[f"b.{index}.{kernels - 1}"] == 0
        for place in range(kernels - 1):
            assert made[f"b.{index}.{place}"] == pytest.approx(he * branches**-power, rel=1e-5)


def test_fixup_on_a_network_with_norms_says_so() -> None:
    made = plan([*residual(2, 2), gain("bn", 16)], "fixup")
    assert made.notes == ("fixup is for networks without norms, and this one has 1 norm gains",)


def test_rezero_needs_factors_on_the_branches() -> None:
    around = Surroundings(places=frozenset({Place.SCALE}), branch=Branch(0, 0, 3, 2))
    alpha = Slot("alpha", (1,), Role.SCALE, None, None, "Block", around=around)
    made = plan([alpha, *residual(3, 2)], "rezero")
    assert (made.row("alpha").mean, made.row("alpha").std) == (0, 0)
    assert made.row("b.1.1").std == pytest.approx(math.sqrt(2 / 16))
    assert made.notes == ()
    without = plan(residual(3, 2), "rezero")
    assert "nothing matches its rule for branch scales" in without.notes[0]


@pytest.mark.parametrize("width", [64, 256, 1024])
def test_mup_scales_the_head_by_width_twice(width: int) -> None:
    first, last = frozenset({Place.FIRST}), frozenset({Place.LAST})
    slots = [
        kernel("in", width, 28, fed_by="input", places=first),
        kernel("mid", width, width, fed_by="relu"),
        kernel("out", 10, width, fed_by="relu", places=last, role=Role.HEAD),
        embedding("table", 50, width, around=Surroundings()),
    ]
    made = plan(slots, "mup(base_width=64)")
    assert made.row("in").std == pytest.approx(28**-0.5)
    assert made.row("mid").std == pytest.approx(width**-0.5)
    # Variance base / fan_in**2: 1 / fan_in at the base, and falling twice as fast.
    assert made.row("out").std == pytest.approx(math.sqrt(64) / width, rel=1e-5)
    assert made.row("table").std == 1
    assert "learning rate" in made.notes[0]


def test_siren_treats_the_first_layer_as_the_paper_does() -> None:
    first, last = frozenset({Place.FIRST}), frozenset({Place.LAST})
    slots = [
        kernel("0", 64, 2, fed_by="input", places=first),
        kernel("1", 64, 64, fed_by="sin"),
        kernel("2", 1, 64, fed_by="sin", places=last, role=Role.HEAD),
        bias("1.bias", 64, 64),
    ]
    made = plan(slots, "siren(omega=20)")
    assert schemes(made)["0"] == "uniform(-0.5, 0.5)"
    for name in "12":
        law = made.row(name).scheme.law(Fans(64, 1))
        assert law.high == pytest.approx(math.sqrt(6 / 64) / 20, rel=1e-5)
    assert schemes(made)["1.bias"] == "uniform(-0.125, 0.125)"
    assert made.notes == ()
    other = plan([replace(slots[0], around=Surroundings("input", places=first))], "siren")
    assert "no kernel of this network is fed by one" in other.notes[0]


def test_zero_holds_zeros_and_ones_where_no_layer_widens() -> None:
    made = plan(residual(2, 2), "zero")
    drawn = made.start(5)
    assert set(drawn["b.0.0"].flatten().tolist()) == {0, 1}
    assert not drawn["b.0.1"].any()
    # The stem goes from 8 to 16 units: a Hadamard matrix, so that no unit starts at zero.
    assert (drawn["stem"] != 0).all()


@pytest.mark.parametrize(
    ("name", "std"),
    [
        ("he", math.sqrt(2 / 64)),
        ("glorot", math.sqrt(2 / (64 + 16))),
        ("lecun", 1 / 8),
        ("selu", 1 / 8),
        ("lecture", 0.01),
        ("lecture-0.01", 0.01),
        ("lecture(std=0.1)", 0.1),
    ],
)
def test_recipes_of_one_scheme_do_without_a_trace(name: str, std: float) -> None:
    made = plan([kernel("w", 16, 64), bias("b", 16), gain("g", 16)], name)
    assert made.row("w").std == pytest.approx(std)
    assert [(row.mean, row.std) for row in made.rows[1:]] == [(0, 0), (1, 0)]


def test_selu_says_where_its_proof_does_not_hold() -> None:
    made = plan([kernel("w", 8, 8, fed_by="relu")], "selu")
    assert made.notes == ("selu is for networks with the activation selu, and this one has relu",)
    assert plan([kernel("w", 8, 8, fed_by="selu")], "selu").notes == ()


def test_a_norm_gain_that_is_kept_as_one_plus_starts_at_zero() -> None:
    shifted = replace(gain("norm", 8), one_plus=True)
    made = plan([shifted, *transformer(1, 8)], "gpt2")
    assert (made.row("norm").mean, made.row("norm").std) == (0, 0)


def test_a_tied_table_of_mup_takes_the_smaller_of_its_uses() -> None:
    head = kernel("head", 100, 64, places=frozenset({Place.LAST}), role=Role.HEAD)
    table = embedding("wte", 100, 64, aliases=("head",), uses=(head,), around=Surroundings())
    row = plan([table, kernel("mid", 64, 64, fed_by="relu")], "mup(base_width=16)").row("wte")
    assert row.std == pytest.approx(4 / 64)
    assert "its strictest use (std 1 as embedding); tied with head" in row.reason


def test_layouts_of_other_axes_serve_as_well() -> None:
    # GPT-2's Conv1D keeps (in, out): the recipe never looks at the axes, the scheme does.
    looks = frozenset({Place.QUERY, Place.KEY, Place.VALUE, Place.BRANCH})
    fused = kernel("c_attn", 16, 48, layout=Layout.dense(), places=looks, branch=Branch(0, 0, 2, 2))
    row = plan([fused, *layer("b", 16, 0, 2)], "deepnet").row("c_attn")
    drawn = row.values(0).reshape(16, 3, 16).std(axis=(0, 2))
    assert drawn[2] < 0.75 * drawn[:2].min()
