"""Identity, Dirac, noise and Hadamard against PyTorch, SciPy and the layers themselves."""

import numpy as np
import pytest
from scipy.linalg import hadamard as sylvester

from fanin.draws import Normal, sample
from fanin.schemes import Layout, dirac, eye, hadamard, identity_plus_noise

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3)])
def test_eye_is_pytorch_s(shape: tuple[int, int]) -> None:
    theirs = torch.nn.init.eye_(torch.empty(shape)).numpy()
    for layout in (None, Layout.linear(), Layout.dense()):
        np.testing.assert_array_equal(eye().values(shape, seed=0, name="w", layout=layout), theirs)


def test_eye_fills_every_block() -> None:
    fused = eye(gain=2).values((6, 3), seed=0, name="w", layout=Layout.stacked(2))
    np.testing.assert_array_equal(fused, np.concatenate([2 * np.eye(3), 2 * np.eye(3)]))


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("shape", [(6, 4, 3), (9, 5, 3, 4), (3, 5, 2, 3, 3)])
def test_dirac_is_pytorch_s(shape: tuple[int, ...], groups: int) -> None:
    theirs = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
    plain = Layout.conv(len(shape) - 2)
    grouped = Layout.conv(len(shape) - 2, groups=groups)
    for scheme, layout in ((dirac(groups), plain), (dirac(), grouped), (dirac(groups), grouped)):
        np.testing.assert_array_equal(scheme.values(shape, seed=0, name="w", layout=layout), theirs)


def test_dirac_passes_an_image_on() -> None:
    for layer, layout in (
        (torch.nn.Conv2d(6, 6, 3, padding=1, bias=False), Layout.conv(2)),
        (torch.nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), Layout.conv(2, groups=6)),
        (torch.nn.ConvTranspose2d(6, 6, 3, padding=1, bias=False), Layout.conv_transpose(2)),
        (
            torch.nn.ConvTranspose2d(6, 6, 3, padding=1, groups=2, bias=False),
            Layout.conv_transpose(2, groups=2),
        ),
    ):
        drawn = dirac().values(tuple(layer.weight.shape), seed=0, name="w", layout=layout)
        layer.weight = torch.nn.Parameter(torch.from_numpy(drawn))
        image = torch.randn(2, 6, 8, 8)
        torch.testing.assert_close(layer(image), image)


@pytest.mark.parametrize("layout", [Layout.conv(1), Layout((1,), (2,), kernel_axes=(0,))])
def test_noise_is_added_to_the_identity(layout: Layout) -> None:
    shape = (3, 4, 4)
    noisy = identity_plus_noise(std=0.5, gain=2).values(shape, seed=1, name="w", layout=layout)
    noise = np.asarray(sample(Normal(0.0, 0.5), 1, "w", shape), np.float32)
    still = identity_plus_noise(std=0, gain=2).values(shape, seed=1, name="w", layout=layout)
    np.testing.assert_allclose(noisy - noise, still, atol=1e-6)
    np.testing.assert_array_equal(still, 2 * dirac().values(shape, seed=1, name="w", layout=layout))


@pytest.mark.parametrize("shape", [(8, 3), (8, 8), (5, 4), (6, 1), (17, 9), (16, 15), (3, 8)])
def test_hadamard_is_the_corner_of_sylvester_s(shape: tuple[int, int]) -> None:
    outputs, inputs = shape
    ours = hadamard().values(shape, seed=0, name="w", dtype=np.float64)
    if outputs <= inputs:
        np.testing.assert_array_equal(ours, np.eye(outputs, inputs))
        return
    side = next(2**power for power in range(20) if 2**power >= outputs)
    expected = sylvester(side)[:outputs, :inputs] / np.sqrt(side)
    np.testing.assert_allclose(ours, expected, rtol=1e-15)
    if outputs == side:
        np.testing.assert_allclose(ours.T @ ours, np.eye(inputs), atol=1e-15)


@pytest.mark.parametrize("outputs", [2, 3, 4, 5, 31, 32, 33, 100])
def test_moments_of_hadamard_are_exact(outputs: int) -> None:
    for inputs in {1, 2, 3, outputs // 2, outputs - 1} - {0, outputs}:
        shape = (outputs, inputs)
        ours = hadamard(gain=3).values(shape, seed=0, name="w", dtype=np.float64)
        promised = hadamard(gain=3).promised(shape=shape)
        assert promised.mean == pytest.approx(ours.mean(), abs=1e-12)
        assert promised.std == pytest.approx(ours.std(), abs=1e-12)


def test_hadamard_of_a_convolution_sits_at_the_centre() -> None:
    kernel = hadamard().values((4, 2, 3, 3), seed=0, name="w", layout=Layout.conv(2))
    np.testing.assert_array_equal(kernel[:, :, 1, 1], hadamard().values((4, 2), seed=0, name="w"))
    assert np.count_nonzero(kernel) == 8
