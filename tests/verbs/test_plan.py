"""`fanin.plan` on networks of torch: read, decided, saved, carried out, and held against."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import fanin
from fanin import FaninError
from fanin.recipes import Plan, State
from fanin.verbs.plan import audit


class Block(nn.Module):
    """A layer of GPT-2: query, key and value in one kernel, norms before."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.c_attn(self.ln_1(x)).split(width, dim=2)
        q, k, v = (part.view(batch, length, 2, width // 2).transpose(1, 2) for part in parts)
        heads = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(heads.transpose(1, 2).reshape(batch, length, width))
        return x + self.proj(functional.gelu(self.fc(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, layers: int = 3, width: int = 16, words: int = 50) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(words, width), nn.Embedding(8, width)
        self.h = nn.ModuleList(Block(width) for _ in range(layers))
        self.ln_f, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.h:
            x = block(x)
        return self.head(self.ln_f(x))


TOKENS = torch.arange(16).view(2, 8)


def test_gpt2_on_a_gpt() -> None:
    made = fanin.plan(GPT(), TOKENS, recipe="gpt2")
    for row in made.rows:
        if row.name.endswith("proj.weight"):
            assert row.std == pytest.approx(0.02 / math.sqrt(6), rel=1e-5), row.name
        elif len(row.shape) > 1:
            assert row.std == 0.02, row.name
        else:
            assert row.std == 0
    assert made.notes == ()
    assert made.row("head.weight").name == "wte.weight"


def test_deepnet_finds_the_value_in_the_fused_kernel() -> None:
    made = fanin.plan(GPT(), TOKENS, recipe="deepnet")
    beta = (8 * 3) ** -0.25
    drawn = made.row("h.1.c_attn.weight").values(0).reshape(3, 16, 16).std(axis=(1, 2))
    expected = math.sqrt(2 / 32) * torch.tensor([1, 1, beta])
    # The std of n normals is off by 1 / sqrt(2 n), five times that at most.
    assert drawn.tolist() == pytest.approx(expected.tolist(), rel=5 / math.sqrt(2 * 256))


def test_the_blocks_of_a_cross_attention_are_no_ties() -> None:
    """torch's decoder takes the query from its own rows, key and value from the others."""
    model = nn.Transformer(16, 2, 3, 2, 32, batch_first=True, dropout=0.0)
    made = fanin.plan(model, torch.randn(2, 5, 16), torch.randn(2, 6, 16), recipe="deepnet")
    row = made.row("decoder.layers.1.multihead_attn.in_proj_weight")
    gain = f"glorot_normal(gain={(12 * 2) ** -0.25:.6g})"
    assert str(row.scheme) == f"blocks(glorot_normal, glorot_normal, {gain})"
    assert made.row("encoder.layers.0.linear1.weight").std == pytest.approx(
        0.87 * (3**4 * 2) ** (-1 / 16) * math.sqrt(2 / 48), rel=1e-5
    )


def test_a_plan_saved_and_loaded_starts_a_new_model_without_the_batch(tmp_path: Path) -> None:
    made = fanin.plan(GPT(), TOKENS, recipe="auto", rules={"wpe.weight": "normal(0, 0.1)"})
    made.save(tmp_path / "plan.toml")
    first, second = GPT(), GPT()
    fanin.init_(first, made, seed=4)
    fanin.init_(second, tmp_path / "plan.toml", seed=4)
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    assert audit(first, Plan.load(tmp_path / "plan.toml")).ok


def test_was_my_initialisation_applied() -> None:
    """The wild one: scaling by the bare name, so that it never matches (a real code base did)."""
    torch.manual_seed(0)
    model = GPT(width=64)
    made = fanin.plan(model, TOKENS, recipe="gpt2")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.weight.normal_(0, 0.02)
            if (
                isinstance(module, nn.Linear)
                and dict(module.named_parameters()).get("bias") is not None
            ):
                module.bias.zero_()
        for name, parameter in model.named_parameters():
            if name == "c_proj.weight":
                parameter.normal_(0, 0.02 / math.sqrt(6))
    answer = audit(model, made)
    wrong = {line.row.name: line.words for line in answer.lines if line.state is State.OFF}
    assert set(wrong) == {f"h.{i}.{name}.weight" for i in range(3) for name in ("c_proj", "proj")}
    assert all("matches normal(0, 0.02)" in words for words in wrong.values())


def test_frameworks_default_is_told() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64))
    answer = audit(model, fanin.plan(model, recipe="he"))
    words = {line.row.name: line.words for line in answer.lines}
    assert "matches torch's default" in words["0.weight"]
    assert "matches torch's default" in words["2.bias"]


def test_what_no_rule_speaks_for_is_kept_when_the_model_was_run() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.table = nn.Parameter(torch.full((4, 2), 5.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x) * torch.logsumexp(self.table, dim=1)

    model = Odd()
    made = fanin.plan(model, torch.ones(3, 4), recipe="he")
    assert str(made.row("table").scheme) == "keep"
    assert "kept: table" in made.notes[0]
    fanin.init_(model, made)
    assert (model.table == 5).all()
    with pytest.raises(FaninError, match="1 parameter of unknown purpose"):
        fanin.plan(model, recipe="he")


def test_auto_without_a_batch_says_what_to_pass() -> None:
    with pytest.raises(FaninError, match=r"auto asks where .* fanin\.plan\(model, inputs\)"):
        fanin.plan(nn.Linear(4, 2))


def test_calibration_becomes_part_of_the_plan() -> None:
    torch.manual_seed(2)
    layers = [part for _ in range(6) for part in (nn.Linear(32, 32), nn.Softplus())]
    model, batch = nn.Sequential(*layers, nn.Linear(32, 32)), torch.randn(256, 32)
    made = fanin.plan(model, batch, recipe="lecun", calibrate=True, seed=3)
    again = nn.Sequential(*layers, nn.Linear(32, 32))
    fanin.init_(again, Plan.from_toml(made.to_toml()), seed=3)
    # The last layer keeps its share; the one before puts out 1 about 0, as LSUV wants.
    before = again[:-2](batch).detach()
    assert float(before.std()) == pytest.approx(1, rel=0.02)
    assert float(before.mean()) == pytest.approx(0, abs=0.02)
    with pytest.raises(FaninError, match="calibrate=True sets the scales from a batch"):
        fanin.plan(model, recipe="lecun", calibrate=True)


@pytest.mark.parametrize(
    ("given", "hint"), [(nn.Linear, r"a class; build it first: Linear\(\.\.\.\)"), (3, "got int")]
)
def test_what_is_no_model_is_refused(given: object, hint: str) -> None:
    with pytest.raises(FaninError, match=hint):
        fanin.plan(given)
    with pytest.raises(FaninError, match=hint):
        audit(given, Plan("he", ()))
