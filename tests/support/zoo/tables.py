"""Tables and graphs: recommenders, word vectors, message passing, sequences with a transition."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import binary, cross_entropy, normal, squared, whole

TABLES = Cage("tables")


class Clicks(nn.Module):
    """DLRM: a table for each column, products of their rows, an MLP above."""

    def __init__(self, sizes: Sequence[int] = (40, 20, 10), width: int = 8) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(size, width, mode="sum") for size in sizes)
        for table, size in zip(self.tables, sizes, strict=True):
            nn.init.uniform_(table.weight, -(size**-0.5), size**-0.5)
        self.bottom = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, width), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(width + 6, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, numbers: Tensor, columns: Tensor) -> Tensor:
        dense = self.bottom(numbers)
        rows = [table(columns[:, i, None]) for i, table in enumerate(self.tables)]
        every = torch.stack([dense, *rows], 1)
        first, second = torch.triu_indices(4, 4, 1)
        products = (every @ every.transpose(1, 2))[:, first, second]
        return self.top(torch.cat([dense, products], -1))


def clicks() -> tuple[Tensor, ...]:
    columns = torch.stack([whole(32, below=size, seed=size) for size in (40, 20, 10)], -1)
    return normal(32, 4), columns, (normal(32, 1, seed=3) > 0).float()


TABLES.add("clicks", Clicks, clicks, binary)


class SkipGram(nn.Module):
    """word2vec: the inner table small and random, the outer zero, as the C code has them."""

    def __init__(self, words: int = 50, width: int = 32) -> None:
        super().__init__()
        self.inner, self.outer = nn.Embedding(words, width), nn.Embedding(words, width)
        nn.init.uniform_(self.inner.weight, -0.5 / width, 0.5 / width)
        nn.init.zeros_(self.outer.weight)

    def forward(self, centre: Tensor, around: Tensor) -> Tensor:
        return (self.inner(centre)[:, None] * self.outer(around)).sum(-1)


TABLES.add(
    "word2vec",
    SkipGram,
    lambda: (
        whole(64, below=50),
        whole(64, 5, below=50, seed=1),
        torch.tensor([1.0, 0, 0, 0, 0]).expand(64, -1),
    ),
    binary,
    "one of two tables zero: its gradient is not",
)


class Factors(nn.Module):
    """Matrix factorisation with biases."""

    def __init__(self, people: int = 30, things: int = 40, width: int = 8) -> None:
        super().__init__()
        self.person, self.thing = nn.Embedding(people, width), nn.Embedding(things, width)
        self.person_bias, self.thing_bias = nn.Embedding(people, 1), nn.Embedding(things, 1)
        for table in (self.person, self.thing):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.person_bias.weight)
        nn.init.zeros_(self.thing_bias.weight)

    def forward(self, person: Tensor, thing: Tensor) -> Tensor:
        product = (self.person(person) * self.thing(thing)).sum(-1)
        return product + self.person_bias(person)[:, 0] + self.thing_bias(thing)[:, 0]


TABLES.add(
    "matrix_factorisation",
    Factors,
    lambda: (whole(64, below=30), whole(64, below=40, seed=1), normal(64, seed=2)),
    squared,
    "biases of people and things start at zero",
)


class Padded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 32, padding_idx=0)
        self.head = nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        mask = (x > 0).float()[..., None]
        return self.head((self.table(x) * mask).sum(1) / mask.sum(1).clamp(min=1))


def padded() -> tuple[Tensor, Tensor]:
    text = whole(16, 10, below=49) + 1
    text[:, 7:] = 0
    return text, whole(16, below=5, seed=1)


TABLES.add("padding_row", Padded, padded, cross_entropy, "the padding row is zero")


@TABLES.healthy(lambda: (whole(16, 10, below=50), whole(16, below=5, seed=1)), cross_entropy)
def bag_of_words() -> nn.Module:
    return nn.Sequential(nn.EmbeddingBag(50, 32), nn.Linear(32, 5))


class Entities(nn.Module):
    """TransE: triples of a knowledge graph."""

    def __init__(self, things: int = 30, kinds: int = 5, width: int = 16) -> None:
        super().__init__()
        self.thing, self.kind = nn.Embedding(things, width), nn.Embedding(kinds, width)
        bound = 6 / math.sqrt(width)
        nn.init.uniform_(self.thing.weight, -bound, bound)
        nn.init.uniform_(self.kind.weight, -bound, bound)

    def forward(self, head: Tensor, kind: Tensor, tail: Tensor, wrong: Tensor) -> Tensor:
        start = functional.normalize(self.thing(head), dim=-1) + self.kind(kind)
        near = (start - functional.normalize(self.thing(tail), dim=-1)).norm(dim=-1)
        far = (start - functional.normalize(self.thing(wrong), dim=-1)).norm(dim=-1)
        return (1 + near - far).relu().mean()


TABLES.add(
    "knowledge_graph",
    Entities,
    lambda: tuple(whole(64, below=below, seed=i) for i, below in enumerate((30, 5, 30, 30))),
)


class Tagger(nn.Module):
    """A linear chain: scores of the tags, and of what follows what."""

    def __init__(self, tags: int = 5) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.body = nn.LSTM(16, 16, batch_first=True, bidirectional=True)
        self.score = nn.Linear(32, tags)
        self.transition = nn.Parameter(torch.empty(tags, tags))
        nn.init.uniform_(self.transition, -0.1, 0.1)

    def forward(self, x: Tensor, tags: Tensor) -> Tensor:
        score = self.score(self.body(self.table(x))[0])
        right = score.gather(2, tags[..., None]).sum((1, 2))
        right = right + self.transition[tags[:, :-1], tags[:, 1:]].sum(1)
        total = score[:, 0]
        for step in score.unbind(1)[1:]:
            total = torch.logsumexp(total[:, :, None] + self.transition, 1) + step
        return (torch.logsumexp(total, -1) - right).mean()


TABLES.add("chain_crf", Tagger, lambda: (whole(8, 10, below=50), whole(8, 10, below=5, seed=1)))


def adjacency(nodes: int = 20) -> Tensor:
    edges = (whole(nodes, nodes, below=5, seed=4) == 0).float()
    linked = ((edges + edges.T + torch.eye(nodes)) > 0).float()
    degree = linked.sum(-1).rsqrt()
    return degree[:, None] * linked * degree


class GraphConvolution(nn.Module):
    """Kipf and Welling: Xavier over both fans."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(fan_in, fan_out))
        self.bias = nn.Parameter(torch.zeros(fan_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        return links @ (x @ self.weight) + self.bias


class Gcn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = GraphConvolution(12, 16), GraphConvolution(16, 4)

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        return self.second(self.first(x, links).relu(), links)


def graph() -> tuple[Tensor, ...]:
    return normal(20, 12), adjacency(), whole(20, below=4, seed=1)


TABLES.add("graph_convolution", Gcn, graph, cross_entropy)


class GraphAttention(nn.Module):
    def __init__(self, fan_in: int, size: int, heads: int = 4) -> None:
        super().__init__()
        self.project = nn.Linear(fan_in, heads * size, bias=False)
        self.source = nn.Parameter(torch.empty(1, heads, size))
        self.target = nn.Parameter(torch.empty(1, heads, size))
        self.heads = heads
        for weight in (self.project.weight, self.source, self.target):
            nn.init.xavier_uniform_(weight, gain=math.sqrt(2))

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        x = self.project(x).unflatten(-1, (self.heads, -1))
        score = (x * self.source).sum(-1)[:, None] + (x * self.target).sum(-1)[None]
        score = functional.leaky_relu(score, 0.2).masked_fill(links[..., None] == 0, -math.inf)
        return torch.einsum("ijh,jhd->ihd", score.softmax(1), x).flatten(1)


class Gat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = GraphAttention(12, 8), GraphAttention(32, 4, 1)

    def forward(self, x: Tensor, links: Tensor) -> Tensor:
        return self.second(functional.elu(self.first(x, links)), links)


TABLES.add("graph_attention", Gat, graph, cross_entropy)


class TwoTowers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.person, self.thing = nn.Embedding(30, 16), nn.Embedding(40, 16)
        self.left = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
        self.right = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, person: Tensor, thing: Tensor) -> Tensor:
        return self.left(self.person(person)) @ self.right(self.thing(thing)).T


def in_batch(scores: Tensor) -> Tensor:
    return functional.cross_entropy(scores, torch.arange(len(scores)))


TABLES.add("two_towers", TwoTowers, lambda: (whole(16, below=30), whole(16, below=40)), in_batch)
