"""Networks of convolutions, from a plain stack to the families that papers named."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.case import Cage
from zoo.data import binary, classified, cross_entropy, normal, per_pixel, squared, whole

CONV = Cage("conv")
IMAGES = classified(8, 3, 16, 16)


def conv(inputs: int, outputs: int, size: int = 3, **more: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False, **more)


def normed(inputs: int, outputs: int, size: int = 3, **more: int) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, size, **more), nn.BatchNorm2d(outputs))


class Pooled(nn.Module):
    """A body, the mean over the places, and a head."""

    def __init__(self, body: nn.Module, width: int, classes: int = 10) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).flatten(2).mean(-1))


@CONV.healthy(classified(8, 1, 28, 28), cross_entropy)
def lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84),
        nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


@CONV.healthy(IMAGES, cross_entropy)
def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def he_fan_out_(module: nn.Module) -> None:
    """What torchvision does."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)


@CONV.healthy(IMAGES, cross_entropy)
def vgg_batch_norm() -> nn.Module:
    parts = list[nn.Module]()
    inputs = 3
    for width in (16, 16, 32, 32):
        parts += [normed(inputs, width), nn.ReLU()]
        inputs = width
    return Pooled(nn.Sequential(*parts), 32).apply(he_fan_out_)


@CONV.healthy(IMAGES, cross_entropy)
def vgg_he() -> nn.Module:
    parts = list[nn.Module]()
    inputs = 3
    for width in (16, 16, 32, 32, 32):
        layer = nn.Conv2d(inputs, width, 3, padding=1)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
        parts += [layer, nn.ReLU()]
        inputs = width
    return Pooled(nn.Sequential(*parts), 32)


class Basic(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, stride=stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else normed(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(hidden)) + self.skip(x)).relu()


