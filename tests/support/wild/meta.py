"""Cases A, on the meta device: what nobody gave its values back."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import labelled, measured, next_token, sentences, text
from wild.harness import case


@case("B11", batch=sentences(80), where="conv.*", codes="FI1 FI2", kind="birth")
def added_convolution(mended: bool) -> nn.Module:
    """A layer type that the init function has no branch for, in a model built on meta."""

    class WithConvolution(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(80, 32)
            self.conv = nn.Conv1d(32, 32, 3, padding=1)
            self.head = nn.Linear(32, 2)

        def forward(self, ids: Tensor) -> Tensor:
            x = torch.relu(self.conv(self.embed(ids).transpose(1, 2)))
            return self.head(x.mean(dim=2))

    def init_weights(module: nn.Module) -> None:
        kinds = (nn.Linear, nn.Conv1d) if mended else (nn.Linear,)
        if isinstance(module, kinds):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)

    with torch.device("meta"):
        model = WithConvolution()
    return model.to_empty(device="cpu").apply(init_weights)


class RootNorm(nn.Module):
    """A norm by the root mean square."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * (x.square().mean(dim=-1, keepdim=True) + 1e-6).rsqrt()


class GatedLayer(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = RootNorm(dim)
        self.gate, self.up = (
            nn.Linear(dim, 2 * dim, bias=False),
            nn.Linear(dim, 2 * dim, bias=False),
        )
        self.down = nn.Linear(2 * dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class TinyGated(nn.Module):
    """A language model without attention, as small as it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(100, 32)
        self.layers = nn.ModuleList(GatedLayer(32) for _ in range(2))
        self.norm = RootNorm(32)
        self.head = nn.Linear(32, 100, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


@case("B12", batch=text(100), where="*norm.weight", codes="FI1", kind="birth", loss=next_token)
def norms_forgotten(mended: bool) -> nn.Module:
    """After meta and to_empty the norms are never given their ones back."""

    def _init_weights(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.data.normal_(mean=0.0, std=0.02)
        if mended and isinstance(module, RootNorm):
            module.weight.data.fill_(1.0)

    with torch.device("meta"):
        model = TinyGated()
    model.to_empty(device="cpu")
    for module in model.modules():
        _init_weights(module)
    return model


def _clicks() -> tuple[Tensor, Tensor, Tensor]:
    dense, clicked = labelled(64, 16, classes=2)()
    return dense, sentences(100, length=2)()[0], clicked


@case("B14", batch=_clicks, where="tables.*", codes="FI1", kind="birth")
def parameter_dict(mended: bool) -> nn.Module:
    """Reset is called for modules that own meta parameters, and a ParameterDict is skipped."""

    class Tables(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tables = nn.ParameterDict(
                {name: torch.empty(100, 16, device="meta") for name in ("user", "item")}
            )
            self.over = nn.Linear(16 + 16, 2, device="meta")

        def reset_parameters(self) -> None:
            for table in self.tables.values():
                nn.init.normal_(table)

        def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
            taken = self.tables["user"][ids[:, 0]] + self.tables["item"][ids[:, 1]]
            return self.over(torch.cat([dense, taken], dim=1))

    def owns(module: nn.Module) -> bool:
        inside = [m for m in module.children() if mended and isinstance(m, nn.ParameterDict)]
        return any(list(part.parameters(recurse=False)) for part in (module, *inside))

    model = Tables().to_empty(device="cpu")
    for module in model.modules():
        if owns(module) and hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return model


@case("B19", batch=measured(64, 32), where="*.lora_?", codes="FI1", kind="birth",
      loss=functional.mse_loss)  # fmt: skip
def adapters_after_to_empty(mended: bool) -> nn.Module:
    """A debug path returns right after to_empty, before the adapters are reset."""

    class Adapted(nn.Module):
        def __init__(self, inputs: int, outputs: int, rank: int = 4) -> None:
            super().__init__()
            self.base = nn.Linear(inputs, outputs)
            self.lora_A = nn.Parameter(torch.empty(rank, inputs))
            self.lora_B = nn.Parameter(torch.empty(outputs, rank))

        def reset_adapter(self) -> None:
            nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)
            nn.init.zeros_(self.lora_B)

        def forward(self, x: Tensor) -> Tensor:
            return self.base(x) + x @ self.lora_A.T @ self.lora_B.T

    def setup(random_init: bool) -> nn.Module:
        with torch.device("meta"):
            model = nn.Sequential(Adapted(32, 32), nn.Tanh(), Adapted(32, 1))
        model.to_empty(device="cpu")
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
        if random_init and not mended:
            return model
        for module in model.modules():
            if isinstance(module, Adapted):
                module.reset_adapter()
        return model

    return setup(random_init=True)


class Rotary(nn.Module):
    """Positions turned into angles; the frequencies are a constant that no checkpoint holds."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("inv_freq", torch.empty(dim // 2), persistent=False)
        self.fill()

    def fill(self) -> None:
        steps = torch.arange(0, self.dim, 2, dtype=torch.float32, device=self.inv_freq.device)
        self.inv_freq = 10_000 ** (-steps / self.dim)

    def forward(self, x: Tensor) -> Tensor:
        angles = torch.arange(x.shape[-2])[:, None] * self.inv_freq
        one, two = x.chunk(2, dim=-1)
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([one * cos - two * sin, one * sin + two * cos], dim=-1)


@case("B16", batch=text(100), where="*inv_freq", codes="FI1", kind="birth", loss=next_token)
def rotary_buffer(mended: bool) -> nn.Module:
    """Ranks other than 0 build on meta, and the rotary frequencies are in no checkpoint."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(100, 32)
            self.rotary = Rotary(16)
            self.q, self.k = nn.Linear(32, 32), nn.Linear(32, 32)
            self.v, self.o = nn.Linear(32, 32), nn.Linear(32, 32)
            self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 100)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids)
            q, k, v = (
                part(x).unflatten(-1, (2, 16)).transpose(1, 2) for part in (self.q, self.k, self.v)
            )
            mixed = functional.scaled_dot_product_attention(
                self.rotary(q), self.rotary(k), v, is_causal=True
            )
            return self.head(self.norm(x + self.o(mixed.transpose(1, 2).flatten(2))))

    from_rank_zero = Model().state_dict()
    with torch.device("meta"):
        model = Model()
    model.to_empty(device="cpu")
    model.load_state_dict(from_rank_zero)
    if mended:
        model.rotary.fill()
    return model


@case("B17", batch=measured(64, 32, targets=32), where="*ln_scale", codes="FI1", kind="birth",
      loss=functional.mse_loss)  # fmt: skip
def scale_buffer(mended: bool) -> nn.Module:
    """A constant that the constructor registers as a buffer is wiped by to_empty."""

    class Block(nn.Module):
        def __init__(self, depth: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(32)
            self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
            if mended:
                self.ln_scale = depth**-0.5
            else:
                self.register_buffer("ln_scale", torch.tensor(depth**-0.5), persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.mlp(self.norm(x) * self.ln_scale)

    with torch.device("meta"):
        model = nn.Sequential(*(Block(depth) for depth in range(1, 4)))
    model.to_empty(device="cpu")
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return model
