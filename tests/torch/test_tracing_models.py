"""Architectures as people write them: what each parameter is for, its fans and its place."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.recipes import Role, Slot
from fanin.torch.tracing import trace
from fanin.trace import Place
from traced import Model, normal, roles_of, slots_of, tokens

X = normal(8, 16)
SEQUENCE = normal(4, 6, 16)


def fans(slot: Slot) -> tuple[float, float]:
    return slot.fans.fan_in, slot.fans.fan_out


def places(slot: Slot) -> set[str]:
    return {str(place) for place in slot.around.places}


QKV = {"query", "key", "value"}


# --------------------------------------------------------------------------------- attention


def heads(x: Tensor, count: int = 4) -> Tensor:
    return x.view(*x.shape[:2], count, -1).transpose(1, 2)


def merged(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def by_hand(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | float = 0.0) -> Tensor:
    return (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + bias).softmax(-1) @ v


def split(m: Any, x: Tensor) -> Tensor:
    q, k, v = (heads(part) for part in m.qkv(x).split(16, -1))
    return x + m.out(merged(by_hand(q, k, v)))


def stacked(m: Any, x: Tensor) -> Tensor:
    q, k, v = m.qkv(x).reshape(*x.shape[:2], 3, 4, 4).permute(2, 0, 3, 1, 4)
    return x + m.out(merged(functional.scaled_dot_product_attention(q, k, v)))


def by_head(m: Any, x: Tensor) -> Tensor:
    """Query, key and value of a head side by side, as GPT-NeoX and BLOOM have them."""
    q, k, v = m.qkv(x).view(*x.shape[:2], 4, 12).transpose(1, 2).chunk(3, -1)
    return x + m.out(merged(functional.scaled_dot_product_attention(q, k, v)))


@pytest.mark.parametrize("run", [split, stacked, by_head])
def test_fused_projections_are_three_matrices(run: Any) -> None:
    model = Model(run, qkv=nn.Linear(16, 48), out=nn.Linear(16, 16))
    seen = slots_of(model, SEQUENCE)
    assert fans(seen["qkv.weight"]) == fans(seen["qkv.bias"]) == (16, 16)
    assert places(seen["qkv.weight"]) >= QKV
    assert seen["qkv.weight"].layout.blocks == (1 if run is by_head else 3)
    assert places(seen["out.weight"]) == {"attention output", "writer"}


class Conv1D(nn.Module):
    """Input first, as GPT-2 stores it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        flat = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return flat.view(*x.shape[:-1], -1)


def test_gpt2_stores_its_matrices_transposed() -> None:
    seen = slots_of(Model(split, qkv=Conv1D(16, 48), out=Conv1D(16, 16)), SEQUENCE)
    assert seen["qkv.weight"].layout.in_axes == (0,)
    assert seen["qkv.weight"].layout.blocks == 3
    assert fans(seen["qkv.weight"]) == (16, 16)
    assert seen["qkv.bias"].role is Role.BIAS


def turned(x: Tensor) -> Tensor:
    angle = torch.arange(x.shape[-2])[:, None] * torch.ones(x.shape[-1])
    a, b = x.chunk(2, -1)
    return x * angle.cos() + torch.cat([-b, a], -1) * angle.sin()


def turned_complex(x: Tensor) -> Tensor:
    angle = torch.arange(x.shape[-2])[:, None] * torch.ones(x.shape[-1] // 2)
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)


@pytest.mark.parametrize("rotate", [turned, turned_complex])
def test_grouped_queries_with_rotary_positions(rotate: Any) -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        h = m.norm(x)
        q, k, v = heads(m.q(h)), heads(m.k(h), 2), heads(m.v(h), 2)
        k, v = (
            rotate(k).repeat_interleave(2, 1),
            v[:, :, None].expand(-1, -1, 2, -1, -1).flatten(1, 2),
        )
        return x + m.out(
            merged(functional.scaled_dot_product_attention(rotate(q), k, v, is_causal=True))
        )

    model = Model(
        run,
        norm=nn.RMSNorm(16),
        q=nn.Linear(16, 16),
        k=nn.Linear(16, 8),
        v=nn.Linear(16, 8),
        out=nn.Linear(16, 16),
    )
    seen = slots_of(model, SEQUENCE)
    for name, place, width in (("q", "query", 16), ("k", "key", 8), ("v", "value", 8)):
        assert places(seen[f"{name}.weight"]) & QKV == {place}
        assert fans(seen[f"{name}.weight"]) == (16, width)
        assert seen[f"{name}.weight"].around.followed_by == "attention"
    assert seen["out.weight"].around.fed_by == "attention"


