"""Ties that are broken or clobbered, padding rows, rows alike."""

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from checked import alarms, check, codes, look
from fanin.checks import Cost, Equal, Evidence, Probe, Severity, Values
from fanin.checks.families.structure import RULES
from fanin.recipes import Role, Slot

WORDS, NEXT = torch.randint(0, 50, (8, 6)), torch.randint(0, 50, (8, 6))
Y = torch.randint(0, 2, (8,))


class Language(nn.Module):
    """Embedding, one block, a norm, and a projection that may be the embedding."""

    def __init__(self, tie: bool, *, says: bool = True, width: int = 16):
        super().__init__()
        self.config = {"tie_weights": says}
        self.embed = nn.Embedding(50, width)
        self.block, self.norm = nn.Linear(width, width), nn.LayerNorm(width)
        self.head = nn.Linear(width, 50, bias=False)
        if tie:
            self.head.weight = self.embed.weight

    def forward(self, words):
        x = self.embed(words)
        return self.head(self.norm(x + self.block(x)))


def small(model):
    nn.init.normal_(model.embed.weight, std=0.02)
    return model


def untied(says):
    with torch.device("meta"):
        model = Language(tie=True, says=says)
    model.to_empty(device="cpu")
    for layer in model.children():
        layer.reset_parameters()
    return model


def test_a_tie_lost_on_the_way_from_the_meta_device():
    (found,) = alarms(check(RULES, lambda: untied(says=True), WORDS, NEXT))
    assert (found.code, found.where) == ("FI701", ("head.weight", "embed.weight"))
    assert not check(RULES, lambda: untied(says=False), WORDS, NEXT)
    assert not check(RULES, lambda: small(Language(tie=True)), WORDS, NEXT)


def test_a_tie_that_a_library_declares():
    def build(broken):
        model = small(Language(tie=not broken, says=False))
        model.all_tied_weights_keys = {"head.weight": "embed.weight"}
        return model

    (found,) = alarms(check(RULES, lambda: build(broken=True), WORDS, NEXT))
    assert (found.code, found.where) == ("FI701", ("head.weight", "embed.weight"))
    assert not check(RULES, lambda: build(broken=False), WORDS, NEXT)


def test_an_embedding_as_projection_makes_logits_of_the_root_of_its_width():
    (found,) = alarms(check(RULES, lambda: Language(tie=True, width=64), WORDS, NEXT))
    assert (found.code, found.where) == ("FI702", ("embed.weight", "head.weight"))
    # A normalised vector of 64 numbers times weights of standard deviation 1.
    assert found.facts["logits"] == pytest.approx(8.0, rel=0.15)
    assert found.facts["excess"] == pytest.approx(32.0, rel=0.3)


def test_logits_that_are_scaled_down_afterwards_are_fine():
    class Scaled(Language):
        def forward(self, words):
            return super().forward(words) * 16**-0.5

    assert not check(RULES, lambda: Scaled(tie=True), WORDS, NEXT)


def test_one_memory_and_two_rules():
    def build(std):
        model = Language(tie=True)
        nn.init.normal_(model.embed.weight, std=std)
        nn.init.normal_(model.head.weight, std=0.02)
        return model

    (found,) = alarms(check(RULES, lambda: build(1.0), WORDS, NEXT))
    assert (found.code, found.title) == ("FI702", "tied weight written by two rules")
    assert "model.head.weight" in found.location.text
    assert not alarms(check(RULES, lambda: build(0.02), WORDS, NEXT))


def table(**more):
    return nn.Sequential(nn.Embedding(50, 16, **more), nn.Flatten(), nn.Linear(96, 2))


def drawn(row=None, **more):
    model: Any = table(**more)
    nn.init.normal_(model[0].weight, std=0.1)
    if row is not None:
        with torch.no_grad():
            model[0].weight[row].zero_()
    return model


def test_the_padding_row_of_a_table_that_is_not_called_weight():
    class Positions(nn.Module):
        padding_idx = 1

        def __init__(self, keeps):
            super().__init__()
            self.table = nn.Parameter(torch.randn(50, 16))
            self.fc = nn.Linear(16, 2)
            if keeps:
                self.table.data[1].zero_()

        def forward(self, words):
            return self.fc(self.table[words].mean(1))

    (found,) = [
        f for f in check(RULES, lambda: Positions(keeps=False), WORDS, Y) if f.code == "FI703"
    ]
    assert found.where == ("table",)
    assert not [
        f for f in check(RULES, lambda: Positions(keeps=True), WORDS, Y) if f.code == "FI703"
    ]


def test_a_padding_row_that_was_drawn_over():
    (found,) = check(RULES, lambda: drawn(padding_idx=3), WORDS, Y)
    assert (found.code, found.severity, found.where) == ("FI703", Severity.WARNING, ("0.weight",))
    assert found.facts["row"] == 3
    assert found.facts["rms"] == pytest.approx(0.1, rel=5 / math.sqrt(2 * 16))
    assert not check(RULES, lambda: drawn(row=3, padding_idx=3), WORDS, Y)
    assert not check(RULES, lambda: table(padding_idx=-1), WORDS, Y)
    assert not check(RULES, drawn, WORDS, Y)


def test_the_wrong_row_is_zero():
    found = check(RULES, lambda: drawn(row=0, padding_idx=3), WORDS, Y)
    (wrong,) = alarms(found)
    assert wrong.title == "wrong row is zero"
    assert "row 0 is zero in its place" in wrong.observed


