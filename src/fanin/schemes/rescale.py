"""Multiplying what a scheme draws: the same law with other numbers in it."""

import math
from dataclasses import replace
from typing import Any

from fanin.errors import FaninError
from fanin.schemes.arguments import as_number
from fanin.schemes.base import Scheme
from fanin.schemes.defaults import jax_default, keras_default, torch_default
from fanin.schemes.scaling import glorot_uniform, lecun_truncated_normal, lecun_uniform

_SCALES = ("gain", "mean", "std", "low", "high", "value")


def rescaled(scheme: Scheme, factor: float) -> Scheme:
    """Multiply the values of a scheme.

    Args:
        scheme: Any scheme whose scale is an argument.
        factor: Above 0.

    Returns:
        The scheme whose values are `factor` times those of `scheme`, for the same seed and name, up
        to rounding.

    Raises:
        FaninError: The scheme has no argument for its scale.

    Example:
        >>> from fanin.schemes import normal
        >>> str(rescaled(normal(0, 0.02), 0.5))
        'normal(0, 0.01)'
    """
    match scheme:
        case torch_default():
            return lecun_uniform(factor / math.sqrt(3))
        case keras_default():
            return glorot_uniform(factor)
        case jax_default():
            return lecun_truncated_normal(factor)
        case _:
            pass
    given: dict[str, Any] = {one.name: getattr(scheme, one.name) for one in scheme.arguments()}
    changed = {name: factor * as_number(value) for name, value in given.items() if name in _SCALES}
    if "scale" in given:
        changed = {"scale": factor**2 * given["scale"]}
    if not changed:
        raise FaninError(f"{scheme} has no argument that sets its scale")
    return replace(scheme, **changed)
