"""Given the layer, the fans are those of its use: the signal keeps its size through the real layer.

The mean square of the result has two sources of error. Over N independent normal weights, sum(w^2)
has a relative spread of sqrt(2 / N), less for uniform ones. Over M standard normal inputs, given
the weights, the spread is sqrt(2 (1 + r) / M), where 1 + r is the second moment of the squared
singular values (Marchenko-Pastur) and r, the ratio of the sides of the matrix, is at most 2 here.
Five sigmas of the two together are the tolerance.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import init as torch_init

from fanin.errors import FaninError
from fanin.torch import init


def signal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def mean_square(values: Tensor) -> float:
    return values.detach().double().square().mean().item()


def tolerance(layer: Any, inputs: Sequence[int]) -> float:
    return 5 * math.sqrt(2 / layer.weight.numel() + 6 / math.prod(inputs))


Around = partial(nn.Conv2d, bias=False, padding_mode="circular", padding=1)
"""A convolution on a torus, where no position lacks neighbours."""

LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(200, 300, bias=False), (400, 200), (400, 300)),
    "plain": (lambda: Around(32, 64, (3, 3)), (20, 32, 16, 16), (20, 64, 16, 16)),
    "grouped": (lambda: Around(64, 64, 3, groups=4), (20, 64, 16, 16), (20, 64, 16, 16)),
    "depthwise": (lambda: Around(256, 512, 3, groups=256), (4, 256, 16, 16), (4, 512, 16, 16)),
    "strided": (
        lambda: Around(32, 64, 4, stride=2, groups=2),
        (20, 32, 32, 32),
        (20, 64, 16, 16),
    ),
}
each_layer = pytest.mark.parametrize(
    ("build", "inputs", "outputs"), list(LAYERS.values()), ids=list(LAYERS)
)


@each_layer
@pytest.mark.parametrize("name", ["kaiming_normal_", "kaiming_uniform_"])
def test_fan_in_keeps_the_variance_forwards(
    build: Callable[[], Any], inputs: tuple[int, ...], outputs: tuple[int, ...], name: str
) -> None:
    layer = build()
    fill = getattr(init, name)
    fill(layer.weight, nonlinearity="linear", seed=0, name="weight", layer=layer)
    result = layer(signal(*inputs))
    assert result.shape == outputs
    assert mean_square(result) == pytest.approx(1, rel=tolerance(layer, inputs))


@each_layer
@pytest.mark.parametrize("name", ["kaiming_normal_", "kaiming_uniform_"])
def test_fan_out_keeps_the_variance_backwards(
    build: Callable[[], Any], inputs: tuple[int, ...], outputs: tuple[int, ...], name: str
) -> None:
    layer = build()
    fill = getattr(init, name)
    fill(layer.weight, mode="fan_out", nonlinearity="linear", seed=0, name="weight", layer=layer)
    given = signal(*inputs).requires_grad_()
    layer(given).backward(signal(*outputs))
    assert given.grad is not None
    assert mean_square(given.grad) == pytest.approx(1, rel=tolerance(layer, outputs))


@pytest.mark.parametrize("name", ["xavier_normal_", "xavier_uniform_"])
@pytest.mark.parametrize("groups", [1, 8, 512])
def test_xavier_keeps_the_variance_of_a_grouped_convolution(name: str, groups: int) -> None:
    """With as many outputs as inputs Glorot's compromise is exact both ways."""
    layer: Any = Around(512, 512, 3, groups=groups)
    inputs = (2, 512, 8, 8)
    getattr(init, name)(layer.weight, seed=0, name="weight", layer=layer)
    assert mean_square(layer(signal(*inputs))) == pytest.approx(1, rel=tolerance(layer, inputs))
    from_shape = getattr(init, name)(torch.empty_like(layer.weight), seed=0, name="weight")
    ratio = layer.weight.std().item() / from_shape.std().item()
    # From the shape alone torch counts the output channels of all groups.
    assert ratio == pytest.approx(math.sqrt((1 + groups) / 2))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_transposed_convolution(stride: int) -> None:
    layer: Any = nn.ConvTranspose2d(48, 96, 4, stride=stride, bias=False)
    init.kaiming_normal_(layer.weight, nonlinearity="linear", seed=0, name="weight", layer=layer)
    inputs = (8, 48, 20, 20)
    # At the edges fewer inputs meet.
    inside = layer(signal(*inputs))[..., 4:-4, 4:-4]
    assert mean_square(inside) == pytest.approx(1, rel=tolerance(layer, inputs))


