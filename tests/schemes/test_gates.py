"""Biases of an LSTM: against torch's own cell, and the distribution of the paper."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import kstest

from fanin.errors import FaninError
from fanin.schemes import Layout, chrono, forget_gate

torch = pytest.importorskip("torch")


def test_an_open_forget_gate_keeps_the_state_of_torchs_cell() -> None:
    cell = torch.nn.LSTMCell(3, 5)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        bias = forget_gate(20).values((20,), seed=0, name="bias")
        cell.bias_ih.copy_(torch.from_numpy(bias))
        state = torch.linspace(-1, 1, 5)[None]
        _, after = cell(torch.ones(1, 3), (torch.zeros(1, 5), state))
    # Only the forget gate is open; the others are half open, and what they let in is tanh(0).
    torch.testing.assert_close(after, state)


def test_the_moments_of_a_forget_gate_are_those_of_its_numbers() -> None:
    values = forget_gate(-3).values((12,), seed=0, name="b", dtype=np.float64)
    promised = forget_gate(-3).promised(shape=(12,))
    assert promised.mean == pytest.approx(values.mean())
    assert promised.std == pytest.approx(values.std())


def test_chrono_spreads_the_times_evenly_and_shuts_the_input_as_far() -> None:
    units, steps = 4000, 784
    bias = chrono(steps).values((4 * units,), seed=3, name="lstm.bias").reshape(4, units)
    times = np.exp(bias[1].astype(np.float64))
    # A p-value below 1e-6 would be no chance.
    assert kstest(times, "uniform", args=(1, steps - 2)).pvalue > 1e-6
    np.testing.assert_array_equal(bias[0], -bias[1])
    assert not bias[2:].any()


@pytest.mark.parametrize("steps", [2.5, 3, 100, 1e6])
def test_the_moments_of_chrono_are_the_integral(steps: float) -> None:
    square, _ = quad(lambda u: math.log(u) ** 2 / (steps - 2), 1, steps - 1, limit=200)
    # Two of the four gates hold it, with opposite signs.
    promised = chrono(steps).promised(shape=(8,))
    assert promised.mean == 0
    assert promised.std == pytest.approx(math.sqrt(square / 2), rel=1e-6)


@pytest.mark.parametrize("scheme", [forget_gate(), chrono()])
def test_only_the_bias_of_four_gates_is_filled(scheme: forget_gate | chrono) -> None:
    for shape in ((10,), (4, 4), ()):
        with pytest.raises(FaninError, match="for the bias of an LSTM"):
            scheme.values(shape, seed=0, name="b")
        with pytest.raises(FaninError, match="for the bias of an LSTM"):
            scheme.promised(shape=shape, layout=Layout.vector())
    whole = scheme.values((16,), seed=1, name="b")
    part = scheme.values((16,), seed=1, name="b", region=(slice(3, 11, 2),), dtype=np.float16)
    np.testing.assert_array_equal(part, whole[3:11:2].astype(np.float16))
