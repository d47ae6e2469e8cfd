"""Models made of models: adapters on a frozen base, copies on purpose, parts held constant."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import classified, cross_entropy, normal, spoken, squared

ADAPTED = Cage("adapted")
FEATURES = classified(32, 20)


def base(width: int = 64) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(20, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10)
    )


class Lora(nn.Module):
    """A frozen layer and a product of low rank beside it, zero at the start."""

    def __init__(self, layer: nn.Linear, rank: int = 4) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.empty(rank, layer.in_features))
        self.lora_B = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + 2.0 * functional.linear(
            functional.linear(x, self.lora_A), self.lora_B
        )


@ADAPTED.healthy(FEATURES, cross_entropy, "one factor random, one zero (N01)")
def lora() -> nn.Module:
    model = base()
    for index in (0, 2):
        model[index] = Lora(model[index])
    return model


@ADAPTED.healthy(spoken(), cross_entropy, "of a table it is A that is zero (N01)")
def lora_of_a_table() -> nn.Module:
    return TableLora()


class TableLora(nn.Module):
    def __init__(self, words: int = 50, width: int = 32, rank: int = 4) -> None:
        super().__init__()
        self.table = nn.Embedding(words, width).requires_grad_(False)
        self.lora_A = nn.Parameter(torch.zeros(words, rank))
        self.lora_B = nn.Parameter(torch.randn(rank, width))
        self.head = nn.Linear(width, words)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.table(x) + functional.embedding(x, self.lora_A) @ self.lora_B)


class Rescaled(nn.Module):
    """IA3: one factor for each unit, ones at the start."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.factor = nn.Parameter(torch.ones(layer.out_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * self.factor


@ADAPTED.healthy(FEATURES, cross_entropy, "factors of one: the identity")
def ia3() -> nn.Module:
    model = base().requires_grad_(False)
    model[0], model[2] = Rescaled(model[0]), Rescaled(model[2])
    return model


class Bottleneck(nn.Module):
    """Houlsby's adapter with its last layer zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, 8), nn.Linear(8, width)
        nn.init.normal_(self.down.weight, std=0.02)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(functional.gelu(self.down(x)))


@ADAPTED.healthy(FEATURES, cross_entropy, "an adapter starts as the identity")
def bottleneck_adapters() -> nn.Module:
    frozen = base().requires_grad_(False)
    parts = [frozen[0], frozen[1], Bottleneck(64), frozen[2], frozen[3], Bottleneck(64)]
    return nn.Sequential(*parts, nn.Linear(64, 10))


@ADAPTED.healthy(FEATURES, cross_entropy, "adapters from one seed on purpose (N06)")
def adapters_of_one_seed() -> nn.Module:
    frozen = base().requires_grad_(False)
    adapters = list[nn.Module]()
    for _ in range(2):
        torch.manual_seed(7)
        adapters.append(Bottleneck(64))
    parts = [frozen[0], frozen[1], adapters[0], frozen[2], frozen[3], adapters[1]]
    return nn.Sequential(*parts, nn.Linear(64, 10))


class Prefixed(nn.Module):
    """Learned vectors in front of a frozen reader."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.table = nn.Embedding(50, width).requires_grad_(False)
        self.prefix = nn.Parameter(0.02 * torch.randn(4, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.body.requires_grad_(False)
        self.head = nn.Linear(width, 50).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.prefix.expand(len(x), -1, -1), self.table(x)], 1)
        return self.head(self.body(x)[:, 4:])


ADAPTED.add("prefix", Prefixed, spoken(), cross_entropy)


@ADAPTED.healthy(classified(8, 3, 12, 12), cross_entropy, "only the head is trained")
def frozen_backbone() -> nn.Module:
    backbone = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    return nn.Sequential(backbone.requires_grad_(False).eval(), nn.Linear(32, 10))


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return (self.body(one) - self.body(other)).square().sum(-1)


def pulled(distance: Tensor, same: Tensor) -> Tensor:
    return (same * distance + (1 - same) * (1 - distance).relu()).mean()


ADAPTED.add(
    "siamese",
    Siamese,
    lambda: (normal(16, 20), normal(16, 20, seed=1), (torch.arange(16) % 2).float()),
    pulled,
    "one body used twice",
)


class SelfDistilled(nn.Module):
    """BYOL: the target is a frozen copy of what is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.online = nn.Sequential(
            nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 16)
        )
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.predict = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        guess = functional.normalize(self.predict(self.online(one)), dim=-1)
        with torch.no_grad():
            truth = functional.normalize(self.target(other), dim=-1)
        return (2 - 2 * (guess * truth).sum(-1)).mean()


ADAPTED.add(
    "target_copy",
    SelfDistilled,
    lambda: (normal(16, 20), normal(16, 20, seed=1)),
    None,
    "the target network is a copy on purpose",
)


class Ensemble(nn.Module):
    def __init__(self, members: int = 4) -> None:
        super().__init__()
        self.members = nn.ModuleList(base(32) for _ in range(members))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members]).mean(0)


ADAPTED.add("ensemble", Ensemble, FEATURES, cross_entropy)


class BatchedEnsemble(nn.Module):
    """All members in one tensor."""

    def __init__(self, members: int = 4) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.empty(members, 20, 32))
        self.second = nn.Parameter(torch.empty(members, 32, 1))
        self.bias1 = nn.Parameter(torch.zeros(members, 1, 32))
        self.bias2 = nn.Parameter(torch.zeros(members, 1, 1))
        for weight in (self.first, self.second):
            for member in weight.detach():
                nn.init.kaiming_normal_(member.T, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.baddbmm(self.bias1, x.expand(len(self.first), -1, -1), self.first).relu()
        return torch.baddbmm(self.bias2, hidden, self.second).mean(0)


ADAPTED.add(
    "ensemble_in_one_tensor",
    BatchedEnsemble,
    lambda: (normal(32, 20), normal(32, 1, seed=1)),
    squared,
)


class TiedAutoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(16, 64))
        self.bias, self.back = nn.Parameter(torch.zeros(16)), nn.Parameter(torch.zeros(64))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.linear(x, self.weight, self.bias).sigmoid()
        return functional.linear(hidden, self.weight.T, self.back)


ADAPTED.add(
    "tied_autoencoder",
    TiedAutoencoder,
    lambda: (normal(32, 64), normal(32, 64)),
    squared,
    "the decoder is the encoder transposed",
)


class Shared(nn.Module):
    """One block used at every depth, as ALBERT does."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.block, self.head = nn.Linear(20, 32), nn.Linear(32, 32), nn.Linear(32, 10)
        self.norm = nn.LayerNorm(32)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        for _ in range(4):
            x = x + self.block(self.norm(x)).relu()
        return self.head(x)


ADAPTED.add("shared_depth", Shared, FEATURES, cross_entropy, "one block, used four times")


class Upcycled(nn.Module):
    """Sparse upcycling: the experts start equal, the random router sends them different tokens."""

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(20, 32), nn.Linear(32, 10)
        dense = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
        self.gate = nn.Linear(32, count)
        self.experts = nn.ModuleList(copy.deepcopy(dense) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        weight, chosen = self.gate(x).softmax(-1).topk(2, -1)
        out = x
        for index, expert in enumerate(self.experts):
            out = out + (weight * (chosen == index)).sum(-1, keepdim=True) * expert(x)
        return self.head(out)


# Copied from a layer that is there, or drawn twice by mistake: the numbers are the same.
ADAPTED.add(
    "upcycled",
    Upcycled,
    FEATURES,
    cross_entropy,
    "experts copied from a dense layer (N06)",
    telling=False,
)
