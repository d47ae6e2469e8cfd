"""`torch_default` is what torch's own constructors do, layer by layer and tensor by tensor."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fanin

BUILDS = 24
"""Independent constructions, so that small tensors too have enough values to be measured."""

ZOO: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(40, 30),
    "bilinear": lambda: nn.Bilinear(6, 7, 9),
    "conv1d": lambda: nn.Conv1d(8, 12, 5),
    "conv2d, grouped": lambda: nn.Conv2d(8, 12, 3, groups=4, stride=2),
    "conv3d": lambda: nn.Conv3d(3, 6, 2),
    "transposed 1d": lambda: nn.ConvTranspose1d(8, 3, 4, stride=2),
    "transposed 2d, grouped": lambda: nn.ConvTranspose2d(8, 12, 3, groups=4),
    "transposed 3d": lambda: nn.ConvTranspose3d(6, 3, 2),
    "embedding": lambda: nn.Embedding(30, 8, padding_idx=2),
    "bag": lambda: nn.EmbeddingBag(30, 8),
    "rnn": lambda: nn.RNN(5, 7),
    "lstm": lambda: nn.LSTM(5, 9, num_layers=2, bidirectional=True, proj_size=3),
    "gru": lambda: nn.GRU(5, 7),
    "lstm cell": lambda: nn.LSTMCell(5, 7),
    "gru cell": lambda: nn.GRUCell(5, 7),
    "attention": lambda: nn.MultiheadAttention(64, 2, add_bias_kv=True),
    "attention apart": lambda: nn.MultiheadAttention(16, 2, kdim=10, vdim=6),
    "batch norm": lambda: nn.BatchNorm2d(4),
    "layer norm": lambda: nn.LayerNorm(4),
    "prelu": lambda: nn.PReLU(3, init=0.1),
    "encoder": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2
    ),
    "transformer": lambda: nn.Transformer(8, 2, 1, 1, 12, batch_first=True),
    "softmax": lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 40, [10, 20]),
}


def collected(models: list[nn.Module]) -> dict[str, Tensor]:
    """All values of each parameter, over all builds."""
    tensors = [dict(model.named_parameters()) for model in models]
    return {name: torch.stack([found[name].detach() for found in tensors]) for name in tensors[0]}


def kurtosis(values: Tensor) -> float:
    return (((values - values.mean()) / values.std()) ** 4).mean().item()


@pytest.mark.parametrize("name", ZOO)
def test_torch_default_starts_a_layer_as_torch_does(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = collected([ZOO[name]() for _ in range(BUILDS)])
    models = [ZOO[name]() for _ in range(BUILDS)]
    for seed, model in enumerate(models):
        fanin.init_(model, "torch_default", seed=seed)
    ours = collected(models)
    for parameter, values in theirs.items():
        own = ours[parameter]
        if not values.std() > 0:
            assert torch.equal(own, values), parameter
            continue
        # The std of n values has the relative variance (kurtosis - 1) / (4 n): 0.2 / n for a
        # uniform, 0.5 / n for a normal law. Both sides are samples; five standard deviations.
        tolerance = 5 * math.sqrt(2 * 0.5 / values.numel())
        assert (own.std() / values.std()).item() == pytest.approx(1, abs=tolerance), parameter
        assert abs(own.mean() / values.std()).item() < 5 / math.sqrt(values.numel()), parameter
        # The kurtosis tells the law: 1.8 for a uniform, 3 for a normal one, and its error is at
        # most sqrt(24 / n), an eighth of the difference to 2.4 for n of 1500.
        if values.numel() > 1500:
            assert (kurtosis(own) > 2.4) == (kurtosis(values) > 2.4), parameter
