"""Where elements of a parameter go through views, and what einsums do, held to brute force."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fanin.torch.tracing import contraction
from fanin.torch.tracing.contraction import Contraction
from fanin.torch.tracing.origins import BATCH, IN, OUT, identity, moved, stored_layout, varying

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@st.composite
def views(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[str, Callable[[Tensor], Tensor]]:
    """Any one view that a tensor of that shape has."""
    axis = draw(st.integers(0, len(shape) - 1)) if shape else 0
    kinds = ["reshape", "unsqueeze", "flatten"]
    if shape:
        kinds += ["permute", "chunk", "select", "narrow", "flip"]
    kind = draw(st.sampled_from(kinds))
    match kind:
        case "reshape":
            size = math.prod(shape)
            divisors = [n for n in range(1, size + 1) if size % n == 0]
            first = draw(st.sampled_from(divisors))
            return kind, lambda t: t.reshape(first, size // first)
        case "unsqueeze":
            return kind, lambda t: t.unsqueeze(axis)
        case "flatten":
            return kind, lambda t: t.flatten()
        case "permute":
            order = draw(st.permutations(range(len(shape))))
            return kind, lambda t: t.permute(order)
        case "chunk":
            place = draw(st.integers(0, 1))
            return kind, lambda t: t.chunk(2, axis)[min(place, len(t.chunk(2, axis)) - 1)]
        case "select":
            index = draw(st.integers(0, shape[axis] - 1))
            return kind, lambda t: t.select(axis, index)
        case "narrow":
            start = draw(st.integers(0, shape[axis] - 1))
            return kind, lambda t: t.narrow(axis, start, shape[axis] - start)
        case _:
            return kind, lambda t: t.flip(axis)


@st.composite
def chains(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[str, Any]]]:
    shape = start = draw(SHAPES)
    steps = list[tuple[str, Any]]()
    for _ in range(draw(st.integers(1, 5))):
        step = draw(views(shape))
        steps.append(step)
        shape = tuple(step[1](torch.empty(shape)).shape)
    return start, steps


@given(chains())
@settings(max_examples=150, deadline=None)
def test_every_element_knows_where_it_came_from(chain: Any) -> None:
    shape, steps = chain
    origin = identity(0, shape)
    numbered = torch.arange(math.prod(shape)).reshape(shape)
    for name, apply in steps:
        (origin,) = moved(origin, name, apply, 1)
        numbered = apply(numbered)
    # The flat index of an element says all of its coordinates.
    expected = np.unravel_index(numbered.numpy(), shape)
    for own, wanted in zip(origin.coordinates, expected, strict=True):
        assert (own.numpy() == wanted).all()
    if origin.order is not None:
        # Each stored axis lies along one axis of the result, if perhaps backwards.
        for place, axis in enumerate(origin.order):
            along = np.moveaxis(expected[axis], place, 0)
            assert (along[(slice(None), *[0] * (along.ndim - 1))] == along.T).all()


EINSUMS = [
    "nd,od->no",
    "nd,do->no",
    "...d,od->...o",
    "nd,dhk->nhk",
    "nhk,hkd->nd",
    "ned,eod->neo",
    "end,edo->eno",
    "bd,do",
    "ij,jk",
    "abc,cd->dab",
    "nd,d->n",
    "n,m->nm",
    "bhqd,bhkd->bhqk",
    "...ij,...jk->...ik",
]


def role_by_force(equation: str, label: str, weight: int) -> str:
    """Ask einsum itself: which outputs does one index of the weight reach, and alone or not?"""
    left, right = (term.replace("...", "") for term in equation.partition("->")[0].split(","))
    sizes = dict(zip(sorted({*left, *right}), itertools.repeat(3)))
    shapes = [[sizes[own] for own in term] for term in (left, right)]
    plain = equation.replace("...", "")

    def run(blank: int | None, weight_blank: int | None) -> Tensor:
        operands = [torch.ones(shape) for shape in shapes]
        for place, at in ((1 - weight, blank), (weight, weight_blank)):
            term = (left, right)[place]
            if at is not None and label in term:
                operands[place] = operands[place].clone()
                operands[place].select(term.index(label), at).zero_()
        return torch.einsum(plain, *operands)

    whole, without = run(None, None), run(None, 0)
    # Where it is summed over, leaving one index out makes every output smaller and none nothing.
    if bool(((without < whole) & (without > 0)).all()):
        return IN
    other = run(0, None)
    return BATCH if bool((other != whole).any()) else OUT


@pytest.mark.parametrize("weight", [0, 1])
@pytest.mark.parametrize("equation", EINSUMS)
def test_roles_of_axes_are_what_einsum_does(equation: str, weight: int) -> None:
    terms = equation.partition("->")[0].split(",")
    plain = equation.replace("...", "")
    sizes = [len(term) for term in plain.partition("->")[0].split(",")]
    how = contraction.einsum(plain, sizes)
    own = terms[weight].replace("...", "")
    assert list(how.roles(weight)) == [role_by_force(plain, label, weight) for label in own]


@pytest.mark.parametrize("equation", EINSUMS)
def test_units_are_where_einsum_puts_them(equation: str) -> None:
    terms = equation.partition("->")[0].split(",")
    sizes = [len(term.replace("...", "")) + 2 * ("..." in term) for term in terms]
    how = contraction.einsum(equation, sizes)
    extents = dict(zip(sorted({*how.left, *how.right}), (2, 3, 4, 5, 6, 7, 8), strict=False))
    operands = [torch.ones([extents[label] for label in own]) for own in (how.left, how.right)]
    out = torch.einsum(equation, *operands)
    assert tuple(out.shape) == tuple(extents[label] for label in how.result)


PRODUCTS: dict[str, tuple[Contraction, tuple[int, ...], tuple[int, ...], Any]] = {
    "linear": (contraction.linear(3, 2), (4, 5, 3), (6, 3), torch.nn.functional.linear),
    "linear to one": (contraction.linear(2, 1), (5, 3), (3,), torch.nn.functional.linear),
    "matrices": (contraction.matmul(2, 2), (4, 3), (3, 6), torch.matmul),
    "broadcast": (contraction.matmul(4, 3), (2, 5, 4, 3), (5, 3, 6), torch.matmul),
    "vector": (contraction.matmul(3, 1), (2, 4, 3), (3,), torch.matmul),
    "from a vector": (contraction.matmul(1, 2), (3,), (3, 6), torch.matmul),
    "tensordot": (
        contraction.tensordot(3, 3, 2),
        (2, 3, 4),
        (3, 4, 5),
        lambda a, b: torch.tensordot(a, b, 2),
    ),
    "tensordot by axes": (
        contraction.tensordot(3, 2, ([0], [1])),
        (2, 3, 4),
        (5, 2),
        lambda a, b: torch.tensordot(a, b, ([0], [1])),
    ),
}


@pytest.mark.parametrize(("how", "left", "right", "run"), PRODUCTS.values(), ids=PRODUCTS)
def test_every_product_is_the_einsum_it_is_told_as(
    how: Contraction, left: tuple[int, ...], right: tuple[int, ...], run: Any
) -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(shape, generator=generator) for shape in (left, right))
    labels = sorted({*how.left, *how.right})
    numbers = [[labels.index(label) for label in own] for own in (how.left, how.right, how.result)]
    expected = torch.einsum(a, numbers[0], b, numbers[1], numbers[2])
    assert torch.allclose(run(a, b), expected, atol=1e-5)


@given(st.permutations(range(3)), st.integers(1, 3), st.integers(2, 4))
@settings(max_examples=60, deadline=None)
def test_layouts_follow_axes_home(order: list[int], heads: int, width: int) -> None:
    """A stored (heads, width, inputs) tensor in any order, reshaped to one matrix for its use."""
    shape = (heads + 1, width, 5)
    stored = tuple(shape[axis] for axis in order)
    home = [order.index(axis) for axis in range(3)]
    origin = identity(0, stored)
    (origin,) = moved(origin, "permute", lambda t: t.permute(home), 1)
    (origin,) = moved(origin, "reshape", lambda t: t.reshape(-1, 5), 1)
    layout = stored_layout(origin, (OUT, IN)).layout
    assert layout.in_axes == (home[2],)
    assert set(layout.out_axes) == {home[0], home[1]}
    assert layout.fans(stored).fan_in == 5
    assert layout.fans(stored).fan_out == (heads + 1) * width


def test_the_smallest_axes_count() -> None:
    assert [varying(identity(0, (2, 1, 2)), axis) for axis in range(3)] == [[0], [], [2]]
