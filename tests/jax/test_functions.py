"""Networks of the grammar as functions: the values of the module that PyTorch builds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from fanin.jax.activations import jax_activation
from fanin.jax.networks import function_of
from fanin.studies.grammar import ACTIVATIONS, Network
from fanin.studies.parameters import slots_of
from fanin.theory import activation
from fanin.torch.layouts import slots
from fanin.torch.networks import FullyConnected

LINES = (
    "4-1 sigmoid",
    "4-3 bias=no",
    "4-6-3 relu",
    "4-6-5-3 tanh softmax",
    "4-6-6-3 gelu norm=layer",
    "4-6-6-3 silu norm=batch",
    "4-6-3 relu tanh dropout=0.3",
)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_those_of_the_theory(name: str) -> None:
    """Float32 against float64: a few roundings of numbers below 64."""
    z = np.linspace(-8, 8, 161)
    got = np.asarray(jax_activation(name)(jnp.asarray(z, jnp.float32)))
    np.testing.assert_allclose(got, activation(name)(np.float32(z)), rtol=3e-6, atol=1e-6)


@pytest.mark.parametrize("line", LINES)
def test_slots_are_those_of_the_module(line: str) -> None:
    network = Network.parse(line)
    assert slots_of(network) == slots(FullyConnected(network, "cross_entropy"))


@pytest.mark.parametrize(
    ("line", "loss"),
    [*[(line, "mse") for line in LINES], (LINES[0], "bce"), (LINES[3], "cross_entropy")],
)
def test_outputs_are_those_of_the_module(line: str, loss) -> None:
    network = Network.parse(line)
    module, function = FullyConnected(network, loss), function_of(network, loss)
    torch.manual_seed(0)
    features = torch.randn(9, 4)
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 2.0)
    state = {name: jnp.asarray(values.numpy()) for name, values in module.state_dict().items()}
    buffers = {name: state[name] for name in function.buffers}
    expected = module.eval()(features).detach().numpy()
    inputs = jnp.asarray(features.numpy())
    got, after = function.forward(state, buffers, inputs, None)
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-5, atol=1e-6)
    assert set(after) == set(buffers)
    if network.dropout:
        return
    expected = module.train()(features).detach().numpy()
    got, after = function.forward(state, buffers, inputs, jax.random.key(0))
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-5, atol=2e-6)
    for name in buffers:
        moved = module.state_dict()[name].numpy()
        np.testing.assert_allclose(np.asarray(after[name]), moved, rtol=1e-6)


def test_dropout_keeps_its_share_and_the_mean() -> None:
    """5 standard errors of a share of 300 x 64 units."""
    network = Network.parse("64-64-64 linear dropout=0.3 bias=no")
    function = function_of(network, "mse")
    state = {f"layers.{layer}.weight": jnp.eye(64) for layer in range(2)}
    out = np.asarray(function.forward(state, {}, jnp.ones((300, 64)), jax.random.key(1))[0])
    error = np.sqrt(0.3 * 0.7 / out.size)
    assert abs((out == 0).mean() - 0.3) < 5 * error
    assert np.unique(out).tolist() == pytest.approx([0, 1 / 0.7])
