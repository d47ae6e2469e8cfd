"""Cases B: a start that was right, and a later sweep that writes over it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import copied, labelled, next_token, text
from wild.harness import case


class Unet(nn.Module):
    """A diffusion net in miniature: one level down, one level up, and a last convolution."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.inward = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.GroupNorm(4, width)
        self.down = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.out = zero_module(nn.Conv2d(2 * width, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        h = functional.silu(self.down(functional.silu(self.norm(x))))
        h = functional.interpolate(self.middle(h), scale_factor=2)
        return self.out(functional.silu(torch.cat([x, h], dim=1)))


def zero_module(module: nn.Module) -> nn.Module:
    """Zero out the parameters of a module."""
    for p in module.parameters():
        p.detach().zero_()
    return module


@case("B36", batch=copied(16, 3, 16, 16), where="out.weight", codes="FI1", kind="birth",
      loss=functional.mse_loss)  # fmt: skip
def zero_module_lost(mended: bool) -> nn.Module:
    """The framework draws all convolutions again, also the last one, which was zeroed."""

    def init_weights(net: nn.Module) -> None:
        for m in net.modules():
            if isinstance(m, nn.Conv2d) and not (mended and not m.weight.any()):
                nn.init.kaiming_normal_(m.weight, a=0, mode="fan_in")
                nn.init.constant_(m.bias, 0.0)

    net = Unet()
    init_weights(net)
    return net


@case("B37", batch=labelled(64, 32), where="gate.0.weight gate.2.weight", codes="FI2 FI5 FI7")
def two_zero_layers(mended: bool) -> nn.Module:
    """Both layers of a gate are zero, with a relu between them: no gradient ever arrives."""

    class Fusion(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.look = nn.Linear(32, 32)
            self.gate = nn.Sequential(
                nn.Linear(32, 32, bias=False), nn.ReLU(), nn.Linear(32, 32, bias=False), nn.Tanh()
            )
            self.head = nn.Linear(32, 10)
            if not mended:
                nn.init.zeros_(self.gate[0].weight)
            nn.init.zeros_(self.gate[2].weight)

        def forward(self, x: Tensor) -> Tensor:
            seen = torch.relu(self.look(x))
            return self.head(x + self.gate(seen) * seen)

    return Fusion()


class SelectiveLayer(nn.Module):
    """A state-space layer whose step sizes start between 0.001 and 0.1."""

    def __init__(self, dim: int, rank: int = 4, states: int = 8) -> None:
        super().__init__()
        self.rank, self.states = rank, states
        self.x_proj = nn.Linear(dim, rank + 2 * states, bias=False)
        self.dt_proj = nn.Linear(rank, dim)
        self.A_log = nn.Parameter(torch.arange(1, states + 1).float().log().repeat(dim, 1))
        self.D = nn.Parameter(torch.ones(dim))
        nn.init.uniform_(self.dt_proj.weight, -(rank**-0.5), rank**-0.5)
        dt = torch.exp(torch.rand(dim) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
        with torch.no_grad():
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))

    def forward(self, x: Tensor) -> Tensor:
        rank, b, c = self.x_proj(x).split([self.rank, self.states, self.states], dim=-1)
        dt = functional.softplus(self.dt_proj(rank))
        decay = torch.exp(-dt.unsqueeze(-1) * self.A_log.exp())
        state = torch.zeros(x.shape[0], x.shape[2], self.states)
        steps: list[Tensor] = []
        for t in range(x.shape[1]):
            state = decay[:, t] * state + (dt * x)[:, t, :, None] * b[:, t, None]
            steps.append((state * c[:, t, None]).sum(dim=-1))
        return torch.stack(steps, dim=1) + self.D * x


@case("B39", batch=text(50), where="*dt_proj.bias *dt_proj.weight", codes="FI1 FI7", kind="birth",
      loss=next_token)  # fmt: skip
def step_sizes_lost(mended: bool) -> nn.Module:
    """The language model draws every Linear again, also the one with the step sizes."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(50, 32)
            self.norm1, self.mixer = nn.LayerNorm(32), SelectiveLayer(32)
            self.norm2, self.head = nn.LayerNorm(32), nn.Linear(32, 50)
            self.apply(self._init_weights)

        def _init_weights(self, module: nn.Module) -> None:
            if isinstance(module, nn.Linear):
                if mended and module is self.mixer.dt_proj:
                    return
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids)
            return self.head(self.norm2(x + self.mixer(self.norm1(x))))

    return Model()


@case("B42", batch=labelled(64, 48), where="*norm*.weight ?.1.weight", codes="FI1 FI3 FI4 FI7")
def everything_again(mended: bool) -> nn.Module:
    """A factory draws every parameter again: gains of norms and biases too."""

    def block(dim: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(dim, dim), nn.LayerNorm(dim), nn.GELU())

    def build(blocks: int) -> nn.Module:
        model = nn.Sequential(*(block(48) for _ in range(blocks)), nn.Linear(48, 10))
        for p in model.parameters():
            if p.dim() > 1:
                nn.init.xavier_normal_(p)
            elif not mended:
                nn.init.normal_(p, std=0.02)
        return model

    return build(blocks=3)


@case("B54", batch=labelled(64, 32), where="*norm.weight", codes="FI1 FI3 FI4 FI7", kind="birth")
def nested_init(mended: bool) -> nn.Module:
    """The init of a unit also writes the parameters of the units inside it."""

    class Unit(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(dim)
            self.up, self.down = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
            self.bias_table = nn.Parameter(torch.zeros(dim))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.bias_table + self.down(torch.relu(self.up(self.norm(x))))

    def param_init_fn(module: nn.Module) -> None:
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        elif isinstance(module, Unit):
            for p in module.parameters(recurse=not mended):
                nn.init.normal_(p, std=0.02)

    with torch.device("meta"):
        model = nn.Sequential(Unit(32), Unit(32), nn.Linear(32, 10))
    model.to_empty(device="cpu")
    return model.apply(param_init_fn)
