"""Multiplying what a scheme draws: the same law with other numbers in it.

A recipe that makes a residual branch smaller, or a measurement that finds a layer too large, wants
the scheme it has, times a factor. The factor goes into the argument that sets the scale, so the
result is a plain scheme that prints, parses and promises like any other.
"""

import math
from dataclasses import replace
from typing import Any

from fanin.errors import FaninError
from fanin.schemes.arguments import as_number
from fanin.schemes.base import Scheme
from fanin.schemes.blocks import blocks
from fanin.schemes.constants import constant, ones, zeros
from fanin.schemes.defaults import jax_default, keras_default, torch_default
from fanin.schemes.listed import listed
from fanin.schemes.scaling import glorot_uniform, lecun_truncated_normal, lecun_uniform

_SCALES = ("gain", "mean", "std", "low", "high", "value")
"""Arguments that are multiplied; `mean` and `std`, `low` and `high` go together."""


def rescaled(scheme: Scheme, factor: float) -> Scheme:
    """Multiply the values of a scheme.

    Args:
        scheme: Any scheme whose scale is an argument.
        factor: Above 0, so that the law stays of the same kind.

    Returns:
        The scheme whose values are `factor` times those of `scheme`, for the same seed and name (up
        to rounding); the same one for 1. A framework's default becomes the scheme of the same law.

    Raises:
        FaninError: The factor is not above 0, or the scheme has no argument for its scale.

    Example:
        >>> from fanin.schemes import he_normal, normal
        >>> str(rescaled(normal(0, 0.02), 0.5)), str(rescaled(he_normal(gain=1), 0.5))
        ('normal(0, 0.01)', 'he_normal(gain=0.5)')
    """
    if not (factor > 0 and math.isfinite(factor)):
        raise FaninError(f"a scheme can be multiplied by a number above 0, got {factor}")
    if factor == 1:
        return scheme
    match scheme:
        case zeros():
            return scheme
        case ones():
            return constant(factor)
        case torch_default():
            return lecun_uniform(factor / math.sqrt(3))
        case keras_default():
            return glorot_uniform(factor)
        case jax_default():
            return lecun_truncated_normal(factor)
        case listed(numbers):
            return listed(tuple(factor * number for number in numbers))
        case blocks(parts):
            return blocks(tuple(rescaled(part, factor) for part in parts))
        case _:
            return _by_argument(scheme, factor)


def _by_argument(scheme: Scheme, factor: float) -> Scheme:
    given: dict[str, Any] = {
        argument.name: getattr(scheme, argument.name) for argument in scheme.arguments()
    }
    changed = {name: factor * as_number(value) for name, value in given.items() if name in _SCALES}
    if "scale" in given:
        # The variance of variance_scaling.
        changed = {"scale": factor**2 * given["scale"]}
    if not changed:
        raise FaninError(f"{scheme} has no argument that sets its scale")
    return replace(scheme, **changed)
