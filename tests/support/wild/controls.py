"""Negative controls N01 to N05: zeros that are meant, and open at the first step."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import copied, labelled, measured, sentences, text
from wild.harness import control
from wild.overwritten import Unet, zero_module
from wild.symmetry import Lora


@control("N01a", batch=labelled(64, 32))
def lora_on_a_frozen_base() -> nn.Module:
    """The second factor is zero, and the first is not: the product opens at the first step."""
    return nn.Sequential(Lora(nn.Linear(32, 64)), nn.ReLU(), Lora(nn.Linear(64, 10)))


@control("N01b", batch=sentences(60))
def lora_on_an_embedding() -> nn.Module:
    """Of an embedding the first factor is zero, and the second is drawn; either will do."""

    class LoraEmbedding(nn.Module):
        def __init__(self, base: nn.Embedding, rank: int = 4) -> None:
            super().__init__()
            self.base = base.requires_grad_(False)
            self.lora_A = nn.Parameter(torch.zeros(rank, base.num_embeddings))
            self.lora_B = nn.Parameter(torch.randn(base.embedding_dim, rank))

        def forward(self, ids: Tensor) -> Tensor:
            return self.base(ids) + functional.embedding(ids, self.lora_A.T) @ self.lora_B.T

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = LoraEmbedding(nn.Embedding(60, 32))
            self.head = nn.Linear(32, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.embed(ids).mean(dim=1))

    return Reader()


@control("N01c", batch=copied(32, 8, 32), loss=functional.mse_loss)
def lora_on_attention() -> nn.Module:
    """Adapters on query and value, the head and the norms trained, the rest frozen."""

    class Attention(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(dim)
            self.q, self.v = Lora(nn.Linear(dim, dim)), Lora(nn.Linear(dim, dim))
            self.k = nn.Linear(dim, dim).requires_grad_(False)
            self.o = nn.Linear(dim, dim).requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(x)
            mixed = functional.scaled_dot_product_attention(self.q(y), self.k(y), self.v(y))
            return x + self.o(mixed)

    return nn.Sequential(Attention(32), Attention(32), nn.Linear(32, 32))


class BasicBlock(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.down = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.down = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + self.down(x))


@control("N02a", batch=labelled(32, 3, 16, 16))
def last_gain_zero() -> nn.Module:
    """The last norm of each residual block starts at zero (Goyal et al. 2017)."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        BasicBlock(16, 16, 1), BasicBlock(16, 32, 2), BasicBlock(32, 32, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
    return net