def test_attention_masks_the_row():
    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.fc = nn.Embedding(50, 16, padding_idx=0), nn.Linear(16, 2)
            nn.init.normal_(self.embed.weight)

        def forward(self, words):
            x = self.embed(words)
            return self.fc(functional.scaled_dot_product_attention(x, x, x).mean(1))

    assert codes(check(RULES, Attends, WORDS, Y)) == ["info FI703"]


class Fused(nn.Module):
    """Three embeddings in one tensor, as horizontally fused training has them."""

    def __init__(self, index):
        super().__init__()
        self.padding_idx = 0
        self.weight = nn.Parameter(torch.randn(3, 50, 8))
        self.fc = nn.Linear(8, 2)
        self.weight.data[index].zero_()

    def forward(self, words):
        return self.fc(self.weight[:, words].mean((0, 2)))


def test_a_whole_table_of_a_fused_stack_is_zero():
    (found,) = [f for f in check(RULES, lambda: Fused(0), WORDS, Y) if f.code == "FI703"]
    assert found.title == "a whole table is zero"
    assert not check(RULES, lambda: Fused((slice(None), 0)), WORDS, Y)


def rows(**figures):
    slot = Slot("e", (100, 8), Role.EMBEDDING, None, None, "Embedding")
    held = Values("e", (100, 8), "float32", 800, std=0.1, minimum=-1.0, maximum=1.0,
                  equal=(Equal("row", 100, **figures),))  # fmt: skip
    return look(
        RULES, Evidence(costs=(Cost(Probe.VALUES, 0.0),), slots=(slot,), values={"e": held})
    )


def test_rows_alike():
    (found,) = rows(distinct=97, groups=((96, 97, 98, 99),))
    assert codes([found]) == ["warning FI712"]
    assert "3 of 100 rows" in found.observed
    assert "96, 97" in found.observed
    assert codes(rows(distinct=96, zero=5)) == ["info FI712"]
    assert not rows(distinct=100)


def test_new_tokens_with_one_vector():
    def build(alike):
        model: Any = table()
        with torch.no_grad():
            model[0].weight[46:] = model[0].weight[:46].mean(0)
            if not alike:
                model[0].weight[46:] += 0.01 * torch.randn(4, 16)
        return model

    (found,) = [f for f in check(RULES, lambda: build(alike=True), WORDS, Y) if f.code == "FI712"]
    assert (found.severity, found.where) == (Severity.WARNING, ("0.weight",))
    assert not check(RULES, lambda: build(alike=False), WORDS, Y)


@pytest.mark.parametrize(("value", "codes_then"), [(0.3, ["warning FI712"]), (0.0, [])])
def test_one_vector_for_all_tokens(value, codes_then):
    def build():
        model: Any = table()
        nn.init.constant_(model[0].weight, value)
        return model

    told = [f for f in check(RULES, build, WORDS, Y) if f.code == "FI712"]
    assert codes(told) == codes_then


def test_a_class_token_beside_a_padding_index_is_no_table():
    class Classed(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(50, 16, padding_idx=0)
            self.padding_idx = self.embed.padding_idx
            self.token, self.fc = nn.Parameter(torch.randn(1, 1, 16) * 0.1), nn.Linear(16, 2)

        def forward(self, words):
            tokens = self.token.expand(len(words), -1, -1)
            return self.fc(torch.cat([tokens, self.embed(words)], 1).mean(1))

    assert not check(RULES, Classed, WORDS, Y)


class Conditional(nn.Module):
    """A norm whose gain depends on a class, or a product of a table and a layer."""

    def __init__(self, norm, add):
        super().__init__()
        self.fc, self.norm, self.head = nn.Linear(8, 16), norm, nn.Linear(16, 2)
        self.table, self.add = nn.Embedding(4, 16), add
        nn.init.constant_(self.table.weight, 0.5)

    def forward(self, x, labels):
        return self.head(self.norm(self.fc(x)) * (self.table(labels) + self.add))


@pytest.mark.parametrize("add", [0, 1])
def test_a_table_of_gains_may_start_with_one_vector(add):
    def told(norm):
        batch = (torch.randn(8, 8), torch.arange(8) % 4, Y)
        return codes(check(RULES, lambda: Conditional(norm, add), *batch))

    assert told(nn.LayerNorm(16, elementwise_affine=False)) == []
    assert told(nn.Identity()) == ["warning FI712"]


def test_a_layer_of_the_shape_that_is_no_head_is_not_asked_to_be_tied():
    class Wide(Language):
        def __init__(self, name):
            super().__init__(tie=False)
            del self.head
            self.name = name
            self.add_module(name, nn.Linear(16, 50, bias=False))
            self.score = nn.Linear(50, 50)

        def forward(self, words):
            return self.score(self.get_submodule(self.name)(self.embed(words)).tanh())

    (told,) = alarms(check(RULES, lambda: small(Wide("output")), WORDS, NEXT))
    assert told.where == ("output.weight", "embed.weight")
    assert not alarms(check(RULES, lambda: small(Wide("expand")), WORDS, NEXT))


def test_two_rules_for_a_tensor_of_one_use_are_no_clobbered_tie():
    def build():
        model = Language(tie=False, says=False)
        nn.init.normal_(model.embed.weight, std=1.0)
        nn.init.normal_(model.embed.weight, std=0.02)
        return model

    assert not check(RULES, build, WORDS, NEXT)
