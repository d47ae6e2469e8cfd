"""The activations: each formula with its derivative, the places where it bends, and its source.

The formulas are the plain definitions in float64, stable for large arguments. A derivative stands
beside its function and is exact; at a kink it has the value from one side, which no integral sees.
Kinks are all places where the function is not analytic, so that quadrature can be cut there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Formula = Callable[[Array, float], Array]

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


@dataclass(frozen=True)
class Definition:
    """What is known of one activation.

    Attributes:
        value: The function of a flat array and of the parameter, which the most ignore.
        slope: Its derivative, called in the same way.
        source: Where it comes from.
        kinks: Where it is not analytic, from left to right.
        parameter: Name of the parameter; None for those that take none.
        default: The parameter's value when it is left out (PyTorch's).
    """

    value: Formula
    slope: Formula
    source: str
    kinks: tuple[float, ...] = ()
    parameter: str | None = None
    default: float = 0.0


def _sigmoid(z: Array, _: float = 0.0) -> Array:
    return (1 + np.tanh(z / 2)) / 2


def _sigmoid_slope(z: Array, _: float = 0.0) -> Array:
    return _sigmoid(z) * _sigmoid(-z)


def _tanh_slope(z: Array, _: float = 0.0) -> Array:
    return 1 - np.tanh(z) ** 2


def _softplus(z: Array, _: float = 0.0) -> Array:
    return np.logaddexp(0.0, z)


def _erf(z: Array, _: float = 0.0) -> Array:
    from scipy.special import erf

    return erf(z)


def _erf_slope(z: Array, _: float) -> Array:
    return 2 / np.sqrt(np.pi) * np.exp(-(z**2))


def _gelu(z: Array, _: float) -> Array:
    return z * (1 + _erf(z / np.sqrt(2))) / 2


def _gelu_slope(z: Array, _: float) -> Array:
    return (1 + _erf(z / np.sqrt(2))) / 2 + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _gelu_tanh(z: Array, _: float) -> Array:
    return z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2


def _gelu_tanh_slope(z: Array, _: float) -> Array:
    inner = np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)
    inner_slope = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * z**2)
    return (1 + np.tanh(inner)) / 2 + z / 2 * _tanh_slope(inner) * inner_slope


def _silu_slope(z: Array, _: float) -> Array:
    return _sigmoid(z) + z * _sigmoid_slope(z)


def _mish_slope(z: Array, _: float) -> Array:
    softplus = _softplus(z)
    return np.tanh(softplus) + z * _tanh_slope(softplus) * _sigmoid(z)


def _hardswish_slope(z: Array, _: float) -> Array:
    return np.where(np.abs(z) < 3, (2 * z + 3) / 6, np.where(z > 0, 1.0, 0.0))


def _elu(z: Array, alpha: float) -> Array:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def _elu_slope(z: Array, alpha: float) -> Array:
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0)))


def _celu(z: Array, alpha: float) -> Array:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0) / alpha))


def _celu_slope(z: Array, alpha: float) -> Array:
    return np.exp(np.minimum(z, 0) / alpha)


def _leaky(z: Array, slope: float) -> Array:
    return np.where(z > 0, z, slope * z)


def _leaky_slope(z: Array, slope: float) -> Array:
    return np.where(z > 0, 1.0, slope)


def _between(z: Array, low: float, high: float, slope: float = 1.0) -> Array:
    """The derivative of a ramp: its slope between two kinks and 0 elsewhere."""
    return np.where((z > low) & (z < high), slope, 0.0)


DEFINITIONS: dict[str, Definition] = {
    "linear": Definition(
        lambda z, _: np.positive(z), lambda z, _: np.ones_like(z), "no activation at all"
    ),
    "relu": Definition(
        lambda z, _: np.maximum(0.0, z),
        lambda z, _: _between(z, 0, np.inf),
        "Nair and Hinton (2010), section 2",
        kinks=(0.0,),
    ),
    "tanh": Definition(
        lambda z, _: np.tanh(z),
        _tanh_slope,
        "LeCun, Bottou, Orr and Müller (1998), Efficient BackProp, section 4.4",
    ),
    "sigmoid": Definition(
        _sigmoid, _sigmoid_slope, "the logistic function; Rumelhart, Hinton and Williams (1986)"
    ),
    "erf": Definition(_erf, _erf_slope, "Williams (1997), Computing with infinite networks"),
    "gelu": Definition(_gelu, _gelu_slope, "Hendrycks and Gimpel (2016), section 2"),
    "gelu_tanh": Definition(
        _gelu_tanh,
        _gelu_tanh_slope,
        "Hendrycks and Gimpel (2016), section 2: the tanh form, the one of GPT-2",
    ),
    "silu": Definition(
        lambda z, _: z * _sigmoid(z),
        _silu_slope,
        "Elfwing, Uchibe and Doya (2018); Ramachandran, Zoph and Le (2017) call it swish",
    ),
    "mish": Definition(lambda z, _: z * np.tanh(_softplus(z)), _mish_slope, "Misra (2019)"),
    "softplus": Definition(_softplus, _sigmoid, "Dugas et al. (2001)"),
    "softsign": Definition(
        lambda z, _: z / (1 + np.abs(z)),
        lambda z, _: 1 / (1 + np.abs(z)) ** 2,
        "Bergstra et al. (2009); Glorot and Bengio (2010)",
        kinks=(0.0,),
    ),
    "selu": Definition(
        lambda z, _: SELU_SCALE * _elu(z, SELU_ALPHA),
        lambda z, _: SELU_SCALE * _elu_slope(z, SELU_ALPHA),
        "Klambauer et al. (2017): E[f] = 0 and E[f^2] = 1 fix its two constants",
        kinks=(0.0,),
    ),
    "hardtanh": Definition(
        lambda z, _: np.clip(z, -1.0, 1.0),
        lambda z, _: _between(z, -1, 1),
        "Collobert (2004)",
        kinks=(-1.0, 1.0),
    ),
    "hardsigmoid": Definition(
        lambda z, _: np.clip(z / 6 + 0.5, 0.0, 1.0),
        lambda z, _: _between(z, -3, 3, 1 / 6),
        "Howard et al. (2019), MobileNetV3, section 5.2",
        kinks=(-3.0, 3.0),
    ),
    "hardswish": Definition(
        lambda z, _: z * np.clip(z / 6 + 0.5, 0.0, 1.0),
        _hardswish_slope,
        "Howard et al. (2019), MobileNetV3, section 5.2",
        kinks=(-3.0, 3.0),
    ),
    "relu6": Definition(
        lambda z, _: np.clip(z, 0.0, 6.0),
        lambda z, _: _between(z, 0, 6),
        "Krizhevsky (2010), Convolutional deep belief networks on CIFAR-10",
        kinks=(0.0, 6.0),
    ),
    "relu2": Definition(
        lambda z, _: np.maximum(0.0, z) ** 2,
        lambda z, _: 2 * np.maximum(0.0, z),
        "So et al. (2021), Primer",
        kinks=(0.0,),
    ),
    "sin": Definition(
        lambda z, _: np.sin(z), lambda z, _: np.cos(z), "Sitzmann et al. (2020), SIREN"
    ),
    "leaky_relu": Definition(
        _leaky, _leaky_slope, "Maas, Hannun and Ng (2013)", (0.0,), "slope", 0.01
    ),
    "prelu": Definition(
        _leaky, _leaky_slope, "He, Zhang, Ren and Sun (2015), section 2.1", (0.0,), "slope", 0.25
    ),
    "elu": Definition(
        _elu, _elu_slope, "Clevert, Unterthiner and Hochreiter (2016)", (0.0,), "alpha", 1.0
    ),
    "celu": Definition(
        _celu,
        _celu_slope,
        "Barron (2017): the ELU whose slope is 1 at 0 for every alpha",
        (0.0,),
        "alpha",
        1.0,
    ),
}
"""Name to definition, those without a parameter first."""
