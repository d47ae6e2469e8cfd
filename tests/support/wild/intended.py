"""Negative controls N06 to N09: copies, seeds and formulas that are meant."""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import copied, labelled, measured
from wild.harness import control


@control("N06a", batch=copied(32, 6, 32), loss=functional.mse_loss)
def adapters_of_one_seed() -> nn.Module:
    """Every layer of a frozen net has an adapter of the same seed: the layers tell them apart."""

    class Adapter(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(dim, 8), nn.Linear(8, dim)
            source = torch.Generator().manual_seed(0)
            nn.init.normal_(self.down.weight, std=dim**-0.5, generator=source)
            nn.init.zeros_(self.up.weight)
            for layer in (self.down, self.up):
                nn.init.zeros_(layer.bias)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.up(torch.relu(self.down(x)))

    class Layer(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU())
            self.mlp.requires_grad_(False)
            self.adapter = Adapter(dim)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.adapter(self.mlp(x))

    return nn.Sequential(Layer(32), Layer(32), Layer(32), nn.Linear(32, 32))


@control("N06b", batch=measured(64, 8), loss=functional.mse_loss)
def target_network() -> nn.Module:
    """A target network is a frozen copy, and follows later."""

    class Critic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.online = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
            self.target = copy.deepcopy(self.online).requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                later = self.target(x.roll(1, 0))
            return self.online(x) - 0.9 * later

    return Critic()


@control("N06c", batch=labelled(64, 32))
def upcycled_experts() -> nn.Module:
    """Experts are copies of one dense layer that was trained; a drawn router parts them."""

    class Upcycled(nn.Module):
        def __init__(self, dense: nn.Module, experts: int = 4) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(32)
            self.router = nn.Linear(32, experts)
            self.experts = nn.ModuleList(copy.deepcopy(dense) for _ in range(experts))
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(x)
            gate, chosen = self.router(y).softmax(dim=-1).topk(2, dim=-1)
            answers = torch.stack([expert(y) for expert in self.experts], dim=1)
            taken = answers.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 32))
            return self.head(x + (gate.unsqueeze(-1) * taken).sum(dim=1))

    return Upcycled(nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)))


@control("N06d", batch=labelled(64, 2, 24, classes=2))
def siamese() -> nn.Module:
    """One encoder reads both sides: the same module on purpose."""

    class Siamese(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 16))
            self.head = nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head((self.encoder(x[:, 0]) - self.encoder(x[:, 1])).abs())

    return Siamese()


@control("N07", batch=labelled(64, 16))
def seed_of_the_rank() -> nn.Module:
    """The seed depends on the rank, and rank 0 is sent to all before training."""
    rank = 0
    torch.manual_seed(torch.initial_seed() + rank)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10))


@control("N08a", batch=labelled(64, 64))
def uniform_with_the_factor_three() -> nn.Module:
    """A uniform law of variance 1 / n has the bound sqrt(3 / n): that is no mistake."""
    net = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(),
                        nn.Linear(64, 10))  # fmt: skip
    for layer in net[::2]:
        bound = math.sqrt(3 / layer.in_features)
        nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.zeros_(layer.bias)
    return net


@control("N08b", batch=labelled(64, 64))
def glorot_by_hand() -> nn.Module:
    """Glorot's uniform law, written out with its 6."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.ParameterList(self.glorot(64, 64) for _ in range(3))
            self.head = nn.Parameter(self.glorot(64, 10))

        @staticmethod
        def glorot(i: int, o: int) -> Tensor:
            return (2 * torch.rand(i, o) - 1) * (6 / (i + o)) ** 0.5

        def forward(self, x: Tensor) -> Tensor:
            for weight in self.weights:
                x = torch.tanh(x @ weight)
            return x @ self.head

    return Net()


@control("N08c", batch=labelled(64, 64))
def torch_default() -> nn.Module:
    """What torch starts with: the root of 5 makes the bound 1 / sqrt(n)."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(),
                         nn.Linear(64, 10))  # fmt: skip


class SineNet(nn.Module):
    """A net of sines on coordinates."""

    def __init__(self, inputs: int, hidden: int, first_w0: float = 30.0) -> None:
        super().__init__()
        self.first_w0 = first_w0
        self.first = nn.Linear(inputs, hidden)
        self.hidden = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(2))
        self.last = nn.Linear(hidden, 3)
        nn.init.uniform_(self.first.weight, -1 / inputs, 1 / inputs)
        for layer in (*self.hidden, self.last):
            bound = math.sqrt(6 / hidden) / 30
            nn.init.uniform_(layer.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.sin(self.first_w0 * self.first(x))
        for layer in self.hidden:
            x = torch.sin(30 * layer(x))
        return self.last(x)


def _coordinates() -> tuple[Tensor, Tensor]:
    x, y = measured(64, 2, targets=3)()
    return x.clamp(-3, 3) / 3, y


@control("N09a", batch=_coordinates, loss=functional.mse_loss)
def siren_as_in_the_code() -> nn.Module:
    """The first layer is 1 / n, as in the code, and not as the first print of the paper says."""
    return SineNet(2, 64)


@control("N09b", batch=_coordinates, loss=functional.mse_loss)
def siren_for_sound() -> nn.Module:
    """A larger first frequency, for a signal that needs one."""
    return SineNet(2, 64, first_w0=60.0)
