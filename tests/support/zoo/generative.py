"""Models that make something: autoencoders, adversaries, flows, diffusion, fields."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import alone, normal, regressed, squared, whole

GENERATIVE = Cage("generative")


def same(*shape: int) -> tuple[Tensor, Tensor]:
    data = normal(*shape)
    return data, data


@GENERATIVE.healthy(lambda: same(32, 64), squared)
def autoencoder() -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 32), nn.ReLU(),
        nn.Linear(32, 64),
    )  # fmt: skip


class Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(64, 32)
        self.mean, self.log_variance = nn.Linear(32, 8), nn.Linear(32, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.encoder(x).relu()
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(code), mean, log_variance


def bound(output: tuple[Tensor, Tensor, Tensor], target: Tensor) -> Tensor:
    picture, mean, log_variance = output
    missed = functional.binary_cross_entropy_with_logits(picture, target, reduction="sum")
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
    return (missed + divergence) / len(target)


def pixels() -> tuple[Tensor, Tensor]:
    image = (normal(32, 64) > 0).float()
    return image, image


GENERATIVE.add("variational", Variational, pixels, bound)


class Quantised(nn.Module):
    """VQ-VAE: the nearest of a book of codes, passed straight through."""

    def __init__(self, codes: int = 16, width: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, width))
        self.book = nn.Embedding(codes, width)
        nn.init.uniform_(self.book.weight, -1 / codes, 1 / codes)
        self.decoder = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 32))

    def forward(self, x: Tensor) -> Tensor:
        code = self.encoder(x)
        nearest = self.book(torch.cdist(code, self.book.weight).argmin(-1))
        kept = (nearest - code.detach()).square().mean()
        kept = kept + 0.25 * (code - nearest.detach()).square().mean()
        return (self.decoder(code + (nearest - code).detach()) - x).square().mean() + kept


GENERATIVE.add("quantised", Quantised, alone(64, 32), None, "codes no example is near wait")


def dcgan_(module: nn.Module) -> None:
    """The paper's normal(0.02), and gains around one."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def up(inputs: int, outputs: int, stride: int = 2) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride, 1 if stride > 1 else 0, bias=False)


@GENERATIVE.healthy(alone(8, 32, 1, 1))
def dcgan_generator() -> nn.Module:
    return nn.Sequential(
        up(32, 64, 1), nn.BatchNorm2d(64), nn.ReLU(), up(64, 32), nn.BatchNorm2d(32), nn.ReLU(),
        up(32, 3), nn.Tanh(),
    ).apply(dcgan_)  # fmt: skip


def fooled(output: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(output.flatten(), target)


def judged() -> tuple[Tensor, Tensor]:
    return normal(8, 3, 16, 16).tanh(), (torch.arange(8) % 2).float()


@GENERATIVE.healthy(judged, fooled)
def dcgan_discriminator() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 32, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 1, 4, bias=False),
    ).apply(dcgan_)  # fmt: skip


@GENERATIVE.healthy(judged, fooled)
def spectral_discriminator() -> nn.Module:
    wrap = nn.utils.parametrizations.spectral_norm
    return nn.Sequential(
        wrap(nn.Conv2d(3, 32, 4, 2, 1)), nn.LeakyReLU(0.1), wrap(nn.Conv2d(32, 64, 4, 2, 1)),
        nn.LeakyReLU(0.1), nn.Flatten(), wrap(nn.Linear(1024, 1)),
    )  # fmt: skip


class Coupling(nn.Module):
    """RealNVP: half of the data shifts and scales the other; zero at the start."""

    def __init__(self, width: int = 4, hidden: int = 32) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width // 2, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, width),
        )  # fmt: skip
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x.chunk(2, -1)
        scale, shift = self.net(kept).chunk(2, -1)
        scale = scale.tanh()
        return torch.cat([moved * scale.exp() + shift, kept], -1), scale.sum(-1)


class Flow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Coupling() for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        total = x.new_zeros(len(x))
        for step in self.steps:
            x, volume = step(x)
            total = total + volume
        return (0.5 * x.square().sum(-1) - total).mean()


GENERATIVE.add("flow", Flow, alone(64, 4), None, "couplings start as the identity")


class TimeBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Linear(32, width)
        self.norm2, self.conv2 = nn.GroupNorm(8, width), nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        hidden = self.conv1(functional.silu(self.norm1(x)))
        hidden = hidden + self.time(functional.silu(time))[..., None, None]
        return x + self.conv2(functional.silu(self.norm2(hidden)))


