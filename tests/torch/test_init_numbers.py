"""Without a seed, float32 and float64 numbers are those of `torch.nn.init`, bit for bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import init as torch_init

from fanin.torch import init
from init_cases import Arguments, each_random, each_random_name

View = Callable[[tuple[int, ...]], Tensor]


def transposed(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape[::-1]).permute(*reversed(range(len(shape))))


def strided(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(*shape[:-1], 2 * shape[-1])[..., ::2]


@each_random
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_numbers_of_the_global_generator(
    name: str, shape: tuple[int, ...], arguments: Arguments, dtype: torch.dtype
) -> None:
    torch.manual_seed(42)
    theirs = getattr(torch_init, name)(torch.empty(shape, dtype=dtype), **arguments)
    state = torch.get_rng_state()
    torch.manual_seed(42)
    ours = getattr(init, name)(torch.empty(shape, dtype=dtype), **arguments)
    assert torch.equal(ours, theirs)
    # The next tensor of a model gets torch's numbers too.
    assert torch.equal(torch.get_rng_state(), state)


@each_random
def test_a_given_generator_draws_as_the_global_one(
    name: str, shape: tuple[int, ...], arguments: Arguments
) -> None:
    torch.manual_seed(42)
    by_global = getattr(init, name)(torch.empty(shape), **arguments)
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(42)
    given = getattr(init, name)(torch.empty(shape), generator=generator, **arguments)
    assert torch.equal(given, by_global)
    assert torch.equal(torch.get_rng_state(), state)


@each_random_name
@pytest.mark.parametrize("view", [transposed, strided])
def test_strides_change_what_they_change_in_torch(
    name: str, shape: tuple[int, ...], arguments: Arguments, view: View
) -> None:
    torch.manual_seed(1)
    theirs = getattr(torch_init, name)(view(shape), **arguments)
    torch.manual_seed(1)
    assert torch.equal(getattr(init, name)(view(shape), **arguments), theirs)


@each_random_name
def test_a_mode_changes_no_number(name: str, shape: tuple[int, ...], arguments: Arguments) -> None:
    torch.manual_seed(1)
    plain = getattr(init, name)(torch.empty(shape), **arguments)
    torch.manual_seed(1)
    with torch.device("cpu"):
        assert torch.equal(getattr(init, name)(torch.empty(shape), **arguments), plain)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (0, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.complex64])
def test_eye(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    assert torch.equal(init.eye_(torch.full(shape, 7, dtype=dtype)), torch.eye(*shape, dtype=dtype))


@pytest.mark.parametrize("kernel", [(1,), (3,), (4,), (3, 3), (2, 4), (1, 5), (3, 2, 5)])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_dirac(kernel: tuple[int, ...], groups: int, channels: int) -> None:
    tensor = torch.full((6, channels, *kernel), 7.0)
    assert torch.equal(
        init.dirac_(tensor.clone(), groups), torch_init.dirac_(tensor.clone(), groups)
    )


def test_dirac_leaves_a_signal_as_it_is() -> None:
    conv = torch.nn.Conv2d(6, 6, 3, padding=1, groups=3, bias=False)
    init.dirac_(conv.weight, groups=3)
    signal = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(conv(signal), signal)


@pytest.mark.parametrize("value", [0.0, 1, -2.5, float("inf")])
def test_constants(value: float) -> None:
    assert torch.equal(init.constant_(torch.empty(3, 2), value), torch.full((3, 2), float(value)))
    assert torch.equal(init.ones_(torch.empty(3, 2)), torch.ones(3, 2))
    assert torch.equal(init.zeros_(torch.empty(3, 2)), torch.zeros(3, 2))


def test_a_complex_constant() -> None:
    tensor = init.constant_(torch.empty(2, dtype=torch.complex64), 1 + 2j)
    assert tensor.tolist() == [1 + 2j, 1 + 2j]
