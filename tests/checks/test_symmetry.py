"""FI2 on real layers: what stays equal, and what only begins equal."""

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from fanin import check
from fanin.checks import Severity

INPUTS, TARGET = (
    torch.randn(64, 20, generator=torch.Generator().manual_seed(0)),
    torch.arange(64) % 4,
)


def found(model, loss=None, batch=(INPUTS, TARGET)):
    report = check(model, *batch, loss=loss)
    return {one.code: one for one in report.findings if one.severity is not Severity.INFO}


def remarks(model):
    report = check(model, INPUTS, TARGET)
    return {one.code for one in report.findings if one.severity is Severity.INFO}


def stack(*widths) -> Any:
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_constant_layers_stay_one_unit():
    model = stack(20, 16, 16, 4)
    for layer in list(model)[::2]:
        nn.init.constant_(layer.weight, 0.05)
        nn.init.zeros_(layer.bias)
    one = found(model)["FI201"]
    assert one.severity is Severity.ERROR
    assert one.facts["distinct"] == 1
    assert {"0.weight", "2.weight"} <= set(one.where)


def test_training_agrees_that_they_stay_equal():
    model = stack(20, 16, 4)
    nn.init.constant_(model[0].weight, 0.05)
    nn.init.constant_(model[0].bias, 0.0)
    nn.init.constant_(model[2].weight, 0.05)
    assert "FI201" in found(model)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(INPUTS), TARGET).backward()
        optimizer.step()
    rows = model[0].weight
    assert torch.allclose(rows, rows[:1].expand_as(rows), atol=1e-5)


def test_a_head_at_zero_is_told_apart_by_the_first_step():
    model = stack(20, 16, 4)
    nn.init.zeros_(model[2].weight)
    assert found(model) == {}
    assert "FI207" in remarks(model)


def test_both_factors_of_an_adapter_at_zero_never_open():
    class Adapted(nn.Module):
        def __init__(self, up):
            super().__init__()
            self.base = nn.Linear(20, 4).requires_grad_(False)
            self.down, self.up = nn.Linear(20, 2, bias=False), nn.Linear(2, 4, bias=False)
            nn.init.zeros_(self.up.weight)
            if up:
                nn.init.zeros_(self.down.weight)

        def forward(self, x):
            return self.base(x) + self.up(self.down(x))

    one = found(Adapted(up=True))["FI206"]
    assert set(one.where) == {"down.weight", "up.weight"}
    assert found(Adapted(up=False)) == {}


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


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_networks_are_silent(seed):
    torch.manual_seed(seed)
    assert found(stack(20, 64, 64, 4)) == {}


class Raw(nn.Module):
    """A layer of one's own: no type tells that its parameter is a matrix."""

    def __init__(self, weight, how):
        super().__init__()
        self.weight, self.how = nn.Parameter(weight), how

    def forward(self, x):
        return self.how(x, self.weight)


@pytest.mark.parametrize("how", ["matmul", "linear", "einsum"])
def test_units_of_a_layer_of_ones_own(how):
    ways = {
        "matmul": (lambda x, w: x @ w, torch.full((20, 16), 0.1)),
        "linear": (nn.functional.linear, torch.full((16, 20), 0.1)),
        "einsum": (lambda x, w: torch.einsum("bi,io->bo", x, w), torch.full((20, 16), 0.1)),
    }
    way, weight = ways[how]
    one = found(nn.Sequential(Raw(weight, way), nn.ReLU(), nn.Linear(16, 4)))["FI201"]
    assert one.where == ("0.weight",)
    drawn = torch.randn_like(weight) * 0.2
    assert found(nn.Sequential(Raw(drawn, way), nn.ReLU(), nn.Linear(16, 4))) == {}


