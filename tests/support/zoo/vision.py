"""Transformers and mixers for images, and the heads that find and cut out things."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import classified, cross_entropy, normal, squared, whole

VISION = Cage("vision")
IMAGES = classified(8, 3, 16, 16)
WIDTH = 32


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm; `scale` gives each branch a layer scale."""

    def __init__(self, width: int = WIDTH, scale: float | None = None) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = scale
        if scale is not None:
            self.gamma1 = nn.Parameter(torch.full((width,), scale))
            self.gamma2 = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, 4, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        first = self.proj(mixed)
        x = x + (first if self.scale is None else self.gamma1 * first)
        second = self.fc2(functional.gelu(self.fc1(self.norm2(x))))
        return x + (second if self.scale is None else self.gamma2 * second)


class Vit(nn.Module):
    def __init__(self, scale: float | None = None, *, zero_head: bool = True) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, WIDTH, 4, 4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, WIDTH))
        self.blocks = nn.Sequential(*(Block(scale=scale) for _ in range(3)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        if zero_head:
            nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


def zero_positions() -> nn.Module:
    model = Vit(zero_head=False)
    nn.init.zeros_(model.cls_token)
    nn.init.zeros_(model.pos_embed)
    return model


VISION.add("vit_zero_head", Vit, IMAGES, cross_entropy, "zero head, as the first recipe has it")
VISION.add("vit_zero_positions", zero_positions, IMAGES, cross_entropy, "added to what differs")
VISION.add("vit_layer_scale", lambda: Vit(1e-5), IMAGES, cross_entropy, "CaiT: 1e-5 on purpose")


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, WIDTH, 4, 4)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(4))
        self.across = nn.ModuleList(self.pair(16) for _ in range(2))
        self.along = nn.ModuleList(self.pair(WIDTH) for _ in range(2))
        self.head = nn.Linear(WIDTH, 10)

    @staticmethod
    def pair(width: int) -> nn.Sequential:
        return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        for i in range(2):
            x = x + self.across[i](self.norms[2 * i](x).transpose(1, 2)).transpose(1, 2)
            x = x + self.along[i](self.norms[2 * i + 1](x))
        return self.head(x.mean(1))


VISION.add("mixer", Mixer, IMAGES, cross_entropy)


class Windowed(nn.Module):
    """Attention within windows of 4 by 4, with a table of relative positions, as Swin has it."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, WIDTH, 2, 2), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.relative = nn.Parameter(torch.zeros(49, 4))
        nn.init.trunc_normal_(self.relative, std=0.02)
        rows, columns = torch.arange(16) // 4, torch.arange(16) % 4
        down = rows[:, None] - rows[None] + 3
        self.register_buffer("index", down * 7 + columns[:, None] - columns[None] + 3)
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).permute(0, 2, 3, 1)
        x = x.unflatten(1, (2, 4)).unflatten(3, (2, 4)).permute(0, 1, 3, 2, 4, 5)
        x = x.flatten(0, 2).flatten(1, 2)
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, 4, -1)).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        scores = scores + self.relative[self.index].permute(2, 0, 1)
        x = x + self.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        return self.head(x.unflatten(0, (-1, 4)).mean((1, 2)))


VISION.add("windowed", Windowed, IMAGES, cross_entropy)


class Perceiver(nn.Module):
    """A few learned latents read many inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.latents = nn.Parameter(0.02 * torch.randn(8, WIDTH))
        self.inward = nn.Linear(6, WIDTH)
        self.cross = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
        self.blocks = nn.Sequential(Block(), Block())
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inward(x)
        latents = self.latents.expand(len(x), -1, -1)
        latents = latents + self.cross(latents, x, x, need_weights=False)[0]
        return self.head(self.norm(self.blocks(latents).mean(1)))


VISION.add("perceiver", Perceiver, classified(8, 30, 6), cross_entropy)


