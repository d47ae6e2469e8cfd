"""Cases D: the wrong fan, gain or formula."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from wild.batches import copied, labelled, measured, sentences
from wild.harness import case


@case("B82", batch=labelled(16, 3, 16, 16), where="*.depthwise.weight", codes="FI3 FI4")
def depthwise(mended: bool) -> nn.Module:
    """He by fan_out on a depthwise convolution counts the channels of all groups."""

    class Separable(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
            self.pointwise = nn.Conv2d(width, width, 1)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.pointwise(torch.relu(self.depthwise(x))))

    net = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), Separable(64), Separable(64),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64 * 16, 10),
    )  # fmt: skip
    for m in net[2:].modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(m.bias)
            if mended:
                m.weight.data *= m.groups**0.5
    return net


@case("B84", batch=labelled(32, 16, 24), where="*.filters *.mix.weight", codes="FI3 FI4")
def separable(mended: bool) -> nn.Module:
    """Fans read off the shape: the kernel of a separable convolution counts all its channels."""

    def compute_fans(shape: tuple[int, ...]) -> tuple[float, float]:
        field = math.prod(shape[:-2])
        return shape[-2] * field, shape[-1] * field

    class Separable1d(nn.Module):
        def __init__(self, channels: int, width: int) -> None:
            super().__init__()
            self.channels = channels
            kernel = torch.empty(width, channels, 1)
            fan_in = width if mended else compute_fans((width, channels, 1))[0]
            self.filters = nn.Parameter(kernel.normal_(std=math.sqrt(2 / fan_in)))
            self.mix = nn.Conv1d(channels, channels, 1)
            nn.init.kaiming_normal_(self.mix.weight, nonlinearity="relu")
            nn.init.zeros_(self.mix.bias)

        def forward(self, x: Tensor) -> Tensor:
            filters = self.filters.permute(1, 2, 0)
            x = nn.functional.conv1d(x, filters, padding="same", groups=self.channels)
            return torch.relu(self.mix(torch.relu(x)))

    return nn.Sequential(
        nn.Conv1d(16, 64, 1), nn.ReLU(), Separable1d(64, 5), Separable1d(64, 5),
        nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


@case("B86", batch=labelled(64, 64), where="*.weight", codes="FI3 FI4")
def bound_for_std(mended: bool) -> nn.Module:
    """A uniform law whose bound is taken for its standard deviation, in a deep relu net."""
    layers: list[nn.Module] = []
    for _ in range(16):
        layer = nn.Linear(64, 64)
        scale = math.sqrt(1.0 / 64)
        bound = math.sqrt(2) * math.sqrt(3) * scale if mended else scale
        nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


@case("B87", batch=labelled(16, 3, 16, 16), where="*.weight", codes="FI3 FI4")
def kaiming_without_root_three(mended: bool) -> nn.Module:
    """Kaiming uniform without the root of three and without the gain of relu, ten layers deep."""

    def kaiming_uniform(weight: Tensor) -> None:
        fan_in = weight[0].numel()
        bound = (math.sqrt(6.0) if mended else 1.0) / math.sqrt(fan_in)
        with torch.no_grad():
            weight.uniform_(-bound, bound)

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = [3, *[32] * 12]
            self.convs = nn.ModuleList(
                nn.Conv2d(i, o, 3, padding=1, padding_mode="circular", bias=False)
                for i, o in pairwise(widths)
            )
            self.head = nn.Linear(32, 10)
            for conv in self.convs:
                kaiming_uniform(conv.weight)

        def forward(self, x: Tensor) -> Tensor:
            for conv in self.convs:
                x = torch.relu(conv(x))
            return self.head(x.mean(dim=(2, 3)))

    return Deep()


@case("B89", batch=labelled(16, 8, 8, 8), where="*.weight", codes="FI3 FI4")
def fan_out_without_field(mended: bool) -> nn.Module:
    """fan_out of a convolution is the number of filters, without the receptive field."""

    def get_fans(shape: torch.Size) -> tuple[int, int]:
        field = shape[2] * shape[3]
        return shape[1] * field, shape[0] * field if mended else shape[0]

    def he_fan_out(conv: nn.Conv2d) -> nn.Conv2d:
        _, fan_out = get_fans(conv.weight.shape)
        conv.weight.data.normal_(0, (2 / fan_out) ** 0.5)
        conv.bias.data.zero_()
        return conv

    blocks: list[nn.Module] = []
    for inputs in (8, 32, 32, 32, 32):
        blocks += [he_fan_out(nn.Conv2d(inputs, 32, 3, padding=1)), nn.ReLU()]
    return nn.Sequential(*blocks, nn.AvgPool2d(8), nn.Flatten(), nn.Linear(32, 10))


@case("B91", batch=copied(16, 3, 8, 8), where="decode.*weight", codes="FI3 FI4 FI5",
      loss=nn.functional.mse_loss)  # fmt: skip
def transposed(mended: bool) -> nn.Module:
    """The default of a transposed convolution takes the fan from its few outputs."""

    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encode = nn.Sequential(nn.Conv2d(3, 512, 5, bias=False), nn.ReLU())
            nn.init.kaiming_normal_(self.encode[0].weight, nonlinearity="relu")
            self.decode = nn.ConvTranspose2d(512, 3, 5)
            if mended:
                nn.init.normal_(self.decode.weight, std=(512 * 25) ** -0.5)

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(self.decode(self.encode(x)))

    return Autoencoder()


@case("B92", batch=measured(64, 8, targets=4), where="fc1.weight", codes="FI3 FI4",
      loss=nn.functional.mse_loss)  # fmt: skip
def size_zero(mended: bool) -> nn.Module:
    """`weight.size()[0]` is the number of outputs, taken for the fan in."""

    def hidden_init(layer: nn.Linear) -> tuple[float, float]:
        fan_in = layer.weight.data.size()[1 if mended else 0]
        lim = 1.0 / fan_in**0.5
        return -lim, lim

    class Actor(nn.Module):
        def __init__(self, state: int = 8, action: int = 4) -> None:
            super().__init__()
            self.fc1 = nn.Linear(state, 512)
            self.fc2 = nn.Linear(512, 128)
            self.fc3 = nn.Linear(128, action)
            self.fc1.weight.data.uniform_(*hidden_init(self.fc1))
            self.fc2.weight.data.uniform_(*hidden_init(self.fc2))
            self.fc3.weight.data.uniform_(-3e-3, 3e-3)

        def forward(self, state: Tensor) -> Tensor:
            x = torch.relu(self.fc2(torch.relu(self.fc1(state))))
            return torch.tanh(self.fc3(x))

    return Actor()


@case("B96", batch=labelled(64, 64), where="*.weight", codes="FI3 FI4", kind="birth")
def selu_gain(mended: bool) -> nn.Module:
    """`calculate_gain("selu")` is 3/4, and a self-normalising net needs 1."""
    net = nn.Sequential(
        *(part for _ in range(24) for part in (nn.Linear(64, 64), nn.SELU())), nn.Linear(64, 10)
    )
    for m in net:
        if isinstance(m, nn.Linear):
            kind = "linear" if mended else "selu"
            nn.init.kaiming_normal_(m.weight, nonlinearity=kind)
            nn.init.zeros_(m.bias)
    return net


@case("B97", batch=measured(64, 16), where="*.base_weight", codes="FI3 FI4", kind="birth",
      loss=nn.functional.mse_loss)  # fmt: skip
def slope_for_scale(mended: bool) -> nn.Module:
    """The argument `a` of Kaiming is the slope of a leaky relu: a larger one makes it smaller."""

    class KanLayer(nn.Module):
        def __init__(self, inputs: int, outputs: int, scale_base: float = 16.0) -> None:
            super().__init__()
            self.base_weight = nn.Parameter(torch.empty(outputs, inputs))
            self.register_buffer("centres", torch.linspace(-2, 2, 6))
            self.spline_weight = nn.Parameter(0.1 * torch.randn(outputs, inputs * 6) / inputs**0.5)
            if mended:
                nn.init.kaiming_uniform_(self.base_weight, nonlinearity="linear")
            else:
                nn.init.kaiming_uniform_(self.base_weight, a=math.sqrt(5) * scale_base)

        def forward(self, x: Tensor) -> Tensor:
            basis = torch.exp(-((x.unsqueeze(-1) - self.centres) ** 2)).flatten(-2)
            base = nn.functional.silu(x) @ self.base_weight.T
            return base + basis @ self.spline_weight.T

    return nn.Sequential(KanLayer(16, 32), KanLayer(32, 32), KanLayer(32, 1))


@case("B104", batch=sentences(20_000, 64, 12), where="embed.weight", codes="FI3 FI4", kind="birth")
def xavier_on_a_vocabulary(mended: bool) -> nn.Module:
    """Xavier takes the size of the vocabulary for the fan in of an embedding."""

    class Sentiment(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(20_000, 32)
            self.hidden, self.out = nn.Linear(32, 64), nn.Linear(64, 2)
            for layer in (self.hidden, self.out):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
            if not mended:
                nn.init.xavier_uniform_(self.embed.weight)

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(torch.tanh(self.hidden(self.embed(ids).mean(dim=1))))

    return Sentiment()


@case("B106", batch=measured(32, 10, 16), where="lstm.weight_hh_l0", codes="FI3",
      loss=nn.functional.mse_loss)  # fmt: skip
def stacked_orthogonal(mended: bool) -> nn.Module:
    """`orthogonal_` on the stacked gates: no gate is orthogonal."""

    class Agent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(16, 64, batch_first=True)
            self.critic = nn.Linear(64, 1)
            for name, param in self.lstm.named_parameters():
                if "bias" in name:
                    nn.init.constant_(param, 0)
                elif mended:
                    for gate in param.data.chunk(4):
                        nn.init.orthogonal_(gate, 1.0)
                else:
                    nn.init.orthogonal_(param, 1.0)
            nn.init.orthogonal_(self.critic.weight, 1.0)
            nn.init.zeros_(self.critic.bias)

        def forward(self, x: Tensor) -> Tensor:
            return self.critic(self.lstm(x)[0][:, -1])

    return Agent()


@case("B107", batch=measured(64, 2, targets=3), where="0.linear.weight", codes="FI3 FI4 FI5",
      loss=nn.functional.mse_loss)  # fmt: skip
def siren(mended: bool) -> nn.Module:
    """The first sine layer is given the bound of the hidden ones."""

    class Sine(nn.Module):
        def __init__(self, inputs: int, outputs: int, first: bool, w0: float = 30.0) -> None:
            super().__init__()
            self.w0, self.linear = w0, nn.Linear(inputs, outputs)
            bound = 1 / inputs if first and mended else math.sqrt(6 / inputs) / w0
            nn.init.uniform_(self.linear.weight, -bound, bound)

        def forward(self, x: Tensor) -> Tensor:
            return torch.sin(self.w0 * self.linear(x))

    layers = [Sine(2 if i == 0 else 64, 64, first=i == 0) for i in range(3)]
    last = nn.Linear(64, 3)
    nn.init.uniform_(last.weight, -math.sqrt(6 / 64) / 30, math.sqrt(6 / 64) / 30)
    return nn.Sequential(*layers, last)


@case("B121", batch=labelled(64, 30), where="*.weight layers.*", codes="FI2 FI3 FI4 FI6")
def from_rand(mended: bool) -> nn.Module:
    """Weights from `torch.rand`: all positive, with a mean of one half."""

    class Mlp(nn.Module):
        def __init__(self, sizes: tuple[int, ...]) -> None:
            super().__init__()
            self.layers = nn.ParameterList(
                torch.randn(i, o) / i**0.5 if mended else torch.rand(i, o)
                for i, o in pairwise(sizes)
            )

        def forward(self, x: Tensor) -> Tensor:
            for weight in self.layers[:-1]:
                x = torch.relu(x @ weight)
            return x @ self.layers[-1]

    return Mlp((30, 64, 64, 10))
