"""Where the numbers of a random function come from: torch's generator, or fanin's draws.

With neither `seed` nor `name`, torch's own kernels fill the tensor from the generator given or from
the global one, so that `torch.manual_seed` works and the numbers are those of `torch.nn.init`. With
both, the values are a pure function of (seed, name, index) and no generator is touched.
"""

from dataclasses import dataclass
from math import isfinite, sqrt

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from fanin.draws import Law, Normal, Uniform
from fanin.errors import FaninError
from fanin.torch.draws import sample_


class RefusedNumber(FaninError, RuntimeError):
    """A number out of range: a `RuntimeError` too, because that is what torch raises for it."""


class RefusedDtype(FaninError, NotImplementedError):
    """A dtype that holds no such values: torch raises a `NotImplementedError` for it."""


@dataclass(frozen=True)
class Key:
    """Names one stream of fanin's draws."""

    seed: int
    name: str


Origin = torch.Generator | Key | None
"""A generator, a stream of the draws, or None for torch's global generator."""


def choose_origin(
    tensor: Tensor, generator: torch.Generator | None, seed: int | None, name: str | None
) -> Origin:
    """Decide where the numbers come from.

    Args:
        tensor: The tensor to be filled.
        generator: The `generator=` of the caller.
        seed: The `seed=` of the caller.
        name: The `name=` of the caller.

    Returns:
        The one origin that was asked for.

    Raises:
        FaninError: The three contradict each other, one of `seed` and `name` is missing, or the
            tensor is a wrapper of others, which fanin's draws cannot write into.
    """
    if seed is None:
        if name is not None:
            raise FaninError(
                f"name={name!r} chooses a stream of a seed, and no seed was given: add seed=0, or "
                "leave name out to draw with torch's generator"
            )
        return generator
    if generator is not None:
        raise FaninError(
            f"seed={seed} and generator= exclude each other: with a seed the values depend on "
            "(seed, name) alone and no generator is used; leave one of them out"
        )
    if name is None:
        raise FaninError(
            f"seed={seed} needs name=, the name of the parameter, such as "
            'name="layers.0.weight": it keeps two tensors of one shape from getting equal values'
        )
    if is_traceable_wrapper_subclass(tensor):
        raise FaninError(
            f"seed= fills plain tensors, and {name} is a {type(tensor).__name__}: draw what it "
            "holds with fanin.torch.draws.sample_(local, law, seed, name, shape=..., region=...)"
        )
    return Key(seed, name)


def draw_uniform_(tensor: Tensor, low: float, high: float, origin: Origin) -> Tensor:
    """Fill a tensor evenly between two bounds; in a complex one, each part.

    Args:
        tensor: Floating point or complex, any shape.
        low: Lower bound.
        high: Upper bound.
        origin: Where the numbers come from.

    Returns:
        The tensor.

    Raises:
        RefusedNumber: The bounds are not finite or out of order.
        RefusedDtype: The tensor holds integers or truth values.
    """
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise RefusedNumber(
            f"a uniform needs finite bounds, the lower one first, got {low} and {high}"
        )
    check_dtype(tensor)
    with torch.no_grad():
        if isinstance(origin, Key):
            return draw_law_(tensor, Uniform(low, high), origin)
        return tensor.uniform_(low, high, generator=origin)


def draw_normal_(tensor: Tensor, mean: float, std: float, origin: Origin) -> Tensor:
    """Fill a tensor from a normal; in a complex one, each part has half of the variance.

    Args:
        tensor: Floating point or complex, any shape.
        mean: Mean, of each part in a complex tensor.
        std: Standard deviation.
        origin: Where the numbers come from.

    Returns:
        The tensor.

    Raises:
        RefusedNumber: The standard deviation is negative or not a number.
        RefusedDtype: The tensor holds integers or truth values.
    """
    check_std(std)
    check_dtype(tensor)
    with torch.no_grad():
        if isinstance(origin, Key):
            part = std / sqrt(2) if tensor.is_complex() else std
            return draw_law_(tensor, Normal(mean, part), origin)
        return tensor.normal_(mean, std, generator=origin)


def draw_law_(tensor: Tensor, law: Law, key: Key) -> Tensor:
    """Fill a tensor from one stream of fanin's draws.

    A complex tensor takes two neighbouring values of the stream for the parts of each element.

    Args:
        tensor: Floating point or complex, any shape, stride and device; on `meta` nothing happens.
        law: The distribution of one element, or of each part of a complex one.
        key: The stream.

    Returns:
        The tensor.
    """
    if tensor.is_meta:
        return tensor
    with torch.no_grad():
        if tensor.is_complex():
            part = torch.float64 if tensor.dtype == torch.complex128 else torch.float32
            pairs = torch.empty((*tensor.shape, 2), dtype=part, device=tensor.device)
            sample_(pairs, law, key.seed, key.name)
            return tensor.copy_(torch.view_as_complex(pairs))
        sample_(tensor, law, key.seed, key.name)
    return tensor


def check_std(std: float) -> None:
    """Refuse what cannot be a standard deviation.

    Args:
        std: The standard deviation that was asked for.

    Raises:
        RefusedNumber: It is negative or not a number.
    """
    if not std >= 0:
        raise RefusedNumber(f"the standard deviation of a normal must be 0 or more, got {std}")


def check_dtype(tensor: Tensor) -> None:
    """Refuse tensors that cannot hold random reals.

    Args:
        tensor: The tensor to be filled.

    Raises:
        RefusedDtype: It holds integers or truth values.
    """
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise RefusedDtype(
            f"random values need a floating point or complex tensor, got one of {tensor.dtype}: "
            "convert it first, as in tensor.float()"
        )
