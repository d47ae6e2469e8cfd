"""Cases E: the signal and the loss at step 0."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import copied, labelled, measured, next_token, text
from wild.harness import case


@case("B111", batch=text(1000), where="lm_head.weight", codes="FI3 FI6", loss=next_token)
def unit_head(mended: bool) -> nn.Module:
    """The untied head of a T5 starts with variance 1: the logits grow with the width."""

    class T5(nn.Module):
        def __init__(self, d_model: int = 256) -> None:
            super().__init__()
            self.shared = nn.Embedding(1000, d_model)
            self.wi = nn.Linear(d_model, 64, bias=False)
            self.wo = nn.Linear(64, d_model, bias=False)
            self.norm = nn.RMSNorm(d_model)
            self.final = nn.RMSNorm(d_model)
            self.lm_head = nn.Linear(d_model, 1000, bias=False)
            factor = 1.0
            self.shared.weight.data.normal_(mean=0.0, std=factor * 1.0)
            self.wi.weight.data.normal_(mean=0.0, std=factor * d_model**-0.5)
            self.wo.weight.data.normal_(mean=0.0, std=factor * 64**-0.5)
            std = factor * d_model**-0.5 if mended else factor * 1.0
            self.lm_head.weight.data.normal_(mean=0.0, std=std)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.shared(ids)
            x = x + self.wo(torch.relu(self.wi(self.norm(x))))
            return self.lm_head(self.final(x))

    return T5()


@case("B112", batch=text(400), where="tok_embeddings.weight output.weight", codes="FI3 FI6 FI7",
      loss=next_token)  # fmt: skip
def tied_and_skipped(mended: bool) -> nn.Module:
    """The init of the head is skipped when it is tied, so it keeps that of an embedding."""

    class Decoder(nn.Module):
        def __init__(self, dim: int = 128, tie: bool = True) -> None:
            super().__init__()
            self.tie, self.dim = tie, dim
            self.tok_embeddings = nn.Embedding(400, dim)
            self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
            self.norm1, self.norm2 = nn.RMSNorm(dim), nn.RMSNorm(dim)
            self.output = nn.Linear(dim, 400, bias=False)
            if tie:
                self.output.weight = self.tok_embeddings.weight

        def init_weights(self) -> None:
            nn.init.normal_(self.tok_embeddings.weight)
            cut = self.dim**-0.5
            if mended or not self.tie:
                nn.init.trunc_normal_(self.output.weight, std=cut, a=-3 * cut, b=3 * cut)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.tok_embeddings(ids)
            y = self.norm1(x)
            future = torch.ones(y.shape[1], y.shape[1], dtype=torch.bool).triu(1)
            x = x + self.attention(y, y, y, attn_mask=future, need_weights=False)[0]
            return self.output(self.norm2(x))

    model = Decoder()
    model.init_weights()
    return model


def _anchors() -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(3)
    images = torch.randn(8, 3, 32, 32, generator=source)
    boxes = torch.rand(8, 3 * 4, 16, 16, generator=source) < 0.01
    return images, boxes.float()


@case("B116", batch=_anchors, where="classifier.bias classifier.weight", codes="FI6",
      loss=functional.binary_cross_entropy_with_logits)  # fmt: skip
def no_prior(mended: bool) -> nn.Module:
    """A detection head says one half at every anchor, and one in a hundred holds something."""

    class Detector(nn.Module):
        def __init__(self, anchors: int = 3, classes: int = 4) -> None:
            super().__init__()
            self.backbone = nn.Sequential(
                nn.Conv2d(3, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.SiLU(),
                nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.SiLU(),
            )  # fmt: skip
            self.classifier = nn.Conv2d(32, anchors * classes, 3, padding=1)
            if mended:
                nn.init.normal_(self.classifier.weight, std=0.01)
                nn.init.constant_(self.classifier.bias, -math.log((1 - 0.01) / 0.01))

        def forward(self, x: Tensor) -> Tensor:
            return self.classifier(self.backbone(x))

    return Detector()


@case("B117", batch=measured(64, 16, targets=12), where="top.*.2.bias top.*.2.weight",
      codes="FI2 FI3 FI5 FI6", loss=lambda out, y: functional.mse_loss(out, y.abs()))  # fmt: skip
def wide_bias(mended: bool) -> nn.Module:
    """The bias of a last unit is drawn with deviation sqrt(1 / 1), and the relu behind it dies."""

    def linear(n: int, m: int) -> nn.Linear:
        layer = nn.Linear(n, m)
        layer.weight.data.normal_(0.0, math.sqrt(2 / (m + n)))
        layer.bias.data.normal_(0.0, math.sqrt(1 / m))
        if mended:
            layer.bias.data.zero_()
        return layer

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bottom = nn.Linear(16, 64)
            self.top = nn.ModuleList(
                nn.Sequential(linear(64, 16), nn.Tanh(), linear(16, 1), nn.ReLU())
                for _ in range(12)
            )

        def forward(self, x: Tensor) -> Tensor:
            x = torch.tanh(self.bottom(x))
            return torch.cat([top(x) for top in self.top], dim=1)

    return Scores()


@case("B119", batch=copied(16, 8, 64), where="*hyper*", codes="FI4 FI7",
      loss=functional.mse_loss)  # fmt: skip
def loud_hypernetwork(mended: bool) -> nn.Module:
    """A trained branch beside a frozen model is as large as what it is added to."""

    class Hypernetwork(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.linear1, self.linear2 = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
            for layer in (self.linear1, self.linear2):
                if mended:
                    nn.init.normal_(layer.weight, mean=0.0, std=0.01)
                else:
                    nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.linear2(torch.relu(self.linear1(x)))

    class CrossAttention(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.to_q, self.to_k = nn.Linear(dim, dim), nn.Linear(dim, dim)
            self.to_v, self.to_out = nn.Linear(dim, dim), nn.Linear(dim, dim)
            self.requires_grad_(False)
            self.hyper_k, self.hyper_v = Hypernetwork(dim), Hypernetwork(dim)

        def forward(self, x: Tensor) -> Tensor:
            k, v = self.to_k(self.hyper_k(x)), self.to_v(self.hyper_v(x))
            mixed = functional.scaled_dot_product_attention(self.to_q(x), k, v)
            return x + self.to_out(mixed)

    return nn.Sequential(CrossAttention(64), CrossAttention(64))


@case("B122", batch=text(100), where="*norm*.weight", codes="FI3 FI4 FI7", loss=next_token)
def one_plus_one(mended: bool) -> nn.Module:
    """A norm that multiplies by 1 + w is filled with ones: it doubles what it puts out."""

    class UnitOffsetNorm(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(dim))

        def forward(self, x: Tensor) -> Tensor:
            scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
            return x * scale * (1.0 + self.weight)

    class Block(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm, self.post_norm = UnitOffsetNorm(dim), UnitOffsetNorm(dim)
            self.up, self.down = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.post_norm(self.down(functional.gelu(self.up(self.norm(x)))))

    class Gemma(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(100, 32)
            self.blocks = nn.Sequential(Block(32), Block(32))
            self.norm, self.head = UnitOffsetNorm(32), nn.Linear(32, 100, bias=False)
            for module in self.modules():
                if "Norm" in type(module).__name__ and not mended:
                    module.weight.data.fill_(1.0)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.norm(self.blocks(self.embed(ids))))

    return Gemma()


@case("B124", batch=measured(32, 24, 16, targets=4), where="*scale", codes="FI2 FI4 FI5 FI7",
      loss=functional.mse_loss)  # fmt: skip
def zero_scale(mended: bool) -> nn.Module:
    """The scale of a norm starts at zero and multiplies: nothing passes it."""

    class RMSNorm(nn.Module):
        def __init__(self, features: int) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(features) if mended else torch.zeros(features))

        def forward(self, x: Tensor) -> Tensor:
            normed = x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-6)
            return normed * self.scale

    class Forecaster(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Linear(16, 32)
            self.norm1, self.mix = RMSNorm(32), nn.Linear(24, 24)
            self.norm2, self.out = RMSNorm(32), nn.Linear(32, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.patch(x))
            x = self.mix(self.norm1(x).transpose(1, 2)).transpose(1, 2)
            return self.out(self.norm2(torch.relu(x)).mean(dim=1))

    return Forecaster()


@case("B126", batch=labelled(64, 3, 12, 12, classes=2), where="*.weight weight net.*",
      codes="FI2 FI5 FI6")  # fmt: skip
def zero_logit_scale(mended: bool) -> nn.Module:
    """The first scale of the logits is sqrt(2) ln(C - 1), which is 0 for two classes."""

    class AdaptiveCosine(nn.Module):
        def __init__(self, features: int, classes: int) -> None:
            super().__init__()
            others = max(classes - 1, 2) if mended else classes - 1
            self.s = math.sqrt(2) * math.log(others)
            self.weight = nn.Parameter(torch.empty(classes, features))
            nn.init.xavier_uniform_(self.weight)

        def forward(self, x: Tensor) -> Tensor:
            cosine = functional.linear(functional.normalize(x), functional.normalize(self.weight))
            return self.s * cosine

    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), AdaptiveCosine(128, 2),
    )  # fmt: skip


@case("B131", batch=text(300), where="transformer.wte.weight lm_head.weight",
      codes="FI3 FI6 FI7", loss=next_token)  # fmt: skip
def tied_with_the_wrong_recipe(mended: bool) -> nn.Module:
    """The initialiser has a switch of its own for tying, and it is not the model's."""

    def initialise(model: nn.Module, use_weight_tying: bool) -> None:
        for name, weight in model.named_parameters():
            if name.endswith("wte.weight"):
                std = 96**-0.5 if use_weight_tying else 1.0
                nn.init.normal_(weight, mean=0.0, std=std)
            elif weight.dim() == 2:
                nn.init.normal_(weight, mean=0.0, std=weight.shape[1] ** -0.5)

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(300, 96),
                    "ln": nn.LayerNorm(96),
                    "fc": nn.Linear(96, 192),
                    "proj": nn.Linear(192, 96),
                    "ln_f": nn.LayerNorm(96),
                }
            )
            self.lm_head = nn.Linear(96, 300, bias=False)
            self.lm_head.weight = self.transformer["wte"].weight

        def forward(self, ids: Tensor) -> Tensor:
            part = self.transformer
            x = part["wte"](ids)
            x = x + part["proj"](functional.gelu(part["fc"](part["ln"](x))))
            return self.lm_head(part["ln_f"](x))

    model = Gpt()
    initialise(model, use_weight_tying=mended)
    return model
