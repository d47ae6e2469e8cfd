"""What a tensor holds, against NumPy and SciPy."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from fanin.torch.evidence.moments import moments
from fanin.torch.evidence.slices import groups
from fanin.torch.evidence.values import read_values
from fanin.torch.layouts import survey


def values(model):
    return read_values(model, survey(model))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("size", [7, 1000, 2**20 + 17])
def test_moments_are_those_of_scipy(dtype, size):
    source = torch.Generator().manual_seed(0)
    drawn = (torch.randn(size, generator=source) * 0.02 + 3).to(dtype)
    read, known = moments(drawn), drawn.double().numpy()
    assert read.mean == pytest.approx(known.mean(), rel=1e-6)
    assert read.std == pytest.approx(known.std(), rel=1e-4)
    assert read.kurtosis == pytest.approx(stats.kurtosis(known, fisher=False), rel=1e-3)
    assert (read.minimum, read.maximum) == (known.min(), known.max())


def test_what_is_no_number_is_counted_and_left_out():
    held = torch.tensor([1.0, np.nan, np.inf, -np.inf, 0.0, 1e-40, 3.0])
    read = moments(held)
    assert (read.nan, read.infinite, read.zero, read.denormal) == (1, 2, 1, 1)
    assert read.mean == pytest.approx(1.0)
    assert read.count == 7


@pytest.mark.parametrize("size", [1e18, 1e30])
def test_large_numbers_do_not_overflow_the_fourth_power(size):
    read = moments(torch.tensor([-size, size, -size, size]))
    assert read.std == pytest.approx(size)
    assert read.kurtosis == pytest.approx(1)


@given(st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=12))
def test_groups_are_those_of_a_slow_look(rows):
    expected = {}
    for place, row in enumerate(rows):
        expected.setdefault(tuple(row), []).append(place)
    wanted = sorted(own for own in expected.values() if len(own) > 1)
    assert sorted(groups(np.array(rows, dtype=np.float64))) == wanted


def test_groups_of_long_rows_that_begin_alike():
    rows = np.random.default_rng(0).standard_normal((40, 100))
    rows[:, :50] = 1.0
    rows[7], rows[30] = rows[3], rows[3]
    rows[9, :50], rows[21, :50], rows[9, 50:] = 0.0, -0.0, rows[21, 50:]
    assert groups(rows) == [[3, 7, 30], [9, 21]]


def test_an_outlier_does_not_slow_the_grouping():
    rows = np.random.default_rng(0).standard_normal((20_000, 16)).astype(np.float32)
    rows[0] *= 1e6
    began = time.perf_counter()
    assert groups(rows) == []
    assert time.perf_counter() - began < 5


def test_units_inputs_and_blocks_of_a_layer():
    layer = nn.Linear(6, 4)
    with torch.no_grad():
        layer.weight[2] = layer.weight[0]
        layer.weight[3] = 0
    held = values(layer)["weight"]
    unit = next(one for one in held.equal if one.what == "unit")
    assert (unit.count, unit.distinct, unit.groups, unit.zero) == (4, 3, ((0, 2),), 1)
    squares = layer.weight.detach().square()
    assert held.unit_rms[2] == pytest.approx(squares.mean(1).sqrt().max().item())
    assert held.input_rms[0] == pytest.approx(squares.mean(0).sqrt().min().item())


def test_orthogonality_of_the_whole_and_of_its_gates():
    lstm = nn.LSTM(16, 16)
    nn.init.orthogonal_(lstm.weight_hh_l0)
    held = values(lstm)["weight_hh_l0"]
    assert held.orthogonality < 1e-5
    assert held.block_orthogonality > 0.1
    for gate in lstm.weight_hh_l0.data.chunk(4):
        nn.init.orthogonal_(gate)
    assert values(lstm)["weight_hh_l0"].block_orthogonality < 1e-5
    assert values(nn.Linear(16, 16))["weight"].orthogonality is None


def test_equal_values_have_equal_digests():
    one, other = nn.Linear(4, 4), nn.Linear(4, 4)
    other.load_state_dict(one.state_dict())
    assert values(one)["weight"].digest == values(other)["weight"].digest
    with torch.no_grad():
        other.weight[3, 3] += 1e-6
    assert values(one)["weight"].digest != values(other)["weight"].digest


def test_buffers_of_all_kinds():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)
            self.register_buffer("mask", torch.tensor([0.0, -np.inf]), persistent=False)
            self.register_buffer("steps", torch.tensor(3))
            self.register_buffer("flag", torch.tensor([True, False]))
            self.register_buffer("waves", torch.ones(2, dtype=torch.complex64))
            self.register_buffer("nothing", torch.zeros(0))
            self.register_buffer("later", torch.zeros(2, device="meta"))

    held = values(Net())
    assert held["mask"].infinite == 1
    assert held["steps"].mean == 3
    assert held["flag"].mean == 0.5
    assert held["waves"].buffer
    assert np.isnan(held["later"].mean)


def test_odd_parameters():
    model = nn.ParameterDict(
        {
            "scalar": nn.Parameter(torch.tensor(2.0)),
            "empty": nn.Parameter(torch.zeros(0, 3)),
            "wave": nn.Parameter(torch.ones(3, dtype=torch.complex64)),
            "short": nn.Parameter(torch.full((3,), 2.0, dtype=torch.float16)),
        }
    )
    held = values(model)
    assert held["scalar"].mean == 2
    assert held["empty"].count == 0
    assert held["short"].constant
    assert held["wave"].dtype == "complex64"
