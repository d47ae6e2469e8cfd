"""Activations by name as JAX functions, each with the definition of `fanin.theory`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from fanin.theory import activation


def jax_activation(text: str) -> Callable[[Array], Array]:
    """Find the JAX function of an activation.

    Args:
        text: A name as of `fanin.theory.activation`.

    Returns:
        The function, which acts on each element.

    Example:
        >>> jax_activation("leaky_relu(0.5)")(jnp.array([-2.0, 2.0])).tolist()
        [-1.0, 2.0]
    """
    known = activation(text)
    function = _FUNCTIONS[known.name]
    if known.parameter is None:
        return function
    return lambda z: function(z, known.parameter)


def _identity(z: Array) -> Array:
    return z


def _gelu(z: Array) -> Array:
    return jax.nn.gelu(z, approximate=False)


def _gelu_tanh(z: Array) -> Array:
    return jax.nn.gelu(z, approximate=True)


def _relu2(z: Array) -> Array:
    return jnp.square(jax.nn.relu(z))


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "linear": _identity,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "erf": jax.scipy.special.erf,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "selu": jax.nn.selu,
    "hardtanh": jax.nn.hard_tanh,
    "hardsigmoid": jax.nn.hard_sigmoid,
    "hardswish": jax.nn.hard_swish,
    "relu6": jax.nn.relu6,
    "relu2": _relu2,
    "sin": jnp.sin,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "celu": jax.nn.celu,
}