def test_a_table_of_relative_positions() -> None:
    index = torch.arange(256).view(16, 16) % 49

    def run(m: Any, x: Tensor) -> Tensor:
        q, k, v = (heads(part, 2) for part in m.qkv(x).split(16, -1))
        bias = m.table[index.view(-1)].view(16, 16, 2).permute(2, 0, 1)
        return x + m.out(merged(by_hand(q, k, v, bias[None])))

    model = Model(run, table=torch.zeros(49, 2), qkv=nn.Linear(16, 48), out=nn.Linear(16, 16))
    seen = slots_of(model, normal(4, 16, 16))
    assert seen["table"].role is Role.POSITIONAL
    assert places(seen["qkv.weight"]) >= QKV


def test_attention_and_mlp_in_parallel() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        h = m.norm(x)
        q, k, v = (heads(part) for part in m.qkv(h).split(16, -1))
        return x + m.out(merged(by_hand(q, k, v))) + m.down(functional.gelu(m.up(h)))

    model = Model(
        run,
        norm=nn.LayerNorm(16),
        qkv=nn.Linear(16, 48),
        out=nn.Linear(16, 16),
        up=nn.Linear(16, 64),
        down=nn.Linear(64, 16),
    )
    seen = slots_of(model, SEQUENCE)
    for name in ("out.weight", "down.weight"):
        assert Place.WRITER in seen[name].around.places
        assert seen[name].around.branch.of == 2
    assert Place.BRANCH in seen["up.weight"].around.places


class Queries(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Embedding(5, 16)
        self.decoder = nn.TransformerDecoderLayer(16, 2, 32, batch_first=True, dropout=0)
        self.head = nn.Linear(16, 3)

    def forward(self, memory: Tensor) -> Tensor:
        learned = self.queries.weight[None].expand(len(memory), -1, -1)
        return self.head(self.decoder(learned, memory))


def test_learned_queries() -> None:
    seen = slots_of(Queries(), SEQUENCE)
    assert seen["queries.weight"].role in (Role.POSITIONAL, Role.EMBEDDING)
    assert seen["decoder.self_attn.in_proj_weight"].layout.blocks == 3
    assert seen["decoder.multihead_attn.out_proj.weight"].around.fed_by == "attention"
    assert seen["head.weight"].role is Role.HEAD


def test_attention_between_widths() -> None:
    attention = nn.MultiheadAttention(16, 2, kdim=6, vdim=10, batch_first=True, add_bias_kv=True)
    model = Model(lambda m, x, y, z: m.a(x, y, z)[0], a=attention)
    seen = slots_of(model, SEQUENCE, normal(4, 7, 6), normal(4, 7, 10))
    assert fans(seen["a.q_proj_weight"]) == (16, 16)
    assert fans(seen["a.k_proj_weight"]) == (6, 16)
    assert fans(seen["a.v_proj_weight"]) == (10, 16)
    assert [places(seen[f"a.{n}_proj_weight"]) & QKV for n in "qkv"] == [
        {"query"},
        {"key"},
        {"value"},
    ]
    assert seen["a.bias_k"].role is Role.EMBEDDING


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_the_whole_transformer(batch_first: bool, norm_first: bool) -> None:
    model = nn.Transformer(16, 2, 2, 2, 32, 0, batch_first=batch_first, norm_first=norm_first)
    seen = slots_of(model, normal(5, 4, 16), normal(5, 4, 16))
    for name, slot in seen.items():
        if name.endswith("in_proj_weight"):
            assert slot.layout.blocks == 3
            assert fans(slot) == (16, 16)
        if name.endswith(("out_proj.weight", "linear2.weight")):
            assert Place.WRITER in slot.around.places, name
        if "norm" in name:
            assert slot.role is (Role.NORM_GAIN if name.endswith("weight") else Role.NORM_OFFSET)


class Patches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 16))
        self.position = nn.Parameter(torch.zeros(1, 5, 16))
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, norm_first=True, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.layer(x))[:, 0])


def test_a_vision_transformer() -> None:
    seen = slots_of(Patches(), normal(4, 3, 8, 8))
    assert seen["token"].role is Role.EMBEDDING
    assert places(seen["token"]) == {"token"}
    assert seen["position"].role is Role.POSITIONAL
    assert fans(seen["patches.weight"]) == (48, 16)
    assert seen["head.weight"].role is Role.HEAD


