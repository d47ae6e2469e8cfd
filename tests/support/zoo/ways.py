"""Ways to build: the same small networks, born the roundabout ways that real code takes."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from zoo.case import Cage
from zoo.data import classified, cross_entropy, normal, regressed, spoken, squared

WAYS = Cage("ways")
FEATURES = classified(32, 20)


def small() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )


def he_(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


def reset_(module: nn.Module) -> None:
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()


@WAYS.healthy(FEATURES, cross_entropy)
def applied() -> nn.Module:
    return small().apply(he_)


@WAYS.healthy(FEATURES, cross_entropy)
def without_grad() -> nn.Module:
    with torch.no_grad():
        model = small()
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, math.sqrt(2 / parameter.shape[1]))
            else:
                parameter.zero_()
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def through_data() -> nn.Module:
    model = small()
    for layer in (part for part in model if isinstance(part, nn.Linear)):
        layer.weight.data.normal_(0, math.sqrt(2 / layer.in_features))
        layer.bias.data.fill_(0)
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def meta_to_empty() -> nn.Module:
    with torch.device("meta"):
        model = small()
    return model.to_empty(device="cpu").apply(reset_)


@WAYS.healthy(classified(8, 3, 8, 8), cross_entropy)
def meta_to_empty_with_buffers() -> nn.Module:
    with torch.device("meta"):
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10)
        )
    return model.to_empty(device="cpu").apply(reset_)


@WAYS.healthy(FEATURES, cross_entropy)
def copied_and_reset() -> nn.Module:
    layer = nn.Linear(32, 32)
    layers = [copy.deepcopy(layer) for _ in range(3)]
    for one in layers:
        one.reset_parameters()
    return nn.Sequential(nn.Linear(20, 32), *layers, nn.Linear(32, 10))


@WAYS.healthy(FEATURES, cross_entropy)
def skipped_then_filled() -> nn.Module:
    layer = nn.utils.skip_init(nn.Linear, 20, 64)
    head = nn.utils.skip_init(nn.Linear, 64, 10)
    model = nn.Sequential(layer, nn.ReLU(), head)
    return model.apply(he_)


@WAYS.healthy(FEATURES, cross_entropy)
def loaded() -> nn.Module:
    trained = small().apply(he_).state_dict()
    model = small()
    model.load_state_dict(trained)
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def loaded_by_assignment() -> nn.Module:
    trained = small().apply(he_).state_dict()
    with torch.device("meta"):
        model = small()
    model.load_state_dict(trained, assign=True)
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def assigned_parameters() -> nn.Module:
    model = small()
    for layer in (part for part in model if isinstance(part, nn.Linear)):
        layer.weight = nn.Parameter(torch.randn_like(layer.weight) / math.sqrt(layer.in_features))
        layer.bias = nn.Parameter(torch.zeros_like(layer.bias))
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def from_numbers() -> nn.Module:
    model = small()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for layer in (part for part in model if isinstance(part, nn.Linear)):
            drawn = torch.randn(layer.weight.shape, generator=generator).numpy()
            layer.weight.copy_(torch.from_numpy(drawn / math.sqrt(layer.in_features)))
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def lazy() -> nn.Module:
    model = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(10))
    model(torch.zeros(2, 20))
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def compiled() -> nn.Module:
    model: Any = torch.compile(small(), backend="eager")
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def seeded_inside() -> nn.Module:
    torch.manual_seed(42)
    return small()


@WAYS.healthy(classified(16, 3, 8, 8), cross_entropy)
def evaluated() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(576, 10),
    ).eval()  # fmt: skip


@WAYS.healthy(lambda: (normal(32, 20).bfloat16(), FEATURES()[1]), cross_entropy)
def bfloat16() -> nn.Module:
    return small().bfloat16()


@WAYS.healthy(lambda: (normal(32, 20).half(), FEATURES()[1]), cross_entropy)
def float16() -> nn.Module:
    return small().half()


@WAYS.healthy(lambda: (normal(32, 20).double(), FEATURES()[1]), cross_entropy)
def float64() -> nn.Module:
    return small().double()


class Spectral(nn.Module):
    """A Fourier layer with complex weights."""

    def __init__(self, width: int = 8, modes: int = 5) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(1, width), nn.Linear(width, 1)
        self.weight = nn.Parameter(torch.randn(width, width, modes, dtype=torch.cfloat) / width)
        self.modes = modes

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        spectrum = torch.fft.rfft(x, dim=1)[:, : self.modes]
        mixed = torch.einsum("bmi,iom->bmo", spectrum, self.weight)
        back = torch.fft.irfft(mixed, n=x.shape[1], dim=1)
        return self.head(functional.gelu(x + back))


WAYS.add("complex_weights", Spectral, lambda: (normal(8, 16, 1), normal(8, 16, 1, seed=1)), squared)


class Counting(nn.Module):
    """Buffers of all kinds: counts, masks with minus infinity, nothing at all."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 16), nn.Linear(16, 50)
        nn.init.normal_(self.table.weight, std=0.5)  # a token would see itself alone, at 1
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("mask", torch.full((12, 12), -math.inf).triu(1))
        self.register_buffer("nothing", None)
        self.register_buffer("empty", torch.zeros(0))
        self.register_buffer("places", torch.arange(12))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.table(x)
        scores = hidden @ hidden.transpose(1, 2) / 4 + self.mask
        return self.head(self.scale * (scores.softmax(-1) @ hidden))


WAYS.add("buffers_of_all_kinds", Counting, spoken(), cross_entropy)


@WAYS.healthy(FEATURES, cross_entropy)
def orthogonal_parametrisation() -> nn.Module:
    wrap = nn.utils.parametrizations.orthogonal
    return nn.Sequential(nn.Linear(20, 32), nn.Tanh(), wrap(nn.Linear(32, 32)), nn.Linear(32, 10))


@WAYS.healthy(FEATURES, cross_entropy)
def pruned() -> nn.Module:
    model = small()
    prune.l1_unstructured(model[2], "weight", amount=0.5)
    return model


@WAYS.healthy(regressed(32, 20), squared)
def identity_start() -> nn.Module:
    model = nn.Sequential(
        nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1)
    )
    for layer in (model[0], model[2]):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    return model


@WAYS.healthy(classified(8, 8, 8, 8), cross_entropy)
def dirac_start() -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10),
    )  # fmt: skip
    for layer in (model[0], model[2]):
        nn.init.dirac_(layer.weight)
        nn.init.zeros_(layer.bias)
    return model


@WAYS.healthy(FEATURES, cross_entropy)
def sparse_start() -> nn.Module:
    model = small()
    nn.init.sparse_(model[2].weight, sparsity=0.5, std=math.sqrt(2 / 32))
    return model
