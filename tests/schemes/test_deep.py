"""Schemes of deep plain stacks, held to what real layers do with them."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from fanin.errors import FaninError
from fanin.schemes import Layout, centred_orthogonal, mirrored
from fanin.torch.layers import layer_layout

LINES = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
}
"""Activations with phi(z) - phi(-z) = z."""


def filled(layer: nn.Module, scheme: mirrored | centred_orthogonal, name: str) -> nn.Module:
    weight = layer.double().weight
    values = scheme.values(
        tuple(weight.shape), seed=3, name=name, layout=layer_layout(layer), dtype=np.float64
    )
    with torch.no_grad():
        weight.copy_(torch.as_tensor(values))
    return layer.requires_grad_(False)


def stack(sizes: list[int], make: str = "linear") -> list[nn.Module]:
    kinds = {
        "linear": lambda i, o: nn.Linear(i, o, bias=False),
        "conv": lambda i, o: nn.Conv2d(i, o, 3, padding=1, bias=False),
    }
    last = len(sizes) - 2
    sides = {0: "outputs", last: "inputs"}
    return [
        filled(kinds[make](i, o), mirrored(mirror=sides.get(place, "both")), f"{place}.weight")
        for place, (i, o) in enumerate(itertools.pairwise(sizes))
    ]


@pytest.mark.parametrize("activation", LINES.values(), ids=LINES)
@pytest.mark.parametrize("make", ["linear", "conv"])
def test_a_mirrored_stack_is_a_linear_map(activation, make):
    layers = stack([6, 16, 24, 16, 8, 5], make)
    shape = (4, 6) if make == "linear" else (4, 6, 5, 5)
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))

    def run(signal):
        for layer in layers[:-1]:
            signal = activation(layer(signal))
        return layers[-1](signal)

    assert torch.allclose(run(2 * x - 3 * y), 2 * run(x) - 3 * run(y), atol=1e-9)


def test_a_mirrored_stack_keeps_every_length_whatever_the_depth():
    layers = stack([32, 64, *[64] * 98, 32])
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(8, 32, generator=generator, dtype=torch.float64)
    signal = x
    for layer in layers[:-1]:
        signal = functional.relu(layer(signal))
    assert torch.allclose(layers[-1](signal).norm(dim=1), x.norm(dim=1), rtol=1e-9)


@pytest.mark.parametrize("sizes", [(8, 32), (32, 8), (32, 32)])
@pytest.mark.parametrize("mirror", ["both", "outputs", "inputs"])
def test_a_mirrored_kernel_promises_what_it_holds(sizes, mirror):
    scheme = mirrored(gain=1.5, mirror=mirror)
    values = scheme.values(sizes, seed=0, name="w", dtype=np.float64)
    promised = scheme.promised(shape=sizes, layout=Layout.linear())
    assert math.sqrt((values**2).mean()) == pytest.approx(promised.std, rel=1e-9)


def test_a_centred_kernel_passes_no_offset_on_and_keeps_the_rest():
    values = centred_orthogonal().values((64, 64), seed=0, name="w", dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(10, 64))
    x -= x.mean(axis=1, keepdims=True)
    assert np.allclose((x + 5) @ values.T, x @ values.T)
    assert np.allclose(np.linalg.norm(x @ values.T, axis=1), np.linalg.norm(x, axis=1))
    assert np.allclose((x @ values.T).sum(axis=1), 0)


@pytest.mark.parametrize("sizes", [(16, 64), (64, 16), (5, 5), (2, 2)])
@pytest.mark.parametrize("sides", ["both", "inputs"])
def test_a_centred_kernel_promises_what_it_holds(sizes, sides):
    scheme = centred_orthogonal(gain=4.2, sides=sides)
    values = scheme.values(sizes, seed=0, name="w", dtype=np.float64)
    promised = scheme.promised(shape=sizes, layout=Layout.linear())
    assert math.sqrt((values**2).mean()) == pytest.approx(promised.std, rel=1e-9)
    assert values.mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 16), (16, 64), (40, 40)])
def test_a_centred_kernel_keeps_the_second_moment_of_a_unit(inputs, outputs):
    values = centred_orthogonal().values((outputs, inputs), seed=0, name="w", dtype=np.float64)
    x = np.random.default_rng(0).normal(size=(4000, inputs))
    x -= x.mean(axis=1, keepdims=True)
    ratio = ((x @ values.T) ** 2).mean() / (x**2).mean()
    # Of 4000 vectors, each with at least 15 free directions that count.
    assert ratio == pytest.approx(1, abs=5 * math.sqrt(2 / (15 * 4000)))


def test_a_deep_sigmoid_stack_still_tells_inputs_apart():
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(16, 64, generator=generator, dtype=torch.float64)
    for place in range(100):
        layer = filled(nn.Linear(64, 64, bias=False), centred_orthogonal(4.2), f"{place}.weight")
        signal = layer(torch.sigmoid(signal))
    lengths = signal / signal.norm(dim=1, keepdim=True)
    cosines = (lengths @ lengths.T)[~torch.eye(16, dtype=torch.bool)]
    assert cosines.abs().mean() < 0.2  # independent directions in 64 dimensions: 0.1
    assert 0.2 < float(signal.square().mean().sqrt()) < 2


@pytest.mark.parametrize(
    ("scheme", "shape", "message"),
    [
        (mirrored(), (7, 8), "must be even"),
        (mirrored(mirror="inputs"), (8, 7), "must be even"),
        (centred_orthogonal(), (1, 8), "two inputs are the least"),
        (centred_orthogonal(sides="inputs"), (8, 1), "two inputs are the least"),
    ],
)
def test_what_cannot_be_paired_is_refused(scheme, shape, message):
    with pytest.raises(FaninError, match=message):
        scheme.values(shape, seed=0, name="w")