class PreActivation(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, stride=stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else conv(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        start = self.bn1(x).relu()
        skip = x if isinstance(self.skip, nn.Identity) else self.skip(start)
        return self.conv2(self.bn2(self.conv1(start)).relu()) + skip


def residual(block: Callable[..., nn.Module]) -> Pooled:
    widths = ((16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1))
    stem = nn.Sequential(normed(3, 16), nn.ReLU())
    return Pooled(nn.Sequential(stem, *(block(*width) for width in widths)), 64)


@CONV.healthy(IMAGES, cross_entropy)
def resnet_defaults() -> nn.Module:
    return residual(Basic)


@CONV.healthy(IMAGES, cross_entropy)
def resnet_he() -> nn.Module:
    return residual(Basic).apply(he_fan_out_)


@CONV.healthy(IMAGES, cross_entropy, "each residual block starts as the identity (Goyal et al.)")
def resnet_zero_last_gain() -> nn.Module:
    model = residual(Basic).apply(he_fan_out_)
    for module in model.modules():
        if isinstance(module, Basic):
            nn.init.zeros_(module.bn2.weight)
    return model


@CONV.healthy(IMAGES, cross_entropy)
def resnet_pre_activation() -> nn.Module:
    return residual(PreActivation)


class DenseBlock(nn.Module):
    def __init__(self, inputs: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(inputs + i * growth), nn.ReLU(),
                          conv(inputs + i * growth, growth))
            for i in range(layers)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


@CONV.healthy(IMAGES, cross_entropy)
def densenet() -> nn.Module:
    squeeze = nn.Sequential(nn.BatchNorm2d(48), nn.ReLU(), conv(48, 24, 1), nn.AvgPool2d(2))
    body = nn.Sequential(
        conv(3, 16), DenseBlock(16, 8, 4), squeeze, DenseBlock(24, 8, 4), nn.BatchNorm2d(56),
        nn.ReLU(),
    )  # fmt: skip
    return Pooled(body, 56)


class Squeeze(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.up(functional.silu(self.down(x.mean((2, 3), keepdim=True)))).sigmoid()


class Inverted(nn.Module):
    """Expand, one filter for each channel, perhaps squeeze and excite, and project."""

    def __init__(self, inputs: int, outputs: int, squeeze: bool) -> None:
        super().__init__()
        wide = 4 * inputs
        act = nn.SiLU if squeeze else nn.ReLU6
        self.body = nn.Sequential(
            normed(inputs, wide, 1), act(), normed(wide, wide, groups=wide), act(),
            Squeeze(wide) if squeeze else nn.Identity(), normed(wide, outputs, 1),
        )  # fmt: skip
        self.same = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.same else self.body(x)


def mobile(squeeze: bool) -> nn.Module:
    blocks = [Inverted(a, b, squeeze) for a, b in ((16, 16), (16, 24), (24, 24), (24, 32))]
    return Pooled(nn.Sequential(normed(3, 16), nn.ReLU6(), *blocks, normed(32, 64, 1)), 64)


CONV.add("mobilenet", lambda: mobile(False).apply(he_fan_out_), IMAGES, cross_entropy)
CONV.add("efficientnet", lambda: mobile(True), IMAGES, cross_entropy)


class UNet(nn.Module):
    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.down1, self.down2 = self.pair(3, 16), self.pair(16, 32)
        self.bottom = self.pair(32, 64)
        self.lift2, self.up2 = nn.ConvTranspose2d(64, 32, 2, 2), self.pair(64, 32)
        self.lift1, self.up1 = nn.ConvTranspose2d(32, 16, 2, 2), self.pair(32, 16)
        self.head = nn.Conv2d(16, classes, 1)

    @staticmethod
    def pair(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            normed(inputs, outputs), nn.ReLU(), normed(outputs, outputs), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(functional.max_pool2d(first, 2))
        x = self.bottom(functional.max_pool2d(second, 2))
        x = self.up2(torch.cat([self.lift2(x), second], 1))
        x = self.up1(torch.cat([self.lift1(x), first], 1))
        return self.head(x)


CONV.add("unet", UNet, lambda: (normal(4, 3, 16, 16), whole(4, 16, 16, below=4)), per_pixel)


class ConvNext(nn.Module):
    def __init__(self, width: int, scale: float = 1e-6) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide, self.back = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(scale * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(self.mix(x).permute(0, 2, 3, 1))
        hidden = self.gamma * self.back(functional.gelu(self.wide(hidden)))
        return x + hidden.permute(0, 3, 1, 2)


def truncated_(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


@CONV.healthy(IMAGES, cross_entropy, "layer scale 1e-6, as the paper has it")
def convnext() -> nn.Module:
    stem = nn.Sequential(nn.Conv2d(3, 32, 4, 4), nn.GroupNorm(1, 32))
    body = nn.Sequential(stem, *(ConvNext(32) for _ in range(4)), nn.GroupNorm(1, 32))
    return Pooled(body, 32).apply(truncated_)


@CONV.healthy(IMAGES, cross_entropy)
def group_norm() -> nn.Module:
    parts = list[nn.Module]()
    for inputs, width in ((3, 32), (32, 32), (32, 64)):
        parts += [nn.Conv2d(inputs, width, 3, padding=1), nn.GroupNorm(8, width), nn.SiLU()]
    return Pooled(nn.Sequential(*parts), 64)


@CONV.healthy(IMAGES, cross_entropy)
def grouped() -> nn.Module:
    """ResNeXt: convolutions in groups, and one shuffled."""
    return Pooled(
        nn.Sequential(
            normed(3, 32), nn.ReLU(), normed(32, 32, groups=4), nn.ChannelShuffle(4), nn.ReLU(),
            normed(32, 64, 1), nn.ReLU(),
        ),
        64,
    )  # fmt: skip


@CONV.healthy(IMAGES, cross_entropy)
def weight_norm() -> nn.Module:
    wrap = nn.utils.parametrizations.weight_norm
    return Pooled(
        nn.Sequential(wrap(nn.Conv2d(3, 32, 3)), nn.ReLU(), wrap(nn.Conv2d(32, 32, 3)), nn.ReLU()),
        32,
    )


@CONV.healthy(classified(8, 4, 32), cross_entropy)
def one_dimensional() -> nn.Module:
    return Pooled(
        nn.Sequential(nn.Conv1d(4, 32, 5), nn.ReLU(), nn.Conv1d(32, 64, 5, stride=2), nn.ReLU()), 64
    )


@CONV.healthy(classified(4, 1, 8, 8, 8), cross_entropy)
def three_dimensional() -> nn.Module:
    return Pooled(
        nn.Sequential(
            nn.Conv3d(1, 8, 3, padding=1), nn.BatchNorm3d(8), nn.ReLU(), nn.MaxPool3d(2),
            nn.Conv3d(8, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(),
        ),
        16,
    )  # fmt: skip


class Temporal(nn.Module):
    """Causal, dilated, residual: a block of a TCN."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        wrap = nn.utils.parametrizations.weight_norm
        self.reach = 2 * dilation
        self.first = wrap(nn.Conv1d(width, width, 3, dilation=dilation))
        self.second = wrap(nn.Conv1d(width, width, 3, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(functional.pad(x, (self.reach, 0))).relu()
        hidden = self.second(functional.pad(hidden, (self.reach, 0))).relu()
        return (x + hidden).relu()


@CONV.healthy(classified(8, 4, 32), cross_entropy)
def temporal() -> nn.Module:
    return Pooled(nn.Sequential(nn.Conv1d(4, 32, 1), *(Temporal(32, 2**i) for i in range(3))), 32)


class GatedBlock(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.reach = dilation
        self.both = nn.Conv1d(width, 2 * width, 2, dilation=dilation)
        self.skip, self.back = nn.Conv1d(width, width, 1), nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        content, gate = self.both(functional.pad(x, (self.reach, 0))).chunk(2, 1)
        hidden = content.tanh() * gate.sigmoid()
        return x + self.back(hidden), self.skip(hidden)


class WaveNet(nn.Module):
    def __init__(self, width: int = 32, levels: int = 64) -> None:
        super().__init__()
        self.table = nn.Embedding(levels, width)
        self.blocks = nn.ModuleList(GatedBlock(width, 2**i) for i in range(4))
        self.end = nn.Sequential(
            nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, levels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.table(x).transpose(1, 2)
        total = torch.zeros_like(x)
        for block in self.blocks:
            x, skip = block(x)
            total = total + skip
        return self.end(total)


def levels() -> tuple[Tensor, Tensor]:
    sound = whole(4, 33, below=64)
    return sound[:, :-1], sound[:, 1:]


CONV.add("wavenet", WaveNet, levels, per_pixel)


class SuperResolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.PReLU(), nn.Conv2d(32, 12, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.body(x), 2)


CONV.add(
    "super_resolution",
    SuperResolution,
    lambda: (normal(4, 3, 12, 12), normal(4, 3, 24, 24, seed=1)),
    squared,
)


@CONV.healthy(lambda: (normal(4, 3, 16, 16), (normal(4, 1, 16, 16, seed=1) > 0).float()), binary)
def segmentation() -> nn.Module:
    return nn.Sequential(normed(3, 16), nn.ReLU(), normed(16, 32), nn.ReLU(), nn.Conv2d(32, 1, 1))
