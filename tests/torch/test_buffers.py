"""What the meta device loses beside the parameters is found again, or named."""

import copy
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import fanin
from fanin.torch.materialise import parameters_on_meta


def on_meta(build: Callable[[], nn.Module]) -> Any:
    with torch.device("meta"):
        return build()


class Rotary(nn.Module):
    """Frequencies that no state dict holds, a table as a plain attribute, and a list of masks."""

    def __init__(self, length: int = 6) -> None:
        super().__init__()
        frequencies = 10000.0 ** (-torch.arange(4) / 4)
        self.register_buffer("inv_freq", frequencies, persistent=False)
        self.table = torch.outer(torch.arange(length), frequencies)
        self.masks = [torch.ones(2, 2).tril(), "causal"]
        self.project = nn.Linear(8, 8)


class Scaled(nn.Module):
    """A constant of the depth, kept as a buffer."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.register_buffer("ln_scale", torch.tensor(1 / math.sqrt(depth)))
        self.norm = nn.RMSNorm(4)


class Whole(nn.Module):
    """Both, twice, and statistics between."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Scaled(depth) for depth in (1, 2)])
        self.rotary = Rotary()
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 2)


def assert_same(model: nn.Module, eager: nn.Module) -> None:
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    theirs = dict((*eager.named_parameters(), *eager.named_buffers()))
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        assert torch.equal(tensor, theirs[name]), name


def test_a_factory_gives_back_what_was_lost() -> None:
    model, eager = on_meta(Whole), Whole()
    kept = model.rotary
    plan = fanin.init_(model, "he_normal", 2, build=Whole)
    fanin.init_(eager, "he_normal", 2)
    assert_same(model, eager)
    assert model.rotary is kept
    assert torch.equal(model.rotary.table, eager.rotary.table)
    assert torch.equal(model.rotary.masks[0], eager.rotary.masks[0])
    assert plan.done[1:] == (
        "blocks.0.ln_scale was computed again by build=",
        "blocks.1.ln_scale was computed again by build=",
        "rotary.inv_freq was computed again by build=",
        "rotary.table was computed again by build=",
        "rotary.masks was computed again by build=",
    )


def test_the_factory_is_only_asked_when_something_was_lost() -> None:
    def build() -> nn.Module:
        raise AssertionError("not needed")

    fanin.init_(nn.Linear(2, 2), "he_normal", build=build)
    fanin.init_(on_meta(lambda: nn.BatchNorm1d(3)), "he_normal", build=build)


def test_a_factory_works_below_a_meta_device_too() -> None:
    with torch.device("meta"):
        model = Whole()
        fanin.init_(model, "he_normal", build=Whole)
    eager = Whole()
    fanin.init_(eager, "he_normal")
    assert_same(model, eager)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: on_meta(Whole), "no values of the right shape for .*ln_scale in Scaled"),
        (lambda: nn.Linear(2, 2), "must build the same model, a Whole, got Linear"),
        (lambda: 1 / 0, "build= failed: ZeroDivisionError"),
    ],
)
def test_a_factory_of_something_else(build: Callable[[], nn.Module], message: str) -> None:
    model = on_meta(Whole)
    with pytest.raises(fanin.FaninError, match=message):
        fanin.init_(model, "he_normal", build=build)
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))


def test_another_length_is_no_value_of_the_right_shape() -> None:
    model = on_meta(Rotary)
    with pytest.raises(fanin.FaninError, match="shape for table in Rotary"):
        fanin.init_(model, "he_normal", build=lambda: Rotary(length=7))


