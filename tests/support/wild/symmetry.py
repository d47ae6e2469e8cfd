"""Cases C: units, experts, heads and layers that start as copies, and zeros without a way out."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from wild.batches import copied, labelled, measured, next_token, sentences, text
from wild.harness import case


@case("B61", batch=labelled(64, 32), where="experts.*.weight", codes="FI2")
def experts_by_seed(mended: bool) -> nn.Module:
    """Each expert is built after seeding with the same number."""

    base = torch.initial_seed()

    def expert(rank: int) -> nn.Module:
        torch.manual_seed(base + rank if mended else base)
        return nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))

    class ExpertParallel(nn.Module):
        def __init__(self, world: int = 4) -> None:
            super().__init__()
            self.gate = nn.Linear(32, world)
            self.experts = nn.ModuleList(expert(rank) for rank in range(world))
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            weight = self.gate(x).softmax(dim=-1)
            mixed = sum(weight[:, i, None] * e(x) for i, e in enumerate(self.experts))
            return self.head(x + mixed)

    return ExpertParallel()


@case("B62", batch=labelled(64, 40, classes=2), where="expert*.weight", codes="FI2")
def constant_experts(mended: bool) -> nn.Module:
    """Experts of a multi-task model are all filled with 0.1."""

    class MultiGate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.expert1, self.expert2, self.expert3 = (nn.Linear(40, 16) for _ in range(3))
            self.gate = nn.Linear(40, 3)
            self.tower = nn.Linear(16, 2)
            for name, weight in self.named_parameters():
                if name.startswith("expert") and name.endswith("weight") and not mended:
                    nn.init.constant_(weight, 0.1)

        def forward(self, x: Tensor) -> Tensor:
            experts = torch.stack([e(x) for e in (self.expert1, self.expert2, self.expert3)], 1)
            chosen = (self.gate(x).softmax(-1).unsqueeze(-1) * torch.relu(experts)).sum(dim=1)
            return self.tower(chosen)

    return MultiGate()


@case("B64", batch=labelled(64, 48), where="0.kernel", codes="FI2")
def one_key_for_a_batch_of_kernels(mended: bool) -> nn.Module:
    """A kernel with a batch axis: one draw, repeated along it."""

    class Members(nn.Module):
        def __init__(self, members: int, inputs: int, outputs: int) -> None:
            super().__init__()
            draw = torch.randn(inputs, outputs) * (2 / inputs) ** 0.5
            kernel = draw.expand(members, -1, -1).clone()
            if mended:
                kernel = torch.randn(members, inputs, outputs) * (2 / inputs) ** 0.5
            self.kernel = nn.Parameter(kernel)
            self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

        def forward(self, x: Tensor) -> Tensor:
            x = x.expand(self.kernel.shape[0], *x.shape[-2:])
            return torch.relu(torch.bmm(x, self.kernel) + self.bias)

    class Average(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(x.mean(dim=0))

    return nn.Sequential(Members(4, 48, 32), Average())


@case("B66", batch=copied(32, 6, 32), where="w1.weight w3.weight", codes="FI2",
      loss=functional.mse_loss)  # fmt: skip
def gate_equals_up(mended: bool) -> nn.Module:
    """Both sides of a gated feed-forward part are drawn from one state of the generator."""

    class FeedForward(nn.Module):
        def __init__(self, dim: int, hidden: int) -> None:
            super().__init__()
            self.w1 = nn.Linear(dim, hidden, bias=False)
            self.w2 = nn.Linear(hidden, dim, bias=False)
            self.w3 = nn.Linear(dim, hidden, bias=False)
            generator = torch.Generator()
            for number, layer in enumerate((self.w1, self.w2, self.w3)):
                generator.manual_seed(torch.initial_seed() + (number if mended else 0))
                std = layer.in_features**-0.5
                nn.init.normal_(layer.weight, std=std, generator=generator)

        def forward(self, x: Tensor) -> Tensor:
            return self.w2(functional.silu(self.w1(x)) * self.w3(x))

    return FeedForward(32, 64)


@case("B67", batch=copied(32, 8, 32), where="*.query.weight *.key.weight", codes="FI2",
      loss=functional.mse_loss)  # fmt: skip
def initializer_reused(mended: bool) -> nn.Module:
    """One initialiser object is called for every layer, and gives the same numbers each time."""

    class GlorotUniform:
        def __init__(self, seed: int) -> None:
            self.seed = seed

        def __call__(self, weight: Tensor) -> None:
            generator = torch.Generator().manual_seed(self.seed)
            nn.init.xavier_uniform_(weight, generator=generator)
            if mended:
                self.seed += 1

    initializer = GlorotUniform(seed=torch.initial_seed())

    class EncoderLayer(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(dim)
            self.query, self.key = nn.Linear(dim, dim), nn.Linear(dim, dim)
            self.value, self.out = nn.Linear(dim, dim), nn.Linear(dim, dim)
            for dense in (self.query, self.key, self.value, self.out):
                initializer(dense.weight)
                nn.init.zeros_(dense.bias)

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(x)
            scores = self.query(y) @ self.key(y).transpose(1, 2) / y.shape[-1] ** 0.5
            return x + self.out(scores.softmax(dim=-1) @ self.value(y))

    return nn.Sequential(EncoderLayer(32), EncoderLayer(32), nn.LayerNorm(32), nn.Linear(32, 32))


@case("B69", batch=copied(16, 3, 16, 16), where="stack.*", codes="FI2 FI7",
      loss=functional.mse_loss)  # fmt: skip
def list_times_n(mended: bool) -> nn.Module:
    """`ModuleList([Residual()] * n)` is one block under n names."""

    class Residual(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(width, width // 2, 3, padding=1, bias=False)
            self.conv2 = nn.Conv2d(width // 2, width, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.conv2(torch.relu(self.conv1(torch.relu(x))))

    class Encoder(nn.Module):
        def __init__(self, blocks: int = 3) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 32, 3, padding=1)
            if mended:
                self.stack = nn.ModuleList([Residual(32) for _ in range(blocks)])
            else:
                self.stack = nn.ModuleList([Residual(32)] * blocks)
            self.last = nn.Conv2d(32, 3, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            for block in self.stack:
                x = block(x)
            return self.last(torch.relu(x))

    return Encoder()


@case("B71", batch=measured(64, 16), where="members.*.weight", codes="FI2",
      loss=lambda out, y: functional.mse_loss(out, y.expand_as(out)))  # fmt: skip
def ensemble(mended: bool) -> nn.Module:
    """The members of an ensemble are initialised again, each from the same seed."""

    class Ensemble(nn.Module):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.members = nn.ModuleList(
                nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1)) for _ in range(count)
            )

        def reinitialize(self, seed: int) -> None:
            for number, member in enumerate(self.members):
                source = torch.Generator().manual_seed(seed + number if mended else seed)
                for layer in member:
                    if isinstance(layer, nn.Linear):
                        nn.init.kaiming_uniform_(
                            layer.weight, nonlinearity="relu", generator=source
                        )
                        nn.init.zeros_(layer.bias)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([member(x) for member in self.members], dim=1)

    made = Ensemble(5)
    made.reinitialize(seed=torch.initial_seed())
    return made


@case("B72", batch=copied(32, 8, 32), where="*.weigh_past.weight", codes="FI2 FI5",
      loss=functional.mse_loss)  # fmt: skip
def zero_into_relu(mended: bool) -> nn.Module:
    """A zero weight in front of a relu, without a bias: output and gradient are zero for ever."""

    class CrossDepth(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm = nn.RMSNorm(dim)
            self.weigh_past = nn.Linear(dim, dim, bias=False)
            self.layer = nn.Linear(dim, dim)
            if mended:
                nn.init.normal_(self.weigh_past.weight, std=0.02)
            else:
                nn.init.zeros_(self.weigh_past.weight)

        def forward(self, x: Tensor) -> Tensor:
            past = torch.relu(self.weigh_past(self.norm(x)))
            return x + self.layer(self.norm(x)) * 0.5 + past * x

    return nn.Sequential(CrossDepth(32), CrossDepth(32), nn.Linear(32, 32))


class Lora(nn.Module):
    """A frozen layer with a low-rank update beside it."""

    def __init__(self, base: nn.Linear, rank: int = 4) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.lora_A = nn.Linear(base.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.lora_B(self.lora_A(x))


@case("B74", batch=labelled(64, 32), where="*.lora_A.weight *.lora_B.weight", codes="FI1 FI2")
def lora_before_init(mended: bool) -> nn.Module:
    """Adapters are added first, then the init of the model zeroes their first factor as well."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.o = nn.Linear(32, 32), nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.o(torch.tanh(self.q(x)))

        def init_weights(self) -> None:
            for name, module in self.named_modules():
                if isinstance(module, nn.Linear):
                    if "lora" in name:
                        nn.init.zeros_(module.weight)
                    else:
                        nn.init.xavier_uniform_(module.weight)

    def add_lora(model: nn.Module) -> None:
        model.q, model.o = Lora(model.q), Lora(model.o)

    model = Net()
    for step in (model.init_weights, lambda: add_lora(model))[:: 1 if mended else -1]:
        step()
    return model


