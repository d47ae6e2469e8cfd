"""`fanin.init_` on a model: same bits wherever they should be, and nothing else is touched."""

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import fanin
from fanin.recipes import assign
from fanin.torch import slots, values

SCHEMES = ["he_normal", "glorot_uniform", "lecun_truncated_normal", "orthogonal", "torch_default"]


class Net(nn.Module):
    """A bit of everything: convolution, norm, embedding with padding, recurrence, attention."""

    def __init__(self, extra: bool = False) -> None:
        super().__init__()
        if extra:
            self.extra = nn.Linear(5, 5)
        self.conv = nn.Conv2d(3, 8, 3, groups=1)
        self.norm = nn.BatchNorm2d(8)
        self.embed = nn.Embedding(11, 8, padding_idx=4)
        self.lstm = nn.LSTM(8, 6, bidirectional=True)
        self.attend = nn.MultiheadAttention(8, 2)
        self.slope = nn.PReLU()
        self.head = nn.Linear(8, 11)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    different = [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]
    assert different == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_start_is_the_recipe_whatever_was_there_before(scheme: str) -> None:
    model = Net()
    fanin.init_(model, scheme, seed=5)
    expected = assign(slots(Net()), scheme).start(5)
    assert_same(weights(model), {name: torch.from_numpy(v) for name, v in expected.items()})
    fanin.init_(model, "normal", seed=1)
    fanin.init_(model, scheme, seed=5)
    assert_same(weights(model), {name: torch.from_numpy(v) for name, v in expected.items()})


def test_seeds_differ_in_all_that_is_drawn() -> None:
    first, second = values(Net(), "he_normal", 0), values(Net(), "he_normal", 1)
    equal = {name for name in first if torch.equal(first[name], second[name])}
    assert equal == {name for name in first if "bias" in name or "norm" in name or "slope" in name}


