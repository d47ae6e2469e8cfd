"""Weights behind parametrisations: the weight that the layer computes with is the one asked for."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize, prune

import fanin
from fanin.torch import slots, values

old_style = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")


def plain(scheme: str, shape: tuple[int, int] = (6, 4)) -> Tensor:
    """The weight that the same layer gets without a parametrisation."""
    outputs, inputs = shape
    return values(nn.Sequential(nn.Linear(inputs, outputs)), scheme, 3)["0.weight"]


def old_weight_norm(layer: nn.Module) -> nn.Module:
    return utils.weight_norm(layer)


@pytest.mark.parametrize("apply", [parametrizations.weight_norm, old_weight_norm])
@pytest.mark.parametrize("scheme", ["he_normal", "orthogonal", "torch_default"])
@old_style
def test_weight_norm(apply: Callable[[nn.Module], nn.Module], scheme: str) -> None:
    model = nn.Sequential(apply(nn.Linear(4, 6)))
    plan = fanin.init_(model, scheme, seed=3)
    expected = plain(scheme)
    layer: Any = model[0]
    torch.testing.assert_close(layer.weight, expected)
    # What the layer computes, not what it shows.
    signal = torch.eye(4)
    torch.testing.assert_close(model(signal) - layer.bias, expected.T)
    originals = dict(model.named_parameters())
    (gain,) = (tensor for tensor in originals.values() if tensor.shape == (6, 1))
    torch.testing.assert_close(gain[:, 0], expected.norm(dim=1))
    assert plan.rows[0].name == "0.weight"
    assert plan.rows[0].reason.endswith("; through weight_norm")


@old_style
def test_a_recurrent_layer_under_weight_norm() -> None:
    model, free = nn.LSTM(4, 6), nn.LSTM(4, 6)
    utils.weight_norm(model, "weight_hh_l0")
    fanin.init_(model, "lecun_normal")
    fanin.init_(free, "lecun_normal")
    signal = torch.randn(5, 2, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model(signal)[0], free(signal)[0])


@pytest.mark.parametrize("apply", [parametrizations.weight_norm, old_weight_norm])
@old_style
def test_weight_norm_cannot_hold_zeros(apply: Callable[[nn.Module], nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(4, 4), apply(nn.Linear(4, 6)))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(fanin.FaninError, match=r"1\.weight: weight_norm cannot give.*rules="):
        fanin.init_(model, "zeros")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("shape", [(5, 5), (6, 4), (4, 6)])
@pytest.mark.parametrize("mapping", ["matrix_exp", "cayley", "householder"])
def test_an_orthogonal_layer_holds_an_orthogonal_scheme(
    shape: tuple[int, int], mapping: str
) -> None:
    layer = nn.Linear(shape[1], shape[0])
    model = nn.Sequential(parametrizations.orthogonal(layer, orthogonal_map=mapping))
    state = torch.get_rng_state()
    plan = fanin.init_(model, "orthogonal", seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(layer.weight, plain("orthogonal", shape))
    assert plan.rows[0].reason.endswith("; through orthogonal")
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.random.fork_rng():
        torch.manual_seed(99)
        fanin.init_(model, "orthogonal", seed=3)
    again = model.state_dict()
    # A non-square matrix is completed at random, and that too belongs to the start.
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())


def test_an_orthogonal_layer_cannot_hold_another_scheme() -> None:
    model = nn.Sequential(parametrizations.orthogonal(nn.Linear(4, 4)), nn.Linear(4, 4))
    with pytest.raises(fanin.FaninError, match=r'orthogonal cannot.*rules={"0.weight": "orth'):
        fanin.init_(model, "he_normal")
    fanin.init_(model, "he_normal", rules={"0.weight": "orthogonal"})


def test_a_map_without_inverse_gets_the_values_as_its_original() -> None:
    layer = parametrizations.orthogonal(
        nn.Linear(4, 4), orthogonal_map="cayley", use_trivialization=False
    )
    model: Any = nn.Sequential(layer)
    plan = fanin.init_(model, "he_normal", seed=3)
    original = model[0].parametrizations.weight.original
    assert torch.equal(original, plain("he_normal", (4, 4)))
    assert "orthogonal has no inverse: these values are its original" in plan.rows[0].reason


def old_spectral_norm(layer: nn.Module) -> nn.Module:
    return utils.spectral_norm(layer)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("apply", [parametrizations.spectral_norm, old_spectral_norm])
def test_spectral_norm_divides_what_was_asked_for_by_its_own_norm(
    apply: Callable[[nn.Module], nn.Module], training: bool
) -> None:
    model: Any = nn.Sequential(apply(nn.Linear(4, 6))).train(training)
    plan = fanin.init_(model, "normal(0, 5)", seed=3)
    weight = plain("normal(0, 5)")
    expected = weight / torch.linalg.matrix_norm(weight, 2)
    assert "spectral_norm divides these values" in plan.rows[0].reason
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    # Fifteen steps of power iteration leave a few percent where singular values are near.
    torch.testing.assert_close(
        model(torch.eye(4)) - model[0].bias, expected.T, rtol=0.05, atol=0.02
    )
    model(torch.ones(3, 4))
    fanin.init_(model, "normal(0, 5)", seed=3)
    again = model.state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    with pytest.raises(fanin.FaninError, match="spectral_norm cannot give"):
        fanin.init_(model, "zeros")


def test_reading_the_slots_does_not_move_the_power_iteration() -> None:
    model = nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 6)))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert [slot.shape for slot in slots(model)] == [(6, 4), (6,)]
    values(model, "he_normal")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_pruned_layer_keeps_its_mask() -> None:
    layer: Any = nn.Linear(4, 6)
    prune.random_unstructured(layer, "weight", 0.5)
    mask = layer.weight_mask.clone()
    plan = fanin.init_(nn.Sequential(layer), "he_normal", seed=3)
    torch.testing.assert_close(layer.weight, plain("he_normal") * mask)
    assert plan.rows[0].reason.endswith("pruned: its mask still holds")


class Symmetric(nn.Module):
    """The upper triangle says it all; torch's own example."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).T


