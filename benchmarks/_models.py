"""The models that a pass is timed on, and the comparison of contestants that each take a model.

Time is taken in turns, on one thread. Peak memory is that of a process of its own, above what it
held with the model built and every contestant tried on a small one.
"""

import multiprocessing
import resource
import sys
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from _timing import Figure, interleave, report

Contestant = Callable[[nn.Module, Tensor], object]

TURNS = 7


class Block(nn.Module):
    """Attention and a gelu network, each behind a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(self.first(x)).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.down(functional.gelu(self.up(self.second(x))))


class Transformer(nn.Module):
    """A small GPT."""

    def __init__(self, width: int, layers: int, vocabulary: int = 4096, length: int = 128) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, width // 32) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.tokens(x) + self.places(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.b = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm_a, self.norm_b = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.around = nn.Sequential()
        if stride > 1 or inputs != outputs:
            down = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.around = nn.Sequential(down, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        branch = self.norm_b(self.b(functional.relu(self.norm_a(self.a(x)))))
        return functional.relu(branch + self.around(x))


def resnet(width: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)]
    inputs = width
    for stage, outputs in enumerate((width, 2 * width, 4 * width, 8 * width)):
        for place in range(2):
            layers.append(Residual(inputs, outputs, 2 if stage and not place else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


MODELS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "GPT, 10 million parameters, 8 x 128 tokens": lambda: (
        Transformer(320, 6),
        torch.randint(4096, (8, 128)),
    ),
    "ResNet-18, 11 million parameters, 16 x 32 x 32": lambda: (
        resnet(64),
        torch.randn(16, 3, 32, 32),
    ),
    "small GPT, 0.1 million parameters, 4 x 16 tokens": lambda: (
        Transformer(32, 4, 512),
        torch.randint(512, (4, 16)),
    ),
}


def peak(name: str, run: Contestant, others: tuple[Contestant, ...]) -> float:
    """Measure, in a process of its own, the memory that one call adds, in bytes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, batch = MODELS[name]()
    for one in others:
        one(nn.Linear(4, 4), torch.ones(2, 4))  # what torch and fanin set up once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(model, batch)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) * (1 if sys.platform == "darwin" else 1024)


def compare_costs(contestants: Mapping[str, Contestant]) -> None:
    """Print the time and the peak memory of each contestant on each model, the first as measure."""
    torch.set_num_threads(1)
    runs = tuple(contestants.values())
    # Before this process grows: a child inherits the peak of its parent.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        sizes = {
            (name, own): pool.apply(peak, (name, run, runs))
            for name in MODELS
            for own, run in contestants.items()
        }
    for name, build in MODELS.items():
        torch.manual_seed(0)
        model, batch = build()
        on_this: dict[str, Callable[[], object]] = {
            own: lambda run=run, model=model, batch=batch: run(model, batch)
            for own, run in contestants.items()
        }
        report(name, interleave(on_this, TURNS))
        plain = max(sizes[name, next(iter(contestants))], 1)
        figures = [Figure(own, sizes[name, own], sizes[name, own] / plain) for own in contestants]
        report(f"{name}: peak memory", figures, unit="MB", per=1e6)
