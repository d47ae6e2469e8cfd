"""What cannot be initialised is refused by name, and the model stays as it was."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import fanin
from fanin.verbs.init import init_


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (nn.Linear, "got a class; build it first: Linear"),
        (torch.zeros(3), "got a Tensor; for one tensor take fanin.torch.init"),
        (nn.Linear(2, 2).state_dict(), "got a dict"),
        ([nn.Linear(2, 2)], "got a list; wrap the modules in torch.nn.ModuleList"),
        (torch.optim.SGD(nn.Linear(2, 2).parameters()), "got SGD"),
        (None, "takes a torch.nn.Module, got NoneType"),
    ],
)
def test_not_a_module(given: Any, message: str) -> None:
    with pytest.raises(fanin.FaninError, match=message):
        init_(given, "he_normal")


def test_nothing_to_initialise() -> None:
    with pytest.raises(fanin.FaninError, match="Sequential has no parameters to initialise"):
        fanin.init_(nn.Sequential(nn.ReLU()), "he_normal")


def test_a_lazy_layer_has_no_shape_yet() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LazyLinear(5))
    with pytest.raises(fanin.FaninError, match=r"1\.weight has no shape yet.*run the model once"):
        fanin.init_(model, "he_normal")
    model(torch.zeros(2, 3))
    fanin.init_(model, "he_normal")


def parameter(tensor: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)


def sealed() -> nn.Parameter:
    with torch.inference_mode():
        return parameter(torch.zeros(2, 3))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (parameter(torch.empty(0)), "no elements: a placeholder, as DeepSpeed"),
        (parameter(torch.zeros(2, 3, dtype=torch.int8)), "not floating-point numbers"),
        (parameter(torch.zeros(2, 3, dtype=torch.uint8)), "not floating-point.*before quantising"),
        (parameter(torch.zeros(2, 3, dtype=torch.complex64)), "complex numbers, and no scheme"),
        (parameter(torch.zeros(2, 3).to(torch.float8_e4m3fn)), "too few bits"),
        (parameter(torch.zeros(1, 3).expand(2, 3)), "an expanded view"),
        (sealed(), "made in torch.inference_mode"),
    ],
)
def test_a_tensor_that_cannot_hold_a_start(weight: nn.Parameter, message: str) -> None:
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    second.weight = weight
    before = first.weight.clone()
    with pytest.raises(fanin.FaninError, match=rf"cannot initialise b\.weight: {message}"):
        fanin.init_(nn.ModuleDict({"a": first, "b": second}), "he_normal")
    assert torch.equal(before, first.weight)


@pytest.mark.parametrize(
    ("scheme", "dtype"),
    [
        ("constant(1e6)", torch.float16),
        ("normal(0, 2e4)", torch.float16),
        ("uniform(0, 1e39)", torch.float32),
        ("normal(1e39, 1)", torch.float64),
    ],
)
def test_values_beyond_the_dtype_are_refused_before_any_is_written(
    scheme: str, dtype: torch.dtype
) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).to(dtype))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(fanin.FaninError, match=r"1\.weight: .*, and the largest torch\.float"):
        fanin.init_(model, "zeros", rules={"1.weight": scheme})
    assert all(torch.equal(old, model.state_dict()[name]) for name, old in before.items())
    fanin.init_(nn.Linear(2, 2).half(), "normal(0, 9e3)")


def test_overlapping_parameters_would_overwrite_each_other() -> None:
    model: Any = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = nn.Parameter(model[0].weight.detach().T)
    with pytest.raises(fanin.FaninError, match=r"0\.weight and 1\.weight.*same memory"):
        fanin.init_(model, "he_normal")
    model[1].weight = nn.Parameter(model[0].weight.detach()[1:])
    with pytest.raises(fanin.FaninError, match="same memory"):
        fanin.init_(model, "he_normal")


def test_neighbours_in_one_buffer_are_fine() -> None:
    flat = torch.zeros(32)
    model: Any = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[0].weight = nn.Parameter(flat[:16].view(4, 4))
    model[1].weight = nn.Parameter(flat[16:].view(4, 4))
    fanin.init_(model, "he_normal")
    assert flat.view(8, 4).any(1).all()


def test_a_sharded_tensor_is_refused() -> None:
    wrapper = pytest.importorskip("torch.testing._internal.two_tensor").TwoTensor
    model: Any = nn.Sequential(nn.Linear(3, 2))
    model[0].weight = nn.Parameter(wrapper(torch.zeros(2, 3), torch.zeros(2, 3)))
    with pytest.raises(fanin.FaninError, match=r"0\.weight: a tensor of a wrapped kind"):
        fanin.init_(model, "he_normal")


def test_the_public_names_lead_where_they_say() -> None:
    assert {name for name in fanin.__all__ if getattr(fanin, name, None) is None} == set()
    assert {*fanin.__all__, "torch", "studies"} <= set(dir(fanin))
    assert fanin.init_ is init_
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fanin.nothing
    assert {name for name in dir(fanin.torch) if getattr(fanin.torch, name, None) is None} == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fanin.torch.nothing
