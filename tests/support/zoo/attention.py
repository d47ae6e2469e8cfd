"""Transformers by hand and of torch: language models, encoders, routers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import classified, cross_entropy, normal, spoken, squared, whole

ATTENTION = Cage("attention")
TEXT = spoken()
WIDTH, WORDS, LENGTH = 32, 50, 12


def causal(length: int) -> Tensor:
    return torch.full((length, length), -math.inf).triu(1)


class CausalAttention(nn.Module):
    def __init__(self, width: int = WIDTH, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("mask", causal(LENGTH), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(x).chunk(3, -1)
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + self.mask
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class GptBlock(nn.Module):
    def __init__(self, feed: nn.Module, width: int = WIDTH) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), CausalAttention(width)
        self.ln_2, self.mlp = nn.LayerNorm(width), feed

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


def feed_forward(width: int = WIDTH) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


class Gpt(nn.Module):
    """GPT-2: normal(0.02), output projections smaller with depth, head tied to the table."""

    def __init__(self, feed: Callable[[], nn.Module] = feed_forward, depth: int = 3) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(GptBlock(feed()) for _ in range(depth))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.apply(self._init_weights)
        for name, weight in self.named_parameters():
            if name.endswith(("proj.weight", ".2.weight")):  # attention, feed-forward, experts
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * depth))
        self.head.weight = self.wte.weight

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and "bias" in dict(module.named_parameters()):
            nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln_f(x))


ATTENTION.add("gpt", Gpt, TEXT, cross_entropy, "head tied to the table on purpose")


class Router(nn.Module):
    """Experts behind a router."""

    def __init__(self, best: int, count: int = 4, *, zero: bool = False) -> None:
        super().__init__()
        self.best = best
        self.gate = nn.Linear(WIDTH, count, bias=False)
        self.experts = nn.ModuleList(feed_forward() for _ in range(count))
        self.zero = zero

    def forward(self, x: Tensor) -> Tensor:
        weight, chosen = self.gate(x).softmax(-1).topk(self.best, -1)
        total = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            share = (weight * (chosen == index)).sum(-1, keepdim=True)
            total = total + share * expert(x)
        return total


def zero_router() -> nn.Module:
    model = Gpt(lambda: Router(2))
    for module in model.modules():
        if isinstance(module, Router):
            nn.init.zeros_(module.gate.weight)
    return model


ATTENTION.add("experts_top_1", lambda: Gpt(lambda: Router(1)), TEXT, cross_entropy)
ATTENTION.add("experts_top_2", lambda: Gpt(lambda: Router(2)), TEXT, cross_entropy)
ATTENTION.add(
    "experts_zero_router", zero_router, TEXT, cross_entropy, "the experts differ: the router learns"
)


class BatchedExperts(nn.Module):
    """The experts in one tensor, a soft mixture of all of them."""

    def __init__(self, count: int = 4) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, count, bias=False)
        self.up = nn.Parameter(torch.randn(count, WIDTH, 2 * WIDTH) / math.sqrt(WIDTH))
        self.down = nn.Parameter(torch.randn(count, 2 * WIDTH, WIDTH) / math.sqrt(2 * WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.gelu(torch.einsum("bti,eio->bteo", x, self.up))
        each = torch.einsum("bteo,eoi->btei", hidden, self.down)
        return torch.einsum("btei,bte->bti", each, self.gate(x).softmax(-1))


class BatchedModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm = nn.Embedding(WORDS, WIDTH), nn.LayerNorm(WIDTH)
        self.experts, self.head = BatchedExperts(), nn.Linear(WIDTH, WORDS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.table(x)
        return self.head(x + self.experts(self.norm(x)))


ATTENTION.add("experts_in_one_tensor", BatchedModel, TEXT, cross_entropy)


class UnitNorm(nn.Module):
    """RMSNorm; with ``offset`` 1 the weight is kept as its departure from one, as Gemma does."""

    def __init__(self, width: int, offset: float = 0.0) -> None:
        super().__init__()
        self.offset = offset
        self.weight = nn.Parameter(torch.full((width,), 1.0 - offset))

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)
        return x * (self.offset + self.weight)


class LlamaBlock(nn.Module):
    def __init__(self, width: int, heads: int, offset: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = UnitNorm(width, offset), UnitNorm(width, offset)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(width, 2 * width, bias=False) for _ in range(2))
        self.down = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        hidden = self.norm1(x)
        q, k, v = (
            part(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        q, k = (part * cos + turned(part) * sin for part in (q, k))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        hidden = self.norm2(x)
        return x + self.down(functional.silu(self.gate(hidden)) * self.up(hidden))


def turned(x: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)


class Llama(nn.Module):
    def __init__(self, offset: float = 0.0, depth: int = 3, heads: int = 4) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList(LlamaBlock(WIDTH, heads, offset) for _ in range(depth))
        self.norm, self.head = UnitNorm(WIDTH, offset), nn.Linear(WIDTH, WORDS, bias=False)
        size = WIDTH // heads
        rates = 10000 ** (-torch.arange(0, size, 2) / size)
        angles = torch.outer(torch.arange(LENGTH), rates).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.apply(normal_02_)

    def forward(self, x: Tensor) -> Tensor:
        x = self.table(x)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.head(self.norm(x))


def normal_02_(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)


ATTENTION.add("llama", Llama, TEXT, cross_entropy)
ATTENTION.add("gemma_norms", lambda: Llama(1.0), TEXT, cross_entropy, "the norms' gain is 1 + 0")


class RelativeBias(nn.Module):
    """T5: no scaling of the scores, a learned bias for each distance, d_model in the init."""

    def __init__(self, width: int = WIDTH, heads: int = 4) -> None:
        super().__init__()
        self.heads, size = heads, width // heads
        self.table = nn.Embedding(WORDS, width)
        self.norm = UnitNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.bias = nn.Embedding(2 * LENGTH, heads)
        self.head = nn.Linear(width, WORDS, bias=False)
        nn.init.normal_(self.table.weight, std=1.0)
        nn.init.normal_(self.q.weight, std=(width * size) ** -0.5)
        for layer in (self.k, self.v, self.o, self.bias, self.head):
            nn.init.normal_(layer.weight, std=width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        place = torch.arange(x.shape[1])
        bias = self.bias(place[:, None] - place[None] + LENGTH).permute(2, 0, 1)
        x = self.table(x)
        hidden = self.norm(x)
        q, k, v = (
            part(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.q, self.k, self.v)
        )
        mixed = (q @ k.transpose(-1, -2) + bias).softmax(-1) @ v
        return self.head(x + self.o(mixed.transpose(1, 2).flatten(2)))


ATTENTION.add("t5", RelativeBias, TEXT, cross_entropy)


class Encoder(nn.Module):
    """The encoder of torch, with its own defaults and sinusoidal positions."""

    def __init__(self, *, norm_first: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH, padding_idx=0)
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 64, dropout=0.1, batch_first=True, norm_first=norm_first
        )
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 10)
        place = torch.arange(LENGTH)[:, None] * 10000 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
        self.register_buffer("places", torch.cat([place.sin(), place.cos()], -1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.table(x) + self.places).mean(1))


def sentences() -> tuple[Tensor, Tensor]:
    return whole(8, LENGTH, below=WORDS), whole(8, below=10, seed=1)


COPIES = "nn.TransformerEncoder copies one layer: equal layers behind one another learn apart"
ATTENTION.add("torch_encoder", lambda: Encoder(norm_first=False), sentences, cross_entropy, COPIES)
ATTENTION.add(
    "torch_encoder_norm_first", lambda: Encoder(norm_first=True), sentences, cross_entropy, COPIES
)


class Seq2Seq(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)
        self.body = nn.Transformer(WIDTH, 4, 2, 2, 64, batch_first=True)
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        mask = causal(target.shape[1])
        return self.head(self.body(self.table(source), self.table(target), tgt_mask=mask))


ATTENTION.add(
    "torch_transformer",
    Seq2Seq,
    lambda: (whole(4, 10, below=WORDS), *spoken(4, 8)()),
    cross_entropy,
)


class Pooling(nn.Module):
    """One attention of torch from a learned query, which starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, 1, 16))
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query.expand(len(x), -1, -1)
        return self.head(self.attention(query, x, x, need_weights=False)[0][:, 0])


ATTENTION.add(
    "multihead_pooling",
    Pooling,
    classified(8, 12, 16),
    cross_entropy,
    "a zero query attends everywhere alike, and its gradient leads away",
)


class LinearAttention(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(x)
        q, k = functional.elu(self.q(hidden)) + 1, functional.elu(self.k(hidden)) + 1
        memory = torch.einsum("bti,bto->bio", k, self.v(hidden))
        mixed = torch.einsum("bti,bio->bto", q, memory) / (q @ k.sum(1)[..., None])
        return self.head((x + mixed).mean(1))


ATTENTION.add("linear_attention", LinearAttention, classified(8, 12, 16), cross_entropy)


class Hopfield(nn.Module):
    """Stored patterns that the state is drawn to."""

    def __init__(self, width: int = 16, patterns: int = 24) -> None:
        super().__init__()
        self.patterns = nn.Parameter(torch.randn(patterns, width) / math.sqrt(width))
        self.head = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            x = (x @ self.patterns.T).softmax(-1) @ self.patterns
        return self.head(x)


ATTENTION.add("hopfield", Hopfield, lambda: (normal(16, 16), normal(16, 16, seed=1)), squared)