def test_the_deviation_of_noise_on_a_weight_is_no_matrix():
    def noisy(x, weight):
        return x @ (weight * torch.randn(20, 16))

    model = nn.Sequential(Raw(torch.full((20, 16), 0.2), noisy), nn.ReLU(), nn.Linear(16, 4))
    assert found(model) == {}


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


def test_dead_units_are_not_called_equal():
    model = stack(20, 16, 16, 4)
    with torch.no_grad():
        model[0].weight[:2], model[0].bias[:2] = 0.0, -1.0
    assert "FI201" not in found(model)
    with torch.no_grad():
        model[0].bias[:2] = 1.0
        model[2].weight[:, 1] = model[2].weight[:, 0]
    one = found(model)["FI201"]
    assert one.facts["distinct"] == 15
    assert one.severity is Severity.WARNING  # one unit of sixteen


def test_without_a_batch_equal_units_are_a_warning():
    model = stack(20, 16, 16, 4)
    nn.init.constant_(model[2].weight, 0.1)
    (one,) = [f for f in check(model).findings if f.code == "FI201"]
    assert (one.severity, one.where) == (Severity.WARNING, ("2.weight",))
    assert "pass a batch" in one.why


def test_the_units_of_the_output_are_told_apart_by_the_targets():
    model = stack(20, 16, 4)
    nn.init.constant_(model[2].weight, 0.1)
    assert "FI201" not in found(model)


class Masked(nn.Module):
    """A mask token at zero, for the positions that the batch masks."""

    def __init__(self):
        super().__init__()
        self.token, self.body = nn.Parameter(torch.zeros(20)), stack(20, 16, 4)

    def forward(self, x, mask):
        return self.body(torch.where(mask, self.token, x))


class Dropped(nn.Module):
    """The same, for the examples whose condition is dropped at random."""

    def __init__(self):
        super().__init__()
        self.token, self.body = nn.Parameter(torch.zeros(20)), stack(20, 16, 4)

    def forward(self, x):
        return self.body(torch.where(torch.rand(len(x), 1) < 0.003, self.token, x))


@pytest.mark.parametrize("seed", [8, 9, 32])
def test_a_token_that_chance_may_have_a_use_for(seed):
    model = Dropped()
    torch.manual_seed(4)  # the next draw would put the token in, where none of the check does
    report = check(model, INPUTS, TARGET, seed=seed)
    assert not {"FI206", "FI207"} & {one.code for one in report.findings}


@pytest.mark.parametrize("masked", [0, 8])
def test_a_token_that_the_batch_has_no_use_for(masked):
    mask = torch.arange(64)[:, None] < masked
    assert found(Masked(), batch=(INPUTS, mask, TARGET)) == {}


class Branch(nn.Module):
    """A residual branch that begins at zero, or that never opens."""

    def __init__(self, factor, **kept):
        super().__init__()
        self.inner, self.factor = nn.Linear(20, 20), nn.Parameter(torch.tensor([factor]))
        nn.init.zeros_(self.inner.weight)
        nn.init.zeros_(self.inner.bias)
        self.kept = kept

    def forward(self, x):
        self.last = self.factor * self.inner(x)
        return x + self.last


def test_branches_behind_a_head_at_zero_open_one_after_the_other():
    model = nn.Sequential(Branch(1.0), Branch(1.0), nn.Linear(20, 4))
    nn.init.zeros_(model[2].weight)
    assert found(model) == {}
    shut = found(nn.Sequential(Branch(1.0), Branch(0.0), nn.Linear(20, 4)))["FI206"]
    assert set(shut.where) == {"1.factor", "1.inner.weight"}
    assert shut.facts["stuck"] == 3


def test_a_factor_of_zero_that_is_frozen_is_the_reason_too():
    model = nn.Sequential(Branch(0.0), nn.Linear(20, 4))
    model[0].factor.requires_grad_(False)
    assert found(model)["FI206"].where == ("0.inner.weight",)


