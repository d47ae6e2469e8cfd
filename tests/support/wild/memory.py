"""Cases A: memory that nobody wrote."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import copied, labelled, next_token, sentences, text
from wild.harness import case


@case("B01", batch=labelled(64, 32), where="router.gate.bias", codes="FI1", kind="birth")
def router(mended: bool) -> nn.Module:
    """A MoE router whose init fills the weight and forgets the bias."""

    class Router(nn.Module):
        def __init__(self, dim: int, experts: int) -> None:
            super().__init__()
            self.gate = nn.utils.skip_init(nn.Linear, dim, experts)

        def init_weights(self, std: float) -> None:
            nn.init.trunc_normal_(self.gate.weight, std=std)
            if mended:
                nn.init.zeros_(self.gate.bias)

        def forward(self, x: Tensor) -> Tensor:
            return self.gate(x).softmax(dim=-1)

    class SparseClassifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router = Router(32, 4)
            self.experts = nn.ModuleList(nn.Linear(32, 10) for _ in range(4))
            self.router.init_weights(std=0.02)

        def forward(self, x: Tensor) -> Tensor:
            answers = torch.stack([expert(x) for expert in self.experts], dim=1)
            return (self.router(x).unsqueeze(-1) * answers).sum(dim=1)

    return SparseClassifier()


class ImageText(nn.Module):
    """A small two-tower model; the projections are bare parameters."""

    def __init__(self, filled: bool) -> None:
        super().__init__()
        self.image = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 64))
        self.text = nn.EmbeddingBag(100, 64)
        self.image_projection = nn.Parameter(64**-0.5 * torch.randn(64, 128))
        self.text_projection = nn.Parameter(torch.empty(64, 128))
        self.logit_scale = nn.Parameter(torch.tensor(2.659))
        if filled:
            nn.init.normal_(self.text_projection, std=64**-0.5)

    def forward(self, images: Tensor, ids: Tensor) -> Tensor:
        seen = functional.normalize(self.image(images) @ self.image_projection, dim=-1)
        read = functional.normalize(self.text(ids) @ self.text_projection, dim=-1)
        return self.logit_scale.exp() * seen @ read.T


def _pairs() -> tuple[Tensor, Tensor, Tensor]:
    images, _ = labelled(32, 48)()
    ids, _ = sentences(100, 32)()
    return images, ids, torch.arange(32)


@case("B02", batch=_pairs, where="text_projection", codes="FI1", kind="birth")
def clip(mended: bool) -> nn.Module:
    """A projection taken from torch.empty, filled only by the checkpoint that is not loaded."""
    return ImageText(filled=mended)


class RawAttention(nn.Module):
    """Attention with one matrix for each head, kept as raw parameters."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.W_QKV = nn.Parameter(torch.empty(3, heads, dim, dim // heads))
        self.W_O = nn.Parameter(torch.empty(heads, dim // heads, dim))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = torch.einsum("btd,chde->cbhte", x, self.W_QKV)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x + torch.einsum("bhte,hed->btd", mixed, self.W_O)


@case("B04", batch=copied(32, 8, 32), where="*.W_O", codes="FI1", kind="birth",
      loss=functional.mse_loss)  # fmt: skip
def hooked(mended: bool) -> nn.Module:
    """A loop over key-value heads leaves the last output heads as they were found."""
    heads, key_heads = 4, 2
    model = nn.Sequential(RawAttention(32, heads), nn.LayerNorm(32), RawAttention(32, heads))
    for name, weight in model.named_parameters():
        if name.endswith("W_QKV"):
            nn.init.normal_(weight, std=32**-0.5)
        if name.endswith("W_O"):
            for head in range(heads if mended else key_heads):
                nn.init.normal_(weight.data[head], std=32**-0.5)
    return model


@case("B06", batch=sentences(50), where="contact.*", codes="FI1 FI7", kind="birth")
def contact_head(mended: bool) -> nn.Module:
    """A head that the converted checkpoint does not have keeps what torch.empty left."""

    class Protein(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(50, 32)
            self.encoder = nn.GRU(32, 32, batch_first=True)
            self.contact = nn.utils.skip_init(nn.Linear, 32, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.contact(self.encoder(self.embed(ids))[0].mean(dim=1))

    def export(source: dict[str, Tensor]) -> nn.Module:
        target = Protein()
        target.load_state_dict(source, strict=False)
        if mended:
            target.contact.reset_parameters()
        return target

    trained = nn.ModuleDict(
        {"embed": nn.Embedding(50, 32), "encoder": nn.GRU(32, 32, batch_first=True)}
    )
    return export(trained.state_dict())


@case("B07", batch=text(60), where="attention.u attention.v", codes="FI1", kind="birth",
      loss=next_token)  # fmt: skip
def transformer_xl(mended: bool) -> nn.Module:
    """The position biases u and v come from torch.Tensor(heads, dim)."""

    class RelativeAttention(nn.Module):
        def __init__(self, dim: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.qkv = nn.Linear(dim, 3 * dim, bias=False)
            self.distance = nn.Embedding(64, dim)
            self.out = nn.Linear(dim, dim, bias=False)
            self.u = nn.Parameter(torch.Tensor(heads, dim // heads))
            self.v = nn.Parameter(torch.Tensor(heads, dim // heads))
            if mended:
                nn.init.normal_(self.u, std=0.02)
                nn.init.normal_(self.v, std=0.02)

        def forward(self, x: Tensor) -> Tensor:
            b, t, d = x.shape
            q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).unbind(2)
            steps = torch.arange(t)
            gaps = (steps[:, None] - steps[None, :]).clamp(min=0)
            r = self.distance(gaps).view(t, t, self.heads, -1)
            scores = torch.einsum("bihe,bjhe->bhij", q + self.u, k)
            scores = scores + torch.einsum("bihe,ijhe->bhij", q + self.v, r)
            future = torch.ones(t, t, dtype=torch.bool).triu(1)
            scores = (scores / (d // self.heads) ** 0.5).masked_fill(future, float("-inf"))
            mixed = torch.einsum("bhij,bjhe->bihe", scores.softmax(-1), v)
            return x + self.out(mixed.reshape(b, t, d))

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(60, 32)
            self.attention = RelativeAttention(32, 4)
            self.norm = nn.LayerNorm(32)
            self.head = nn.Linear(32, 60)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.norm(self.attention(self.embed(ids))))

    return Model()


@case("B09", batch=sentences(80), where="pooler.weight", codes="FI1",
      loss=lambda out, y: functional.cross_entropy(out.float(), y))  # fmt: skip
def low_precision_head(mended: bool) -> nn.Module:
    """A normal drawn in bfloat16 by the inverse distribution function: one draw in 256 is -inf."""

    def normal_(weight: Tensor, std: float) -> None:
        even = torch.rand(weight.shape, dtype=torch.float64 if mended else weight.dtype)
        with torch.no_grad():
            weight.copy_(torch.erfinv(2 * even - 1) * 2**0.5 * std)

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(80, 64)
            self.pooler = nn.Linear(64, 64)
            self.classifier = nn.Linear(64, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.classifier(torch.tanh(self.pooler(self.embed(ids)[:, 0])))

    model = Classifier().to(torch.bfloat16)
    normal_(model.pooler.weight, std=64**-0.5)
    return model


@case("B22", batch=labelled(64, 20), where="*.weight *.bias", codes="FI1", kind="birth")
def own_linear(mended: bool) -> nn.Module:
    """A copy of Linear without its reset_parameters."""

    class BayesLinear(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.Tensor(outputs, inputs))
            self.bias = nn.Parameter(torch.Tensor(outputs))
            if mended:
                self.reset_parameters()

        def reset_parameters(self) -> None:
            bound = self.weight.size(1) ** -0.5
            self.weight.data.uniform_(-bound, bound)
            self.bias.data.uniform_(-bound, bound)

        def forward(self, x: Tensor) -> Tensor:
            return functional.dropout(functional.linear(x, self.weight, self.bias), 0.1)

    return nn.Sequential(BayesLinear(20, 64), nn.ReLU(), BayesLinear(64, 10))


@case("B21", batch=copied(32, 10, 32), where="attention.qkv.bias", codes="FI1", kind="birth",
      loss=functional.mse_loss)  # fmt: skip
def fused_bias(mended: bool) -> nn.Module:
    """The checkpoint has no bias for the keys, and the fused bias has a place for it."""

    class Attention(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.qkv = nn.utils.skip_init(nn.Linear, dim, 3 * dim)
            self.out = nn.Linear(dim, dim)

        def load_parts(self, parts: dict[str, Tensor]) -> None:
            dim = self.out.in_features
            with torch.no_grad():
                for place, name in enumerate("qkv"):
                    rows = slice(place * dim, (place + 1) * dim)
                    self.qkv.weight[rows].copy_(parts[f"{name}.weight"])
                    if f"{name}.bias" in parts:
                        self.qkv.bias[rows].copy_(parts[f"{name}.bias"])
                    elif mended:
                        self.qkv.bias[rows].zero_()

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
            return self.out(functional.scaled_dot_product_attention(q, k, v))

    source = {name: nn.Linear(32, 32, bias=name != "k") for name in "qkv"}
    parts = {f"{n}.{m}": p.data for n, layer in source.items() for m, p in layer.named_parameters()}
    model = nn.Sequential(OrderedDict(norm=nn.LayerNorm(32), attention=Attention(32)))
    model.attention.load_parts(parts)
    return model
