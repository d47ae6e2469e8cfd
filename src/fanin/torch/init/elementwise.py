"""The functions of `torch.nn.init` that draw every element alone from a given distribution."""

import warnings
from math import isfinite

import torch
from torch import Tensor
from torch.overrides import has_torch_function_variadic

from fanin.torch.init.origin import (
    RefusedDtype,
    RefusedNumber,
    check_dtype,
    choose_origin,
    draw_normal_,
    draw_uniform_,
)
from fanin.torch.init.overrides import hand_over
from fanin.torch.init.truncated import Window, draw_window_


def uniform_(
    tensor: Tensor,
    a: float = 0.0,
    b: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Fill a tensor with values drawn evenly between two bounds.

    Args:
        tensor: Any shape, floating point or complex (each part is drawn).
        a: Lower bound.
        b: Upper bound.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The bounds are out of order or not finite (also a `RuntimeError`, as in torch),
            the dtype holds no such values (also a `NotImplementedError`), or `generator`, `seed`
            and `name` contradict each other.

    Example:
        >>> w = uniform_(torch.empty(2, 3), -1, 1, seed=0, name="w")
        >>> torch.equal(w, uniform_(torch.empty(2, 3), -1, 1, seed=0, name="w"))
        True

    References:
        torch.nn.init.uniform_ (torch 2.13).
    """
    if has_torch_function_variadic(tensor):
        arguments = {"a": a, "b": b, "generator": generator}
        additions = {"seed": seed, "name": name}
        return hand_over(torch.nn.init.uniform_, uniform_, tensor, arguments, additions)
    return draw_uniform_(tensor, a, b, choose_origin(tensor, generator, seed, name))


def normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Fill a tensor with values drawn from a normal distribution.

    Args:
        tensor: Any shape, floating point or complex (each part gets half of the variance).
        mean: Mean; of each part in a complex tensor.
        std: Standard deviation.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The standard deviation is negative (also a `RuntimeError`, as in torch), the
            dtype holds no such values (also a `NotImplementedError`), or `generator`, `seed` and
            `name` contradict each other.

    Example:
        >>> w = normal_(torch.empty(100, 100), std=0.02, seed=0, name="w")
        >>> round(w.std().item(), 3)
        0.02

    References:
        torch.nn.init.normal_ (torch 2.13).
    """
    if has_torch_function_variadic(tensor):
        arguments = {"mean": mean, "std": std, "generator": generator}
        additions = {"seed": seed, "name": name}
        return hand_over(torch.nn.init.normal_, normal_, tensor, arguments, additions)
    return draw_normal_(tensor, mean, std, choose_origin(tensor, generator, seed, name))


def trunc_normal_(  # the positional arguments are torch's
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
) -> Tensor:
    """Fill a tensor from a normal distribution whose values outside [a, b] are left out.

    As in torch, and unlike JAX and Keras, the bounds are absolute, in the units of the tensor, and
    `std` is that of the whole normal before the cut: the defaults with ``std=0.02`` cut at 100
    sigmas, which is never. For bounds in sigmas and the deviation after the cut, use the scheme
    ``truncated_normal(std, cut)``.

    Lower precisions are drawn in float32 and cast last; a bound counts as its dtype rounds it.

    Args:
        tensor: Any shape, real floating point.
        mean: Mean of the normal before the cut.
        std: Standard deviation before the cut; with 0 every value is the mean, moved into [a, b].
        a: Lower bound, may be -inf.
        b: Upper bound, may be inf.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: `a` is above `b`, `std` is negative, or one of the numbers is not a number (also
            a `RuntimeError`); the dtype holds no such values (also a `NotImplementedError`); or
            `generator`, `seed` and `name` contradict each other.

    Example:
        >>> w = trunc_normal_(torch.empty(1000), std=1, a=-2, b=2, seed=0, name="w")
        >>> bool(w.abs().max() <= 2)
        True

    References:
        Johnson, Kotz and Balakrishnan (1994), Continuous Univariate Distributions, volume 1,
        section 10.1, for the distribution; Robert (1995), Simulation of truncated normal variables,
        section 2, for proposing.
    """
    origin = choose_origin(tensor, generator, seed, name)
    if not (isfinite(mean) and isfinite(std) and std >= 0 and a <= b):
        raise RefusedNumber(
            "a truncated normal needs a finite mean, a finite std of 0 or more and bounds with "
            f"a <= b, got mean={mean}, std={std}, a={a}, b={b}"
        )
    check_dtype(tensor)
    if tensor.is_complex():
        raise RefusedDtype(
            f"a complex number has no order to cut by: trunc_normal_ got {tensor.dtype}; fill "
            "torch.view_as_real(tensor) instead"
        )
    if tensor.is_meta or tensor.numel() == 0:
        return tensor
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            f"mean={mean} is more than 2 std from [a, b] = [{a}, {b}]: all values come from the "
            "far tail of the normal; a and b are in the units of the tensor, not in sigmas",
            stacklevel=2,
        )
    return draw_window_(tensor, Window(mean, std, a, b), origin)
