"""The modules of the grammar against the line they were written in, and what a factory may do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.errors import FaninError
from fanin.studies.grammar import ACTIVATIONS, Network
from fanin.theory import activation
from fanin.torch.networks import FullyConnected, build_network, torch_activation

LINES = [
    "4-1 sigmoid",
    "4-8-3 relu",
    "4-8-8-3 tanh norm=layer",
    "4-8-6-3 gelu norm=batch dropout=0.2",
    "4-8-3 relu bias=no",
]


class Fixed(nn.Module):
    """A mask of shape (units, examples) that is known."""

    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, signal: Tensor) -> Tensor:
        return signal * self.keep


@pytest.mark.parametrize("line", LINES)
def test_the_parameters_are_those_the_line_promises(line: str) -> None:
    network = Network.parse(line)
    model = FullyConnected(network, "cross_entropy")
    assert {name: tuple(p.shape) for name, p in model.named_parameters()} == network.shapes


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_the_theory(name: str) -> None:
    """The same function in float64, but for the series inside torch's erf and tanh: 1e-12."""
    z = np.linspace(-9, 9, 181)
    got = torch_activation(name)(torch.from_numpy(z))
    np.testing.assert_allclose(got, activation(name)(z), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["leaky_relu(0.3)", "elu(0.5)", "celu(2)"])
def test_activations_take_their_parameter(name: str) -> None:
    z = np.linspace(-4, 4, 81)
    got = torch_activation(name)(torch.from_numpy(z))
    np.testing.assert_allclose(got, activation(name)(z), rtol=1e-12, atol=1e-12)


def test_order_of_a_hidden_layer() -> None:
    """Linear, norm, activation, dropout; then linear: written out with torch's functions."""
    model = FullyConnected(Network.parse("4-8-3 tanh norm=layer dropout=0.5"), "cross_entropy")
    state = dict(model.named_parameters())
    for seed, parameter in enumerate(state.values()):
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
    features = torch.randn(5, 4, generator=torch.Generator().manual_seed(9))
    keep = torch.rand(8, 5, generator=torch.Generator().manual_seed(10)) < 0.5
    model.dropout = Fixed(keep)
    got = model.train()(features)
    signal = functional.linear(features, state["layers.0.weight"], state["layers.0.bias"])
    signal = functional.layer_norm(signal, (8,), state["norms.0.weight"], state["norms.0.bias"])
    signal = torch.tanh(signal) * keep.T
    expected = functional.linear(signal, state["layers.1.weight"], state["layers.1.bias"])
    torch.testing.assert_close(got, expected)


def test_an_output_that_the_loss_computes_is_left_to_the_loss() -> None:
    features = torch.full((1, 4), 3.0)
    network = Network.parse("4-1 sigmoid")
    logit = FullyConnected(network, "bce")
    chance = FullyConnected(network, "mse")
    chance.load_state_dict(logit.state_dict())
    torch.testing.assert_close(chance(features), torch.sigmoid(logit(features)))
    shares = FullyConnected(Network.parse("4-5-3 relu softmax"), "mse")(features)
    assert shares.sum().item() == pytest.approx(1)


def broken() -> nn.Module:
    raise RuntimeError("no such file")


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        (broken, r"factory broken\(\) failed: RuntimeError: no such file"),
        (lambda: 3, r"must return a torch.nn.Module, got int"),
        (lambda: nn.Linear, r"must return a torch.nn.Module, got type"),
        (lambda x: x, r"failed: TypeError: .*missing 1 required positional argument"),
        (nn.ReLU, r"network of ReLU\(\) has no parameter to train"),
        (lambda: nn.Linear(2, 1).requires_grad_(requires_grad=False), r"no parameter to train"),
    ],
)
def test_a_factory_that_makes_no_network(factory: Callable[..., Any], said: str) -> None:
    with pytest.raises(FaninError, match=said):
        build_network(factory, "bce")
