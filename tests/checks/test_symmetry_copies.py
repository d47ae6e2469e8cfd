"""FI202 to FI205 on real layers: what was copied, and what only looks like it."""

import copy

import torch
from torch import nn

from fanin import check
from fanin.checks import Severity
from symmetric_cases import INPUTS, TARGET, found, remarks, stack

WORDS = torch.randint(0, 40, (16, 8), generator=torch.Generator().manual_seed(1))


def test_copied_layers_in_a_row():
    block = nn.Sequential(nn.Linear(20, 20), nn.ReLU())
    model = nn.Sequential(*[copy.deepcopy(block) for _ in range(3)], nn.Linear(20, 4))
    one = found(model)["FI203"]
    assert one.severity is Severity.WARNING
    assert set(one.where) == {"0.0.weight", "1.0.weight", "2.0.weight"}


def test_shards_of_one_seed_put_together():
    model = stack(20, 16, 16, 4)
    with torch.no_grad():
        model[2].weight[8:] = model[2].weight[:8]
    one = found(model)["FI202"]
    assert one.where == ("2.weight",)
    assert one.facts == {"distinct": 8, "matrices": 16}
    assert "units" in one.title


def test_equal_neighbours_of_an_upsampling_layer_are_meant():
    model = stack(20, 16, 16, 4)
    with torch.no_grad():
        model[2].weight[1::2] = model[2].weight[::2]
    assert "FI202" not in found(model)


def test_layers_of_torch_that_copy_are_a_remark():
    layer = nn.TransformerEncoderLayer(20, 2, 32, batch_first=True)
    model = nn.Sequential(nn.Unflatten(1, (1, 20)), nn.TransformerEncoder(layer, 3), nn.Flatten(),
                          nn.Linear(20, 4))  # fmt: skip
    assert "FI203" not in found(model)
    assert "FI203" in remarks(model)


def test_one_layer_in_several_places():
    repeated = nn.Sequential(*[nn.Linear(20, 20)] * 3, nn.Linear(20, 4))
    assert found(repeated)["FI204"].where[:3] == ("0.weight", "1.weight", "2.weight")


