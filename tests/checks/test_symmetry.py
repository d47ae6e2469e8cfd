"""FI2 on real layers: what stays equal, and what only begins equal."""

import pytest
import torch
from torch import nn

from fanin import check
from fanin.checks import Severity
from symmetric_cases import INPUTS, TARGET, found, remarks, stack


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
