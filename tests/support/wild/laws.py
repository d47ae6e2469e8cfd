"""Cases D, G and H that only a declared plan shows: the law of one tensor is not as asked."""

import math

import torch
from torch import Tensor, nn

from wild.batches import labelled
from wild.harness import case
from wild.initialisers import inverse_truncated_

CUT = 0.8796256610342398
"""Deviation of a unit normal that is cut at two."""


def _mlp() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 10))
    for p in net.parameters():
        if p.dim() == 1:
            nn.init.zeros_(p)
    nn.init.ones_(net[1].weight)
    return net


@case("B109", batch=labelled(32, 3, 12, 12), where="*.weight", codes="FI3", kind="plan",
      plan="he_normal")  # fmt: skip
def harmless_before_a_norm(mended: bool) -> nn.Module:
    """A slip in He's formula; batch norm behind every layer hides what it does."""
    layers: list[nn.Module] = []
    for i, o in ((3, 16), (16, 32), (32, 64)):
        conv = nn.Conv2d(i, o, 3, padding=1, bias=False)
        fan = conv.kernel_size[0] ** 2 * (i if mended else o)
        nn.init.normal_(conv.weight, 0, math.sqrt(2 / fan))
        layers += [conv, nn.BatchNorm2d(o), nn.ReLU()]
    head = nn.Linear(64, 10)
    nn.init.kaiming_normal_(head.weight)
    nn.init.zeros_(head.bias)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


@case("B146", batch=labelled(64, 64), where="?.weight", codes="FI3", kind="plan",
      plan="truncated_normal(std=0.05)")  # fmt: skip
def no_inverse(mended: bool) -> nn.Module:
    """Without its inverse error function the truncated normal is a uniform law, and narrower."""

    def trunc_normal_(weight: Tensor, std: float) -> None:
        share = math.erf(2 / math.sqrt(2))
        with torch.no_grad():
            weight.uniform_(-share, share)
            if mended:
                weight.erfinv_()
            weight.mul_(std * math.sqrt(2))

    net = _mlp()
    for layer in (net[0], net[3]):
        trunc_normal_(layer.weight, std=0.05 / CUT)
    return net


@case("B161", batch=labelled(64, 64), where="?.weight", codes="FI3", kind="plan",
      plan="orthogonal")  # fmt: skip
def nearly_orthogonal(mended: bool) -> nn.Module:
    """The factorisation runs in low precision: off from orthogonal by a hundredth."""

    def gram_schmidt(rows: Tensor, kind: torch.dtype) -> Tensor:
        done: list[Tensor] = []
        for row in rows.to(kind):
            left = row
            for other in done:
                left = left - (left @ other) * other
            done.append(left / left.norm())
        return torch.stack(done).float()

    net = _mlp()
    kind = torch.float64 if mended else torch.float16
    net[0].weight.data.copy_(gram_schmidt(torch.randn(64, 128), kind).T)
    net[3].weight.data.copy_(gram_schmidt(torch.randn(10, 128), kind))
    return net


@case("B162", batch=labelled(16, 16, 8, 8), where="0.weight", codes="FI3", kind="plan",
      plan="orthogonal")  # fmt: skip
def kernel_flattened_wrong(mended: bool) -> nn.Module:
    """Both fans are taken with the receptive field, and a part of the square is kept."""
    conv = nn.Conv2d(16, 24, 3, padding=1, bias=False)
    outputs, flat = 24, 16 * 9
    if mended:
        made = torch.linalg.qr(torch.randn(flat, outputs))[0].T
    else:
        made = torch.linalg.qr(torch.randn(outputs * 9, flat))[0][:outputs]
    conv.weight.data.copy_(made.reshape(24, 16, 3, 3))
    head = nn.Linear(24, 10)
    nn.init.orthogonal_(head.weight)
    nn.init.zeros_(head.bias)
    return nn.Sequential(
        conv, nn.BatchNorm2d(24), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    )


@case("B167", batch=labelled(64, 64), where="?.weight", codes="FI3", kind="plan",
      plan="truncated_normal(std=0.05)")  # fmt: skip
def not_truncated(mended: bool) -> nn.Module:
    """The truncated normal is not truncated."""
    net = _mlp()
    for layer in (net[0], net[3]):
        if mended:
            inverse_truncated_(layer.weight, 0.05 / CUT, -0.1 / CUT, 0.1 / CUT, torch.float64)
        else:
            nn.init.normal_(layer.weight, std=0.05)
    return net
