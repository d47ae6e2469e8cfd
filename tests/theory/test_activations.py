"""Activations against PyTorch's own, and their names."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.theory import Activation, activation, activation_names

torch = pytest.importorskip("torch")
functional = torch.nn.functional

THEIRS: dict[str, Callable[..., Any]] = {
    "linear": lambda z: z,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "selu": functional.selu,
    "hardtanh": functional.hardtanh,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "relu6": functional.relu6,
    "relu2": lambda z: functional.relu(z) ** 2,
    "sin": torch.sin,
    "leaky_relu": functional.leaky_relu,
    "leaky_relu(0.2)": lambda z: functional.leaky_relu(z, 0.2),
    "prelu": lambda z: functional.leaky_relu(z, torch.nn.PReLU().weight.item()),
    "elu": functional.elu,
    "elu(alpha=0.5)": lambda z: functional.elu(z, 0.5),
    "celu(2)": lambda z: functional.celu(z, 2.0),
    "celu": functional.celu,
}


@pytest.mark.parametrize("name", THEIRS)
def test_values_are_pytorch_s(name: str) -> None:
    z = np.concatenate([np.linspace(-8, 8, 321), [-40.0, -19.0, 19.0, 40.0]])
    theirs = THEIRS[name](torch.from_numpy(z)).numpy()
    # PyTorch's softplus is the identity above 20, off by 2e-9 there; the rest is rounding.
    np.testing.assert_allclose(activation(name)(z), theirs, rtol=1e-12, atol=3e-9)


def test_every_activation_is_compared() -> None:
    assert {activation(name).name for name in THEIRS} == set(activation_names())


def test_large_arguments_do_not_overflow() -> None:
    far = np.array([-800.0, 800.0])
    for name in set(activation_names()) - {"gelu_tanh"}:
        assert np.isfinite(activation(name)(far)).all(), name


@pytest.mark.parametrize("text", ["relu", "leaky_relu(0.2)", "elu(1)", "celu(-0.5)", "swish"])
def test_names_read_back(text: str) -> None:
    found = activation(text)
    assert activation(str(found)) == found


def test_synonyms_and_defaults() -> None:
    assert activation("swish") == activation("silu")
    assert activation("none") == activation("identity") == Activation("linear")
    assert activation("leaky_relu") == activation("leaky_relu(slope=0.01)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rellu", "there is no activation 'rellu'; did you mean \"relu\"? The activations are "),
        ("xyz", "there is no activation 'xyz'. The activations are linear, relu"),
        ("relu(0.1)", "relu takes no parameter, got 'relu(0.1)'"),
        ("leaky_relu(a)", "takes one number, such as leaky_relu(slope=0.01), got"),
        ("leaky_relu(True)", "takes one number"),
        ("leaky_relu(1e999)", "takes one number"),
        ("leaky_relu(0.1, 0.2)", "takes one number"),
        ("elu(slope=1)", "takes one number, such as elu(alpha=1)"),
        ("relu(", "cannot read"),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    with pytest.raises(FaninError, match=re.escape(message)):
        activation(text)
