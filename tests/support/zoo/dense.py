"""Networks of dense layers: the widths, depths, activations and schemes that people combine."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Build, Cage
from zoo.data import (
    absolute,
    binary,
    classified,
    cross_entropy,
    normal,
    regressed,
    squared,
    whole,
)

DENSE = Cage("dense")


def mlp(
    widths: tuple[int, ...],
    activation: Callable[[], nn.Module] = nn.ReLU,
    fill: Callable[[Tensor], object] | None = None,
) -> nn.Sequential:
    parts = list[nn.Module]()
    for fan_in, fan_out in itertools.pairwise(widths):
        layer = nn.Linear(fan_in, fan_out)
        if fill is not None:
            fill(layer.weight)
            nn.init.zeros_(layer.bias)
        parts += [layer, activation()]
    return nn.Sequential(*parts[:-1])


def lecun_(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="linear")


def he_(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


def he_uniform_(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, nonlinearity="relu")


def tanh_xavier_(weight: Tensor) -> Tensor:
    return nn.init.xavier_uniform_(weight, nn.init.calculate_gain("tanh"))


def orthogonal_(weight: Tensor) -> Tensor:
    return nn.init.orthogonal_(weight, gain=math.sqrt(2))


CLASSES: dict[str, Build] = {
    "defaults_narrow": lambda: mlp((20, 4, 10)),
    "defaults_relu": lambda: mlp((20, 64, 64, 10)),
    "defaults_wide": lambda: mlp((20, 512, 512, 10)),
    "defaults_tanh": lambda: mlp((20, 64, 64, 10), nn.Tanh),
    "defaults_sigmoid": lambda: mlp((20, 64, 10), nn.Sigmoid),
    "defaults_gelu": lambda: mlp((20, 128, 128, 10), nn.GELU),
    "defaults_silu": lambda: mlp((20, 64, 64, 64, 10), nn.SiLU),
    "defaults_leaky": lambda: mlp((20, 64, 64, 10), nn.LeakyReLU),
    "defaults_elu": lambda: mlp((20, 64, 64, 10), nn.ELU),
    "defaults_mish": lambda: mlp((20, 64, 64, 10), nn.Mish),
    "defaults_prelu": lambda: mlp((20, 64, 64, 10), nn.PReLU),
    "defaults_softplus": lambda: mlp((20, 64, 64, 10), nn.Softplus),
    "defaults_hardswish": lambda: mlp((20, 64, 64, 10), nn.Hardswish),
    "defaults_five_layers": lambda: mlp((20, 64, 64, 64, 64, 10)),
    "he_deep": lambda: mlp((20, *[64] * 8, 10), nn.ReLU, he_),
    "he_uniform_wide": lambda: mlp((20, 256, 256, 10), nn.ReLU, he_uniform_),
    "xavier_tanh": lambda: mlp((20, *[64] * 4, 10), nn.Tanh, nn.init.xavier_uniform_),
    "xavier_tanh_gain": lambda: mlp((20, *[64] * 6, 10), nn.Tanh, tanh_xavier_),
    "xavier_normal_relu": lambda: mlp((20, 64, 64, 10), nn.ReLU, nn.init.xavier_normal_),
    "xavier_sigmoid": lambda: mlp((20, 64, 10), nn.Sigmoid, nn.init.xavier_uniform_),
    "orthogonal_relu": lambda: mlp((20, *[64] * 6, 10), nn.ReLU, orthogonal_),
    "orthogonal_tanh": lambda: mlp((20, *[64] * 8, 10), nn.Tanh, nn.init.orthogonal_),
    "selu_lecun": lambda: mlp((20, *[128] * 6, 10), nn.SELU, lecun_),
    "lecun_linear": lambda: mlp((20, 64, 64, 10), nn.Identity, lecun_),
}
for label, make in CLASSES.items():
    DENSE.add(label, make, classified(32, 20), cross_entropy)


@DENSE.healthy(classified(32, 20), cross_entropy, "one linear layer is convex: zero is a start")
def logistic_zero() -> nn.Module:
    model = nn.Linear(20, 10)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    return model


@DENSE.healthy(lambda: (normal(32, 20), (normal(32, 1, seed=1) > 0).float()), binary)
def logistic_binary() -> nn.Module:
    return nn.Linear(20, 1)


@DENSE.healthy(regressed(32, 13), squared)
def regression() -> nn.Module:
    return mlp((13, 64, 64, 1))


@DENSE.healthy(regressed(32, 13), absolute)
def regression_of_one_unit() -> nn.Module:
    return mlp((13, 1))


@DENSE.healthy(lambda: (normal(2, 20), whole(2, below=10)), cross_entropy)
def batch_of_two() -> nn.Module:
    return mlp((20, 64, 64, 10))


@DENSE.healthy(classified(32, 20), cross_entropy)
def batch_norm_dropout() -> nn.Module:
    return nn.Sequential(
        nn.Linear(20, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(64, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(64, 10),
    )  # fmt: skip


@DENSE.healthy(classified(32, 20), cross_entropy)
def layer_norm() -> nn.Module:
    return nn.Sequential(
        nn.Linear(20, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 64), nn.LayerNorm(64),
        nn.GELU(), nn.Linear(64, 10),
    )  # fmt: skip


class Maxout(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(20, 4 * 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.hidden(x).unflatten(-1, (32, 4)).amax(-1))


DENSE.add("maxout", Maxout, classified(32, 20), cross_entropy)


class Highway(nn.Module):
    def __init__(self, depth: int = 6) -> None:
        super().__init__()
        self.inward = nn.Linear(20, 32)
        self.carried = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth))
        self.gates = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth))
        self.head = nn.Linear(32, 10)
        for gate in self.gates:
            nn.init.constant_(gate.bias, -1.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        for layer, gate in zip(self.carried, self.gates, strict=True):
            open_ = gate(x).sigmoid()
            x = open_ * layer(x).relu() + (1 - open_) * x
        return self.head(x)


DENSE.add(
    "highway", Highway, classified(32, 20), cross_entropy, "gates start closed, as the paper has it"
)


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(20, 128), nn.Linear(64, 128)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.glu(self.second(functional.glu(self.first(x)))))


DENSE.add("glu", Gated, classified(32, 20), cross_entropy)


class Factorised(nn.Module):
    """A matrix of low rank as a product of two."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(64, 8, bias=False), nn.Linear(8, 64)
        self.first, self.head = nn.Linear(20, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.up(self.down(self.first(x).relu())).relu())