def test_positions_stretched_to_the_image() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        x = m.patches(x)
        grid = functional.interpolate(m.position, size=x.shape[-2:], mode="bicubic")
        return m.head((x + grid).flatten(2).transpose(1, 2))

    model = Model(
        run,
        patches=nn.Conv2d(3, 16, 4, 4),
        position=torch.zeros(1, 16, 4, 4),
        head=nn.Linear(16, 3),
    )
    seen = slots_of(model, normal(4, 3, 24, 24))
    assert seen["position"].role is Role.POSITIONAL
    assert seen["head.weight"].role is Role.HEAD


# ------------------------------------------------------------------------- gates and experts


def gated(m: Any, x: Tensor) -> Tensor:
    return x + m.down(functional.silu(m.gate(x)) * m.up(x))


def test_swiglu() -> None:
    model = Model(gated, gate=nn.Linear(16, 32), up=nn.Linear(16, 32), down=nn.Linear(32, 16))
    seen = slots_of(model, X)
    assert seen["gate.weight"].role is Role.GATE
    assert seen["gate.weight"].around.followed_by == "silu"
    assert places(seen["up.weight"]) >= {"gated"}
    assert seen["down.weight"].around.fed_by == "gated silu"


def two_halves(m: Any, x: Tensor) -> Tensor:
    gate, up = m.both(x).chunk(2, -1)
    return x + m.down(functional.silu(gate) * up)


def glu(m: Any, x: Tensor) -> Tensor:
    return x + m.down(functional.glu(m.both(x)))


@pytest.mark.parametrize(("run", "fed_by"), [(two_halves, "gated silu"), (glu, "gated sigmoid")])
def test_a_gate_in_one_matrix_with_what_it_gates(run: Any, fed_by: str) -> None:
    model = Model(run, both=nn.Linear(16, 64), down=nn.Linear(32, 16))
    seen = slots_of(model, X)
    assert fans(seen["both.weight"]) == (16, 32)
    assert seen["both.weight"].layout.blocks == 2
    assert places(seen["both.weight"]) >= {"gate", "gated"}
    assert seen["down.weight"].around.fed_by == fed_by


def looped(m: Any, x: Tensor) -> Tensor:
    weights, chosen = m.router(x).softmax(-1).topk(2, -1)
    out = torch.zeros_like(x)
    for expert in range(4):
        rows, place = torch.where(chosen == expert)
        h = functional.gelu(x[rows] @ m.up[expert].T) @ m.down[expert].T
        out = out.index_add(0, rows, h * weights[rows, place, None])
    return x + out


def batched(m: Any, x: Tensor) -> Tensor:
    weights = m.router(x).softmax(-1)
    h = functional.gelu(torch.bmm(x.expand(4, -1, -1), m.up.transpose(1, 2)))
    return x + torch.einsum("end,ne->nd", torch.bmm(h, m.down.transpose(1, 2)), weights)


def in_einsums(m: Any, x: Tensor) -> Tensor:
    weights = m.router(x).softmax(-1)
    h = functional.gelu(torch.einsum("end,ehd->enh", x.expand(4, -1, -1), m.up))
    return x + torch.einsum("end,ne->nd", torch.einsum("enh,edh->end", h, m.down), weights)


@pytest.mark.parametrize("run", [looped, batched, in_einsums])
def test_stacked_experts(run: Any) -> None:
    model = Model(run, router=nn.Linear(16, 4), up=normal(4, 32, 16), down=normal(4, 16, 32))
    seen = slots_of(model, normal(64, 16))
    for name, both in (("up", (16, 32)), ("down", (32, 16))):
        assert fans(seen[name]) == both
        assert seen[name].layout.batch_axes == (0,)
    assert seen["up"].around.followed_by == "gelu"
    assert seen["router.weight"].around.followed_by == "softmax"


def test_scales_on_branches() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        x = x + m.scale * m.a(x)
        return x + m.zero * m.b(x)

    model = Model(
        run,
        scale=1e-4 * torch.ones(16),
        zero=torch.zeros(()),
        a=nn.Linear(16, 16),
        b=nn.Linear(16, 16),
    )
    seen = slots_of(model, X)
    for name in ("scale", "zero"):
        assert seen[name].role is Role.SCALE
        assert places(seen[name]) == {"branch scale"}


# ------------------------------------------------------------------------------- recurrence