def test_fused_attention_is_three_matrices() -> None:
    attention = nn.MultiheadAttention(64, 4)
    weight = init.xavier_uniform_(
        attention.in_proj_weight, seed=0, name="in_proj_weight", layer=attention
    )
    assert weight.shape == (192, 64)
    # The bound of one 64 x 64 matrix is sqrt(6 / 128); 12 288 values come within a thousandth.
    assert weight.abs().max().item() == pytest.approx(math.sqrt(6 / 128), rel=1e-3)


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
def test_the_gates_of_a_recurrent_layer(kind: Any, gates: int) -> None:
    layer = kind(50, 30)
    weight = init.xavier_uniform_(layer.weight_ih_l0, seed=0, name="w", layer=layer)
    assert weight.shape == (gates * 30, 50)
    assert weight.abs().max().item() == pytest.approx(math.sqrt(6 / 80), rel=3e-3)


def test_an_embedding_reads_one_row() -> None:
    layer = nn.Embedding(1000, 64)
    init.kaiming_normal_(layer.weight, nonlinearity="linear", seed=0, name="w", layer=layer)
    tokens = torch.arange(1000)
    assert mean_square(layer(tokens)) == pytest.approx(1, rel=5 * math.sqrt(2 / 64_000))


@pytest.mark.parametrize(
    "name", ["kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"]
)
def test_a_plain_layer_changes_nothing(name: str) -> None:
    for layer in (nn.Linear(20, 30), nn.Conv2d(4, 8, 3)):
        torch.manual_seed(0)
        from_shape = getattr(init, name)(torch.empty_like(layer.weight))
        torch.manual_seed(0)
        assert torch.equal(getattr(init, name)(layer.weight, layer=layer), from_shape)


@pytest.mark.parametrize("shape", [(3, 4), (8, 4, 3, 3), (2, 0), (1, 2, 3)])
def test_the_private_helpers_that_layers_in_the_wild_call(shape: tuple[int, ...]) -> None:
    tensor = torch.empty(shape)
    fans = torch_init._calculate_fan_in_and_fan_out(tensor)
    assert init._calculate_fan_in_and_fan_out(tensor) == fans
    assert (
        init._calculate_correct_fan(tensor, "fan_in"),
        init._calculate_correct_fan(tensor, "fan_out"),
    ) == fans


def test_the_parameter_is_found_by_identity_memory_or_shape() -> None:
    conv = nn.Conv2d(8, 8, 3, groups=8)
    expected = math.sqrt(2 / 18)
    arguments: dict[str, Any] = {"seed": 0, "name": "w", "layer": conv}
    for weight in (conv.weight, conv.weight.data, torch.empty(8, 1, 3, 3)):
        filled = init.xavier_normal_(weight, **arguments)
        # 72 values: five sigmas are 5 / sqrt(144).
        assert filled.std().item() == pytest.approx(expected, rel=5 / 12)
    assert init.xavier_normal_(conv.weight.to("meta"), **arguments).is_meta


def test_a_tensor_that_is_not_the_layer_s() -> None:
    layer = nn.Linear(3, 4)
    with pytest.raises(FaninError, match=r"layer=Linear.*\(2, 2\).*weight \(4, 3\), bias \(4,\)"):
        init.xavier_normal_(torch.empty(2, 2), layer=layer)
    with pytest.raises(FaninError, match=r"own parameters are: none"):
        init.kaiming_normal_(torch.empty(2, 2), layer=nn.Sequential(nn.Linear(2, 2)))
    twins: Any = nn.LSTM(30, 30)
    with pytest.raises(FaninError, match="Pass the parameter itself"):
        init.xavier_normal_(torch.empty(120, 30), layer=twins)
    init.xavier_normal_(twins.weight_hh_l0, layer=twins)


def test_a_parameter_without_fans() -> None:
    for layer in (nn.LayerNorm([3, 3]), nn.Linear(3, 3)):
        parameter = layer.weight if isinstance(layer, nn.LayerNorm) else layer.bias
        before = parameter.clone()
        with pytest.raises(FaninError, match="no layout for"):
            init.kaiming_normal_(parameter, layer=layer)
        assert torch.equal(parameter, before)
