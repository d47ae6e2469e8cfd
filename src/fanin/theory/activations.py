"""Activations by name, as NumPy functions.

A name is read with the grammar of `fanin.calls`, so a parameter is written where it is used:
``leaky_relu(0.2)``. The formulas stand in `fanin.theory.definitions`; they are for computing
expectations, not for running networks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fanin.calls import format_number, parse_call
from fanin.errors import FaninError, nearest
from fanin.theory.definitions import DEFINITIONS, Array, Definition, Formula


@dataclass(frozen=True)
class Activation:
    """A named activation, with its parameter when it takes one.

    Attributes:
        name: The name without parentheses, such as ``"leaky_relu"``.
        parameter: The slope or scale it was asked for; None for those that have none.

    Example:
        >>> leaky = activation("leaky_relu(0.2)")
        >>> leaky([-1.0, 2.0]).tolist(), str(leaky)
        ([-0.2, 2.0], 'leaky_relu(0.2)')
    """

    name: str
    parameter: float | None = None

    def __call__(self, z: ArrayLike) -> Array:
        """Apply it to each element.

        Args:
            z: Pre-activations, any shape.

        Returns:
            float64 of the same shape.
        """
        return self._apply(self._definition.value, z)

    def slope(self, z: ArrayLike) -> Array:
        """Apply its derivative to each element; at a kink it is the slope on one of the sides.

        Args:
            z: Pre-activations, any shape.

        Returns:
            float64 of the same shape.
        """
        return self._apply(self._definition.slope, z)

    @property
    def kinks(self) -> tuple[float, ...]:
        """Where it is not analytic, from left to right."""
        return self._definition.kinks

    @property
    def source(self) -> str:
        """The publication it comes from."""
        return self._definition.source

    @property
    def _definition(self) -> Definition:
        return DEFINITIONS[self.name]

    def _apply(self, formula: Formula, z: ArrayLike) -> Array:
        values = np.asarray(z, np.float64)
        # In one dimension: of a zero-dimensional array NumPy's functions make a scalar.
        return formula(values.reshape(-1), self.parameter or 0.0).reshape(values.shape)

    def __str__(self) -> str:
        if self.parameter is None:
            return self.name
        return f"{self.name}({format_number(self.parameter)})"


def activation(text: str) -> Activation:
    """Read the name of an activation.

    Args:
        text: A name of `activation_names`, or one of the synonyms ``identity``, ``none``,
            ``logistic``, ``swish`` and ``squared_relu``; with its parameter in parentheses where
            it takes one: ``leaky_relu(slope=0.01)``, ``prelu(slope=0.25)``, ``elu(alpha=1)``,
            ``celu(alpha=1)``.

    Returns:
        The activation; the default parameter is filled in.

    Raises:
        FaninError: There is no such activation, or the parameter is not a number.

    Example:
        >>> activation("swish"), activation("elu")
        (Activation(name='silu', parameter=None), Activation(name='elu', parameter=1.0))
    """
    call = parse_call(text)
    name = _SYNONYMS.get(call.name, call.name)
    given = [*((None, value) for value in call.args), *call.kwargs]
    if name not in DEFINITIONS:
        known = activation_names()
        raise FaninError(
            f"there is no activation {call.name!r}{nearest(call.name, known) or '.'} "
            f"The activations are {', '.join(known)}"
        )
    parameter, default = DEFINITIONS[name].parameter, DEFINITIONS[name].default
    if parameter is None and given:
        raise FaninError(f"the activation {name} takes no parameter, got {text!r}")
    if not given:
        return Activation(name, None if parameter is None else default)
    keyword, value = given[0]
    number = value if isinstance(value, float | int) and not isinstance(value, bool) else np.nan
    if len(given) > 1 or keyword not in (None, parameter) or not np.isfinite(number):
        raise FaninError(
            f"the activation {name} takes one number, such as {name}({parameter}="
            f"{format_number(default)}), got {text!r}"
        )
    return Activation(name, float(number))


def activation_names() -> tuple[str, ...]:
    """List the activations, those without a parameter first.

    Returns:
        The names that `activation` reads, without the synonyms.

    Example:
        >>> activation_names()[:3]
        ('linear', 'relu', 'tanh')
    """
    return tuple(DEFINITIONS)


_SYNONYMS = {
    "identity": "linear",
    "none": "linear",
    "logistic": "sigmoid",
    "swish": "silu",
    "squared_relu": "relu2",
}