class Members(nn.Module):
    """An ensemble in two stacked tensors, as `vmap` or `torch.stack` make it."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = nn.Parameter(first), nn.Parameter(second)

    def forward(self, x):
        hidden = torch.einsum("bi,eio->ebo", x, self.first).relu()
        return torch.einsum("ebo,eoc->ebc", hidden, self.second).mean(0)


def test_members_of_an_ensemble_in_one_tensor():
    one, two = torch.randn(3, 20, 16) * 0.2, torch.randn(3, 16, 4) * 0.2
    assert found(Members(one, two)) == {}
    alike = found(Members(one[:1].repeat(3, 1, 1), two[:1].repeat(3, 1, 1)))
    assert alike["FI202"].severity is Severity.ERROR
    assert alike["FI202"].where == ("second",)
    assert alike["FI202"].facts == {"distinct": 1, "matrices": 3}
    told = found(Members(one, two[:1].repeat(3, 1, 1)))["FI202"]
    assert told.severity is Severity.WARNING  # other first layers send other gradients


def test_a_stem_for_more_channels_repeats_its_kernel():
    def widened(layer):
        with torch.no_grad():
            layer.weight.copy_(layer.weight[:, : layer.in_features // 2].repeat(1, 2) / 2)

    stem, middle = stack(20, 16, 16, 4), stack(20, 16, 16, 4)
    widened(stem[0])
    widened(middle[2])
    assert found(stem) == {}
    assert found(middle)["FI202"].where == ("2.weight",)  # shards of a layer inside


class Side(nn.Module):
    """Heads that refine one answer after the other, with a cut in between or without."""

    def __init__(self, cut):
        super().__init__()
        head = nn.Linear(20, 4)
        self.heads = nn.ModuleList([copy.deepcopy(head) for _ in range(2)])
        self.back, self.cut = nn.Linear(4, 20), cut

    def forward(self, x):
        first = self.heads[0](x)
        refined = torch.sigmoid(first.detach() if self.cut else first)
        return first + self.heads[1](x + self.back(refined))


def test_heads_that_are_cut_from_each_other_stand_side_by_side():
    def severity(cut):
        report = check(lambda: Side(cut), INPUTS, TARGET)
        return [one.severity for one in report.findings if one.code == "FI203"]

    assert severity(cut=True) == [Severity.INFO]
    assert severity(cut=False) == [Severity.WARNING]


class Ensemble(nn.Module):
    """Members side by side; the mean of what they say."""

    def __init__(self, members):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x):
        return torch.stack([member(x) for member in self.members]).mean(0)


def test_members_that_get_equal_gradients():
    member = stack(20, 16, 4)
    one = found(Ensemble([copy.deepcopy(member) for _ in range(3)]))["FI203"]
    assert one.severity is Severity.ERROR
    assert len(one.where) == 6
    assert found(Ensemble([stack(20, 16, 4) for _ in range(3)])) == {}
    target = copy.deepcopy(member).requires_grad_(False)
    assert "FI203" not in found(Ensemble([member, target]))


def test_heads_of_one_layer_stand_side_by_side():
    class Shared(Ensemble):
        def forward(self, x):
            return torch.cat([member(x + i) for i, member in enumerate(self.members)])

    shared = Shared([nn.Linear(20, 4)] * 3)
    assert "FI204" not in found(shared, batch=(INPUTS, TARGET.repeat(3)))


def test_one_stream_for_two_shapes():
    def build(again):
        def layer(fan_in, fan_out):
            if again:
                torch.manual_seed(0)
            return nn.Linear(fan_in, fan_out)

        return nn.Sequential(layer(20, 16), nn.ReLU(), layer(16, 4))

    def codes(again):
        return {one.code for one in check(lambda: build(again), INPUTS, TARGET).findings}

    assert "FI205" in codes(again=True)
    assert "FI205" not in codes(again=False)


class Language(nn.Module):
    """Tokens and positions, each from a table; the head is a third or the first."""

    def __init__(self, tie):
        super().__init__()
        self.words, self.places = nn.Embedding(40, 16), nn.Embedding(8, 16)
        self.body, self.head = nn.Linear(16, 16), nn.Linear(16, 40, bias=False)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=0.02)
        if tie:
            self.head.weight = self.words.weight

    def forward(self, words):
        x = self.words(words) + self.places(torch.arange(words.shape[1]))
        return self.head(self.body(x).tanh())


def test_a_table_that_is_the_head_as_well_has_names_of_two_kinds():
    assert found(Language(tie=True), batch=(WORDS, WORDS)) == {}


def test_pieces_of_a_table():
    """Positions are tiled to make room for longer texts; tokens are not."""
    tiled, shards = Language(tie=False), Language(tie=False)
    with torch.no_grad():
        tiled.places.weight[4:] = tiled.places.weight[:4]
        shards.words.weight[20:] = shards.words.weight[:20]
    assert found(tiled, batch=(WORDS, WORDS)) == {}
    assert found(shards, batch=(WORDS, WORDS))["FI202"].where == ("words.weight",)


def test_pieces_of_a_frozen_layer_are_as_they_were_trained():
    model = stack(20, 16, 16, 4)
    with torch.no_grad():
        model[2].weight[8:] = model[2].weight[:8]
    model[2].weight.requires_grad_(False)
    assert found(model) == {}


def test_stacks_of_constants_are_no_copies():
    one, two = torch.full((3, 20, 16), 0.1), torch.full((3, 16, 4), 0.1)
    assert set(found(Members(one, two))) == {"FI201"}
    two[1:] = torch.randn(2, 16, 4) * 0.2
    assert "FI202" not in found(Members(torch.randn(3, 20, 16) * 0.2, two))
    two[0], two[1] = 0.0, 0.0  # experts that begin at zero are no copies either
    assert "FI202" not in found(Members(torch.randn(3, 20, 16) * 0.2, two))


def test_patterns_and_a_few_numbers_are_no_copies():
    identities = nn.Sequential(*[nn.Linear(20, 20) for _ in range(3)], nn.Linear(20, 4))
    for layer in list(identities)[:3]:
        nn.init.eye_(layer.weight)
    assert "FI203" not in found(identities)
    few = stack(20, 3, 3, 3, 4)
    few[4].load_state_dict(few[2].state_dict())
    assert "FI203" not in found(few)


def test_a_network_beside_the_one_that_is_trained():
    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.trained = stack(20, 16, 4)
            self.target = copy.deepcopy(self.trained)

        def forward(self, x):
            return self.trained(x)

    assert found(Kept()) == {}
    assert "FI203" in remarks(Kept())


def test_towers_that_were_copied_on_purpose():
    class Towers(nn.Module):
        def __init__(self, series):
            super().__init__()
            self.one = nn.Linear(20, 20)
            self.two, self.head = copy.deepcopy(self.one), nn.Linear(20, 4)
            self.series = series

        def forward(self, x):
            first = self.one(x).relu()
            return self.head(first + self.two(first if self.series else -x))

    def severity(series):
        report = check(lambda: Towers(series), INPUTS, TARGET)
        return [one.severity for one in report.findings if one.code == "FI203"]

    assert severity(series=False) == [Severity.INFO]
    assert severity(series=True) == [Severity.WARNING]


def test_one_seed_for_layers_side_by_side():
    class Seeded(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one = nn.Linear(20, 20)
            torch.manual_seed(0)
            self.two, self.head = nn.Linear(20, 20), nn.Linear(20, 4)

        def forward(self, x):
            return self.head(self.one(x).relu() + self.two(-x))

    report = check(Seeded, INPUTS, TARGET)
    assert [f.severity for f in report.findings if f.code == "FI203"] == [Severity.WARNING]
    assert "FI205" not in {f.code for f in report.findings}
