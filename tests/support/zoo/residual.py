"""Deep residual networks that papers start in a way of their own, mostly with something at zero."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import classified, cross_entropy, normal, spoken, squared

RESIDUAL = Cage("residual")
FEATURES = classified(32, 20)


class Branch(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)
        for layer in (self.up, self.down):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.up(x).relu())


class Chain(nn.Module):
    """Inward, residual branches each times a number of its own, outward."""

    def __init__(self, factor: float | None, depth: int = 8, width: int = 32) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(20, width), nn.Linear(width, 10)
        self.branches = nn.ModuleList(Branch(width) for _ in range(depth))
        self.factors = nn.Parameter(torch.full((depth,), 1.0 if factor is None else factor))
        self.factors.requires_grad_(factor is not None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        for factor, branch in zip(self.factors, self.branches, strict=True):
            x = x + factor * branch(x)
        return self.head(x)


RESIDUAL.add("rezero", lambda: Chain(0.0), FEATURES, cross_entropy, "the factors learn first")


def fixup() -> nn.Module:
    """Zhang et al. 2019: the last layer of a branch zero, the others L ** -0.5, the head zero."""
    model = Chain(1.0)
    for branch in model.branches:
        with torch.no_grad():
            branch.up.weight.mul_(len(model.branches) ** -0.5)
        nn.init.zeros_(branch.down.weight)
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    return model


RESIDUAL.add("fixup", fixup, FEATURES, cross_entropy, "last layers and head zero, as the paper has")


class Skipped(nn.Module):
    """SkipInit: a convolution net without norms, one scalar at zero for each block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, 10)
        self.blocks = nn.ModuleList(nn.Conv2d(16, 16, 3, padding=1) for _ in range(4))
        self.alphas = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for alpha, block in zip(self.alphas, self.blocks, strict=True):
            x = x + alpha * block(x.relu())
        return self.head(x.relu().mean((2, 3)))


RESIDUAL.add(
    "skip_init", Skipped, classified(8, 3, 8, 8), cross_entropy, "scalars of shape () at 0"
)


class PostNorm(nn.Module):
    """DeepNet: the skip times alpha, Xavier with gain beta, norms behind."""

    def __init__(self, depth: int = 6, width: int = 32) -> None:
        super().__init__()
        self.alpha, beta = (2 * depth) ** 0.25, (8 * depth) ** -0.25
        self.inward, self.head = nn.Linear(20, width), nn.Linear(width, 10)
        self.up = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(depth))
        self.down = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        for layer in (*self.up, *self.down):
            nn.init.xavier_normal_(layer.weight, gain=beta)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        for up, down, norm in zip(self.up, self.down, self.norms, strict=True):
            x = norm(self.alpha * x + down(up(x).relu()))
        return self.head(x)


RESIDUAL.add("deepnet", PostNorm, FEATURES, cross_entropy, "gain (8 N) ** -1/4 on purpose")