def test_adding_a_layer_moves_nothing() -> None:
    with_more = values(Net(extra=True), "he_normal")
    assert_same(
        values(Net(), "he_normal"),
        {name: tensor for name, tensor in with_more.items() if not name.startswith("extra")},
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_another_dtype_is_a_cast_of_float32(scheme: str, dtype: torch.dtype) -> None:
    model, cast = Net(), Net().to(dtype)
    fanin.init_(model, scheme, seed=2)
    fanin.init_(cast, scheme, seed=2)
    assert_same(weights(model.to(dtype)), weights(cast))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_gpu_gives_the_same_bits(scheme: str) -> None:
    model, there = Net(), Net().cuda()
    fanin.init_(model, scheme)
    fanin.init_(there, scheme)
    assert_same(weights(model), weights(there.cpu()))


def test_any_memory_layout_holds_the_same_values() -> None:
    plain, last = Net(), Net()
    last.conv.weight = nn.Parameter(torch.empty(8, 3, 3, 3).to(memory_format=torch.channels_last))
    last.head.weight = nn.Parameter(torch.empty(8, 11).T)
    fanin.init_(plain, "he_normal")
    fanin.init_(last, "he_normal")
    assert not last.conv.weight.is_contiguous()
    assert_same(weights(plain), weights(last))


def test_the_padding_row_stays_zero() -> None:
    model = Net()
    for scheme in ("normal", "orthogonal", "constant(3)"):
        plan = fanin.init_(model, "he_normal", rules={"embed.weight": scheme})
        assert not model.embed.weight[4].any()
        assert model.embed.weight[:4].abs().sum(1).all()
        (row,) = (row for row in plan.rows if row.name == "embed.weight")
        assert row.reason == 'rule "embed.weight"; padding row 4 stays zero'


def test_each_gate_and_each_projection_is_a_matrix_of_its_own() -> None:
    model = Net()
    fanin.init_(model, "orthogonal")
    held = dict(model.named_parameters())
    gates = held["lstm.weight_hh_l0_reverse"].chunk(4)
    for block in (*gates, *held["attend.in_proj_weight"].chunk(3)):
        torch.testing.assert_close(block @ block.T, torch.eye(len(block)), rtol=0, atol=1e-5)


def test_nothing_else_is_touched() -> None:
    model = Net()
    model.norm.eval()
    model.conv.weight.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    model.norm.running_mean = torch.full((8,), 3.0)
    calls = list[str]()
    model.head.register_forward_hook(lambda *_: calls.append("hook"))
    objects = dict(model.named_parameters())
    modes = {name: module.training for name, module in model.named_modules()}
    buffers = {name: tensor.clone() for name, tensor in model.named_buffers()}
    plan = fanin.init_(model, "he_normal")

    assert {name: module.training for name, module in model.named_modules()} == modes
    assert_same(dict(model.named_buffers()), buffers)
    assert all(objects[name] is tensor for name, tensor in model.named_parameters())
    assert {name for name, tensor in objects.items() if not tensor.requires_grad} == {"conv.weight"}
    assert all(tensor.grad is None for name, tensor in objects.items() if name != "head.weight")
    assert torch.equal(model.head.weight.grad, torch.ones_like(model.head.weight))
    assert len(model.head._forward_hooks) == 1
    assert calls == []
    (row,) = (row for row in plan.rows if row.name == "conv.weight")
    assert row.reason.endswith("frozen, initialised all the same")
    assert model.conv.weight.std().item() == pytest.approx((2 / 27) ** 0.5, rel=0.25)


RANDOM_STATES = """
import random, numpy, torch, fanin
from torch import nn
def states():
    return random.getstate(), numpy.random.get_state(), torch.get_rng_state()
orthogonal = nn.utils.parametrizations.orthogonal(nn.Linear(3, 4))
model = nn.Sequential(nn.Linear(4, 3), orthogonal, nn.Embedding(3, 3))
before = states()
fanin.init_(model, "orthogonal")
after = states()
assert before[0] == after[0]
assert (before[1][1] == after[1][1]).all() and before[1][2:] == after[1][2:]
assert before[2].equal(after[2])
"""


def test_no_random_state_is_used() -> None:
    """In a process of its own: what checks the types in this one draws from `random` itself."""
    run = subprocess.run([sys.executable, "-c", RANDOM_STATES], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


def test_a_state_dict_carries_the_start() -> None:
    model, copied = Net(), Net()
    fanin.init_(model, "he_normal")
    copied.load_state_dict(model.state_dict())
    assert_same(weights(model), weights(copied))


def test_values_leaves_the_model_alone_and_names_every_parameter() -> None:
    model = Net().to(torch.float64)
    before = weights(model)
    given = values(model, "he_normal", 3, {"head.*": "ones"})
    assert_same(before, weights(model))
    assert list(given) == [name for name, _ in model.named_parameters()]
    fanin.init_(model, "he_normal", 3, {"head.*": "ones"})
    assert_same(given, weights(model))


def test_the_plan_is_what_was_written() -> None:
    model = Net()
    plan = fanin.init_(model, "he_normal", rules={"conv.bias": "normal(0, 0.1)"})
    held = dict(model.named_parameters())
    assert [row.name for row in plan.rows] == list(held)
    for row in plan.rows:
        tensor = held[row.name].detach().flatten()
        # The standard error of a mean is std / sqrt(n), of a std std / sqrt(2 n); five of them.
        error = 5 * row.std / tensor.numel() ** 0.5
        kept = tensor[tensor != 0] if row.slot.zero_row is not None else tensor
        assert kept.mean().item() == pytest.approx(row.mean, abs=error + 1e-7), row.name
        spread = (kept - row.mean).square().mean().sqrt().item()
        assert spread == pytest.approx(row.std, abs=error + 1e-7), row.name


def bad_calls() -> dict[str, tuple[dict[str, Any], str]]:
    return {
        "scheme": ({"scheme": "he_norml"}, 'did you mean "he_normal"'),
        "rule": ({"rules": {"nothing": "zeros"}}, "matches no parameter"),
        "rule's scheme": ({"rules": {"head.*": "zeroes"}}, 'rule "head'),
        "seed": ({"seed": -1}, "seed must lie"),
        "shape": ({"rules": {"head.bias": "orthogonal"}}, "head.bias .* cannot fill"),
    }


@pytest.mark.parametrize("case", bad_calls())
def test_a_failure_changes_nothing(case: str) -> None:
    changed, message = bad_calls()[case]
    model = Net()
    before = copy.deepcopy(model.state_dict())
    arguments: dict[str, Any] = {"scheme": "he_normal"} | changed
    with pytest.raises(fanin.FaninError, match=message):
        fanin.init_(model, **arguments)
    assert_same(model.state_dict(), before)


class Stubborn(nn.Parameter):
    """A parameter that swallows writes."""

    def copy_(self, *_: Any, **__: Any) -> "Stubborn":
        return self


def test_a_write_that_does_not_take_effect_is_an_error() -> None:
    layer = nn.Linear(3, 2)
    layer.weight = Stubborn(torch.zeros(2, 3))
    with pytest.raises(fanin.FaninError, match="weight does not hold what was written"):
        fanin.init_(layer, "he_normal")


class Listener(TorchDispatchMode):
    """Notes the sizes of what torch writes and makes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = list[int]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not func.is_view:
            self.sizes.append(result.numel())
        return result


def test_an_ordinary_parameter_is_drawn_into_its_own_memory() -> None:
    layer, twin = nn.Embedding(300, 300, padding_idx=3), nn.Embedding(300, 300, padding_idx=3)
    expected, where = values(twin, "he_normal", seed=4)["weight"], layer.weight.data_ptr()
    with Listener() as heard:
        fanin.init_(layer, "he_normal", seed=4)
    assert max(heard.sizes, default=0) < 300 * 300, "no copy beside it"
    assert layer.weight.data_ptr() == where
    assert torch.equal(layer.weight, expected)


class Computed(nn.Module):
    """A module whose property stands before its parameter and makes another at every look."""

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("scale", nn.Parameter(torch.zeros(2, 3)))
        self.ready = True

    def __getattribute__(self, name: str) -> Any:
        if name == "scale" and "ready" in vars(self):
            return nn.Parameter(torch.zeros(2, 3))
        return super().__getattribute__(name)


def test_a_parameter_that_is_another_at_every_look_is_an_error() -> None:
    with pytest.raises(fanin.FaninError, match="scale does not hold what was written"):
        fanin.init_(Computed(), "normal", rules={"scale": "normal"})
