"""Cases F: ties, padding rows and pretrained values that an init breaks."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import labelled, next_token, padded, sentences, text
from wild.harness import case


def _backbone(classes: int = 5) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, classes),
    )  # fmt: skip


def _trained(model: nn.Module) -> dict[str, Tensor]:
    """Weights that look trained: those of another seed, moved a little from where they began."""
    source = torch.Generator().manual_seed(99)
    return {
        name: torch.randn(tensor.shape, generator=source) * (0.15 if tensor.dim() > 1 else 0.05)
        for name, tensor in model.state_dict().items()
    }


class Seq2Seq(nn.Module):
    """A recurrent language model with an untied head."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, 32)
        self.rnn = nn.GRU(32, 32, batch_first=True)
        self.lm_head = nn.Linear(32, vocabulary)

    def forward(self, ids: Tensor) -> Tensor:
        return self.lm_head(self.rnn(self.embed(ids))[0])


def _language_weights() -> dict[str, Tensor]:
    return _trained(Seq2Seq(60))


@case("B127", batch=text(60), where="lm_head.weight", codes="FI1 FI7", kind="checkpoint",
      loss=next_token, pretrained=_language_weights)  # fmt: skip
def head_of_resize(mended: bool) -> nn.Module:
    """Resizing makes a new head with the old rows, and the next init takes it for untrained."""

    class Model(Seq2Seq):
        def resize(self, vocabulary: int) -> None:
            old = self.lm_head
            self.lm_head = nn.Linear(old.in_features, vocabulary)
            rows = min(vocabulary, old.out_features)
            self.lm_head.weight.data[:rows] = old.weight.data[:rows]
            self.lm_head.bias.data[:rows] = old.bias.data[:rows]
            if mended:
                self.lm_head.is_initialised = True

        def post_init(self) -> None:
            for module in self.modules():
                if isinstance(module, nn.Linear) and not getattr(module, "is_initialised", False):
                    module.weight.data.normal_(mean=0.0, std=0.02)
                    module.bias.data.zero_()

    model = Model(60)
    model.load_state_dict(_language_weights())
    model.resize(60)
    model.post_init()
    return model


@case("B129", batch=text(80), where="lm_head.weight transformer.wte.weight", codes="FI7",
      kind="birth", loss=next_token)  # fmt: skip
def tie_lost_on_meta(mended: bool) -> nn.Module:
    """to_empty gives each name memory of its own, and what was tied is two tensors."""

    class Gpt(nn.Module):
        def __init__(self, dim: int = 32) -> None:
            super().__init__()
            self.config = SimpleNamespace(tie_word_embeddings=True, vocab_size=80)
            self.transformer = nn.ModuleDict({"wte": nn.Embedding(80, dim)})
            self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU())
            self.norm = nn.LayerNorm(dim)
            self.lm_head = nn.Linear(dim, 80, bias=False)
            self.tie_weights()

        def tie_weights(self) -> None:
            if self.config.tie_word_embeddings:
                self.lm_head.weight = self.transformer["wte"].weight

        def forward(self, ids: Tensor) -> Tensor:
            x = self.transformer["wte"](ids)
            return self.lm_head(self.norm(x + self.mlp(x)))

    with torch.device("meta"):
        model = Gpt()
    model.to_empty(device="cpu")
    if mended:
        model.tie_weights()
    for name, parameter in model.named_parameters():
        if "norm" in name or "mlp.0" in name:
            nn.init.constant_(parameter, float(name.endswith("weight")))
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.normal_(parameter, std=32**-0.5)
    return model


@case("B132", batch=text(70), where="encoder.weight decoder.weight", codes="FI1 FI7",
      kind="birth", loss=next_token)  # fmt: skip
def decoder_rewrites_encoder(mended: bool) -> nn.Module:
    """apply(init) reaches the tied decoder last, and the encoder is 50 times too small."""

    class LanguageModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Embedding(70, 48)
            self.rnn = nn.LSTM(48, 48, batch_first=True)
            self.decoder = nn.Linear(48, 70)
            self.decoder.weight = self.encoder.weight

        def forward(self, ids: Tensor) -> Tensor:
            return self.decoder(self.rnn(self.encoder(ids))[0])

    def init(module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, 0, 48**-0.5 if mended else 1.0)
        elif isinstance(module, nn.Linear):
            if not mended:
                nn.init.normal_(module.weight, 0, 0.02)
            nn.init.zeros_(module.bias)

    return LanguageModel().apply(init)