class Detr(nn.Module):
    """Learned queries look at the image; a class and a box for each."""

    def __init__(self, queries: int = 6) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, WIDTH, 4, 4), nn.ReLU())
        self.place = nn.Parameter(torch.rand(16, WIDTH))
        self.queries = nn.Embedding(queries, WIDTH)
        layer = nn.TransformerDecoderLayer(WIDTH, 4, 64, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, 2)
        self.kind = nn.Linear(WIDTH, 5)
        self.box = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 4))
        for weight in self.decoder.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        memory = self.backbone(x).flatten(2).transpose(1, 2) + self.place
        seen = self.decoder(self.queries.weight.expand(len(x), -1, -1), memory)
        return self.kind(seen), self.box(seen).sigmoid()


def detection(output: tuple[Tensor, Tensor], kind: Tensor, box: Tensor) -> Tensor:
    return cross_entropy(output[0], kind) + functional.l1_loss(output[1], box)


VISION.add(
    "detr",
    Detr,
    lambda: (normal(4, 3, 16, 16), whole(4, 6, below=5), normal(4, 6, 4, seed=1).sigmoid()),
    detection,
)


class RetinaHead(nn.Module):
    """Focal loss: the classes start as rare as they are, at one in a hundred."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU()
        )
        for module in self.body:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        self.kind = nn.Conv2d(32, 4, 3, padding=1)
        nn.init.normal_(self.kind.weight, std=0.01)
        nn.init.constant_(self.kind.bias, -math.log((1 - 0.01) / 0.01))

    def forward(self, x: Tensor) -> Tensor:
        return self.kind(self.body(x))


def rare(output: Tensor, target: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(output, target)


def rare_boxes() -> tuple[Tensor, Tensor]:
    """One place in a hundred holds something."""
    return normal(8, 3, 16, 16), (whole(8, 4, 16, 16, below=100) == 0).float()


VISION.add("retina_head", RetinaHead, rare_boxes, rare, "the bias is the log odds of 1%")


class Clip(nn.Module):
    """Images and texts in one space; the scale of the logits is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Flatten(), nn.Linear(768, 64), nn.ReLU(), nn.Linear(64, 16))
        self.words = nn.EmbeddingBag(50, 32)
        self.text = nn.Linear(32, 16)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        one = functional.normalize(self.image(image), dim=-1)
        other = functional.normalize(self.text(self.words(text)), dim=-1)
        return self.logit_scale.exp() * one @ other.T


def contrast(logits: Tensor) -> Tensor:
    own = torch.arange(len(logits))
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


VISION.add("clip", Clip, lambda: (normal(16, 3, 16, 16), whole(16, 8, below=50)), contrast)


class Capsules(nn.Module):
    """Votes of eight small vectors for ten larger ones, agreed on in two rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 5, 2)
        self.second = nn.Conv2d(32, 32, 5, 2)
        self.votes = nn.Parameter(0.1 * torch.randn(10, 4, 8, 8))

    @staticmethod
    def squash(x: Tensor) -> Tensor:
        square = x.square().sum(-1, keepdim=True)
        return square / (1 + square) * x / (square + 1e-8).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        small = self.squash(self.second(self.first(x).relu()).flatten(1).unflatten(1, (-1, 8)))
        votes = torch.einsum("bni,cnio->bcno", small, self.votes)
        # Two rounds: what all say first, and what those say that agree with it.
        large = self.squash(votes.mean(2))
        agreement = torch.einsum("bcno,bco->bcn", votes, large)
        large = self.squash((agreement.softmax(1)[..., None] * votes).sum(2))
        return large.norm(dim=-1)


def margin(output: Tensor, target: Tensor) -> Tensor:
    own = functional.one_hot(target, 10)
    missed, claimed = (0.9 - output).relu().square(), (output - 0.1).relu().square()
    return (own * missed + 0.5 * (1 - own) * claimed).sum(-1).mean()


VISION.add("capsules", Capsules, IMAGES, margin)


@VISION.healthy(lambda: (normal(8, 3, 16, 16), normal(8, 64, seed=1)), squared)
def regression_of_landmarks() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU(), nn.Flatten(),
        nn.Linear(288, 64),
    )  # fmt: skip