class Resets(nn.Module):
    """Knows how to compute its buffers, as PyTorch asks of what is to be materialised."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4))
        self.register_buffer("steps", torch.empty(4))
        self.register_buffer("count", torch.empty((), dtype=torch.long))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.ones_(self.weight)
        torch.arange(4.0, out=self.steps)
        self.count.fill_(4)


class Forgets(Resets):
    """Resets half of a buffer."""

    def reset_parameters(self) -> None:
        self.count.fill_(4)
        self.get_buffer("steps")[:2] = 0.0


class Draws(Resets):
    """Draws its buffer at random."""

    def reset_parameters(self) -> None:
        self.count.fill_(4)
        self.steps.normal_()


def test_a_module_that_resets_itself_is_asked() -> None:
    model, eager = on_meta(Resets), Resets()
    plan = fanin.init_(model, "he_normal", rules={"weight": "normal"})
    fanin.init_(eager, "he_normal", rules={"weight": "normal"})
    assert_same(model, eager)
    assert model.count.dtype is torch.long
    assert "steps was computed again by reset_parameters of Resets" in plan.done


def test_what_a_reset_leaves_is_not_taken() -> None:
    model = on_meta(Forgets)
    with pytest.raises(fanin.FaninError, match="knows the values: steps in Forgets"):
        fanin.init_(model, "he_normal", rules={"weight": "ones"})


def test_what_a_reset_draws_follows_from_the_seed() -> None:
    models = [on_meta(Draws) for _ in range(3)]
    state = torch.get_rng_state()
    for model, seed in zip(models, (0, 0, 1), strict=True):
        fanin.init_(model, "he_normal", seed, {"weight": "ones"})
    assert torch.equal(state, torch.get_rng_state())
    first, again, other = (model.steps for model in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_reset_that_fails_is_no_answer() -> None:
    class Fails(Resets):
        def reset_parameters(self) -> None:
            if not self.weight.is_meta:
                raise RuntimeError("needs a process group")

    with pytest.raises(fanin.FaninError, match="steps in Fails; count in Fails"):
        fanin.init_(on_meta(Fails), "he_normal", rules={"weight": "ones"})


def test_a_half_real_module_is_not_touched_by_asking() -> None:
    model = on_meta(Forgets)
    model.weight = nn.Parameter(torch.full((4,), 3.0))
    with pytest.raises(fanin.FaninError, match="steps in Forgets"):
        fanin.init_(model, "he_normal", rules={"weight": "ones"})
    assert model.weight.tolist() == [3.0] * 4


def test_parameters_on_meta_loses_nothing() -> None:
    with parameters_on_meta():
        model: Any = Whole()
        tied = nn.ModuleDict({"embed": nn.Embedding(5, 4), "head": nn.Linear(4, 5)})
        tied["head"].weight = tied["embed"].weight
    assert all(parameter.is_meta for parameter in model.parameters())
    assert not any(buffer.is_meta for buffer in model.buffers())
    assert tied["head"].weight is tied["embed"].weight
    assert not nn.Linear(2, 2).weight.is_meta, "only inside"
    eager = Whole()
    fanin.init_(model, "he_normal", 1)
    fanin.init_(eager, "he_normal", 1)
    assert_same(model, eager)
    fanin.init_(tied, "he_normal")
    assert tied["head"].weight is tied["embed"].weight


def test_parameters_on_meta_is_for_one_thread() -> None:
    with parameters_on_meta(), ThreadPoolExecutor(1) as pool:
        other = pool.submit(nn.Linear, 2, 2).result()
        assert nn.Linear(2, 2).weight.is_meta
    assert not other.weight.is_meta


def test_parameters_on_meta_keeps_what_a_parameter_is() -> None:
    with parameters_on_meta():
        layer = nn.Linear(3, 2, dtype=torch.bfloat16)
        layer.bias.requires_grad_(requires_grad=False)
        lazy = nn.LazyLinear(2)
    assert (layer.weight.dtype, layer.weight.shape) == (torch.bfloat16, (2, 3))
    assert not layer.bias.requires_grad
    lazy(torch.zeros(1, 3))
    assert lazy.weight.shape == (2, 3)


def test_a_low_rank_adapter_is_written_like_all_else() -> None:
    """Its parameters stayed uninitialised where a loader returned early after `to_empty`."""

    class Adapter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base = nn.Linear(4, 4)
            self.lora = nn.ParameterDict({"A": torch.empty(2, 4), "B": torch.empty(4, 2)})

    rules = {"lora.A": "normal(0, 0.5)", "lora.B": "zeros"}
    model, eager = on_meta(Adapter), Adapter()
    with pytest.raises(fanin.FaninError, match=r"lora\.A .*\n.*lora\.B"):
        fanin.init_(model, "he_normal")
    fanin.init_(model, "he_normal", 0, rules)
    fanin.init_(eager, "he_normal", 0, rules)
    assert_same(model, eager)
    assert not model.lora["B"].any()


LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "linear": lambda n: nn.Linear(n, n + 1),
    "conv": lambda n: nn.Conv2d(n, 2 * n, 3, groups=n),
    "transposed": lambda n: nn.ConvTranspose1d(n, n + 2, 3, stride=2),
    "embedding": lambda n: nn.Embedding(n + 3, n, padding_idx=n % 3),
    "lstm": lambda n: nn.LSTM(n, n + 1, bidirectional=True),
    "gru cell": lambda n: nn.GRUCell(n, n),
    "attention": lambda n: nn.MultiheadAttention(2 * n, 2, add_bias_kv=True),
    "batch norm": nn.BatchNorm2d,
    "group norm": lambda n: nn.GroupNorm(1, n),
    "bilinear": lambda n: nn.Bilinear(n, n + 1, n + 2),
    "prelu": nn.PReLU,
    "block": lambda n: nn.TransformerDecoderLayer(2 * n, 2, 4 * n),
}


@given(
    names=st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=4),
    size=st.integers(1, 6),
    seed=st.integers(0, 2**64 - 1),
    scheme=st.sampled_from(["lecun_normal", "he_uniform", "torch_default", "orthogonal"]),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    light=st.booleans(),
)
def test_the_same_bits_as_the_eager_model(
    names: list[str], size: int, seed: int, scheme: str, dtype: torch.dtype, light: bool
) -> None:
    def build() -> nn.Module:
        return nn.Sequential(*(LAYERS[name](size) for name in names)).to(dtype)

    rules: dict[str, str] = (
        {"*.bias_[kv]": "normal"} if {"attention"} & set(names) and scheme == "orthogonal" else {}
    )
    eager = build()
    if light:
        with parameters_on_meta():
            model = build()
    else:
        model = on_meta(build)
    plan = fanin.init_(eager, scheme, seed, rules)
    assert fanin.init_(model, scheme, seed, rules).rows == plan.rows
    assert_same(model, eager)
    copied = build()
    copied.load_state_dict(copy.deepcopy(model.state_dict()))
    assert_same(copied, eager)


def test_a_lost_tensor_is_named_with_its_owner() -> None:
    class Holder(nn.Module):
        def __init__(self, values: Tensor) -> None:
            super().__init__()
            self.layer, self.values = nn.Linear(2, 2), {"first": values}

    model = on_meta(lambda: nn.Sequential(Holder(torch.ones(2))))
    with pytest.raises(fanin.FaninError, match=r"0\.values in Holder\. Pass build="):
        fanin.init_(model, "he_normal")
