"""Whole models, as people write them, and the wrappers they put around them."""

import math
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import fanin


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, signal: Tensor) -> Tensor:
        normed = self.ln_1(signal)
        signal = signal + self.attn(normed, normed, normed, need_weights=False)[0]
        return signal + self.mlp(self.ln_2(signal))


class GPT(nn.Module):
    """A small language model with a learned position table and a tied head."""

    def __init__(self, width: int = 64, words: int = 300, length: int = 16) -> None:
        super().__init__()
        self.wte = nn.Embedding(words, width)
        self.wpe = nn.Parameter(torch.zeros(1, length, width))
        self.blocks = nn.ModuleList([Block(width) for _ in range(2)])
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, words, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, words: Tensor) -> Tensor:
        signal = self.wte(words) + self.wpe[:, : words.shape[1]]
        for block in self.blocks:
            signal = block(signal)
        return self.lm_head(self.ln_f(signal))


def test_a_language_model_starts_near_even_odds() -> None:
    model = GPT()
    with pytest.raises(fanin.FaninError, match=r'rules={"wpe": "normal'):
        fanin.init_(model, "lecun_normal")
    plan = fanin.init_(model, "lecun_normal", rules={"wpe": "normal(0, 0.02)"})
    rows = {row.name: row for row in plan.rows}
    assert "lm_head.weight" not in rows
    assert rows["wte.weight"].std == pytest.approx(64**-0.5)
    assert rows["wte.weight"].slot.aliases == ("lm_head.weight",)
    assert model.lm_head.weight is model.wte.weight
    words = torch.randint(300, (8, 16), generator=torch.Generator().manual_seed(0))
    logits = model(words[:, :-1])
    loss = functional.cross_entropy(logits.flatten(0, 1), words[:, 1:].flatten()).item()
    # The head sees a signal of unit variance, so logits have variance 1, which costs half a nat
    # (the mean of log-sum-exp over Gaussian logits is log C + 1 / 2). With the embedding's own
    # std of 1 it would be 64 / 2.
    assert loss == pytest.approx(math.log(300) + 0.5, abs=0.2)


class Residual(nn.Module):
    """A basic block of a residual network."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, signal: Tensor) -> Tensor:
        branch = self.bn2(self.conv2(self.bn1(self.conv1(signal)).relu()))
        return (branch + self.downsample(signal)).relu()


def resnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 16, 7, 2, 3, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        Residual(16, 16, 1),
        Residual(16, 32, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


def test_a_residual_network_by_fan_out() -> None:
    """`kaiming_normal_(mode="fan_out")` of torchvision, but with the stride counted."""
    model = resnet()
    plan = fanin.init_(model, "variance_scaling(2, fan_out, normal)", rules={"7.weight": "zeros"})
    assert [row.name for row in plan.rows] == [name for name, _ in model.named_parameters()]
    stds = {row.name: row.std for row in plan.rows}
    assert stds["3.conv1.weight"] == pytest.approx((2 / (16 * 9)) ** 0.5)
    assert stds["4.conv1.weight"] == pytest.approx((2 / (32 * 9 / 4)) ** 0.5)
    assert stds["3.bn1.weight"] == 0
    assert torch.equal(model(torch.ones(2, 3, 32, 32)), torch.zeros(2, 10))


def test_a_transformer_of_torch_runs() -> None:
    model = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)
    plan = fanin.init_(model, "glorot_normal")
    assert len(plan.rows) == len(list(model.parameters()))
    assert model(torch.ones(2, 5, 32), torch.ones(2, 3, 32)).isfinite().all()


def state(model: nn.Module) -> list[Tensor]:
    return [tensor.clone() for tensor in model.state_dict().values()]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_compiled_models_keep_their_names_and_numbers() -> None:
    plain, compiled = resnet(), cast("nn.Module", torch.compile(resnet()))
    plan = fanin.init_(plain, "he_normal", seed=9)
    assert str(fanin.init_(compiled, "he_normal", seed=9)) == str(plan)
    assert all(map(torch.equal, state(plain), state(compiled)))
    inner: Any = resnet()
    inner[3] = torch.compile(inner[3])
    assert str(fanin.init_(inner, "he_normal", seed=9)) == str(plan)
    assert set(fanin.torch.values(inner, "he_normal")) == {n for n, _ in inner.named_parameters()}


def test_a_parallel_wrapper_is_part_of_the_name() -> None:
    plan = fanin.init_(nn.DataParallel(nn.Linear(3, 2)), "he_normal")
    assert [row.name for row in plan.rows] == ["module.weight", "module.bias"]


class Scriptable(nn.Module):
    """What TorchScript can take, of several kinds of layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, stride=2, groups=2)
        self.lstm = nn.LSTM(3, 4, bidirectional=True)
        self.embed = nn.Embedding(5, 4, padding_idx=1)
        self.attend = nn.MultiheadAttention(4, 2)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, signal: Tensor) -> Tensor:
        return self.norm(self.conv(signal))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_scripted_model_is_read_like_its_source() -> None:
    plain, scripted = Scriptable(), torch.jit.script(Scriptable())
    plan = fanin.init_(plain, "torch_default", seed=2)
    assert str(fanin.init_(scripted, "torch_default", seed=2)) == str(plan)
    assert all(map(torch.equal, state(plain), state(scripted)))
    signal = torch.ones(2, 4, 9, 9)
    assert torch.equal(plain(signal), scripted(signal))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_traced_layer_has_lost_its_settings() -> None:
    traced = torch.jit.trace(nn.Sequential(nn.Conv2d(3, 4, 3)), torch.zeros(1, 3, 8, 8))
    with pytest.raises(fanin.FaninError, match=r"Conv2d lost its settings.*before tracing"):
        fanin.init_(traced, "he_normal")


class SharedBlock(nn.Module):
    """One layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = nn.Linear(4, 4)


def test_a_layer_used_twice_is_written_once() -> None:
    plan = fanin.init_(SharedBlock(), "he_normal")
    assert [row.name for row in plan.rows] == ["first.weight", "first.bias"]
    assert plan.rows[0].reason == "kernel of Linear; tied with second.weight"
