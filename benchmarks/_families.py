"""Networks that a start decides about: deep plain stacks, residual nets, transformers, an LSTM.

Each family says what is trained on what, with which optimiser, and which published scheme was made
for it. All of them are small enough for two cores and deep enough for a wrong start to show.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

TRAINED = 1437
"""Digits that are trained on; the other 360 are held out."""


@dataclass(frozen=True)
class Data:
    """Examples to train on and to judge by; targets are classes, or the inputs themselves."""

    inputs: Tensor
    targets: Tensor
    held_out: Tensor
    wanted: Tensor


@dataclass(frozen=True)
class Family:
    """One row of the table.

    Attributes:
        name: What is trained.
        build: Builds the network.
        data: What it is trained on.
        special: The best published scheme for it: a name, a recipe, and rules or calibration.
        optimizer: ``"momentum"`` or ``"adam"``.
        rates: The grid that every scheme picks its learning rate from.
        steps: Optimiser steps.
        batch: Examples in a batch.
        seeds: Repeats.
        together: Whether all runs are stacked under vmap.
    """

    name: str
    build: Callable[[], nn.Module]
    data: Callable[[], Data]
    special: tuple[str, str, Mapping[str, str], bool]
    optimizer: str = "momentum"
    rates: tuple[float, ...] = (0.001, 0.004, 0.016, 0.064)
    steps: int = 120
    batch: int = 32
    seeds: int = 5
    together: bool = True


def digits(shape: tuple[int, ...] = (64,)) -> Data:
    """Load the handwritten digits, of zero mean and unit size over all pixels."""
    pixels, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    values = torch.as_tensor(pixels[order], dtype=torch.float32)
    values = (values - values[:TRAINED].mean(0)) / values[:TRAINED].std()
    values, targets = values.view(-1, *shape), torch.as_tensor(classes[order])
    return Data(values[:TRAINED], targets[:TRAINED], values[TRAINED:], targets[TRAINED:])


def reconstructed() -> Data:
    """Ask for the pixels themselves."""
    data = digits()
    return Data(data.inputs, data.inputs, data.held_out, data.held_out)


def first_bit(length: int = 100) -> Data:
    """Ask which of two values stood first in a long row of noise."""
    generator = torch.Generator().manual_seed(0)
    rows = 0.3 * torch.randn(800, length, 1, generator=generator)
    bits = torch.randint(0, 2, (800,), generator=generator)
    rows[:, 0, 0] = 2.0 * bits - 1
    return Data(rows[:600], bits[:600], rows[600:], bits[600:])


def stack(activation: Callable[[], nn.Module], depth: int, width: int = 64) -> nn.Module:
    """A plain stack of `depth` linear layers."""
    layers: list[nn.Module] = [nn.Linear(64, width)]
    for _ in range(depth - 2):
        layers += [activation(), nn.Linear(width, width)]
    return nn.Sequential(*layers, activation(), nn.Linear(width, 10))


def convolutions(activation: Callable[[], nn.Module], depth: int, channels: int = 16) -> nn.Module:
    """A plain stack of `depth` layers, all but the last 3 x 3 convolutions."""
    layers: list[nn.Module] = [nn.Conv2d(1, channels, 3, padding=1)]
    for _ in range(depth - 2):
        layers += [activation(), nn.Conv2d(channels, channels, 3, padding=1)]
    return nn.Sequential(
        *layers, activation(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * channels, 10)
    )


class Residual(nn.Module):
    """Residual blocks of two linear layers each, without a norm."""

    def __init__(self, blocks: int, width: int = 64) -> None:
        super().__init__()
        self.first = nn.Linear(64, width)
        self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.outer = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for inner, outer in zip(self.inner, self.outer, strict=True):
            x = x + outer(torch.relu(inner(torch.relu(x))))
        return self.head(x)


class Block(nn.Module):
    """Attention and a feed-forward part, with norms before the branches or after the sums."""

    def __init__(self, width: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def attend(self, x: Tensor) -> Tensor:
        """Two heads."""
        q, k, v = (
            part.unflatten(-1, (2, -1)).transpose(-3, -2) for part in self.qkv(x).chunk(3, -1)
        )
        scores = (q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5
        return self.out((scores.softmax(-1) @ v).transpose(-3, -2).flatten(-2))

    def forward(self, x: Tensor) -> Tensor:
        if self.first:
            x = x + self.attend(self.norm1(x))
            return x + self.narrow(functional.gelu(self.wide(self.norm2(x))))
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + self.narrow(functional.gelu(self.wide(x))))


class Transformer(nn.Module):
    """A classifier of the eight rows of a digit."""

    def __init__(self, blocks: int, first: bool, width: int = 32) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.position = nn.Parameter(0.02 * torch.randn(8, width))
        self.blocks = nn.ModuleList(Block(width, first) for _ in range(blocks))
        self.norm = nn.LayerNorm(width) if first else nn.Identity()
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(-2))


class Reader(nn.Module):
    """An LSTM that answers from its last state."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, width, batch_first=True)
        self.head = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def autoencoder() -> nn.Module:
    """Wide, narrow, wide."""
    sizes = (64, 256, 32, 8, 32, 256, 64)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
}