class Doubled(nn.Module):
    """A scale of two, with its inverse."""

    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / 2


class Adapted(nn.Module):
    """A low-rank addition, with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.zeros(1, 4))
        self.up = nn.Parameter(torch.zeros(4, 1))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def test_parametrisations_of_the_person() -> None:
    layer: Any = nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", Doubled())
    fanin.init_(nn.Sequential(layer), "he_normal", seed=3)
    assert torch.equal(layer.weight, plain("he_normal", (4, 4)))
    parametrize.register_parametrization(layer, "weight", Symmetric())
    plan = fanin.init_(nn.Sequential(layer), "he_normal", seed=3)
    assert torch.equal(layer.parametrizations.weight.original, plain("he_normal", (4, 4)))
    assert "Doubled, Symmetric has no inverse" in plan.rows[0].reason


def test_parameters_of_a_parametrisation_are_parameters_too() -> None:
    layer: Any = nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", Adapted())
    with pytest.raises(fanin.FaninError, match=r"parametrizations\.weight\.0\.down"):
        fanin.init_(layer, "he_normal")
    fanin.init_(layer, "he_normal", rules={"*.down": "normal(0, 0.1)", "*.up": "zeros"})
    assert layer.parametrizations.weight[0].down.any()
    with torch.device("meta"):
        blank: Any = nn.Linear(4, 4)
        parametrize.register_parametrization(blank, "weight", Adapted())
    fanin.init_(blank, "he_normal", rules={"*.down": "normal(0, 0.1)", "*.up": "zeros"})
    assert torch.equal(blank.weight, layer.weight)


def test_values_names_the_originals() -> None:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 6)))
    given = values(model, "he_normal", 3)
    assert set(given) == {name for name, _ in model.named_parameters()}
    output = torch.func.functional_call(model, given, torch.eye(4))
    torch.testing.assert_close(output, plain("he_normal").T)
