"""The verb `restart` on the classic traps, against a slow loop and closed forms."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from fanin import init_, restart, restart_function
from fanin.errors import FaninError
from fanin.studies.data import load
from fanin.studies.grammar import Network
from fanin.torch.networks import FullyConnected


def xor(**changes):
    settings = {"scheme": "glorot_normal", "starts": 60, "controls": 20, "rate": 0.5,
                "batch_size": 4, "steps": 600, "long_runs": 0, "quiet": True}  # fmt: skip
    return restart("2-2-1 tanh", "xor", **{**settings, **changes})


def alone(seed, steps, rate):
    """One training of XOR as everyone writes it."""
    model = FullyConnected(Network.parse("2-2-1 tanh"), "bce")
    init_(model, "glorot_normal", seed=seed)
    x = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    y = torch.tensor([[0.0], [1], [1], [0]])
    loss = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
    return float(loss(model(x), y).detach())


def test_the_controls_are_those_of_a_slow_loop():
    """Twenty starts, one at a time; an end below the target or near it would be undecided."""
    result = xor()
    slow = np.array([alone(seed, 600, 0.5) for seed in range(20)])
    ends = result.curves[0, :20, -1]
    # Float32 sums in another order; near a saddle they part, and the two agree again later.
    np.testing.assert_allclose(ends, slow, atol=2e-3)
    (worth,) = result.worth
    assert worth.reached == int((slow <= result.target).sum())
    assert 0 < worth.reached < 20
    assert result.best.loss == pytest.approx(alone(result.best.seed, 600, 0.5), abs=1e-4)
    assert result.best.accuracy == 1.0
    assert result.document().verdict[0].startswith("Restarting helps: ")
    assert result.spent < 60 * 600


@pytest.mark.slow
def test_what_is_not_solved_gets_two_corners_right_and_guesses_two():
    """The other ends of XOR cannot tell two of the points apart: half the loss is left, ln 2 / 2.

    It is approached from above as the corners that are right saturate.
    """
    result = xor(steps=3000, starts=20, long_runs=0)
    poor = [minimum for minimum in result.minima if minimum.loss > 0.2]
    assert len(poor) == 2
    for minimum in poor:
        assert minimum.loss == pytest.approx(math.log(2) / 2, abs=0.01)
    assert len(result.minima) == 4


def test_zeros_never_learn_xor():
    result = xor(scheme="zeros", starts=10, controls=5)
    assert "no start of 10 gets away from the best constant guess" in result.document().verdict[0]
    assert result.minima[0].stuck


def test_without_hidden_layers_restarting_is_pointless():
    result = restart("4-3", "iris", scheme="normal(0, 1)", starts=12, controls=12, scale=True,
                     rate=0.5, steps=1500, long_runs=1, quiet=True)  # fmt: skip
    first = result.document().verdict[0]
    assert first.startswith("Restarting is pointless: a network without hidden layers")
    assert len(result.minima) == 1
    assert result.success_rate.value == 1


def born_dead(seed, x):
    """Whether a deep narrow relu network says the same everywhere, by numpy and the start alone."""
    model = FullyConnected(Network.parse("1-2-2-2-2-2-2-1 relu"), "mse")
    init_(model, "he_normal", seed=seed)
    layers = [p.detach().numpy() for name, p in model.named_parameters() if "weight" in name]
    signal = x
    for weight in layers[:-1]:
        signal = np.maximum(signal @ weight.T, 0)
    return float(np.ptp(signal @ layers[-1].T)) == 0.0


def test_a_dead_start_stays_dead_and_another_is_found():
    """Lu, Shin, Su and Karniadakis (2020), Dying ReLU and initialization: |x|, width 2."""
    x = np.linspace(-1.7, 1.7, 80, dtype=np.float32)[:, None]
    result = restart("1-2-2-2-2-2-2-1 relu", (x, np.abs(x)), scheme="he_normal", starts=24,
                     controls=24, rate=0.03, optimizer="adam", steps=80, holdout=0,
                     long_runs=0, quiet=True)  # fmt: skip
    dead = np.array([born_dead(seed, x) for seed in range(24)])
    assert 3 < dead.sum() < 24
    # A dead network is its last bias: the loss ends at the variance of |x| and no lower.
    ends = result.curves[0, :, -1]
    assert (ends[dead] >= 0.99 * result.baseline).all()
    assert result.best.loss < 0.5 * result.baseline
    assert not dead[result.best.seed]
    assert any(minimum.stuck for minimum in result.minima)


def test_long_runs_cost_what_the_search_did():
    result = xor(starts=20, controls=6, steps=100, long_runs=3)
    assert result.long.runs == 3
    assert result.long.steps == result.spent
    late = [alone(seed, result.spent, 0.5) for seed in range(3)]
    for arrival, end in zip(result.long.arrivals, late, strict=True):
        assert (arrival < math.inf) == (end <= result.target)


def test_the_weights_are_those_of_the_best_start(tmp_path):
    result = xor()
    result.save(tmp_path / "best.safetensors")
    model = FullyConnected(Network.parse("2-2-1 tanh"), "bce")
    model.load_state_dict(load_file(tmp_path / "best.safetensors"), strict=True)
    other = FullyConnected(Network.parse("2-2-1 tanh"), "bce")
    result.load_into(other)
    data = load("xor").train
    for net in (model, other):
        with torch.no_grad():
            target = torch.as_tensor(data.target).float()
            logits = net(torch.as_tensor(data.features))[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logits, target)
        assert float(loss) == pytest.approx(result.best.loss, rel=1e-4)


def test_weights_of_another_network_are_refused_and_change_nothing():
    result = xor(steps=5, starts=3, controls=1)
    for line in ("2-3-1 tanh", "2-2-2-1 tanh"):
        model = FullyConnected(Network.parse(line), "bce")
        before = {name: values.clone() for name, values in model.state_dict().items()}
        with pytest.raises(FaninError):
            result.load_into(model)
        assert all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    with pytest.raises(FaninError, match="torch module"):
        result.load_into(object())
    with pytest.raises(FaninError, match="cannot be written"):
        result.save("/nowhere/best.safetensors")


def test_held_out_examples_are_never_used_for_choosing():
    """Other held-out targets, and the same start wins."""
    generator = np.random.default_rng(0)
    x, held = generator.normal(size=(40, 2)), generator.normal(size=(20, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    settings = {"scheme": "he_normal", "starts": 20, "controls": 4, "steps": 60, "rate": 0.3,
                "long_runs": 0, "quiet": True}  # fmt: skip
    results = [
        restart("2-4-1 tanh", (x, y, held, target), **settings)
        for target in (np.arange(20) % 2, 1 - np.arange(20) % 2)
    ]
    assert results[0].best.seed == results[1].best.seed
    np.testing.assert_array_equal(results[0].curves[0], results[1].curves[0])


def test_everything_diverged_is_told():
    x = np.linspace(-1, 1, 20)[:, None]
    result = restart("1-4-1 relu", (x, x[:, 0]), scheme="he_normal", starts=6, rate=1e6,
                     steps=30, quiet=True)  # fmt: skip
    assert result.document().verdict[0].startswith("Every start diverged")


def test_json_and_page():
    result = xor(steps=20, starts=9, controls=3)
    told = json.loads(result.to_json())
    assert len(told["starts"]) == 9
    assert sum(start["control"] for start in told["starts"]) == 3
    assert told["starts"][8]["losses"][0] == pytest.approx(float(result.curves[0, 8, 0]), rel=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"starts": 0}, {"controls": 0}, {"controls": 61}, {"eta": 1}, {"rungs": 9},
        {"long_runs": -1}, {"reach": math.nan}, {"scheme": "he_norml"}, {"scheme": ""},
        {"starts": 5000, "rungs": 1}, {"seed": -1},
    ],
)  # fmt: skip
def test_odd_inputs_are_refused(changes):
    with pytest.raises(FaninError):
        xor(**changes)


def test_a_function_of_python():
    result = restart_function(lambda x: (x - 2) ** 2, steps=500, rate=0.1, quiet=True)
    assert result.minima[0].x == pytest.approx(2, abs=1e-6)
    with pytest.raises(FaninError):
        restart_function("x**", quiet=True)
