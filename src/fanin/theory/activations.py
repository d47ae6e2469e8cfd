"""Activations by name, as NumPy functions.

A name is read with the grammar of `fanin.calls`, so a parameter is written where it is used:
``leaky_relu(0.2)``. The formulas are the plain definitions in float64, stable for large arguments;
they are for computing expectations, not for running networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fanin.calls import format_number, parse_call
from fanin.errors import FaninError, nearest

Array = NDArray[np.float64]


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
        values = np.asarray(z, np.float64)
        # In one dimension: of a zero-dimensional array NumPy's functions make a scalar.
        flat = values.reshape(-1)
        if self.parameter is None:
            return _PLAIN[self.name](flat).reshape(values.shape)
        return _WITH_PARAMETER[self.name][0](flat, self.parameter).reshape(values.shape)

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
    if name in _PLAIN and not given:
        return Activation(name)
    if name in _PLAIN:
        raise FaninError(f"the activation {name} takes no parameter, got {text!r}")
    if name not in _WITH_PARAMETER:
        known = activation_names()
        raise FaninError(
            f"there is no activation {call.name!r}{nearest(call.name, known) or '.'} "
            f"The activations are {', '.join(known)}"
        )
    _, parameter, default = _WITH_PARAMETER[name]
    if not given:
        return Activation(name, default)
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
    return (*_PLAIN, *_WITH_PARAMETER)


def _sigmoid(z: Array) -> Array:
    return (1 + np.tanh(z / 2)) / 2


def _softplus(z: Array) -> Array:
    return np.logaddexp(0.0, z)


def _erf(z: Array) -> Array:
    from scipy.special import erf

    return erf(z)


def _gelu(z: Array) -> Array:
    """Gaussian error linear unit (Hendrycks and Gimpel 2016, section 2)."""
    return z * (1 + _erf(z / np.sqrt(2))) / 2


def _gelu_tanh(z: Array) -> Array:
    """The tanh form of GELU, the one of GPT-2 (Hendrycks and Gimpel 2016, section 2)."""
    return z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2


def _elu(z: Array, alpha: float) -> Array:
    """Exponential linear unit (Clevert et al. 2016, section 3)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def _celu(z: Array, alpha: float) -> Array:
    """The ELU whose slope is 1 at 0 for every alpha (Barron 2017)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0) / alpha))


def _selu(z: Array) -> Array:
    """Self-normalising ELU: E[f] = 0 and E[f^2] = 1 fix its constants (Klambauer et al. 2017)."""
    return 1.0507009873554804934193349852946 * _elu(z, 1.6732632423543772848170429916717)


def _leaky(z: Array, slope: float) -> Array:
    return np.where(z > 0, z, slope * z)


_PLAIN: dict[str, Callable[[Array], Array]] = {
    "linear": np.positive,
    "relu": partial(np.maximum, 0.0),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "erf": _erf,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": lambda z: z * _sigmoid(z),
    "mish": lambda z: z * np.tanh(_softplus(z)),
    "softplus": _softplus,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "selu": _selu,
    "hardtanh": lambda z: np.clip(z, -1.0, 1.0),
    "hardsigmoid": lambda z: np.clip(z / 6 + 0.5, 0.0, 1.0),
    "hardswish": lambda z: z * np.clip(z / 6 + 0.5, 0.0, 1.0),
    "relu6": lambda z: np.clip(z, 0.0, 6.0),
    "relu2": lambda z: np.maximum(0.0, z) ** 2,
    "sin": np.sin,
}

# Name: function, name of the parameter, default (PyTorch's).
_WITH_PARAMETER: dict[str, tuple[Callable[[Array, float], Array], str, float]] = {
    "leaky_relu": (_leaky, "slope", 0.01),
    "prelu": (_leaky, "slope", 0.25),
    "elu": (_elu, "alpha", 1.0),
    "celu": (_celu, "alpha", 1.0),
}

_SYNONYMS = {
    "identity": "linear",
    "none": "linear",
    "logistic": "sigmoid",
    "swish": "silu",
    "squared_relu": "relu2",
}