@pytest.mark.parametrize("kept", ["activation", "weight_norm"])
def test_a_model_that_keeps_outputs_is_copied_all_the_same(kept):
    model = nn.Sequential(Branch(1.0), Branch(1.0), nn.Linear(20, 4))
    nn.init.zeros_(model[2].weight)
    if kept == "weight_norm":
        with pytest.warns(FutureWarning, match="deprecated"):
            torch.nn.utils.weight_norm(model[0].inner)
    else:
        model(INPUTS)
    assert "FI206" not in found(model)


def test_a_model_that_cannot_be_copied_is_not_accused():
    class Locked(nn.Sequential):
        def __deepcopy__(self, memo):
            raise TypeError("cannot copy a lock")

    model = Locked(Branch(1.0), nn.Linear(20, 4))
    nn.init.zeros_(model[1].weight)
    report = check(model, INPUTS, TARGET)
    told = [one for one in report.findings if one.code in ("FI206", "FI207")]
    assert [(one.code, one.where) for one in told] == [("FI207", ("1.weight",))]
    assert any("cannot copy a lock" in note for note in report.evidence.notes)


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


WORDS = torch.randint(0, 40, (16, 8), generator=torch.Generator().manual_seed(1))


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


class Mixed(nn.Module):
    """Every token gets the mean of all, beside itself or in place of itself."""

    def __init__(self, skip):
        super().__init__()
        self.mix, self.skip = nn.Linear(20, 20), skip
        self.inner, self.head = nn.Linear(20, 16), nn.Linear(16, 4)
        nn.init.constant_(self.mix.weight, 1 / 20)

    def forward(self, x):
        mixed = self.mix(x)
        return self.head(self.inner(x + mixed if self.skip else mixed).relu())


def test_units_that_are_added_to_a_stream_are_told_apart_by_it():
    assert found(Mixed(skip=True)) == {}
    assert found(Mixed(skip=False))["FI201"].where == ("mix.weight",)


@pytest.mark.parametrize("fill", ["identity", "interpolation", "one draw"])
def test_a_filter_in_every_channel(fill):
    model = nn.Sequential(
        nn.Unflatten(1, (5, 2, 2)), nn.Conv2d(5, 8, 1), nn.ReLU(),
        nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=8), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(32, 4),
    )  # fmt: skip
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    one = line[:, None] * line if fill == "interpolation" else torch.randn(4, 4) * 0.5
    if fill == "identity":
        one = torch.zeros(4, 4)
        one[1, 1] = 1.0
    with torch.no_grad():
        model[3].weight.copy_(one.expand(8, 1, 4, 4))
    assert set(found(model)) == ({"FI202"} if fill == "one draw" else set())


def test_gains_and_offsets_of_one_layer():
    class Film(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.film, self.head = nn.Linear(20, 16), nn.Linear(20, 32), nn.Linear(16, 4)
            nn.init.zeros_(self.film.weight)
            with torch.no_grad():
                self.film.bias[:16], self.film.bias[16:] = 1.0, 0.0

        def forward(self, x):
            gain, offset = self.film(x).chunk(2, -1)
            return self.head((gain * self.body(x) + offset).relu())

    assert found(Film()) == {}


def test_units_of_a_frozen_layer_are_as_they_are():
    model = stack(20, 16, 16, 4)
    nn.init.constant_(model[0].weight, 0.1)
    model[0].requires_grad_(False)
    assert "FI201" not in found(model)
    assert "FI201" not in {one.code for one in check(model).findings}


def test_without_a_batch_zeros_are_not_called_equal_units():
    model = stack(20, 16, 16, 4)
    nn.init.zeros_(model[2].weight)
    assert "FI201" not in {one.code for one in check(model).findings}


def test_what_is_shut_is_found_beside_an_output_that_is_kept():
    model = nn.Sequential(Branch(0.0), nn.Linear(20, 4))
    model(INPUTS)
    assert set(found(model)["FI206"].where) == {"0.factor", "0.inner.weight"}
