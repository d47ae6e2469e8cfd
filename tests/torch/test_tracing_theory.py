"""Theory beside the measurement: a trace notes what the parameters held, and predicts from that."""

import pytest
import torch
from torch import nn

from fanin.torch.tracing import trace
from fanin.trace import Kind


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 400), nn.Tanh(), nn.Linear(400, 400)
    )


def test_what_the_parameters_held_is_noted(model: nn.Module) -> None:
    seen = trace(model, torch.randn(8, 400))
    for name, parameter in model.named_parameters():
        own = parameter.detach().double()
        mean, std = seen.moments[name]
        assert mean == pytest.approx(float(own.mean()), abs=1e-7)
        assert std == pytest.approx(float(own.std(correction=0)), rel=1e-4)


def test_the_size_of_every_signal_is_as_predicted(model: nn.Module) -> None:
    seen = trace(model, torch.randn(64, 400))
    pairs = [
        (op.forward.rms, expected.forward)
        for op, expected in zip(seen.ops, seen.predicted(), strict=True)
        if op.kind in (Kind.LINEAR, Kind.ACTIVATION) and op.forward is not None
    ]
    assert len(pairs) == 5
    for measured, expected in pairs:
        # A mean square over 400 units of 400 terms scatters by sqrt(5 / 400) per layer of relu.
        assert expected == pytest.approx(measured, rel=0.5 * 5 * (3 * 5 / 400) ** 0.5)


def test_nothing_is_noted_where_there_are_no_values() -> None:
    with torch.device("meta"):
        model = nn.Linear(4, 2)
    assert trace(model, torch.randn(3, 4)).moments == {}
