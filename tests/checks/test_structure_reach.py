"""Trained values that are lost, tensors out of the optimiser's sight, gradients that never come."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from checked import alarms, check, codes
from fanin.checks import Severity
from fanin.checks.families.structure import RULES

X, Y = torch.randn(8, 8), torch.randint(0, 2, (8,))


def network():
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))


TRAINED = {name: tensor + 1 for name, tensor in network().state_dict().items()}


def loaded(then):
    model = network()
    model.load_state_dict(TRAINED)
    then(model)
    return model


def sweep(model):
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)


def test_a_sweep_after_the_checkpoint():
    (found,) = [
        one
        for one in check(RULES, lambda: loaded(sweep), X, Y, pretrained=TRAINED)
        if one.code in ("FI708", "FI709")
    ]
    assert (found.code, found.severity) == ("FI709", Severity.ERROR)
    assert set(found.where) == {name for name, _ in network().named_parameters()}
    assert "nn.init.normal_(parameter, std=0.1)" in found.location.text


def test_a_new_head_is_a_remark_and_the_checkpoint_alone_nothing():
    head = check(RULES, lambda: loaded(lambda model: model[3].reset_parameters()), X, Y)
    assert codes(head) == ["info FI709"]
    assert not check(RULES, lambda: loaded(lambda _: None), X, Y, pretrained=TRAINED)


def test_a_checkpoint_that_never_arrived():
    (found,) = check(RULES, network, X, Y, pretrained=TRAINED)
    assert (found.code, found.severity) == ("FI708", Severity.ERROR)
    assert found.facts["lost"] == found.facts["of"] == len(TRAINED) - 1  # the counter is no value


def test_a_part_of_the_checkpoint_is_a_warning():
    def build():
        model = network()
        model.load_state_dict({**TRAINED, "3.bias": torch.zeros(2)})
        return model

    (found,) = check(RULES, build, X, Y, pretrained=TRAINED)
    assert (found.code, found.severity, found.where) == ("FI708", Severity.WARNING, ("3.bias",))


@pytest.mark.parametrize("prefix", ["module.", ""])
def test_a_prefix_and_another_dtype_are_no_loss(prefix):
    half = {f"{prefix}{name}": tensor.to(torch.bfloat16) for name, tensor in TRAINED.items()}
    assert not check(RULES, lambda: loaded(lambda _: None), X, Y, pretrained=half)


def test_a_checkpoint_of_another_model():
    other = {f"encoder{name}": tensor for name, tensor in TRAINED.items()}
    (found,) = check(RULES, lambda: loaded(lambda _: None), X, Y, pretrained=other)
    assert found.title == "checkpoint of another model"


class Gated(nn.Module):
    """A gate that was moved or scaled before it was assigned."""

    def __init__(self, make):
        super().__init__()
        self.fc = nn.Linear(8, 2)
        self.gate = make(nn.Parameter(torch.zeros(8, 2)))

    def forward(self, x):
        return self.fc(x) + x @ self.gate.float()


MADE = {
    "cast": lambda parameter: parameter.to(torch.float64),
    "scaled": lambda parameter: parameter * 0.1,
    "viewed": lambda parameter: parameter.t().t(),
}


@pytest.mark.parametrize("how", MADE)
def test_a_parameter_that_became_a_plain_tensor(how):
    (found,) = alarms(check(RULES, lambda: Gated(MADE[how]), X, Y))
    assert (found.code, found.severity, found.where) == ("FI710", Severity.ERROR, ("gate",))
    assert not alarms(check(RULES, lambda: Gated(lambda p: p), X, Y))


class Listed(nn.Module):
    """Layers in a container, and whatever else is to be kept."""

    def __init__(self, container, **kept):
        super().__init__()
        self.layers = container([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.head = nn.Linear(8, 2)
        for name, value in kept.items():
            setattr(self, name, value)

    def forward(self, x):
        for layer in self.layers:
            x = functional.relu(layer(x))
        self.last = x
        return self.head(x)


def test_a_python_list_hides_its_modules():
    (found,) = alarms(check(RULES, lambda: Listed(list), X, Y))
    assert (found.code, found.severity) == ("FI710", Severity.ERROR)
    assert found.where == ("layers[0]", "layers[1]")
    assert not check(RULES, lambda: Listed(nn.ModuleList), X, Y)


@pytest.mark.parametrize("name", ["semantic", "schemas", "pref_heads"])
def test_a_name_that_only_sounds_like_a_copy(name):
    kept = {name: [nn.Linear(8, 8), nn.Linear(8, 8)]}
    (found,) = alarms(check(RULES, lambda: Listed(nn.ModuleList, **kept), X, Y))
    assert found.where == (f"{name}[0]", f"{name}[1]")


@pytest.mark.parametrize("name", ["ema", "model_ema", "ema_model", "ref_policy", "target_net"])
def test_a_name_that_says_what_a_copy_is_for(name):
    kept = {name: [nn.Linear(8, 8), nn.Linear(8, 8)]}
    assert not check(RULES, lambda: Listed(nn.ModuleList, **kept), X, Y)


def test_a_list_in_a_list_hides_its_modules_too():
    def build():
        return Listed(nn.ModuleList, stages=[[nn.Linear(8, 8)], [nn.Linear(8, 8), nn.ReLU()]])

    (found,) = alarms(check(RULES, build, X, Y))
    assert (found.severity, found.where) == (Severity.ERROR, ("stages[0][0]", "stages[1][0]"))


def test_a_tensor_with_a_gradient_that_never_was_a_parameter_is_a_remark():
    def build():
        model = Listed(nn.ModuleList, points=torch.ones(8, requires_grad=True))
        model.seen = model.points * model.layers[0].weight[0]
        return model

    (found,) = check(RULES, build, X, Y)
    assert (codes([found]), found.where) == (["info FI710"], ("points",))


def test_what_is_kept_on_purpose_is_silent():
    inner = nn.Linear(8, 8)
    frozen = copy.deepcopy(inner).requires_grad_(False)

    def build():
        kept = {"teacher": [inner], "copies": [frozen], "judge": [copy.deepcopy(inner).eval()]}
        model = Listed(nn.ModuleList, **kept)
        model.order = list(model.layers)
        model(X)  # keeps an activation, which requires a gradient
        return model

    assert not check(RULES, build, X, Y)
    (found,) = check(RULES, lambda: Listed(nn.ModuleList, other=[copy.deepcopy(inner)]), X, Y)
    assert codes([found]) == ["warning FI710"]


class Trunk(nn.Module):
    """A trunk and a head, with something between them."""

    def __init__(self, between):
        super().__init__()
        self.between = between
        self.trunk, self.head, self.spare = nn.Linear(8, 8), nn.Linear(8, 2), nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.between(functional.relu(self.trunk(x))))


def test_a_detached_trunk_is_a_warning_and_a_spare_layer_a_remark():
    cut, spare = check(RULES, lambda: Trunk(torch.Tensor.detach), X, Y)
    assert codes([cut, spare]) == ["warning FI711", "info FI711"]
    assert cut.where == ("trunk.weight", "trunk.bias")
    assert spare.where == ("spare.weight", "spare.bias")
    whole = check(RULES, lambda: Trunk(nn.Identity()), X, Y)
    assert codes(whole) == ["info FI711"]
    assert whole[0].where == ("spare.weight", "spare.bias")


def test_a_frozen_trunk_may_be_detached():
    def build():
        model = Trunk(torch.Tensor.detach)
        model.trunk.requires_grad_(False)
        return model

    assert not alarms(check(RULES, build, X, Y))


def test_an_output_that_the_loss_does_not_look_at_is_a_remark():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(8, 2), nn.Linear(8, 3)

        def forward(self, x):
            return self.one(x), self.two(x)

    def loss(outputs, target):
        return functional.cross_entropy(outputs[0], target)

    assert codes(check(RULES, Two, X, Y, loss=loss)) == ["info FI711"]


def test_what_is_made_of_registered_parameters_is_silent():
    def build():
        model = Listed(nn.ModuleList)
        model.shown = model.head.weight * 2
        model.order = [nn.Sequential(model.layers[1]), nn.Sequential(model.layers[0])]
        return model

    assert not check(RULES, build, X, Y)
