"""The drop-in has every name of `torch.nn.init`, with the same arguments and the same table."""

import inspect
import math

import pytest
import torch
from torch.nn import init as torch_init

from fanin.errors import FaninError
from fanin.torch import init

DEPRECATED = [name for name in torch_init.__all__ if f"{name}_" in torch_init.__all__]
CURRENT = [name for name in torch_init.__all__ if name not in DEPRECATED]
SCALED = ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_")
NONLINEARITIES = [
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
]


def test_the_names_are_those_of_torch() -> None:
    assert sorted(init.__all__) == sorted(torch_init.__all__)


@pytest.mark.parametrize("name", CURRENT)
def test_the_arguments_are_those_of_torch(name: str) -> None:
    theirs = inspect.signature(getattr(torch_init, name)).parameters
    ours = inspect.signature(getattr(init, name)).parameters
    shared = list(ours.values())[: len(theirs)]
    assert [(p.name, p.kind, p.default) for p in shared] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
    added = {p.name: (p.kind, p.default) for p in list(ours.values())[len(theirs) :]}
    names = {"seed", "name"} if "generator" in theirs else set[str]()
    if name in SCALED:
        names |= {"layer"}
    assert added == dict.fromkeys(names, (inspect.Parameter.KEYWORD_ONLY, None))


@pytest.mark.parametrize("name", DEPRECATED)
def test_a_deprecated_name_warns_the_caller_and_obeys(name: str) -> None:
    shape = (3, 3, 3) if name == "dirac" else (3, 3)
    arguments = {"constant": (2.0,), "sparse": (0.5,)}.get(name, ())
    torch.manual_seed(0)
    expected = getattr(init, f"{name}_")(torch.empty(shape), *arguments)
    torch.manual_seed(0)
    # Without the test run's type checker, which would stand between the caller and the warning.
    old = inspect.unwrap(getattr(init, name))
    tensor = torch.empty(shape)
    with pytest.warns(FutureWarning, match=f"deprecated.*{name}_") as caught:
        result = old(tensor, *arguments)
    assert result is tensor
    assert torch.equal(result, expected)
    assert caught[0].filename == __file__
    assert getattr(init, name).__name__ == name
    assert inspect.signature(old).parameters.keys() == {"args", "kwargs"}


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("param", [None, 0, 0.01, 0.2, 10, -1.5])
def test_the_gains_are_those_of_torch(nonlinearity: str, param: float | None) -> None:
    assert init.calculate_gain(nonlinearity, param) == torch_init.calculate_gain(
        nonlinearity,
        param,
    )


def test_the_gains_of_the_papers() -> None:
    """He et al. (2015), equations 10 and 15, by hand."""
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 1) == 1
    assert init.calculate_gain("tanh") == 5 / 3


@pytest.mark.parametrize("param", [True, False])
def test_a_truth_value_is_no_slope(param: bool) -> None:
    with pytest.raises(ValueError, match="not a valid number"):
        torch_init.calculate_gain("leaky_relu", param)
    with pytest.raises(FaninError, match=f"negative slope .* got {param}"):
        init.calculate_gain("leaky_relu", param)


@pytest.mark.parametrize("param", [[1], {"a": "b"}, "0.2"])
def test_other_things_are_no_slope_either(param: object) -> None:
    """Called without the test run's type checker, as a program calls it."""
    with pytest.raises(FaninError, match="negative slope"):
        inspect.unwrap(init.calculate_gain)("leaky_relu", param)


@pytest.mark.parametrize("nonlinearity", ["gelu", "", None, ["relu"]])
def test_an_unknown_nonlinearity_is_refused(nonlinearity: object) -> None:
    with pytest.raises(FaninError, match="torch has no gain"):
        inspect.unwrap(init.calculate_gain)(nonlinearity)


def test_a_misspelt_nonlinearity_gets_a_suggestion() -> None:
    with pytest.raises(FaninError, match='did you mean "leaky_relu"'):
        init.calculate_gain("leakyrelu")
