"""Layouts as bookkeeping: matrices out of tensors and back, and what is refused."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.schemes import Fans, Layout
from scheme_cases import TENSORS

each_tensor = pytest.mark.parametrize(("layout", "shape"), TENSORS.values(), ids=TENSORS)


@each_tensor
def test_join_undoes_split(layout: Layout, shape: tuple[int, ...]) -> None:
    tensor = np.arange(np.prod(shape)).reshape(shape)
    matrices = layout.split(tensor)
    assert matrices.shape == layout.stack(shape)
    np.testing.assert_array_equal(layout.join(matrices, shape), tensor)


def test_matrices_one_element_at_a_time() -> None:
    tensor = np.arange(3 * 8 * 2 * 5).reshape(3, 8, 2, 5)
    # (kernel, two stacked blocks of 4 outputs, batch, inputs)
    layout = Layout(in_axes=(3,), out_axes=(1,), batch_axes=(2,), kernel_axes=(0,), blocks=2)
    matrices = layout.split(tensor)
    assert matrices.shape == (4, 4, 5, 3)
    for batch in range(2):
        for block in range(2):
            for output in range(4):
                for given in range(5):
                    for tap in range(3):
                        assert (
                            matrices[2 * batch + block, output, given, tap]
                            == tensor[tap, 4 * block + output, batch, given]
                        )


def test_groups_of_a_transposed_convolution_lie_along_the_inputs() -> None:
    tensor = np.arange(6 * 2 * 3).reshape(6, 2, 3)
    matrices = Layout.conv_transpose(1, groups=3).split(tensor)
    for group in range(3):
        np.testing.assert_array_equal(
            matrices[group], tensor[2 * group : 2 * group + 2].swapaxes(0, 1)
        )


def test_several_axes_multiply() -> None:
    assert Layout((0,), (1, 2)).fans((48, 4, 32)) == Fans(48, 128)
    assert Layout((0, 1), (2,)).fans((4, 32, 48)) == Fans(128, 48)
    assert Layout((), (3,), (2,), (0, 1)).fans((3, 3, 128, 4)) == Fans(9, 36)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Layout((0,), (0,)), "names every axis of the tensor once"),
        (lambda: Layout((2,), (0,)), "names every axis of the tensor once"),
        (lambda: Layout((-1,), (0,)), "names every axis of the tensor once"),
        (lambda: Layout((1,), (0,), groups=0), "groups must be at least 1, got 0"),
        (lambda: Layout.stacked(0), "blocks must be at least 1, got 0"),
        (lambda: Layout.conv(2, stride=0), "stride must be at least 1, got 0"),
        (lambda: Layout((1,), (0,), groups=2, blocks=3), "groups=2, blocks=3"),
        (lambda: Layout((0,), (), blocks=2), "need an axis to lie along"),
        (lambda: Layout.linear().fans((3,)), "for a tensor with 2 axes, got shape (3,)"),
        (lambda: Layout.stacked(3).fans((10, 4)), "axis 0 of shape (10, 4) cannot be cut into 3"),
        (lambda: Layout.conv(1, groups=3).fans((4, 2, 3)), "into 3 equal groups"),
        (lambda: Layout.conv_transpose(1, 3).fans((4, 3, 3)), "axis 0 of shape (4, 3, 3)"),
        (lambda: Layout.vector().fans((5,)), "nothing is summed over in a tensor of shape (5,)"),
        (lambda: Fans(-1, 2), "fan_in must be a finite number, 0 or more, got -1"),
        (lambda: Fans(1, float("inf")), "fan_out must be a finite number, 0 or more, got inf"),
    ],
    ids=range(15),
)
def test_what_makes_no_sense_is_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(FaninError, match=re.escape(message)):
        build()


def test_means_of_fans() -> None:
    assert Fans(4, 16).mean == 10
    assert Fans(4, 16).geometric == 8
    assert Fans(4, 16) == Fans(4.0, 16.0)
