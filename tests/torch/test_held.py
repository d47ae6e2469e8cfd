"""`held` against NumPy on the whole tensor, in every way a layer can keep its weight."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.nn.utils import parametrizations, prune

import fanin
from fanin.recipes import Held
from fanin.torch.held import BLOCK, held


def assert_moments(moments: Held, values: Tensor) -> None:
    """Both are sums in float64, in another order: a few units in the last place."""
    numbers = values.detach().double().numpy()
    assert moments.shape == numbers.shape
    assert moments.mean == pytest.approx(numbers.mean(), rel=1e-12, abs=1e-15)
    assert moments.std == pytest.approx(numbers.std(), rel=1e-12, abs=1e-15)
    assert (moments.minimum, moments.maximum) == (numbers.min(), numbers.max())
    assert moments.finite


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_any_dtype(dtype: torch.dtype) -> None:
    model = nn.Sequential(nn.Linear(30, 20), nn.BatchNorm1d(20)).to(dtype)
    fanin.init_(model, "he_normal", rules={"0.bias": "normal(100, 0.01)"})
    moments = held(model)
    assert list(moments) == [name for name, _ in model.named_parameters()]
    for name, tensor in model.named_parameters():
        assert_moments(moments[name], tensor)


def test_more_than_a_block_in_any_layout() -> None:
    sizes = (3, 7, BLOCK // 16)
    model: Any = nn.Module()
    numbers = torch.arange(21 * BLOCK // 16, dtype=torch.float32).reshape(sizes)
    # Blocks of different means, so that merging them matters.
    model.plain = nn.Parameter(numbers.sin() + 4 * numbers / BLOCK)
    model.turned = nn.Parameter(numbers.cos().permute(2, 0, 1))
    model.cut = nn.Parameter(numbers.sin()[:, ::2, 5:])
    moments = held(model)
    for name, tensor in model.named_parameters():
        assert_moments(moments[name], tensor)


WRAPPED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight norm": utils.weight_norm,
    "old spectral norm": utils.spectral_norm,
    "pruned": lambda layer: prune.random_unstructured(layer, "weight", 0.5),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_the_values_are_those_the_layer_computes_with(name: str) -> None:
    layer: Any = WRAPPED[name](nn.Linear(6, 5))
    with torch.no_grad():
        # What the hooks leave behind in `weight` is stale now.
        for parameter in layer.parameters():
            parameter.mul_(1.5)
    state = {key: tensor.clone() for key, tensor in layer.state_dict().items()}
    moments = held(nn.Sequential(layer))
    assert all(torch.equal(state[key], tensor) for key, tensor in layer.state_dict().items())
    used = (layer.eval()(torch.eye(6)) - layer.bias).T
    (kernel,) = (moments[key] for key in moments if key == "0.weight")
    # The output is rounded to float32, and so is the difference to the bias.
    assert kernel.std == pytest.approx(used.detach().double().std(correction=0).item(), rel=1e-5)
    assert kernel.maximum == pytest.approx(used.max().item(), rel=1e-5)


def test_a_tied_weight_is_read_once() -> None:
    model: Any = nn.ModuleDict({"embed": nn.Embedding(5, 4), "head": nn.Linear(4, 5)})
    model["head"].weight = model["embed"].weight
    assert list(held(model)) == ["embed.weight", "head.bias"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_told(bad: float) -> None:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.weight[1, 1] = bad
    moments = held(layer)["weight"]
    assert not moments.finite
    assert np.isnan([moments.mean, moments.std]).all()
    assert (moments.minimum, moments.maximum) == (min(2.0, bad), max(2.0, bad))


def test_no_values_at_all() -> None:
    moments = held(nn.Sequential(nn.Linear(1, 1), nn.ParameterList([torch.zeros(0)])))["1.0"]
    assert np.isnan([moments.mean, moments.std, moments.minimum, moments.maximum]).all()
    with torch.device("meta"), pytest.raises(fanin.FaninError, match="weight cannot be read"):
        held(nn.Linear(2, 2))


MEMORY = """
import resource, torch
from torch import nn
from fanin.torch.held import held
model = nn.Embedding(60_000, 1_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
held(model)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_reading_costs_no_memory() -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    # The table takes 240 MB, in float64 480; a block and what is computed of it take 40.
    assert int(run.stdout) < 100_000, "kilobytes"
