"""Models built on the meta device: given memory, and the same bits as if built on the CPU."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations

import fanin


class Tied(nn.Module):
    """An embedding that is also the head, with a norm that keeps statistics between."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 8, padding_idx=0)
        self.norm = nn.BatchNorm1d(8)
        self.lstm = nn.LSTM(8, 8, num_layers=2)
        self.attend = nn.MultiheadAttention(8, 2)
        self.head = nn.Linear(8, 12, bias=False)
        self.head.weight = self.embed.weight


class Rotary(nn.Module):
    """A constant that only the constructor knows, and that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("inv_freq", 10000.0 ** (-torch.arange(4) / 4), persistent=False)
        self.project = nn.Linear(8, 8)


def on_meta(build: Callable[[], nn.Module]) -> Any:
    with torch.device("meta"):
        return build()


@pytest.mark.parametrize("scheme", ["lecun_normal", "orthogonal", "torch_default"])
def test_the_same_bits_as_on_the_cpu(scheme: str) -> None:
    model, eager = on_meta(Tied), Tied()
    kept = model.attend
    plan = fanin.init_(model, scheme, seed=4)
    assert plan.rows == fanin.init_(eager, scheme, seed=4).rows
    assert plan.done == ("15 parameters had no memory (meta device) and got some on the CPU",)
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    state = model.state_dict()
    assert state.keys() == eager.state_dict().keys()
    assert all(torch.equal(tensor, state[name]) for name, tensor in eager.state_dict().items())
    assert model.head.weight is model.embed.weight
    assert model.attend is kept
    assert model.norm.running_var.tolist() == [1.0] * 8
    signal = torch.randn(5, 2, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model.lstm(signal)[0], eager.lstm(signal)[0])


def test_what_a_parameter_is_stays() -> None:
    model = on_meta(Tied).to(torch.bfloat16)
    model.embed.weight.requires_grad_(False)
    model.embed.weight.tensor_parallel = True
    fanin.init_(model, "lecun_normal")
    assert model.embed.weight.dtype is torch.bfloat16
    assert not model.embed.weight.requires_grad
    assert model.embed.weight.tensor_parallel
    assert model.lstm.weight_hh_l1.requires_grad


def test_half_of_a_model_on_meta() -> None:
    model = nn.Sequential(nn.Linear(4, 4), on_meta(lambda: nn.Linear(4, 4)))
    first = model[0].weight
    fanin.init_(model, "he_normal")
    eager = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    fanin.init_(eager, "he_normal")
    assert model[0].weight is first
    assert all(map(torch.equal, model.parameters(), eager.parameters()))


def test_values_of_a_meta_model() -> None:
    model = on_meta(Tied)
    given = fanin.torch.values(model, "lecun_normal", 4)
    assert model.embed.weight.is_meta
    eager = Tied()
    fanin.init_(eager, "lecun_normal", seed=4)
    assert all(torch.equal(given[name], tensor) for name, tensor in eager.named_parameters())


def test_a_buffer_that_only_the_constructor_knows_is_named() -> None:
    model = on_meta(lambda: nn.ModuleDict({"rope": Rotary(), "other": nn.Linear(2, 2)}))
    with pytest.raises(fanin.FaninError, match=r"rope\.inv_freq in Rotary.*Pass build="):
        fanin.init_(model, "he_normal")
    assert all(tensor.is_meta for tensor in model.parameters())
    model["rope"].inv_freq = torch.ones(4)
    fanin.init_(model, "he_normal")
    assert not model["rope"].project.weight.is_meta


class Pair(NamedTuple):
    """A tuple that takes its items one by one."""

    decayed: nn.Parameter
    other: Any


CONTAINERS: list[Callable[[nn.Parameter], Any]] = [
    lambda weight: [weight, 3],
    lambda weight: (weight, None),
    lambda weight: {"decayed": weight, "rate": 0.1},
    lambda weight: Pair(weight, 3),
]


@pytest.mark.parametrize("contain", CONTAINERS, ids=["list", "tuple", "dict", "named tuple"])
def test_a_plain_list_of_parameters_gets_the_new_ones(contain: Any) -> None:
    """As the plain dict beside a `ParameterDict` that torchrec's reset left on the meta device."""
    model = on_meta(lambda: nn.Sequential(nn.Linear(2, 2)))
    model.groups = contain(model[0].weight)
    kind = type(model.groups)
    fanin.init_(model, "he_normal")
    assert type(model.groups) is kind
    first, second = model.groups.values() if isinstance(model.groups, dict) else model.groups
    assert first is model[0].weight
    assert not first.is_meta
    assert second in (3, None, 0.1)
    assert "groups" not in dict(model.named_parameters())


@pytest.mark.parametrize("container", [list, tuple, lambda items: dict(enumerate(items))])
def test_a_plain_list_of_lost_tensors_is_named(container: Any) -> None:
    model = on_meta(lambda: nn.Sequential(nn.Linear(2, 2)))
    model.tables = container([torch.empty(3, device="meta")])
    with pytest.raises(fanin.FaninError, match="tables in Sequential"):
        fanin.init_(model, "he_normal")


@pytest.mark.parametrize(
    "wrap",
    [
        utils.weight_norm,
        utils.spectral_norm,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
    ],
    ids=["old weight norm", "old spectral norm", "weight norm", "spectral norm"],
)
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_a_parametrised_layer(wrap: Callable[[nn.Module], nn.Module]) -> None:
    model = on_meta(lambda: nn.Sequential(wrap(nn.Linear(4, 6))))
    eager = nn.Sequential(wrap(nn.Linear(4, 6)))
    fanin.init_(model, "he_normal", seed=1)
    fanin.init_(eager, "he_normal", seed=1)
    state = model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in eager.state_dict().items())
    assert torch.equal(model.eval()(torch.eye(4)), eager.eval()(torch.eye(4)))


def test_a_parametrisation_that_meta_breaks_is_told() -> None:
    """torch's `orthogonal` keeps a base that is not there when it was made without numbers."""
    model = on_meta(lambda: nn.Sequential(parametrizations.orthogonal(nn.Linear(6, 4))))
    with pytest.raises(fanin.FaninError, match="weight of Linear cannot be computed by orthogonal"):
        fanin.init_(model, "orthogonal")