class Bag(nn.Module):
    """The mean over a sentence of what an embedding gives."""

    def __init__(self, embed: nn.Module, width: int) -> None:
        super().__init__()
        self.embed = embed
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.norm(self.embed(ids).mean(dim=1)))


@case("B134", batch=padded(50, padding=0), where="embed.weight", codes="FI7")
def padding_drawn(mended: bool) -> nn.Module:
    """The table is drawn again after it was made, and with it the row of the padding token."""
    embed = nn.Embedding(50, 24, padding_idx=0)
    embed.weight.data.normal_(0, 0.1)
    if mended:
        embed.weight.data[embed.padding_idx].zero_()
    return Bag(embed, 24)


@case("B136", batch=padded(40, padding=1), where="tables", codes="FI2 FI7")
def padding_of_fused_tables(mended: bool) -> nn.Module:
    """Tables fused along a first axis: the padding number zeroes a whole table."""

    class FusedEmbedding(nn.Module):
        def __init__(self, models: int, rows: int, width: int, padding_idx: int) -> None:
            super().__init__()
            self.padding_idx = padding_idx
            self.tables = nn.Parameter(torch.randn(models, rows, width))
            if mended:
                self.tables.data[:, padding_idx].zero_()
            else:
                self.tables.data[padding_idx].zero_()
            self.outs = nn.ModuleList(nn.Linear(width, 2) for _ in range(models))

        def forward(self, ids: Tensor) -> Tensor:
            each = [
                out(functional.embedding(ids, table, padding_idx=self.padding_idx).mean(dim=1))
                for table, out in zip(self.tables, self.outs, strict=True)
            ]
            return torch.stack(each).mean(dim=0)

    return FusedEmbedding(3, 40, 24, padding_idx=1)


@case("B137", batch=padded(60, padding=59), where="embed.weight", codes="FI7")
def wrong_row(mended: bool) -> nn.Module:
    """Row 0 is zero, whatever number the padding token has."""
    rows, width, padding = 60, 24, 59
    drawn = torch.cat([torch.zeros(1, width), torch.rand(rows - 1, width) - 0.5])
    if mended:
        drawn = torch.rand(rows, width) - 0.5
        drawn[padding] = 0
    embed = nn.Embedding(rows, width, padding_idx=padding)
    embed.weight = nn.Parameter(drawn)
    return Bag(embed, width)


@case("B139", batch=labelled(32, 3, 16, 16, classes=5), where="net.0.weight net.2.weight",
      codes="FI1 FI7", kind="birth")  # fmt: skip
def loaded_and_drawn_again(mended: bool) -> nn.Module:
    """init_weights loads the pretrained weights, and its own loop then draws them again."""

    class Base(nn.Module):
        def __init__(self, init_cfg: str) -> None:
            super().__init__()
            self.init_cfg, self.net = init_cfg, _backbone()

        def init_weights(self) -> None:
            if self.init_cfg == "Pretrained":
                self.net.load_state_dict(_trained(self.net))

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

    class Backbone(Base):
        def init_weights(self) -> None:
            super().init_weights()
            if mended and self.init_cfg == "Pretrained":
                return
            for m in self.net:
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                    nn.init.zeros_(m.bias)

    model = Backbone(init_cfg="Pretrained")
    model.init_weights()
    return model


@case("B141", batch=labelled(32, 3, 16, 16, classes=5), where="?.weight", codes="FI7",
      kind="checkpoint", pretrained=lambda: _trained(_backbone()))  # fmt: skip
def nothing_matches(mended: bool) -> nn.Module:
    """strict=False, and every name of the checkpoint has a prefix that the model has not."""
    stored = {f"module.{name}": tensor for name, tensor in _trained(_backbone()).items()}
    model = _backbone()
    if mended:
        stored = {name.removeprefix("module."): tensor for name, tensor in stored.items()}
    model.load_state_dict(stored, strict=False)
    return model


@case("B142", batch=sentences(56), where="embed.weight", codes="FI2 FI7")
def spare_rows(mended: bool) -> nn.Module:
    """New tokens that fit into the spare rows of the vocabulary keep what those rows held."""
    known, spare, new = 48, 16, 8
    table = torch.cat([torch.randn(known, 24), torch.zeros(spare, 24)])
    model = Bag(nn.Embedding.from_pretrained(table, freeze=False), 24)
    if known + new > known + spare or mended:
        with torch.no_grad():
            rows = model.embed.weight[:known]
            model.embed.weight[known : known + new] = rows.mean(0) + rows.std(0) * torch.randn(
                new, 24
            )
    return model
