"""Fans and matrices of a layout against what PyTorch's own layers do."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.linalg import block_diag

from fanin.schemes import Fans, Layout, lecun_normal, variance_scaling

torch = pytest.importorskip("torch")
nn = torch.nn


class Case(NamedTuple):
    """A layer without bias, its weight's layout, an input's shape, and the fans worked out by hand.

    The pixels within `border` of the edge see fewer terms: in the gradients of a convolution and in
    the outputs of a transposed one. Without them a multiple of the stride is left.
    """

    layer: Any
    layout: Layout
    inputs: tuple[int, ...]
    fans: Fans
    border: int = 0


CASES = {
    "linear": Case(nn.Linear(48, 32, bias=False), Layout.linear(), (256, 48), Fans(48, 32)),
    "conv1d": Case(
        nn.Conv1d(12, 20, 5, bias=False), Layout.conv(1), (32, 12, 60), Fans(60, 100), 4
    ),
    "conv2d": Case(
        nn.Conv2d(12, 16, (3, 5), bias=False), Layout.conv(2), (16, 12, 28, 28), Fans(180, 240), 4
    ),
    "conv3d": Case(
        nn.Conv3d(8, 12, 3, bias=False), Layout.conv(3), (8, 8, 12, 12, 12), Fans(216, 324), 2
    ),
    "conv2d strided": Case(
        nn.Conv2d(12, 20, 3, stride=2, bias=False),
        Layout.conv(2, stride=4),
        (16, 12, 41, 43),
        Fans(108, 45),
        2,
    ),
    "conv2d strided unevenly": Case(
        nn.Conv2d(8, 12, (3, 5), stride=(3, 2), bias=False),
        Layout.conv(2, stride=6),
        (16, 8, 51, 39),
        Fans(120, 30),
        6,
    ),
    "conv2d grouped": Case(
        nn.Conv2d(24, 40, 3, groups=4, bias=False),
        Layout.conv(2, groups=4),
        (16, 24, 24, 24),
        Fans(54, 90),
        2,
    ),
    "conv2d depthwise": Case(
        nn.Conv2d(64, 128, 3, groups=64, bias=False),
        Layout.conv(2, groups=64),
        (8, 64, 20, 20),
        Fans(9, 18),
        2,
    ),
    "conv1d transposed": Case(
        nn.ConvTranspose1d(12, 20, 5, bias=False),
        Layout.conv_transpose(1),
        (32, 12, 60),
        Fans(60, 100),
        4,
    ),
    "conv2d transposed, strided": Case(
        nn.ConvTranspose2d(20, 12, 3, stride=2, bias=False),
        Layout.conv_transpose(2, stride=4),
        (16, 20, 20, 21),
        Fans(45, 108),
        2,
    ),
    "conv2d transposed, grouped": Case(
        nn.ConvTranspose2d(32, 24, 4, stride=2, groups=4, bias=False),
        Layout.conv_transpose(2, groups=4, stride=4),
        (16, 32, 20, 20),
        Fans(32, 96),
        4,
    ),
    "conv3d transposed": Case(
        nn.ConvTranspose3d(12, 8, 3, bias=False),
        Layout.conv_transpose(3),
        (8, 12, 10, 10, 10),
        Fans(324, 216),
        2,
    ),
}

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def inner(image: Any, border: int) -> Any:
    """Cut the border off the axes of an image, down to a multiple of every stride here (1 to 3)."""
    if not border:
        return image
    parts = [
        slice(border, border + (size - 2 * border) // 6 * 6 or -border) for size in image.shape[2:]
    ]
    return image[(..., *parts)]


def both_ways(case: Case, weight: Any, inputs: Any, gradient: Any) -> tuple[Any, Any]:
    """Run a layer both ways and return what every term went into: outputs and input gradients."""
    inputs = inputs.clone().requires_grad_()
    outputs = torch.func.functional_call(case.layer, {"weight": weight}, (inputs,))
    outputs.backward(gradient(outputs.detach()))
    if case.layout.transposed:
        return inner(outputs.detach(), case.border), inputs.grad
    return outputs.detach(), inner(inputs.grad, case.border)


@each_case
def test_fans_count_the_terms(case: Case) -> None:
    # With ones everywhere an output is the number of terms summed into it, and the gradient of the
    # sum of all outputs to an input is the number of outputs it reaches.
    weight = torch.ones_like(case.layer.weight)
    outputs, gradients = both_ways(case, weight, torch.ones(case.inputs), torch.ones_like)
    fans = case.layout.fans(tuple(weight.shape))
    assert fans == case.fans
    assert outputs.mean().item() == pytest.approx(fans.fan_in, rel=1e-6)
    assert gradients.mean().item() == pytest.approx(fans.fan_out, rel=1e-6)


@each_case
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_signals_keep_their_variance(case: Case, mode: str) -> None:
    shape = tuple(case.layer.weight.shape)
    scheme = lecun_normal() if mode == "fan_in" else variance_scaling(1, "fan_out", "normal")
    drawn = scheme.values(shape, seed=3, name="layer.weight", layout=case.layout)
    generator = torch.Generator().manual_seed(7)

    def noise(like: Any) -> Any:
        return torch.randn(like.shape, generator=generator)

    inputs = noise(torch.empty(case.inputs))
    outputs, gradients = both_ways(case, torch.from_numpy(drawn), inputs, noise)
    _, width_out, width_in, taps = case.layout.stack(shape)
    if mode == "fan_in":
        signal, fan, reach = outputs, case.fans.fan_in, width_out * taps
    else:
        signal, fan, reach = gradients, case.fans.fan_out, width_in * taps
    # The mean square of N sums y = sum w x has relative variance 2 / weights (from the sum of w^2),
    # 2 reach / (N fan) (from the sum of x^2: N fan terms, and an x is in `reach` of them at most)
    # and 2 k / N (from the products; k for the sums that share terms, at most the taps).
    count = signal.numel()
    spread = math.sqrt(2 / drawn.size + 2 * reach / (count * fan) + 2 * taps / count)
    assert signal.square().mean().item() == pytest.approx(1, abs=5 * spread)
    assert spread < 0.07  # so that a factor of sqrt 2 would be seen


@each_case
def test_matrices_are_the_map_between_channels(case: Case) -> None:
    # On images of one pixel and with only its first tap, a layer is a matrix on channels, with its
    # groups as blocks on the diagonal.
    layer = case.layer.double()
    shape = tuple(layer.weight.shape)
    weight = np.random.default_rng(0).normal(size=shape)
    taps = case.layout.split(weight)
    spatial = len(shape) - 2
    first = torch.from_numpy(weight[(slice(None), slice(None), *[slice(1)] * spatial)].copy())
    pixels = torch.randn(5, case.inputs[1], *[1] * spatial, dtype=torch.float64)
    if not spatial:
        outputs = nn.functional.linear(pixels, first)
    else:
        kind = "conv_transpose" if case.layout.transposed else "conv"
        run = getattr(nn.functional, f"{kind}{spatial}d")
        outputs = run(pixels, first, groups=case.layout.groups)
    matrix = block_diag(*taps[..., 0])
    expected = pixels.reshape(5, -1).numpy() @ matrix.T
    np.testing.assert_allclose(outputs.reshape(5, -1).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_packed_attention_is_three_matrices() -> None:
    attention = nn.MultiheadAttention(24, 4, bias=False)
    weight = torch.ones_like(attention.in_proj_weight)
    inputs = torch.ones(5, 24, requires_grad=True)
    fans = Layout.stacked(3).fans(tuple(weight.shape))
    for part in nn.functional.linear(inputs, weight).chunk(3, dim=-1):
        (gradient,) = torch.autograd.grad(part.sum(), inputs, retain_graph=True)
        assert part.mean().item() == fans.fan_in == 24
        assert gradient.mean().item() == fans.fan_out == 24


def test_gates_of_an_lstm_are_four_matrices() -> None:
    cell = nn.LSTMCell(10, 6, bias=False)
    drawn = lecun_normal().values((24, 10), seed=0, name="w", layout=Layout.stacked(4))
    assert Layout.stacked(4).fans(tuple(cell.weight_ih.shape)) == Fans(10, 6)
    np.testing.assert_array_equal(Layout.stacked(4).split(drawn)[2, :, :, 0], drawn[12:18])


def test_an_embedding_reads_one_row() -> None:
    embedding = nn.Embedding(50, 12, _weight=torch.ones(50, 12))
    fans = Layout.embedding().fans((50, 12))
    assert embedding(torch.tensor([3, 4])).mean().item() == fans.fan_in == 1
    one_hot = torch.eye(50)[:2].requires_grad_()
    (one_hot @ embedding.weight).sum().backward()
    assert one_hot.grad is not None
    assert one_hot.grad.mean().item() == fans.fan_out == 12


def test_a_bilinear_layer_sums_over_pairs() -> None:
    layer = nn.Bilinear(6, 7, 5, bias=False)
    nn.init.ones_(layer.weight)
    layout = Layout(in_axes=(1, 2), out_axes=(0,))
    outputs = layer(torch.ones(2, 6), torch.ones(2, 7))
    assert outputs.mean().item() == layout.fans(tuple(layer.weight.shape)).fan_in == 42


def test_transposed_storage_swaps_the_fans() -> None:
    assert Layout.dense().fans((64, 10)) == Layout.linear().fans((10, 64)) == Fans(64, 10)
