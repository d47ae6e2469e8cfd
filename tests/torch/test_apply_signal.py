"""The fans are right: real layers under `lecun_normal` keep the variance of their input.

LeCun's rule gives a weight the variance 1 / fan_in, so a layer that sums `fan_in` products with a
unit input has output variance 1, whatever the layer is and however it stores its weight.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fanin

SEED = 3


def gaussian(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(math.prod(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def started(layer: nn.Module) -> Any:
    fanin.init_(layer.double(), "lecun_normal", seed=SEED)
    return layer


def assert_unit(signal: Tensor, weights: int, inputs: int) -> None:
    """Check that the mean square is 1.

    It is a mean of squares of Gaussians, each with relative variance 2, over three samples: the
    weights, the inputs and the outputs. Their relative variances add up to at most
    2 / weights + 2 / inputs + 2 / outputs; five standard deviations are allowed.
    """
    tolerance = 5 * math.sqrt(2 / weights + 2 / inputs + 2 / signal.numel())
    assert tolerance < 0.12, "too small a sample to tell fans apart"
    assert signal.square().mean().item() == pytest.approx(1, abs=tolerance)


def weights_of(layer: nn.Module) -> int:
    return dict(layer.named_parameters())["weight"].numel()


def crop(signal: Tensor, margin: int) -> Tensor:
    """Drop the border, where a transposed convolution has fewer terms."""
    for axis in range(2, signal.ndim):
        signal = signal.narrow(axis, margin, signal.shape[axis] - 2 * margin)
    return signal


MAPS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(256, 128), (64, 256)),
    "conv1d": (nn.Conv1d(32, 48, 5), (16, 32, 40)),
    "conv2d": (nn.Conv2d(16, 32, 3), (16, 16, 12, 12)),
    "conv3d": (nn.Conv3d(16, 16, 3), (16, 16, 6, 6, 6)),
    "strided": (nn.Conv2d(16, 32, 3, stride=2), (32, 16, 15, 15)),
    "dilated": (nn.Conv2d(16, 32, 3, dilation=3), (16, 16, 15, 15)),
    "grouped": (nn.Conv2d(64, 32, 3, groups=4), (16, 64, 10, 10)),
    "depthwise": (nn.Conv2d(512, 512, 3, groups=512), (8, 512, 8, 8)),
    "depthwise, two per channel": (nn.Conv1d(512, 1024, 5, groups=512), (8, 512, 30)),
}


@pytest.mark.parametrize("name", MAPS)
def test_convolutions(name: str) -> None:
    layer, shape = MAPS[name]
    signal = gaussian(*shape)
    assert_unit(started(layer)(signal), weights_of(layer), signal.numel())


TRANSPOSED: dict[str, tuple[nn.Module, tuple[int, ...], int]] = {
    "1d": (nn.ConvTranspose1d(32, 48, 5), (16, 32, 40), 4),
    "2d": (nn.ConvTranspose2d(32, 16, 3), (16, 32, 12, 12), 2),
    "3d": (nn.ConvTranspose3d(32, 32, 2), (8, 32, 6, 6, 6), 1),
    "strided": (nn.ConvTranspose2d(64, 16, 4, stride=2), (16, 64, 10, 10), 4),
    # A kernel of 3 at stride 2 gives outputs of 1 and of 2 terms in turn: 1.5 on average, seen
    # over whole periods, so the margin is a multiple of the stride at either end.
    "uneven": (nn.ConvTranspose1d(128, 32, 3, stride=2, output_padding=1), (16, 128, 40), 2),
    "grouped": (nn.ConvTranspose2d(64, 64, 4, stride=2, groups=4), (16, 64, 10, 10), 4),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolutions(name: str) -> None:
    layer, shape, margin = TRANSPOSED[name]
    signal = gaussian(*shape)
    output = crop(started(layer)(signal), margin)
    assert_unit(output, weights_of(layer), signal.numel())


def test_bilinear() -> None:
    layer = started(nn.Bilinear(24, 32, 64))
    left, right = gaussian(800, 24), gaussian(800, 32)
    # Every output of an example scales with |left|^2 |right|^2, so inputs count twice.
    assert_unit(layer(left, right), layer.weight.numel(), left.numel() // 2)


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_embeddings(kind: Callable[..., nn.Module]) -> None:
    layer = started(kind(500, 64))
    output = layer(torch.arange(500)[:, None])
    assert_unit(output, 500 * 64, 500 * 64)


@pytest.mark.parametrize("cell", [False, True])
def test_plain_recurrence(cell: bool) -> None:
    layer = started(nn.RNNCell(128, 128) if cell else nn.RNN(128, 128))
    signal, nothing = gaussian(1, 128, 128), torch.zeros(1, 128, 128, dtype=torch.float64)
    for given, state in ((signal, nothing), (nothing, gaussian(1, 128, 128))):
        output = layer(given[0], state[0]) if cell else layer(given, state)[0]
        assert_unit(output.atanh(), 128 * 128, 128 * 128)


@pytest.mark.parametrize("cell", [False, True])
def test_gates_of_an_lstm(cell: bool) -> None:
    """From the new state and cell, the inputs of the forget and the output gate can be told."""
    layer = started(nn.LSTMCell(128, 128) if cell else nn.LSTM(128, 128))
    nothing = torch.zeros(1, 128, 128, dtype=torch.float64)

    def step(given: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        if cell:
            return layer(given[0], (hidden[0], memory[0]))
        return layer(given, (hidden, memory))[1]

    for given, hidden in ((gaussian(1, 128, 128), nothing), (nothing, gaussian(1, 128, 128))):
        _, fresh = step(given, hidden, nothing)
        shown, kept = step(given, hidden, nothing + 1)
        forget, output = kept - fresh, shown / kept.tanh()
        assert_unit(forget.logit(), 128 * 128, 128 * 128)
        assert_unit(output.logit(), 128 * 128, 128 * 128)


@pytest.mark.parametrize("cell", [False, True])
def test_gates_of_a_gru(cell: bool) -> None:
    """Without the recurrent weights, the update gate and the candidate can be told."""
    layer = started(nn.GRUCell(128, 128) if cell else nn.GRU(128, 128))
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_hh"):
            nn.init.zeros_(parameter)
    signal, nothing = gaussian(1, 128, 128), torch.zeros(1, 128, 128, dtype=torch.float64)

    def step(hidden: Tensor) -> Tensor:
        return layer(signal[0], hidden[0]) if cell else layer(signal, hidden)[0]

    update = step(nothing + 1) - step(nothing)
    candidate = step(nothing) / (1 - update)
    assert_unit(update.logit(), 128 * 128, 128 * 128)
    assert_unit(candidate.atanh(), 128 * 128, 128 * 128)


@pytest.mark.parametrize("sizes", [{}, {"kdim": 96, "vdim": 160}], ids=["fused", "apart"])
def test_attention(sizes: dict[str, Any]) -> None:
    """With one key all weight is on its value; with two, the weights tell the logits."""
    layer = started(nn.MultiheadAttention(128, 1, batch_first=True, **sizes))
    batch = 256
    query = gaussian(batch, 1, 128)
    key = gaussian(batch, 2, sizes.get("kdim", 128))
    value = gaussian(batch, 2, sizes.get("vdim", 128))
    output, _ = layer(query, key[:, :1], value[:, :1])
    # The output passed two matrices, each a sample of its own.
    assert_unit(output, 128 * 128 // 2, value[:, :1].numel() // 2)
    _, weights = layer(query, key, value)
    # Logits q.k / sqrt(128) have variance 1, and their difference over two keys 2. One number an
    # example, and three samples of weights and inputs behind it.
    logit = (weights[..., 0] / weights[..., 1]).log() / math.sqrt(2)
    spread = math.sqrt(2 / batch + 2 * 3 / 128)
    assert logit.square().mean().item() == pytest.approx(1, abs=5 * spread)


def test_norms_leave_a_unit_signal_alone() -> None:
    signal = gaussian(64, 8, 32)
    signal = (signal - signal.mean(-1, keepdim=True)) / signal.std(-1, correction=0, keepdim=True)
    for layer in (
        nn.LayerNorm(32),
        nn.GroupNorm(8, 8),
        nn.InstanceNorm1d(8, affine=True),
        nn.RMSNorm(32),
    ):
        nn.init.constant_(layer.weight, 7)
        torch.testing.assert_close(started(layer)(signal), signal, rtol=0, atol=1e-4)