class MaximalUpdate(nn.Module):
    """muP by hand: hidden 1 / fan_in, readout zero and divided by the width."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.inward, self.hidden = nn.Linear(20, width), nn.Linear(width, width)
        self.readout, self.width = nn.Linear(width, 10, bias=False), width
        nn.init.normal_(self.inward.weight, std=20**-0.5)
        nn.init.normal_(self.hidden.weight, std=width**-0.5)
        nn.init.zeros_(self.readout.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.hidden(self.inward(x).relu()).relu()
        return self.readout(x) * (32 / self.width)


RESIDUAL.add("maximal_update", MaximalUpdate, FEATURES, cross_entropy, "muP: zero readout")


class DitBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        parts = self.modulation(condition)[:, None].chunk(6, -1)
        shift1, scale1, gate1, shift2, scale2, gate2 = parts
        hidden = self.norm1(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(hidden, hidden, hidden, need_weights=False)[0]
        return x + gate2 * self.feed(self.norm2(x) * (1 + scale2) + shift2)


class Dit(nn.Module):
    """adaLN-zero: every gate, the final modulation and the final layer are zero."""

    def __init__(self, width: int = 32, patch: int = 12) -> None:
        super().__init__()
        self.inward, self.place = nn.Linear(patch, width), nn.Parameter(torch.zeros(1, 16, width))
        self.time = nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width))
        self.label = nn.Embedding(10, width)
        self.blocks = nn.ModuleList(DitBlock(width) for _ in range(2))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.out = nn.Linear(width, patch)
        self.initialize_weights()

    def initialize_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.place, std=0.02)
        nn.init.normal_(self.label.weight, std=0.02)
        nn.init.normal_(self.time[0].weight, std=0.02)
        nn.init.normal_(self.time[2].weight, std=0.02)
        for layer in (
            *(part.modulation[1] for part in self.modules() if isinstance(part, DitBlock)),
            self.modulation[1],
            self.out,
        ):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        angles = time[:, None] * torch.exp(-torch.arange(8) * math.log(1000.0) / 8)
        condition = self.time(torch.cat([angles.sin(), angles.cos()], -1)) + self.label(label)
        x = self.inward(x) + self.place
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.modulation(condition)[:, None].chunk(2, -1)
        return self.out(self.norm(x) * (1 + scale) + shift)


def noised() -> tuple[Tensor, ...]:
    labels, times = torch.arange(8), torch.linspace(5, 995, 8)
    return normal(8, 16, 12), times, labels, normal(8, 16, 12, seed=1)


RESIDUAL.add("dit", Dit, noised, squared, "adaLN-zero: gates and output zero on purpose")


class OdeBlock(nn.Module):
    """Euler steps through one vector field."""

    def __init__(self, width: int = 16, steps: int = 5) -> None:
        super().__init__()
        self.inward, self.head, self.steps = nn.Linear(4, width), nn.Linear(width, 10), steps
        self.field = nn.Sequential(nn.Linear(width + 1, 32), nn.Tanh(), nn.Linear(32, width))

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        for step in range(self.steps):
            time = torch.full((len(x), 1), step / self.steps)
            x = x + self.field(torch.cat([x, time], -1)) / self.steps
        return self.head(x)


RESIDUAL.add("neural_ode", OdeBlock, classified(32, 4), cross_entropy, "one field, used many times")


class StateSpace(nn.Module):
    """Mamba-like: a selective scan with dt drawn log-uniform and A counted from 1."""

    def __init__(self, width: int = 32, state: int = 8, rank: int = 4) -> None:
        super().__init__()
        self.norm, self.inward = nn.LayerNorm(width), nn.Linear(width, 2 * width, bias=False)
        self.mix = nn.Conv1d(width, width, 4, padding=3, groups=width)
        self.select = nn.Linear(width, rank + 2 * state, bias=False)
        self.dt, self.split = nn.Linear(rank, width), (rank, state, state)
        nn.init.uniform_(self.dt.weight, -(rank**-0.5), rank**-0.5)
        dt = torch.exp(torch.rand(width) * math.log(100) + math.log(0.001)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt.bias.copy_(dt + torch.log(-torch.expm1(-dt)))
        self.A_log = nn.Parameter(torch.arange(1, state + 1).float().log().repeat(width, 1))
        self.D, self.outward = nn.Parameter(torch.ones(width)), nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        signal, gate = self.inward(self.norm(x)).chunk(2, -1)
        mixed = self.mix(signal.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        signal = functional.silu(mixed)
        dt, inward, outward = self.select(signal).split(self.split, -1)
        dt = functional.softplus(self.dt(dt))
        state, outputs = x.new_zeros(len(x), *self.A_log.shape), list[Tensor]()
        for step in range(x.shape[1]):
            now = dt[:, step, :, None]
            state = state * torch.exp(-now * self.A_log.exp())
            state = state + now * inward[:, step, None] * signal[:, step, :, None]
            outputs.append((state * outward[:, step, None]).sum(-1))
        total = torch.stack(outputs, 1) + self.D * signal
        return x + self.outward(total * functional.silu(gate))


class StateSpaceModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 32)
        self.layers, self.head = nn.Sequential(StateSpace(), StateSpace()), nn.Linear(32, 50)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.table(x)))


RESIDUAL.add(
    "mamba", StateSpaceModel, spoken(4, 8), cross_entropy, "every channel counts A from 1 to N"
)


class Diagonal(nn.Module):
    """S4D: a complex diagonal, the output real."""

    def __init__(self, width: int = 16, state: int = 8) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(6, width), nn.Linear(width, 10)
        self.log_dt = nn.Parameter(torch.rand(width) * math.log(100) + math.log(0.001))
        self.log_real = nn.Parameter(torch.full((width, state), 0.5).log())
        self.imaginary = nn.Parameter(math.pi * torch.arange(state).float().repeat(width, 1))
        self.C = nn.Parameter(torch.randn(width, state, dtype=torch.cfloat))
        self.D = nn.Parameter(torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        pole = torch.complex(-self.log_real.exp(), self.imaginary)
        steps = (pole * self.log_dt.exp()[:, None])[..., None] * torch.arange(x.shape[1])
        scaled = self.C * ((pole * self.log_dt.exp()[:, None]).exp() - 1) / pole
        kernel = 2 * torch.einsum("hn,hnl->hl", scaled, steps.exp()).real
        size = 2 * x.shape[1]
        spectrum = torch.fft.rfft(x.transpose(1, 2), n=size) * torch.fft.rfft(kernel, n=size)
        mixed = torch.fft.irfft(spectrum, n=size)[..., : x.shape[1]].transpose(1, 2)
        return self.head(functional.gelu(mixed + self.D * x).mean(1))


RESIDUAL.add("s4d", Diagonal, classified(8, 16, 6), cross_entropy, "poles as the paper lists them")
