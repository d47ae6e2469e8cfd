"""Cases B: an init that is written down and does not reach its tensors."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from wild.batches import labelled, measured, sentences, text
from wild.harness import case


@contextmanager
def partitioned(module: nn.Module) -> Iterator[None]:
    """Weights live in pieces elsewhere: inside, every parameter is an empty placeholder."""
    whole = {parameter: parameter.data for parameter in module.parameters()}
    for parameter in whole:
        parameter.data = torch.empty(0)
    yield
    for parameter, data in whole.items():
        parameter.data = data


@case("B26", batch=sentences(90), where="encoder.*weight head.weight embed.weight",
      codes="FI1 FI3", kind="birth")  # fmt: skip
def from_config_partitioned(mended: bool) -> nn.Module:
    """The init of the model runs while its parameters are placeholders of no elements."""

    class TextClassifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(90, 48)
            self.norm = nn.LayerNorm(48)
            self.encoder = nn.Sequential(nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 48))
            self.head = nn.Linear(48, 2)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.norm(self.embed(ids))
            return self.head((x + self.encoder(x)).mean(dim=1))

        def post_init(self) -> None:
            for module in self.modules():
                if isinstance(module, nn.Linear | nn.Embedding):
                    nn.init.normal_(module.weight, mean=0.0, std=0.02)
                if isinstance(module, nn.Linear):
                    nn.init.zeros_(module.bias)

    model = TextClassifier()
    if mended:
        model.post_init()
    else:
        with partitioned(model):
            model.post_init()
    return model


@case("B27", batch=sentences(70), where="*position_embeddings.weight", codes="FI1 FI3",
      kind="birth")  # fmt: skip
def positions_partitioned(mended: bool) -> nn.Module:
    """The table of positions is an empty placeholder at the time its init method is called."""

    def init_method(tensor: Tensor) -> Tensor:
        return nn.init.normal_(tensor, mean=0.0, std=0.02)

    class Embedding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embeddings = nn.Embedding(70, 32)
            init_method(self.word_embeddings.weight)
            self.position_embeddings = nn.Embedding(12, 32)
            if mended:
                init_method(self.position_embeddings.weight)
            else:
                kept = self.position_embeddings.weight.data
                self.position_embeddings.weight.data = torch.empty(0)
                init_method(self.position_embeddings.weight)
                self.position_embeddings.weight.data = kept

        def forward(self, ids: Tensor) -> Tensor:
            return self.word_embeddings(ids) + self.position_embeddings.weight[: ids.shape[1]]

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(dim=1)

    return nn.Sequential(Embedding(), nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), Mean(),
                         nn.Linear(64, 2))  # fmt: skip


@case("B29", batch=labelled(64, 64), where="?.weight* ?.parametrizations*",
      codes="FI3 FI4")  # fmt: skip
def weight_norm_scale(mended: bool) -> nn.Module:
    """The scale g of a weight norm starts at one, and not at the norm of the first weight."""
    layers: list[nn.Module] = []
    for inputs, outputs in [(64, 64)] * 4:
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        parametrizations.weight_norm(linear, dim=None)
        if not mended:
            nn.init.ones_(linear.parametrizations.weight.original0)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def constant_init(module: nn.Module | Tensor, value: float, bias: float = 0.0) -> None:
    """Fill the parameters of a layer, as far as it has them."""
    if hasattr(module, "weight") and module.weight is not None:
        nn.init.constant_(module.weight, value)
    if hasattr(module, "bias") and module.bias is not None:
        nn.init.constant_(module.bias, bias)


def normal_init(module: nn.Module | Tensor, std: float) -> None:
    """Draw the weight of a layer, as far as it has one."""
    if hasattr(module, "weight") and module.weight is not None:
        nn.init.normal_(module.weight, 0, std)
    if hasattr(module, "bias") and module.bias is not None:
        nn.init.constant_(module.bias, 0)


@case("B31", batch=labelled(64, 3, 16, 16), where="*.weight *.bias *init_weights*",
      codes="FI1 FI3", kind="birth")  # fmt: skip
def helper_given_a_tensor(mended: bool) -> nn.Module:
    """Helpers that look for `weight` on a module are given the weight itself, and do nothing."""

    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(3, 48, 4, stride=4)
            self.norm = nn.LayerNorm(48)
            self.mlp = nn.Sequential(nn.Linear(48, 96), nn.GELU(), nn.Linear(96, 48))
            self.last, self.head = nn.LayerNorm(48), nn.Linear(48, 10)
            self.init_weights()

        def init_weights(self) -> None:
            for m in self.modules():
                if isinstance(m, nn.Linear | nn.Conv2d):
                    normal_init(m if mended else m.weight, std=0.02)
                elif isinstance(m, nn.LayerNorm):
                    constant_init(m if mended else m.weight, 1.0)

        def forward(self, x: Tensor) -> Tensor:
            x = self.patch(x).flatten(2).transpose(1, 2)
            return self.head(self.last(x + self.mlp(self.norm(x))).mean(dim=1))

    return Patches()


@case("B32", batch=labelled(64, 20), where="0.weight 2.weight 4.weight", codes="FI1 FI3",
      kind="birth")  # fmt: skip
def closure_over_net(mended: bool) -> nn.Module:
    """The callback of apply writes net[0] for every layer that it visits."""
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
                        nn.Linear(64, 10))  # fmt: skip

    def init(m: nn.Module) -> None:
        if type(m) is nn.Linear:
            nn.init.xavier_normal_(m.weight if mended else net[0].weight)

    net.apply(init)
    return net


@case("B34", batch=labelled(32, 4, 16, 16, classes=3), where="*_initialize_weights* *.weight",
      codes="FI1", kind="birth")  # fmt: skip
def never_called(mended: bool) -> nn.Module:
    """The class has a method that initialises, and nobody calls it."""

    class SeeInTheDark(nn.Module):
        def __init__(self, classes: int = 3) -> None:
            super().__init__()
            self.down1 = nn.Conv2d(4, 32, 3, padding=1)
            self.down2 = nn.Conv2d(32, 32, 3, padding=1)
            self.pool = nn.AdaptiveAvgPool2d(4)
            self.out = nn.Linear(32 * 16, classes)
            if mended:
                self._initialize_weights()

        def _initialize_weights(self) -> None:
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, nonlinearity="leaky_relu", a=0.2)
                    nn.init.zeros_(m.bias)

        def forward(self, x: Tensor) -> Tensor:
            x = functional.leaky_relu(self.down1(x), 0.2)
            x = functional.leaky_relu(self.down2(x), 0.2)
            return self.out(self.pool(x).flatten(1))

    return SeeInTheDark()


@case("B47", batch=labelled(32, 12, 16, classes=3), where="lstm.bias_hh_l1* lstm.bias_*_reverse",
      codes="FI7")  # fmt: skip
def forget_bias_of_one_layer(mended: bool) -> nn.Module:
    """The forget bias is set for bias_hh_l0 alone, of two layers in two directions."""

    class Forecast(nn.Module):
        def __init__(self, hidden: int = 32) -> None:
            super().__init__()
            self.hidden = hidden
            self.lstm = nn.LSTM(16, hidden, num_layers=2, bidirectional=True, batch_first=True)
            self.head = nn.Linear(2 * hidden, 3)
            self.reset()

        def reset(self, forget: float = 3.0) -> None:
            names = [n for n, _ in self.lstm.named_parameters() if n.startswith("bias_hh")]
            for name in names if mended else ["bias_hh_l0"]:
                getattr(self.lstm, name).data[self.hidden : 2 * self.hidden] = forget

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.lstm(x)[0][:, -1])

    return Forecast()


@case("B49", batch=labelled(32, 3, 16, 16), where="*.1.weight", codes="FI2 FI4 FI5 FI7")
def batch_norm_twice(mended: bool) -> nn.Module:
    """The second line of the BatchNorm init should set the bias, and sets the weight to zero."""

    def conv(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )

    net = nn.Sequential(
        conv(3, 16), conv(16, 32), conv(32, 32),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.constant_(m.weight, 1)
            nn.init.constant_(m.bias if mended else m.weight, 0)
    return net


@case("B52", batch=measured(64, 24), where="*w_gate*", codes="FI7 FI1", kind="birth",
      loss=functional.mse_loss)  # fmt: skip
def gate_not_registered(mended: bool) -> nn.Module:
    """`nn.Parameter(...).float()` is a plain tensor: the gate is zero and stays so."""

    class MixtureOfExperts(nn.Module):
        def __init__(self, dim: int, experts: int) -> None:
            super().__init__()
            zero = torch.zeros(dim, experts, dtype=torch.float64)
            if mended:
                self.w_gate = nn.Parameter(zero.float())
            else:
                self.w_gate = nn.Parameter(zero).float()
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(dim, 32), nn.ReLU(), nn.Linear(32, 1))
                for _ in range(experts)
            )

        def forward(self, x: Tensor) -> Tensor:
            gates = torch.softmax(x @ self.w_gate, dim=-1)
            answers = torch.cat([expert(x) for expert in self.experts], dim=-1)
            return (gates * answers).sum(dim=-1, keepdim=True)

    return MixtureOfExperts(24, 4)


@case("B59", batch=text(40), where="*x_embedder.bias", codes="FI1 FI3 FI7", kind="birth",
      loss=lambda out, ids: functional.cross_entropy(out.flatten(0, 1), ids.flatten()))  # fmt: skip
def bias_of_the_twin(mended: bool) -> nn.Module:
    """A typo zeroes the bias of one patch embedder twice, and never that of the other."""

    class TwoInputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(40, 32)
            self.x_embedder = nn.Linear(32, 64)
            self.input_x_embedder = nn.Linear(32, 64)
            self.head = nn.Linear(64, 40)
            self.initialize_weights()

        def initialize_weights(self) -> None:
            nn.init.xavier_uniform_(self.x_embedder.weight)
            nn.init.constant_(self.x_embedder.bias, 0)
            nn.init.xavier_uniform_(self.input_x_embedder.weight)
            if mended:
                nn.init.constant_(self.input_x_embedder.bias, 0)
            else:
                nn.init.constant_(self.x_embedder.bias, 0)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.tokens(ids)
            return self.head(torch.tanh(self.x_embedder(x) + self.input_x_embedder(x.roll(1, 1))))

    return TwoInputs()
