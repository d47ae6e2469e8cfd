"""Cases that only a declared plan shows: the start is sound, and it is not the one that was asked.

Every plan is a recipe, a scheme for the kernels, or the rules of a recipe file.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import copied, labelled, next_token, text
from wild.harness import case

RULES = """
name = "asked for"
source = "the configuration of the model"
[[rule]]
{}
[[rule]]
role = "{}"
scheme = "{}"
"""


class CausalSelfAttention(nn.Module):
    """Attention as in small GPTs."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(dim, 3 * dim)
        self.c_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.c_attn(x).chunk(3, dim=-1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """The feed-forward part beside it."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(functional.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(dim), CausalSelfAttention(dim, 4)
        self.ln_2, self.mlp = nn.LayerNorm(dim), Mlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    """A small GPT; `_init_weights` is what its subclasses get right or wrong."""

    def __init__(self, depth: int = 4, dim: int = 64, vocabulary: int = 120) -> None:
        super().__init__()
        self.depth = depth
        self.wte, self.wpe = nn.Embedding(vocabulary, dim), nn.Embedding(16, dim)
        self.h = nn.Sequential(*(Block(dim) for _ in range(depth)))
        self.ln_f, self.lm_head = nn.LayerNorm(dim), nn.Linear(dim, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight
        self.apply(self._init_weights)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        return self.lm_head(self.ln_f(self.h(x)))


@case("B24", batch=text(120), where="h.*.c_proj.weight", codes="FI3", kind="plan", plan="gpt2",
      loss=next_token)  # fmt: skip
def name_never_matches(mended: bool) -> nn.Module:
    """Names of one module's own parameters are compared with a name that only the root has."""

    class Model(Gpt):
        def _init_weights(self, module: nn.Module) -> None:
            super()._init_weights(module)
            wanted = "c_proj.weight"
            if mended and isinstance(module, CausalSelfAttention | Mlp):
                module.c_proj.weight.data.normal_(std=0.02 / math.sqrt(2 * self.depth))
            for name, p in module.named_parameters(recurse=False):
                if name == wanted:
                    p.data.normal_(mean=0.0, std=0.02 / math.sqrt(2 * self.depth))

    return Model()


class Gated(nn.Module):
    """A gated feed-forward part: w2(silu(w1 x) * w3 x)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, 2 * dim, bias=False)
        self.w2 = nn.Linear(2 * dim, dim, bias=False)
        self.w3 = nn.Linear(dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(functional.silu(self.w1(x)) * self.w3(x))


class Llama(nn.Module):
    """Gated layers on a residual stream, and an untied head."""

    def __init__(self, depth: int = 3, dim: int = 64) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(120, dim)
        self.norms = nn.ModuleList(nn.RMSNorm(dim) for _ in range(depth))
        self.layers = nn.ModuleList(Gated(dim) for _ in range(depth))
        self.norm, self.output = nn.RMSNorm(dim), nn.Linear(dim, 120, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tok_embeddings(ids)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        return self.output(self.norm(x))


_WRITERS = RULES.format(
    f'name = "*.w2.weight"\nscheme = "normal(0, {0.02 / math.sqrt(6)})"',
    "kernel",
    "normal(0, 0.02)",
)


@case("B44", batch=text(120), where="layers.*.w2.weight layers.*.w3.weight", codes="FI3",
      kind="plan", plan=_WRITERS, loss=next_token)  # fmt: skip
def wrong_matrix_scaled(mended: bool) -> nn.Module:
    """What is scaled by depth is w3, which opens the gate, and not w2, which writes."""
    model = Llama()
    ending = ("w2.weight", "wo.weight") if mended else ("w3.weight", "wo.weight")
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0.0, std=0.02)
    for name, p in model.named_parameters():
        if name.endswith(ending):
            nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * 3))
    return model


@case("B46", batch=text(120), where="h.*.c_proj.weight", codes="FI3", kind="plan",
      plan=RULES.format('name = "w?e.weight"\nscheme = "normal(0, 0.02)"', "kernel",
                        "glorot_uniform"), loss=next_token)  # fmt: skip
def field_nobody_reads(mended: bool) -> nn.Module:
    """The option for Xavier sets one field, and the output layers read another."""
    options = {"init_method": nn.init.xavier_uniform_, "scaled_init_method": None}
    options["output_layer_init_method" if mended else "scaled_init_method"] = (
        nn.init.xavier_uniform_
    )

    class Model(Gpt):
        def _init_weights(self, module: nn.Module) -> None:
            super()._init_weights(module)
            for name, child in module.named_children():
                if isinstance(child, nn.Linear) and name != "lm_head":
                    key = "output_layer_init_method" if name == "c_proj" else "init_method"
                    default = lambda w: nn.init.normal_(w, std=0.02 / math.sqrt(2 * self.depth))  # noqa: E731
                    parts = child.weight.chunk(3 if name == "c_attn" else 1)
                    for part in parts:
                        (options.get(key) or default)(part)

    return Model()


@case("B51", batch=labelled(32, 3, 16, 16), where="cls_token pos_embed", codes="FI3", kind="plan",
      plan="vit")  # fmt: skip
def bare_parameters(mended: bool) -> nn.Module:
    """The init handles modules alone: the class token and the positions stay zero."""

    class Vit(nn.Module):
        def __init__(self, dim: int = 48) -> None:
            super().__init__()
            self.patch = nn.Conv2d(3, dim, 4, stride=4)
            self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
            self.pos_embed = nn.Parameter(torch.zeros(1, 17, dim))
            self.norm1, self.attn = nn.LayerNorm(dim), nn.Linear(dim, 3 * dim)
            self.proj = nn.Linear(dim, dim)
            self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 10)
            self.apply(self._init_weights)
            if mended:
                for p in (self.cls_token, self.pos_embed):
                    nn.init.trunc_normal_(p, std=0.02 / 0.8796, a=-0.0455, b=0.0455)

        def _init_weights(self, module: nn.Module) -> None:
            if isinstance(module, nn.Linear | nn.Conv2d):
                # Cut at two sigma the law is narrower by 0.88, which is made up for.
                nn.init.trunc_normal_(module.weight, std=0.02 / 0.8796, a=-0.0455, b=0.0455)
                nn.init.zeros_(module.bias)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
            q, k, v = self.attn(self.norm1(x)).chunk(3, dim=-1)
            x = x + self.proj(functional.scaled_dot_product_attention(q, k, v))
            return self.head(self.norm(x)[:, 0])

    return Vit()


@case("B57", batch=labelled(32, 3, 16, 16), where="*.conv.weight", codes="FI3", kind="plan",
      plan="he_normal")  # fmt: skip
def argument_dropped(mended: bool) -> nn.Module:
    """A wrapper takes the initialiser of its kernel, and does not pass it on."""

    class ConvUnit(nn.Module):
        def __init__(self, i: int, o: int, kernel_initializer=nn.init.kaiming_normal_) -> None:
            super().__init__()
            self.conv = nn.Conv2d(i, o, 3, padding=1)
            nn.init.zeros_(self.conv.bias)
            if mended:
                kernel_initializer(self.conv.weight, nonlinearity="relu")

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.conv(x))

    head = nn.Linear(32, 10)
    nn.init.kaiming_normal_(head.weight)
    nn.init.zeros_(head.bias)
    return nn.Sequential(
        ConvUnit(3, 32), ConvUnit(32, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    )


@case("B81", batch=copied(32, 8, 48), where="*in_proj_weight", codes="FI3", kind="plan",
      plan="glorot_uniform", loss=functional.mse_loss)  # fmt: skip
def packed_projection(mended: bool) -> nn.Module:
    """Xavier on the packed matrix of query, key and value sees three times the fan out."""

    class Attention(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
            self.out_proj = nn.Linear(dim, dim, bias=False)
            nn.init.xavier_uniform_(self.in_proj_weight, gain=2**0.5 if mended else 1.0)
            nn.init.xavier_uniform_(self.out_proj.weight)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = functional.linear(x, self.in_proj_weight).chunk(3, dim=-1)
            return x + self.out_proj(functional.scaled_dot_product_attention(q, k, v))

    return nn.Sequential(Attention(48), nn.LayerNorm(48), Attention(48))


@case("B94", batch=text(120), where="layers.*.w2.weight", codes="FI3", kind="plan",
      plan=RULES.format(f'name = "*.w2.weight"\nscheme = "normal(0, {1 / math.sqrt(128 * 6)})"',
                        "kernel", "lecun_normal"), loss=next_token)  # fmt: skip
def fan_of_the_neighbour(mended: bool) -> nn.Module:
    """The writers of both parts share one initialiser, with the fan in of the attention's."""
    model = Llama()
    for name, p in model.named_parameters():
        if name.endswith("w2.weight"):
            inputs = p.shape[1] if mended else model.tok_embeddings.embedding_dim
            nn.init.normal_(p, std=1 / math.sqrt(inputs * 2 * 3))
        elif p.dim() == 2 and "embed" not in name:
            nn.init.normal_(p, std=p.shape[1] ** -0.5)
    return model


def _mup(width: int, base: int) -> str:
    std = math.sqrt(1 / base) / math.sqrt(width / base)
    return RULES.format(f'name = "2.weight"\nscheme = "normal(0, {std})"', "bias", "zeros")


@case("B99", batch=labelled(64, 32), where="2.weight", codes="FI3", kind="plan",
      plan=_mup(width=128, base=16))  # fmt: skip
def multiplier_without_root(mended: bool) -> nn.Module:
    """muP divides the deviation by the width multiplier, and not by its root."""
    width, base = 128, 16
    net = nn.Sequential(
        nn.Linear(32, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 10)
    )
    multiplier = width / base
    for layer in net[::2]:
        nn.init.zeros_(layer.bias)
    nn.init.normal_(net[2].weight, std=base**-0.5)
    net[2].weight.data.div_(multiplier**0.5 if mended else multiplier)
    return net


@case("B101", batch=text(120), where="tok_embeddings.weight", codes="FI3", kind="plan",
      plan=RULES.format('role = "embedding"\nscheme = "normal(0, 0.1)"', "bias", "zeros"),
      loss=next_token)  # fmt: skip
def wrong_variable(mended: bool) -> nn.Module:
    """One variable is logged and another is used: a variance where a deviation belongs."""
    model, init_scale, base_variance = Llama(), 1.0, 0.01
    std = math.sqrt(base_variance) if mended else init_scale
    nn.init.normal_(model.tok_embeddings.weight, mean=0.0, std=std)
    return model


@case("B102", batch=text(120), where="tok_embeddings.weight", codes="FI3", kind="plan",
      plan=RULES.format(f'role = "embedding"\nscheme = "normal(0, {math.sqrt(0.4):.6f})"', "bias",
                        "zeros"), loss=next_token)  # fmt: skip
def variance_for_deviation(mended: bool) -> nn.Module:
    """Scaled embeddings want a variance of 0.4, and get it as a deviation."""
    model = Llama()
    model.tok_embeddings.weight.data.normal_(0, math.sqrt(0.4) if mended else 0.4)
    return model


@case("B114", batch=text(120), where="tok_embeddings.weight", codes="FI3", kind="plan",
      plan=RULES.format('role = "embedding"\nscheme = "normal(0, 0.02)"', "kernel",
                        "normal(0, 0.02)"), loss=next_token)  # fmt: skip
def left_from_an_ablation(mended: bool) -> nn.Module:
    """The embedding of the baseline is 30 times what its configuration says."""
    model, initializer_range = Llama(), 0.02
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0.0, initializer_range)
        elif isinstance(module, nn.Embedding):
            module.weight.data.normal_(0.0, initializer_range if mended else 0.6)
    return model