@control("N02b", batch=copied(32, 8, 32), loss=functional.mse_loss)
def gains_of_post_norms_zero() -> nn.Module:
    """Norms at the end of the branches of a transformer start at zero."""

    class Layer(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.mlp = nn.Sequential(
                nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
            )
            self.post = nn.LayerNorm(dim)
            nn.init.zeros_(self.post.weight)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.post(self.mlp(x))

    return nn.Sequential(Layer(32), Layer(32), Layer(32), nn.Linear(32, 32))


@control("N02c", batch=labelled(64, 32))
def gates_zero() -> nn.Module:
    """One number opens each branch, and starts at zero (ReZero, SkipInit)."""

    class Gated(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.layer = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
            self.alpha = nn.Parameter(torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.alpha * self.layer(x)

    return nn.Sequential(*(Gated(32) for _ in range(6)), nn.Linear(32, 10))


@control("N03a", batch=copied(16, 3, 16, 16), loss=functional.mse_loss)
def last_convolution_zero() -> nn.Module:
    """The output of a diffusion net is exactly 0 at step 0."""
    return Unet()


class TimedBlock(nn.Module):
    """A residual block that is told the time; its second convolution is zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(4, width), nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Linear(16, 2 * width)
        self.norm2 = nn.GroupNorm(4, width, affine=False)
        self.conv2 = zero_module(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        scale, shift = self.time(t)[:, :, None, None].chunk(2, dim=1)
        return x + self.conv2(functional.silu(self.norm2(h) * (1 + scale) + shift))


def _noised() -> tuple[Tensor, Tensor, Tensor]:
    x, y = copied(16, 3, 8, 8)()
    return x, torch.linspace(0, 1, 16)[:, None], y


@control("N03b", batch=_noised, loss=functional.mse_loss)
def zero_in_every_block() -> nn.Module:
    """The second convolution of every block and the last of all are zero."""

    class Denoiser(nn.Module):
        def __init__(self, width: int = 16) -> None:
            super().__init__()
            self.register_buffer("waves", 2.0 ** torch.arange(8))
            self.inward = nn.Conv2d(3, width, 3, padding=1)
            self.blocks = nn.ModuleList(TimedBlock(width) for _ in range(3))
            self.norm = nn.GroupNorm(4, width)
            self.out = zero_module(nn.Conv2d(width, 3, 3, padding=1))

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            told = torch.cat([(t * self.waves).sin(), (t * self.waves).cos()], dim=1)
            x = self.inward(x)
            for block in self.blocks:
                x = block(x, told)
            return self.out(functional.silu(self.norm(x)))

    return Denoiser()


@control("N03c", batch=copied(16, 3, 8, 8), loss=functional.mse_loss)
def zero_bridges() -> nn.Module:
    """A trained copy is joined to a frozen net by convolutions that are zero (ControlNet)."""

    class Controlled(nn.Module):
        def __init__(self, width: int = 16) -> None:
            super().__init__()
            self.inward = nn.Conv2d(3, width, 3, padding=1)
            self.body = nn.Conv2d(width, width, 3, padding=1)
            self.out = nn.Conv2d(width, 3, 3, padding=1)
            self.requires_grad_(False)
            self.copy = nn.Conv2d(width, width, 3, padding=1)
            self.copy.load_state_dict(self.body.state_dict())
            self.hint = zero_module(nn.Conv2d(3, width, 1))
            self.bridge = zero_module(nn.Conv2d(width, width, 1))

        def forward(self, x: Tensor) -> Tensor:
            h = self.inward(x)
            control = self.bridge(functional.silu(self.copy(h + self.hint(x))))
            return self.out(functional.silu(self.body(h)) + control)

    return Controlled()


class Vit(nn.Module):
    """A vision transformer of one layer."""

    def __init__(self, dim: int = 48) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, dim, 4, stride=4)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, dim))
        self.layer = nn.TransformerEncoderLayer(
            dim, 4, 2 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.norm(self.layer(x))[:, 0])


@control("N04a", batch=labelled(32, 3, 16, 16))
def zero_head_and_positions() -> nn.Module:
    """The head of a vision transformer starts at zero, and so do its positions and its token."""
    model = Vit()
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    return model


@control("N04b", batch=labelled(32, 3, 16, 16))
def drawn_head_and_positions() -> nn.Module:
    """The other recipe: both are drawn from a narrow normal."""
    model = Vit()
    for p in (model.cls_token, model.pos_embed, model.head.weight):
        nn.init.trunc_normal_(p, std=0.02)
    return model


@control("N04c", batch=text(90), loss=lambda out, y: functional.cross_entropy(out.mT, y))
def zero_positions_of_tokens() -> nn.Module:
    """Positions start at zero and are added to tokens that are drawn."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(90, 32)
            self.positions = nn.Parameter(torch.zeros(16, 32))
            self.rnn = nn.GRU(32, 32, batch_first=True)
            self.head = nn.Linear(32, 90)
            nn.init.zeros_(self.head.weight)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.rnn(self.tokens(ids) + self.positions)[0])

    return Model()


@control("N05a", batch=labelled(64, 20))
def softmax_regression() -> nn.Module:
    """One linear layer is convex: zero is as good as any other place."""
    model = nn.Linear(20, 10)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    return model


@control("N05b", batch=measured(64, 12), loss=functional.mse_loss)
def linear_regression() -> nn.Module:
    """A linear regression by hand, from zero."""

    class Regression(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.zeros(12, 1))
            self.b = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.w + self.b

    return Regression()


@control("N05c", batch=labelled(64, 1, 8, 8))
def flattened_images() -> nn.Module:
    """The same behind a Flatten, as the first net of every course."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    net[1].weight.data = torch.zeros(10, 64)
    net[1].bias.data = torch.zeros(10)
    return net