DENSE.add("factorised", Factorised, classified(32, 20), cross_entropy)


class MixtureDensity(nn.Module):
    def __init__(self, parts: int = 5) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        self.weight, self.mean = nn.Linear(32, parts), nn.Linear(32, parts)
        self.log_std = nn.Linear(32, parts)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = self.body(x)
        return self.weight(hidden), self.mean(hidden), self.log_std(hidden)


def mixture_loss(output: tuple[Tensor, Tensor, Tensor], target: Tensor) -> Tensor:
    weight, mean, log_std = output
    each = -0.5 * ((target - mean) / log_std.exp()) ** 2 - log_std
    return -torch.logsumexp(weight.log_softmax(-1) + each, -1).mean()


DENSE.add("mixture_density", MixtureDensity, regressed(64, 1), mixture_loss)


def pinball(output: Tensor, target: Tensor) -> Tensor:
    levels = torch.tensor([0.1, 0.5, 0.9])
    error = target - output
    return torch.maximum(levels * error, (levels - 1) * error).mean()


@DENSE.healthy(regressed(64, 13), pinball)
def quantiles() -> nn.Module:
    return mlp((13, 64, 64, 3))


class MultiTask(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = mlp((20, 64, 64))
        self.heads = nn.ModuleDict({"kind": nn.Linear(64, 10), "value": nn.Linear(64, 1)})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        hidden = self.body(x).relu()
        return {name: head(hidden) for name, head in self.heads.items()}


def both_tasks(output: dict[str, Tensor], kind: Tensor, value: Tensor) -> Tensor:
    return functional.cross_entropy(output["kind"], kind) + squared(output["value"], value)


DENSE.add(
    "multi_task",
    MultiTask,
    lambda: (normal(32, 20), whole(32, below=10), normal(32, 1, seed=2)),
    both_tasks,
)


class Bayesian(nn.Module):
    """Mean and softplus(rho) of every weight, as in Bayes by Backprop."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.empty(fan_out, fan_in))
        self.rho = nn.Parameter(torch.empty(fan_out, fan_in))
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.kaiming_uniform_(self.mean, a=math.sqrt(5))
        nn.init.constant_(self.rho, -3.0)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.mean + functional.softplus(self.rho) * torch.randn_like(self.rho)
        return functional.linear(x, weight, self.bias)


@DENSE.healthy(classified(32, 20), cross_entropy, "rho is one number: the noise breaks the tie")
def bayesian() -> nn.Module:
    return nn.Sequential(Bayesian(20, 32), nn.ReLU(), Bayesian(32, 10))


class DeepSets(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.each, self.all = mlp((3, 64, 64)), mlp((64, 64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.all(self.each(x).mean(1))


DENSE.add("deep_sets", DeepSets, classified(16, 20, 3), cross_entropy)


class Hypernetwork(nn.Module):
    """A small network writes the weights of a larger one."""

    def __init__(self) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.randn(2, 8))
        self.writer = nn.Linear(8, 32 * 32)
        nn.init.normal_(self.writer.weight, std=1 / math.sqrt(8 * 32))
        nn.init.zeros_(self.writer.bias)
        self.inward, self.head = nn.Linear(20, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x).relu()
        for weight in self.writer(self.code).unflatten(-1, (32, 32)):
            x = functional.linear(x, weight * math.sqrt(2)).relu()
        return self.head(x)


DENSE.add("hypernetwork", Hypernetwork, classified(32, 20), cross_entropy)


class SplineLayer(nn.Module):
    """Kolmogorov-Arnold: on every edge a base activation and a bump for each knot."""

    knots: Tensor

    def __init__(self, fan_in: int, fan_out: int, knots: int = 6) -> None:
        super().__init__()
        self.register_buffer("knots", torch.linspace(-2, 2, knots))
        self.base = nn.Parameter(torch.empty(fan_out, fan_in))
        self.spline = nn.Parameter(0.1 * torch.randn(fan_out, fan_in, knots) / knots)
        nn.init.kaiming_uniform_(self.base, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        bumps = torch.exp(-((x[..., None] - self.knots) ** 2))
        smooth = torch.einsum("bik,oik->bo", bumps, self.spline)
        return functional.linear(functional.silu(x), self.base) + smooth


@DENSE.healthy(regressed(64, 4), squared)
def kolmogorov_arnold() -> nn.Module:
    return nn.Sequential(SplineLayer(4, 16), SplineLayer(16, 1))