def _stack_special(name: str, depth: int) -> tuple[str, str, Mapping[str, str], bool]:
    last = f"{2 * (depth - 1)}.weight"
    if name == "relu":
        mirrored = {"0.weight": "looks_linear(mirror=outputs)", last: "looks_linear(mirror=inputs)"}
        return "looks-linear (Balduzzi 2017)", "looks_linear", mirrored, False
    if name == "tanh":
        return "orthogonal, critical (Pennington 2017)", "orthogonal", {}, False
    if name == "gelu":
        rules = {
            "0.weight": "orthogonal(gain=1.84)",
            last: "orthogonal",
            "*.bias": "normal(0, 0.416)",
        }
        return "half-stable (Roberts 2022)", "orthogonal(gain=1.408)", rules, False
    return "LSUV, centred (Mishkin 2016)", "orthogonal", {}, True


def families() -> list[Family]:
    """List the rows of the table."""
    rows = [
        Family(
            f"{name} MLP, {depth} layers",
            lambda make=make, depth=depth: stack(make, depth),
            digits,
            _stack_special(name, depth),
            rates=(0.004, 0.016, 0.064, 0.256) if depth == 5 else (0.001, 0.004, 0.016),
        )
        for name, make in ACTIVATIONS.items()
        for depth in (5, 20, 50, 100, 200)
    ]
    delta = (
        "delta-orthogonal (Xiao 2018)",
        "delta_orthogonal(gain=relu)",
        {"0.weight": "orthogonal"},
        False,
    )
    rows += [
        Family(
            f"relu convolutions, {depth} layers",
            lambda depth=depth: convolutions(nn.ReLU, depth),
            lambda: digits((1, 8, 8)), delta, rates=(0.001, 0.004, 0.016), steps=80, seeds=4,
        )
        for depth in (20, 50)
    ]  # fmt: skip
    rows += [
        Family(
            f"residual MLP, no norm, {blocks} blocks",
            lambda blocks=blocks: Residual(blocks),
            digits, ("fixup (Zhang 2019)", "fixup", {}, False),
        )
        for blocks in (10, 30, 50)
    ]  # fmt: skip
    rows += [
        Family(
            f"{'pre' if first else 'post'}-norm transformer, {blocks} blocks",
            lambda blocks=blocks, first=first: Transformer(blocks, first),
            lambda: digits((8, 8)),
            ("gpt2 (Radford 2019)", "gpt2", {}, False)
            if first
            else ("deepnet (Wang 2022)", "deepnet", {}, False),
            "adam", (0.001, 0.003), 80, 32, 4,
        )
        for first in (True, False)
        for blocks in (6, 12, 24)
    ]  # fmt: skip
    chrono = {"lstm.weight_hh*": "orthogonal", "lstm.bias_ih*": "chrono(steps=100)"}
    rows += [
        Family(
            "LSTM over 100 steps", Reader, first_bit,
            ("chrono (Tallec 2018)", "glorot", chrono, False),
            "adam", (0.003, 0.01), 150, 32, 4, together=False,
        ),
        Family(
            "autoencoder 64-256-32-8-32-256-64", autoencoder, reconstructed,
            ("orthogonal (Saxe 2014)", "orthogonal", {}, False),
        ),
    ]  # fmt: skip
    return rows