def test_recurrent_layers() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 4, 2]), batch_first=True)
        out, _ = nn.utils.rnn.pad_packed_sequence(m.lstm(packed)[0], batch_first=True)
        return m.head(out)

    lstm = nn.LSTM(8, 16, batch_first=True, bidirectional=True, num_layers=2)
    seen = slots_of(Model(run, lstm=lstm, head=nn.Linear(32, 3)), normal(3, 5, 8))
    assert fans(seen["lstm.weight_ih_l0"]) == (8, 16)
    assert fans(seen["lstm.weight_ih_l1_reverse"]) == (32, 16)
    assert seen["lstm.weight_ih_l0"].layout.blocks == 4
    assert seen["lstm.weight_ih_l0"].around.fed_by == "input"
    assert seen["lstm.weight_hh_l0"].recurrent
    assert seen["head.weight"].around.fed_by == "state"


@pytest.mark.parametrize(("cell", "gates"), [(nn.GRUCell, 3), (nn.LSTMCell, 4), (nn.RNNCell, 1)])
def test_cells(cell: Any, gates: int) -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        state = m.cell(x[:, 0])
        state = m.cell(x[:, 1], state)
        return m.head(state[0] if isinstance(state, tuple) else state)

    seen = slots_of(Model(run, cell=cell(8, 16), head=nn.Linear(16, 3)), normal(3, 2, 8))
    assert seen["cell.weight_ih"].layout.blocks == gates
    assert fans(seen["cell.weight_hh"]) == (16, 16)
    assert seen["cell.weight_hh"].recurrent


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_a_projected_state() -> None:
    lstm = nn.LSTM(8, 16, proj_size=6)
    seen = slots_of(Model(lambda m, x: m.lstm(x)[0], lstm=lstm), normal(5, 3, 8))
    assert fans(seen["lstm.weight_hh_l0"]) == (6, 16)
    assert fans(seen["lstm.weight_hr_l0"]) == (16, 6)


def test_a_cell_written_by_hand() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        h = c = x.new_zeros(len(x), 16)
        for step in x.unbind(1):
            i, f, g, o = (m.inputs(step) + m.state(h)).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return m.head(h)

    model = Model(
        run, inputs=nn.Linear(8, 64), state=nn.Linear(16, 64, bias=False), head=nn.Linear(16, 3)
    )
    seen = slots_of(model, normal(4, 5, 8))
    assert fans(seen["inputs.weight"]) == (8, 16)
    assert fans(seen["state.weight"]) == (16, 16)
    assert seen["state.weight"].layout.blocks == 4
    assert seen["head.weight"].around.fed_by == "gated sigmoid"


# ------------------------------------------------------------------------------ convolutions


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 16, 3, 1, 1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.c, self.out = nn.Conv2d(16, 8, 3, 1, 1), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = functional.relu(self.a(x))
        b = functional.relu(self.b(functional.max_pool2d(a, 2)))
        return self.out(functional.relu(self.c(torch.cat([self.up(b), a], 1))))


def test_a_unet() -> None:
    seen = slots_of(UNet(), normal(2, 3, 8, 8))
    assert fans(seen["up.weight"]) == (16, 32)
    assert seen["up.weight"].layout.in_axes == (0,)
    assert fans(seen["c.weight"]) == (144, 72)
    assert seen["b.weight"].around.fed_by == "relu"
    assert seen["out.weight"].role is Role.HEAD


def test_batch_norm_of_a_model_in_use() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3)
    ).eval()
    assert list(roles_of(model, normal(2, 3, 8, 8)).values()) == [
        "kernel",
        "bias",
        "norm gain",
        "norm offset",
        "head",
        "bias",
    ]
    assert not trace(model, normal(2, 3, 8, 8)).training


def test_bags_and_bilinear_forms() -> None:
    bag = Model(
        lambda m, i, o: m.l(m.e(i, o)), e=nn.EmbeddingBag(20, 16, mode="sum"), l=nn.Linear(16, 3)
    )
    seen = slots_of(bag, tokens(12), torch.tensor([0, 4, 7]))
    assert seen["e.weight"].role is Role.EMBEDDING
    assert seen["l.weight"].around.fed_by == "embedding"
    (form, _) = slots_of(
        Model(lambda m, x, y: m.b(x, y), b=nn.Bilinear(16, 5, 7)), X, normal(8, 5)
    ).values()
    assert fans(form) == (80, 7)


def test_spectral_filters() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        return torch.fft.irfft(torch.einsum("nif,iof->nof", torch.fft.rfft(x), m.weight), n=16)

    weight = torch.complex(normal(4, 5, 9), normal(4, 5, 9, seed=1))
    (slot,) = slots_of(Model(run, weight=weight), normal(8, 4, 16)).values()
    assert fans(slot) == (4, 5)
    assert slot.layout.batch_axes == (2,)