@case("B76", batch=labelled(64, 32), where="up.weight down.weight", codes="FI2")
def shards_of_one_seed(mended: bool) -> nn.Module:
    """The tensor-parallel pieces of a matrix are drawn from the same state on every rank."""
    world, base = 4, torch.initial_seed()

    def sharded(rows: int, columns: int, axis: int) -> Tensor:
        pieces: list[Tensor] = []
        for rank in range(world):
            source = torch.Generator().manual_seed(base + rank if mended else base)
            shape = (rows // world, columns) if axis == 0 else (rows, columns // world)
            pieces.append(torch.randn(shape, generator=source) * columns**-0.5)
        return torch.cat(pieces, dim=axis)

    class Parallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = nn.Linear(32, 128), nn.Linear(128, 32)
            self.head = nn.Linear(32, 10)
            self.up.weight.data = sharded(128, 32, axis=0)
            self.down.weight.data = sharded(32, 128, axis=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x + self.down(functional.gelu(self.up(x))))

    return Parallel()


@case("B77", batch=sentences(64), where="1.weight_ih_l0 0.weight", codes="FI2")
def shards_along_the_data_axis(mended: bool) -> nn.Module:
    """Ranks that hold different rows of one table draw the same rows."""

    class Last(nn.Module):
        def forward(self, x: tuple[Tensor, Tensor]) -> Tensor:
            return x[0][:, -1]

    model = nn.Sequential(
        nn.Embedding(64, 24), nn.GRU(24, 32, batch_first=True), Last(), nn.Linear(32, 2)
    )
    table, world = model[0].weight.data, 2
    base = torch.initial_seed()
    for rank, rows in enumerate(table.chunk(world)):
        source = torch.Generator().manual_seed(base + rank if mended else base)
        rows.copy_(torch.randn(rows.shape, generator=source))
    return model


@case("B79", batch=labelled(64, 16), where="*.weight", codes="FI2")
def uniform_fill(mended: bool) -> nn.Module:
    """All weights of a layer are one number; the loss sticks at the logarithm of the classes."""
    net = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 10))
    for p in net.parameters():
        if mended and p.dim() > 1:
            p.data.normal_(std=p.shape[1] ** -0.5)
        else:
            p.data.fill_(0.0 if mended else 0.05)
    return net


@case("B151", batch=text(60), where="stages.*.weight", codes="FI2", loss=next_token)
def pipeline_stages(mended: bool) -> nn.Module:
    """Every stage of a pipeline starts from the same seed: stage 1 repeats stage 0."""

    class Stage(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(dim)
            self.up, self.down = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.down(functional.gelu(self.up(self.norm(x))))

    class Pipeline(nn.Module):
        def __init__(self, stages: int = 3) -> None:
            super().__init__()
            self.embed = nn.Embedding(60, 32)
            self.stages, base = nn.ModuleList(), torch.initial_seed()
            for rank in range(stages):
                torch.manual_seed(base + rank if mended else base)
                self.stages.append(Stage(32))
            self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 60)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids)
            for stage in self.stages:
                x = stage(x)
            return self.head(self.norm(x))

    return Pipeline()
