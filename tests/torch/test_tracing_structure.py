"""What stands around the parameters of real modules, as the tracer and the structure see them."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.torch.tracing import trace
from fanin.trace import Place, Surroundings, Trace, predict

WIDTH = 16


def writers(found: dict[str, Surroundings]) -> set[str]:
    return {
        name.removesuffix(".weight")
        for name, own in found.items()
        if Place.WRITER in own.places and name.endswith("weight")
    }


def branch(found: dict[str, Surroundings], name: str) -> tuple[int, int, int, str]:
    own = found[name].branch
    assert own is not None, name
    return own.index, own.of, own.kernels, own.norm


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")  # torch's remark on its own default
@pytest.mark.parametrize("norm_first", [False, True])
def test_torchs_own_transformer(norm_first: bool) -> None:
    model = nn.Transformer(
        WIDTH, 2, 2, 2, 32, 0.0, "gelu", batch_first=True, norm_first=norm_first
    )  # fmt: skip
    found = trace(model, torch.randn(4, 5, WIDTH), torch.randn(4, 6, WIDTH)).surroundings
    norm = "before" if norm_first else "after"
    encoder = [
        f"encoder.layers.{block}.{end}"
        for block in range(2)
        for end in ("self_attn.out_proj", "linear2")
    ]
    decoder = [
        f"decoder.layers.{block}.{end}"
        for block in range(2)
        for end in ("self_attn.out_proj", "multihead_attn.out_proj", "linear2")
    ]
    assert writers(found) == {*encoder, *decoder}
    for names in (encoder, decoder):
        for place, name in enumerate(names):
            assert branch(found, f"{name}.weight") == (place, len(names), 2, norm)
    cross = found["decoder.layers.0.multihead_attn.in_proj_weight"]
    assert cross.places == {Place.QUERY, Place.KEY, Place.VALUE, Place.BRANCH}
    assert found["decoder.layers.1.linear2.weight"].fed_by == "gelu"


class Block(nn.Module):
    """A block of GPT-2 in plain operations."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        size, time, _ = x.shape
        parts = self.qkv(self.norm1(x)).split(WIDTH, 2)
        q, k, v = (part.view(size, time, 2, WIDTH // 2).transpose(1, 2) for part in parts)
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(WIDTH // 2)
        mask = torch.ones(time, time).tril() == 0
        weights = scores.masked_fill(mask, -math.inf).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(size, time, WIDTH))
        h = self.up(self.norm2(x))
        h = 0.5 * h * (1 + torch.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
        return x + self.down(h)


class Language(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(50, WIDTH), nn.Embedding(32, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, 50, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_a_language_model_by_hand() -> None:
    found = trace(Language(), torch.randint(0, 50, (4, 8))).surroundings
    assert writers(found) == {f"blocks.{n}.{end}" for n in range(3) for end in ("out", "down")}
    assert branch(found, "blocks.2.up.weight") == (5, 6, 2, "before")
    assert found["blocks.1.qkv.weight"].places == {
        Place.QUERY, Place.KEY, Place.VALUE, Place.BRANCH
    }  # fmt: skip
    assert Place.ATTENTION_OUTPUT in found["blocks.0.out.weight"].places
    assert found["blocks.0.down.weight"].fed_by == "gelu_tanh"
    assert found["blocks.0.up.weight"].paired
    assert found["places.weight"].places == {Place.POSITION}
    assert found["tokens.weight"].places == {Place.LAST}
    assert found["tokens.weight"].fed_by == "norm"


class Basic(nn.Module):
    """A basic block (He et al. 2016), in place where torchvision is."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.down = None
        if stride > 1:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.down = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)), inplace=True)))
        y += x if self.down is None else self.down(x)
        return functional.relu(y, inplace=True)


def test_a_residual_network_in_place() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
        Basic(8, 8), Basic(8, 16), Basic(16, 16),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10),
    )  # fmt: skip
    found = trace(model, torch.randn(4, 3, 16, 16)).surroundings
    assert writers(found) == {"3.bn2", "4.bn2", "5.bn2"}
    for place, block in enumerate((3, 4, 5)):
        assert branch(found, f"{block}.conv1.weight") == (place, 3, 2, "inside")
    shortcut = {name for name, own in found.items() if Place.SHORTCUT in own.places}
    assert shortcut == {"4.down.0.weight", "4.down.1.weight", "4.down.1.bias"}
    assert found["0.weight"].places == {Place.FIRST}
    assert found["8.weight"].places == {Place.LAST}


class Gated(nn.Module):
    """A gated feed-forward block behind a root-mean-square norm, both by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(WIDTH))
        self.gate = nn.Linear(WIDTH, 32, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 32, bias=False), nn.Linear(32, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.gain * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))


def test_gated_blocks_and_a_norm_by_hand() -> None:
    model = nn.Sequential(nn.Linear(8, WIDTH), Gated(), Gated(), nn.Linear(WIDTH, 2))
    found = trace(model, torch.randn(16, 8)).surroundings
    assert writers(found) == {"1.down", "2.down"}
    assert branch(found, "2.gate.weight") == (1, 2, 2, "before")
    assert Place.GATE in found["1.gate.weight"].places
    assert Place.GATED in found["1.up.weight"].places
    assert found["1.down.weight"].fed_by == "gated silu"
    assert found["1.gate.weight"].fed_by == "norm"
    assert found["2.gain"].fed_by == "residual stream"


def test_a_trace_survives_json() -> None:
    seen = trace(Language(), torch.randint(0, 50, (4, 8)))
    assert Trace.from_json(seen.to_json()) == seen


def test_theory_meets_what_was_measured_on_a_wide_network() -> None:
    """Means over 64 examples and a width of 512: theory is off by a few per cent at most.

    The second moment of one layer has a relative error of about sqrt(5 / width) (relu, Hanin and
    Rolnick 2018, theorem 5), 0.10 at 512; the root halves it, three layers make 0.085 of it.
    """
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 512), nn.Tanh(), nn.Linear(512, 512),
        nn.GELU(), nn.Linear(512, 256),
    )  # fmt: skip
    seen = trace(model, torch.randn(64, 256))
    held = {
        name: (value.mean().item(), value.std(correction=0).item())
        for name, value in model.named_parameters()
    }
    told = [
        (own.forward, op.forward.rms, own.backward, op.backward.rms)
        for own, op in zip(predict(seen.ops, seen.parameters, held), seen.ops, strict=True)
        if op.forward is not None and op.backward is not None
    ]
    assert len(told) == 7
    for forward, measured, backward, arrived in told:
        assert forward == pytest.approx(measured, rel=0.085)
        assert backward is None or backward == pytest.approx(arrived, rel=0.085)
