"""The gains of `torch.nn.init`, table and errors.

These are torch's numbers, some derived (ReLU) and some found by trial (tanh, SELU). What the theory
gives for an activation, any activation, is `fanin.theory.gain`.
"""

import math

from fanin.errors import FaninError, nearest

DEFAULT_SLOPE = 0.01
"""Negative slope that `calculate_gain` assumes, which is the default of `torch.nn.LeakyReLU`."""

GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "leaky_relu": math.sqrt(2.0 / (1 + DEFAULT_SLOPE**2)),
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Look up the factor by which torch scales the weights in front of an activation.

    Args:
        nonlinearity: Name in `torch.nn.functional`: ``"linear"``, ``"conv1d"`` and its kin (all 1),
            ``"sigmoid"`` (1), ``"tanh"`` (5/3), ``"relu"`` (root 2), ``"leaky_relu"``, ``"selu"``
            (3/4).
        param: Negative slope of the leaky ReLU, 0.01 when left out; unused by the others.

    Returns:
        The gain, dimensionless.

    Raises:
        FaninError: The name is not in torch's table, or the slope is not a number.

    Example:
        >>> calculate_gain("leaky_relu", 0.2)
        1.3867504905630728
        >>> calculate_gain("gelu")
        Traceback (most recent call last):
        ...
        fanin.errors.FaninError: torch has no gain for nonlinearity='gelu'...

    References:
        He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, equations 10 and 15: root 2 for
        the ReLU and root of 2 / (1 + slope^2) for the leaky one. The values for tanh and SELU are
        torch's own, found by experiment (pytorch pull request 50664 for SELU).
    """
    # A list cannot be hashed, so the name is looked for among the keys one by one.
    if nonlinearity not in tuple(GAINS):
        raise FaninError(
            f"torch has no gain for nonlinearity={nonlinearity!r}"
            f"{nearest(str(nonlinearity), GAINS)} "
            f"(it knows {', '.join(GAINS)}; fanin.theory.gain computes one for any activation)"
        )
    if nonlinearity != "leaky_relu" or param is None:
        return GAINS[nonlinearity]
    if not _is_number(param):
        raise FaninError(
            f"param is the negative slope of the leaky ReLU, a number such as 0.2, got {param!r}"
        )
    return math.sqrt(2.0 / (1 + param**2))


def _is_number(value: object) -> bool:
    """Tell a number from everything else; a truth value is an `int` in Python but not a slope."""
    return isinstance(value, int | float) and not isinstance(value, bool)
