"""Every kind of tensor: dtypes, gradients, versions, the meta device, subclasses, complex ones."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import init as torch_init
from torch.testing._internal.two_tensor import TwoTensor

from fanin.errors import FaninError
from fanin.torch import init
from init_cases import Arguments, each_random_name

FIXED: list[tuple[str, tuple[int, ...], Arguments]] = [
    ("constant_", (3, 4), {"val": 2.0}),
    ("ones_", (3, 4), {}),
    ("zeros_", (3, 4), {}),
    ("eye_", (3, 4), {}),
    ("dirac_", (3, 4, 2), {}),
]
each_fixed = pytest.mark.parametrize(("name", "shape", "arguments"), FIXED)
with_and_without_seed = pytest.mark.parametrize("key", [{}, {"seed": 0, "name": "w"}])


def check_in_place(fill: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> None:
    """A leaf that asks for gradients is written, returned, and counted as changed."""
    weight = torch.full(shape, math.nan, requires_grad=True)
    product = (weight * weight).sum()
    version = weight._version
    assert fill(weight) is weight
    assert weight.isfinite().all()
    assert weight.is_leaf
    assert weight.requires_grad
    assert weight.grad_fn is None
    assert weight._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


@each_fixed
def test_fixed_values_in_place(name: str, shape: tuple[int, ...], arguments: Arguments) -> None:
    check_in_place(lambda weight: getattr(init, name)(weight, **arguments), shape)


@each_random_name
@with_and_without_seed
def test_random_values_in_place(
    name: str, shape: tuple[int, ...], arguments: Arguments, key: Arguments
) -> None:
    check_in_place(lambda weight: getattr(init, name)(weight, **arguments, **key), shape)


@each_random_name
@with_and_without_seed
def test_a_view_writes_into_its_base(
    name: str, shape: tuple[int, ...], arguments: Arguments, key: Arguments
) -> None:
    base = torch.zeros(shape[0] + 2, *shape[1:])
    getattr(init, name)(base[1:-1], **arguments, **key)
    assert (base[0] == 0).all()
    assert (base[-1] == 0).all()
    assert (base[1:-1] != 0).any()


@each_random_name
@with_and_without_seed
def test_a_meta_tensor_stays_and_draws_nothing(
    name: str, shape: tuple[int, ...], arguments: Arguments, key: Arguments
) -> None:
    tensor = torch.empty(shape, device="meta")
    torch.manual_seed(0)
    state = torch.get_rng_state()
    assert getattr(init, name)(tensor, **arguments, **key) is tensor
    assert tensor.is_meta
    assert torch.equal(torch.get_rng_state(), state)


@each_fixed
def test_fixed_values_on_meta(name: str, shape: tuple[int, ...], arguments: Arguments) -> None:
    tensor = torch.empty(shape, device="meta")
    assert getattr(init, name)(tensor, **arguments) is tensor


@each_random_name
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@with_and_without_seed
def test_every_precision_is_filled(
    name: str, shape: tuple[int, ...], arguments: Arguments, dtype: torch.dtype, key: Arguments
) -> None:
    filled = getattr(init, name)(torch.full(shape, math.nan, dtype=dtype), **arguments, **key)
    assert filled.dtype == dtype
    assert filled.isfinite().all()
    assert filled.unique().numel() > 5


@pytest.mark.parametrize(
    ("name", "promised"),
    [
        ("normal_", 1.0),
        ("xavier_uniform_", 1 / 120),
        ("xavier_normal_", 1 / 120),
        ("kaiming_uniform_", 2 / 120),
        ("kaiming_normal_", 2 / 120),
        ("orthogonal_", 1 / 120),
    ],
)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@with_and_without_seed
def test_complex_elements_have_the_variance_of_real_ones(
    name: str, promised: float, dtype: torch.dtype, key: Arguments
) -> None:
    """E|w|^2 is what the formula says, half of it in each part.

    Of n = 14400 elements, |w|^2 has a relative spread of at most 1 (exponential, for the normal),
    and the square of one part of at most sqrt(2): 5 / sqrt(n) = 0.042 and 0.059 are five sigmas.
    """
    torch.manual_seed(0)
    weight = getattr(init, name)(torch.empty(120, 120, dtype=dtype), **key)
    assert weight.abs().square().mean().item() == pytest.approx(promised, rel=0.042)
    assert weight.real.square().mean().item() == pytest.approx(promised / 2, rel=0.059)
    assert weight.imag.square().mean().item() == pytest.approx(promised / 2, rel=0.059)
    # Uncorrelated parts: the mean product has a spread of (variance of a part) / sqrt(n).
    product = (weight.real * weight.imag).mean().item() / (promised / 2)
    assert abs(product) < 5 / 120


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3)])
@with_and_without_seed
def test_a_complex_orthogonal_matrix_is_unitary(shape: tuple[int, int], key: Arguments) -> None:
    weight = init.orthogonal_(torch.empty(shape, dtype=torch.complex128), 2.0, **key)
    small = weight.mH @ weight if shape[0] > shape[1] else weight @ weight.mH
    torch.testing.assert_close(small, 4 * torch.eye(min(shape), dtype=torch.complex128))


def test_a_complex_uniform_draws_both_parts_as_torch() -> None:
    torch.manual_seed(0)
    theirs = torch_init.uniform_(torch.empty(50, dtype=torch.complex64), -1.0, 3.0)
    torch.manual_seed(0)
    assert torch.equal(init.uniform_(torch.empty(50, dtype=torch.complex64), -1.0, 3.0), theirs)


@with_and_without_seed
def test_a_complex_sparse_matrix(key: Arguments) -> None:
    weight = init.sparse_(torch.empty(10, 4, dtype=torch.complex64), 0.7, 1.0, **key)
    assert (weight == 0).sum(dim=0).tolist() == [7, 7, 7, 7]


class Watched(Tensor):
    """Notes the functions that are announced to it."""

    seen: list[Any]

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        announced = [*args, *(kwargs or {}).values()]
        watched = next((value for value in announced if isinstance(value, cls)), None)
        if watched is not None and hasattr(watched, "seen"):
            watched.seen.append(func)
        return super().__torch_function__(func, types, args, kwargs or {})


def watched() -> Watched:
    tensor = torch.empty(3, 4).as_subclass(Watched)
    tensor.seen = []
    return tensor


@pytest.mark.parametrize("name", ["uniform_", "normal_", "constant_", "kaiming_uniform_"])
def test_subclasses_are_asked_where_torch_asks_them(name: str) -> None:
    tensor = watched()
    arguments = (1.0,) if name == "constant_" else ()
    assert getattr(init, name)(tensor, *arguments) is tensor
    assert getattr(torch_init, name) in tensor.seen


@pytest.mark.parametrize("name", ["uniform_", "normal_", "kaiming_uniform_"])
def test_with_a_seed_they_are_asked_about_the_function_of_fanin(name: str) -> None:
    tensor = watched()
    assert getattr(init, name)(tensor, seed=0, name="w") is tensor
    assert getattr(init, name) in tensor.seen
    assert getattr(torch_init, name) not in tensor.seen
    plain = getattr(init, name)(torch.empty(3, 4), seed=0, name="w")
    assert torch.equal(tensor.as_subclass(Tensor), plain)


@pytest.mark.parametrize("name", ["trunc_normal_", "xavier_normal_", "orthogonal_", "eye_"])
def test_the_others_are_made_of_operations_as_in_torch(name: str) -> None:
    tensor = watched()
    assert getattr(init, name)(tensor) is tensor
    assert tensor.seen
    assert getattr(torch_init, name) not in tensor.seen


def test_a_wrapper_of_other_tensors_cannot_be_drawn_with_a_seed() -> None:
    wrapper = TwoTensor(torch.zeros(3, 4), torch.zeros(3, 4))
    for name in ("normal_", "trunc_normal_", "kaiming_normal_", "orthogonal_"):
        with pytest.raises(FaninError, match=r"w is a TwoTensor.*region="):
            getattr(init, name)(wrapper, seed=0, name="w")
    assert (wrapper.a == 0).all()
    init.xavier_normal_(wrapper)
    assert (wrapper.a != 0).all()
