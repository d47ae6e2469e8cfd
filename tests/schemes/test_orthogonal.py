"""Orthogonal schemes: lengths kept by the layers themselves, and every matrix equally likely."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fanin.draws import Normal, sample
from fanin.schemes import Layout, delta_orthogonal, looks_linear, orthogonal, scaled_orthogonal

torch = pytest.importorskip("torch")


def drawn(shape: tuple[int, ...], layout: Layout, name: str = "w") -> NDArray[np.float64]:
    array = orthogonal().values(shape, seed=0, name=name, layout=layout, dtype=np.float64)
    return array.astype(np.float64)


def assert_orthogonal(matrix: NDArray[np.float64]) -> None:
    """Check that the rows or the columns, whichever are fewer, are orthonormal."""
    rows, columns = matrix.shape
    gram = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-13)


@pytest.mark.parametrize("shape", [(7, 7), (12, 5), (5, 12), (1, 4), (4, 1), (1, 1)])
def test_linear_and_dense_hold_the_same_orthogonal_numbers(shape: tuple[int, int]) -> None:
    matrix = drawn(shape, Layout.linear())
    assert_orthogonal(matrix)
    np.testing.assert_array_equal(matrix, drawn(shape, Layout.dense()))


def test_blocks_groups_and_batches_are_matrices_of_their_own() -> None:
    fused = drawn((3 * 6, 6), Layout.stacked(3))
    for block in range(3):
        assert_orthogonal(fused[6 * block : 6 * block + 6])
    experts = drawn((4, 5, 8), Layout((2,), (1,), batch_axes=(0,)))
    for expert in experts:
        assert_orthogonal(expert)
    grouped = drawn((8, 3, 5), Layout.conv(1, groups=4))
    for group in range(4):
        assert_orthogonal(grouped[2 * group : 2 * group + 2].reshape(2, 15))
    transposed = drawn((8, 3, 2), Layout.conv_transpose(1, groups=2))
    for group in range(2):
        inputs = transposed[4 * group : 4 * group + 4]
        assert_orthogonal(inputs.swapaxes(0, 1).reshape(3, 8))
    assert not np.allclose(fused[:6], fused[6:12])


def test_kernels_are_flattened_as_in_pytorch() -> None:
    kernel = drawn((8, 3, 2, 2), Layout.conv(2))
    assert_orthogonal(kernel.reshape(8, 12))
    channels_last = drawn((2, 2, 3, 8), Layout((2,), (3,), kernel_axes=(0, 1)))
    assert_orthogonal(channels_last.reshape(12, 8))


def test_the_matrix_is_the_q_of_the_draws() -> None:
    normals = torch.from_numpy(sample(Normal(), 0, "w", (9, 6)).astype(np.float64))
    q, r = torch.linalg.qr(normals)
    expected = (q * torch.sign(torch.diagonal(r))).numpy()
    np.testing.assert_allclose(drawn((9, 6), Layout.linear()), expected, atol=1e-13)
    # Gram and Schmidt by hand: the first column keeps the direction of the draws.
    first = normals[:, 0].numpy()
    np.testing.assert_allclose(drawn((9, 6), Layout.linear())[:, 0], first / np.linalg.norm(first))


def test_every_matrix_is_equally_likely() -> None:
    # For n x n matrices with Haar's measure the trace has mean 0 and variance 1 for n >= 2
    # (Diaconis and Mallows 1986), and half of the determinants are negative. Without the signs of
    # R's diagonal the mean trace is far from 0.
    count = 1500
    stack = drawn((count, 3, 3), Layout((2,), (1,), batch_axes=(0,)))
    traces = np.trace(stack, axis1=1, axis2=2)
    assert abs(traces.mean()) < 5 / math.sqrt(count)
    assert abs((traces**2).mean() - 1) < 5 * math.sqrt(3 / count)  # fourth moment at most 3
    assert abs(np.linalg.det(stack).mean()) < 5 / math.sqrt(count)


def test_gain_multiplies_every_singular_value() -> None:
    scaled = orthogonal(gain=-2).values((6, 4), seed=0, name="w", dtype=np.float64)
    np.testing.assert_allclose(np.linalg.svd(scaled, compute_uv=False), 2, rtol=1e-12)
    np.testing.assert_array_equal(scaled, -2 * drawn((6, 4), Layout.linear()))
    named = orthogonal(gain="relu").values((6, 4), seed=0, name="w", dtype=np.float64)
    np.testing.assert_allclose(np.linalg.svd(named, compute_uv=False), math.sqrt(2), rtol=1e-12)


@pytest.mark.parametrize(("taps", "groups"), [(3, 1), (5, 2), (1, 1)])
def test_a_delta_orthogonal_convolution_keeps_lengths(taps: int, groups: int) -> None:
    layer = torch.nn.Conv2d(
        8, 12, taps, padding="same", padding_mode="circular", groups=groups, bias=False
    ).double()
    kernel = delta_orthogonal().values(
        (12, 8 // groups, taps, taps),
        seed=0,
        name="w",
        layout=Layout.conv(2, groups=groups),
        dtype=np.float64,
    )
    layer.weight = torch.nn.Parameter(torch.from_numpy(kernel))
    images = torch.randn(3, 8, 9, 10, dtype=torch.float64)
    lengths = images.flatten(1).norm(dim=1)
    torch.testing.assert_close(layer(images).flatten(1).norm(dim=1), lengths)


def test_delta_orthogonal_sits_at_the_earlier_centre() -> None:
    kernel = delta_orthogonal().values((3, 3, 4, 5), seed=0, name="w", layout=Layout.conv(2))
    assert kernel[:, :, 1, 2].any()
    kernel[:, :, 1, 2] = 0
    assert not kernel.any()


def test_delta_orthogonal_is_orthogonal_without_a_kernel() -> None:
    plain = delta_orthogonal().values((4, 9), seed=0, name="w", dtype=np.float64)
    np.testing.assert_array_equal(plain, drawn((4, 9), Layout.linear()))


def test_a_network_that_looks_linear_is_linear() -> None:
    sizes = [("outputs", 20, 6), ("both", 20, 20), ("both", 32, 20), ("inputs", 16, 32)]
    layers = [torch.nn.Linear(given, out, bias=False).double() for _, out, given in sizes]
    for place, ((mirror, out, given), layer) in enumerate(zip(sizes, layers, strict=True)):
        weight = looks_linear(mirror=mirror).values(
            (out, given), seed=0, name=f"{place}.weight", dtype=np.float64
        )
        layer.weight = torch.nn.Parameter(torch.from_numpy(weight))
    modules = [module for layer in layers for module in (layer, torch.nn.ReLU())][:-1]
    network = torch.nn.Sequential(*modules)
    x, y = torch.randn(2, 5, 6, dtype=torch.float64)
    torch.testing.assert_close(network(2 * x - 3 * y), 2 * network(x) - 3 * network(y))
    # Q keeps lengths wherever the width does not shrink: 6 -> 10 -> 10 -> 16 -> 16 here.
    torch.testing.assert_close(network(x).norm(dim=1), x.norm(dim=1))


def test_a_convolution_that_looks_linear_follows_a_concatenated_relu() -> None:
    layout = Layout.conv(1)
    kernel = looks_linear(mirror="inputs").values(
        (5, 8, 3), seed=0, name="w", layout=layout, dtype=np.float64
    )
    signal = torch.randn(2, 4, 11, dtype=torch.float64)
    both = torch.cat([torch.relu(signal), torch.relu(-signal)], dim=1)
    weight = torch.from_numpy(kernel)
    left = torch.nn.functional.conv1d(signal, weight[:, :4])
    torch.testing.assert_close(torch.nn.functional.conv1d(both, weight), left)


@pytest.mark.parametrize(
    "layer",
    [
        torch.nn.Linear(512, 128, bias=False),
        torch.nn.Linear(128, 512, bias=False),
        torch.nn.Conv1d(64, 128, 3, padding=1, padding_mode="circular", bias=False),
        torch.nn.Conv1d(64, 16, 3, padding=1, padding_mode="circular", bias=False),
        torch.nn.Conv1d(64, 64, 3, padding=1, padding_mode="circular", groups=64, bias=False),
        torch.nn.ConvTranspose1d(64, 32, 4, stride=2, padding=1, bias=False),
    ],
    ids=str,
)
def test_scaled_orthogonal_keeps_the_second_moment_of_a_unit(layer: Any) -> None:
    from fanin.torch.layouts import layer_layout

    shape = tuple(layer.weight.shape)
    scheme = scaled_orthogonal(gain=1.5)
    layout = layer_layout(layer)
    weight = scheme.values(shape, seed=0, name="w", layout=layout)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        size = layer.weight.shape[1 if isinstance(layer, torch.nn.Linear) else 0]
        torch.manual_seed(0)
        if isinstance(layer, torch.nn.Linear):
            signal = torch.randn(4000, size)
        else:
            signal = torch.randn(60, 64, 64)
        passed = layer(signal)
    # The ends of a transposed convolution see fewer taps: two of 128 positions.
    ratio = (passed**2).mean() / (signal**2).mean()
    assert float(ratio) == pytest.approx(1.5**2, rel=0.03)
    assert scheme.promised(shape=shape, layout=layout).rms == pytest.approx(
        1.5 / math.sqrt(layout.fans(shape).fan_in)
    )
