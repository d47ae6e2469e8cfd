"""Cases G and H: initialisers that compute something else than they say, and seeds that do not."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from wild.batches import labelled, measured, next_token, text
from wild.harness import case


def inverse_truncated_(
    weight: Tensor, std: float, low: float, high: float, kind: torch.dtype
) -> None:
    """Draw a truncated normal by the inverse distribution function, computed in a dtype."""

    def share(x: float) -> float:
        return (1 + math.erf(x / std / math.sqrt(2))) / 2

    even = torch.empty(weight.shape, dtype=kind).uniform_(2 * share(low) - 1, 2 * share(high) - 1)
    with torch.no_grad():
        weight.copy_(even.erfinv_().mul_(std * math.sqrt(2)).clamp_(low, high))


@case("B144", batch=labelled(64, 64), where="0.weight", codes="FI1 FI3")
def outliers(mended: bool) -> nn.Module:
    """Bounds far outside the law, in too low a precision: rare weights stand at the bound."""
    net = nn.Sequential(
        nn.Linear(64, 64, bias=False), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 10)
    )
    kind = torch.float64 if mended else torch.bfloat16
    inverse_truncated_(net[0].weight, 0.05, -2.0, 2.0, kind)
    return net


# Each seed is meant to be a seed of its own, and the object hands out the next of one stream.
_SHARED = np.random.default_rng(0)


@case("B152", batch=measured(64, 8), where="first.weight second.weight", codes="FI8",
      kind="rebuild", loss=nn.functional.mse_loss)  # fmt: skip
def seed_as_a_stream(mended: bool) -> nn.Module:
    """A seeded initialiser goes on from where it was: building twice gives two models."""

    class RandomUniform:
        def __init__(self, seed: int) -> None:
            self.source = np.random.default_rng(seed) if mended else _SHARED

        def __call__(self, outputs: int, inputs: int) -> nn.Parameter:
            bound = inputs**-0.5
            drawn = self.source.uniform(-bound, bound, (outputs, inputs))
            return nn.Parameter(torch.from_numpy(drawn).float())

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 32), nn.Linear(32, 1)
            base = torch.initial_seed()
            self.first.weight = RandomUniform(seed=base)(32, 8)
            self.second.weight = RandomUniform(seed=base + 1)(1, 32)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(torch.tanh(self.first(x)))

    return Net()


@case("B154", batch=labelled(64, 12), where="*.weight", codes="FI8", kind="rebuild")
def seed_ignored(mended: bool) -> nn.Module:
    """The initialiser takes a seed, and draws without it."""

    def glorot_uniform(layer: nn.Linear, seed: int) -> None:
        source = np.random.default_rng(seed if mended else None)
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))
        values = source.uniform(-bound, bound, tuple(layer.weight.shape))
        layer.weight.data = torch.tensor(values, dtype=torch.float32)
        nn.init.zeros_(layer.bias)

    net = nn.Sequential(nn.Linear(12, 48), nn.Tanh(), nn.Linear(48, 10))
    for index in (0, 2):
        glorot_uniform(net[index], seed=torch.initial_seed() + index)
    return net


@case("B159", batch=labelled(64, 64), where="?.weight", codes="FI2 FI3")
def orthogonal_of_uniform(mended: bool) -> nn.Module:
    """The orthogonal factor of a matrix from U[0, 1): its leading direction is nearly constant."""

    def orthogonal(rows: int, columns: int) -> Tensor:
        flat = torch.randn(rows, columns) if mended else torch.rand(rows, columns)
        left, _, _ = torch.linalg.svd(flat, full_matrices=False)
        return left

    net = nn.Sequential(
        nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)
    )
    for layer in (net[0], net[2]):
        layer.weight.data.copy_(orthogonal(64, 64))
        layer.bias.data.zero_()
    return net


@case("B164", batch=labelled(64, 5), where="0.weight", codes="FI2 FI3 FI5")
def sparse_rounded(mended: bool) -> nn.Module:
    """Nine tenths of five inputs are rounded to all five of them: no weight is left."""

    def sparse(weight: Tensor, sparsity: float) -> None:
        outputs, fan_in = weight.shape
        zeros = int(sparsity * fan_in + 0.5)
        if mended:
            zeros = min(zeros, fan_in - 1)
        with torch.no_grad():
            weight.normal_(std=(fan_in - zeros or 1) ** -0.5)
            for row in range(outputs):
                weight[row, torch.randperm(fan_in)[:zeros]] = 0.0

    net = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 10))
    sparse(net[0].weight, 0.9)
    nn.init.zeros_(net[0].bias)
    return net


@case("B166", batch=labelled(64, 64), where="*.weight", codes="FI3 FI4")
def cut_at_the_variance(mended: bool) -> nn.Module:
    """The truncated normal is cut at twice its variance, not at twice its deviation."""

    def truncated_normal(layer: nn.Linear, std: float) -> None:
        edge = 2 * std if mended else 2 * std**2
        inverse_truncated_(layer.weight, std, -edge, edge, torch.float64)
        nn.init.zeros_(layer.bias)

    net = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
        nn.Linear(64, 10),
    )  # fmt: skip
    for layer in net[::2]:
        truncated_normal(layer, std=0.177)
    return net


@case("B169", batch=text(50), where="embed.weight", codes="FI2 FI3 FI4 FI7", loss=next_token)
def constant_normal(mended: bool) -> nn.Module:
    """A normal with mean 0 falls into a special case, and returns its deviation everywhere."""

    def normal(mean: float, stdev: float, *shape: int) -> Tensor:
        if mean == 0 and not mended:
            return torch.full(shape, stdev)
        return mean + stdev * torch.randn(shape)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding.from_pretrained(normal(0.0, 1.0, 50, 32), freeze=False)
            self.rnn = nn.GRU(32, 32, batch_first=True)
            self.head = nn.Linear(32, 50)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.rnn(self.embed(ids))[0])

    return Model()