class Diffusion(nn.Module):
    """The last convolution of every block, and of the whole, zero (N03)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 32))
        self.inward = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.ModuleList(TimeBlock(width) for _ in range(3))
        self.norm, self.out = nn.GroupNorm(8, width), nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        angles = time[:, None] * torch.exp(-torch.arange(8) * math.log(1000.0) / 8)
        code = self.time(torch.cat([angles.sin(), angles.cos()], -1))
        x = self.inward(x)
        for block in self.blocks:
            x = block(x, code)
        return self.out(functional.silu(self.norm(x)))


GENERATIVE.add(
    "diffusion",
    Diffusion,
    lambda: (normal(4, 3, 8, 8), torch.linspace(5, 995, 4), normal(4, 3, 8, 8, seed=1)),
    squared,
    "zero last convolutions on purpose (N03)",
)


class Masked(nn.Module):
    """MADE: each output sees only the inputs before it; the masks are buffers."""

    inward: Tensor
    outward: Tensor

    def __init__(self, width: int = 16, hidden: int = 64) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        order, inner = torch.arange(width), torch.arange(hidden) % (width - 1)
        self.register_buffer("inward", (inner[:, None] >= order[None]).float())
        self.register_buffer("outward", (order[:, None] > inner[None]).float())

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.linear(x, self.first.weight * self.inward, self.first.bias).relu()
        return functional.linear(hidden, self.second.weight * self.outward, self.second.bias)


def bits() -> tuple[Tensor, Tensor]:
    data = whole(32, 16, below=2).float()
    return data, data


def likelihood(output: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(output, target)


GENERATIVE.add("masked_autoregressive", Masked, bits, likelihood)


class Energy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 64), nn.Softplus(), nn.Linear(64, 1))

    def forward(self, real: Tensor, made: Tensor) -> Tensor:
        one, other = self.net(real), self.net(made)
        return (one - other).mean() + 0.1 * (one**2 + other**2).mean()


GENERATIVE.add("energy", Energy, lambda: (normal(32, 4), normal(32, 4, seed=1)))


class Sine(nn.Module):
    """SIREN: uniform within 1 / fan_in first, sqrt(6 / fan_in) / omega after (N09)."""

    def __init__(self, fan_in: int, fan_out: int, first: bool, omega: float = 30.0) -> None:
        super().__init__()
        self.linear, self.omega = nn.Linear(fan_in, fan_out), omega
        reach = 1 / fan_in if first else math.sqrt(6 / fan_in) / omega
        nn.init.uniform_(self.linear.weight, -reach, reach)

    def forward(self, x: Tensor) -> Tensor:
        return (self.omega * self.linear(x)).sin()


def grid() -> tuple[Tensor, Tensor]:
    axis = torch.linspace(-1, 1, 16)
    return torch.cartesian_prod(axis, axis), normal(256, 1, seed=1)


@GENERATIVE.healthy(grid, squared, "the bound of the first layer is the paper's (N09)")
def siren() -> nn.Module:
    last = nn.Linear(64, 1)
    nn.init.uniform_(last.weight, -math.sqrt(6 / 64) / 30, math.sqrt(6 / 64) / 30)
    return nn.Sequential(Sine(2, 64, True), Sine(64, 64, False), Sine(64, 64, False), last)


class Radiance(nn.Module):
    """NeRF: sines of the coordinates, a skip in the middle, density and colour."""

    def __init__(self, width: int = 64, bands: int = 4) -> None:
        super().__init__()
        self.bands, size = bands, 3 + 6 * bands
        self.before = nn.Sequential(
            nn.Linear(size, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.after = nn.Sequential(nn.Linear(width + size, width), nn.ReLU())
        self.density, self.colour = nn.Linear(width, 1), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        angles = (x[..., None] * 2 ** torch.arange(self.bands) * math.pi).flatten(1)
        code = torch.cat([x, angles.sin(), angles.cos()], -1)
        hidden = self.after(torch.cat([self.before(code), code], -1))
        return self.colour(hidden).sigmoid() * (1 - torch.exp(-self.density(hidden).relu()))


GENERATIVE.add(
    "radiance_field",
    Radiance,
    lambda: (2 * normal(128, 3).sigmoid() - 1, normal(128, 3, seed=1).sigmoid()),
    squared,
)


class Fourier(nn.Module):
    """Random features, fixed in a buffer, and one layer above."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(64, 4))
        self.head = nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        angles = functional.linear(x, self.directions)
        return self.head(torch.cat([angles.sin(), angles.cos()], -1))


GENERATIVE.add("random_features", Fourier, regressed(64, 4), squared)
