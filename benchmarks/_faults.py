"""The networks that checks are held against: healthy ones, and ones with a single known fault.

Nineteen faults in small networks on scikit-learn's digits, eight in a small GPT whose recipe was
not carried out, and four healthy controls (five with the GPT that is right). Each is a function of
a seed; the fault is written as a practitioner would have made it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64
CLASSES = 10
EXAMPLES = 64
VOCABULARY = 64
BLOCKS = 8


@dataclass(frozen=True)
class Case:
    """A network with a fault, or without.

    Attributes:
        name: What it is.
        build: Builds it from a seed.
        codes: Beginnings of the codes by which fanin may name the cause; empty for a control.
        where: Part of a tensor's name that has to be named; empty for any.
        words: Pattern of the words by which a tool names the cause.
        batch: Makes the batch from a seed.
        plan: The recipe that the author had in mind; None for none.
    """

    name: str
    build: Callable[[int], nn.Module]
    codes: tuple[str, ...] = ()
    where: str = ""
    words: str = ""
    batch: Callable[[int], tuple[Tensor, Tensor]] | None = None
    plan: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.codes


def digits(seed: int, scale: float = 1.0, shift: float = 0.0) -> tuple[Tensor, Tensor]:
    """64 digits, of mean 0 and deviation 1 over all pixels unless told otherwise."""
    data = load_digits()
    chosen = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(seed))
    inputs = torch.tensor(data.data, dtype=torch.float32)
    inputs = (inputs - inputs.mean()) / inputs.std() * scale + shift
    return inputs[chosen[:EXAMPLES]], torch.tensor(data.target)[chosen[:EXAMPLES]].long()


def raw_digits(seed: int) -> tuple[Tensor, Tensor]:
    """The digits as pixels from 0 to 255."""
    inputs, target = digits(seed)
    return (inputs - inputs.min()) / (inputs.max() - inputs.min()) * 255, target


def tokens(seed: int) -> tuple[Tensor, Tensor]:
    """Eight texts of 16 random tokens, each to be told from the one before."""
    source = torch.Generator().manual_seed(seed)
    text = torch.randint(VOCABULARY, (8, 17), generator=source)
    return text[:, :-1], text[:, 1:]


def stack(
    depth: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
    start: Callable[[nn.Linear, int], None] | None = None,
) -> nn.Sequential:
    """A plain stack of linear layers."""
    layers = list[nn.Module]()
    for place in range(depth):
        last = place == depth - 1
        layer = nn.Linear(WIDTH, CLASSES if last else WIDTH)
        if start is not None:
            start(layer, place)
        layers += [layer] if last else [layer, activation()]
    return nn.Sequential(*layers)


def he(layer: nn.Linear, _: int = 0) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)


def xavier(layer: nn.Linear, _: int = 0) -> None:
    nn.init.xavier_normal_(layer.weight, gain=5 / 3)
    nn.init.zeros_(layer.bias)


def normal(std: float) -> Callable[[nn.Linear, int], None]:
    def start(layer: nn.Linear, _: int) -> None:
        nn.init.normal_(layer.weight, std=std)
        nn.init.zeros_(layer.bias)

    return start


class Residual(nn.Module):
    """A residual network whose branches start at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.inner = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(4)])
        self.outer = nn.ModuleList([nn.Linear(WIDTH, WIDTH) for _ in range(4)])
        self.head = nn.Linear(WIDTH, CLASSES)
        for layer in self.inner:
            nn.init.kaiming_normal_(layer.weight)
        for layer in self.outer:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        stream = self.first(inputs)
        for inner, outer in zip(self.inner, self.outer, strict=True):
            stream = stream + outer(functional.relu(inner(stream)))
        return self.head(stream)


class Block(nn.Module):
    """A block of a GPT."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.c_fc, self.mlp_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, stream: Tensor) -> Tensor:
        parts = self.c_attn(self.ln_1(stream)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (4, -1)).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        stream = stream + self.c_proj(mixed.transpose(1, 2).flatten(2))
        return stream + self.mlp_proj(functional.gelu(self.c_fc(self.ln_2(stream))))


class Gpt(nn.Module):
    """A GPT with tied embeddings, started as GPT-2 is."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, width), nn.Embedding(32, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(BLOCKS)])
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, VOCABULARY, bias=False)
        self.lm_head.weight = self.wte.weight
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module is not self.lm_head:
                nn.init.zeros_(module.bias)

    def forward(self, text: Tensor) -> Tensor:
        stream = self.wte(text) + self.wpe.weight[: text.shape[1]]
        for block in self.blocks:
            stream = block(stream)
        return self.lm_head(self.ln_f(stream))


def gpt(change: Callable[[Gpt], None] | None = None, *, scaled: bool = True) -> Gpt:
    """A GPT with its residual writers scaled, and one thing changed."""
    model = Gpt()
    if scaled:
        for block in model.blocks:
            for writer in (block.c_proj, block.mlp_proj):
                nn.init.normal_(writer.weight, std=0.02 / math.sqrt(2 * BLOCKS))
    if change is not None:
        with torch.no_grad():
            change(model)
    return model
