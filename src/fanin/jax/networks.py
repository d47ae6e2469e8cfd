"""Networks of a study as pure functions of their parameters.

A line of the grammar becomes one function of named parameters, buffers (the running moments of
batch norms) and a batch. The network gives logits, because the losses take them: a sigmoid or
softmax that a cross-entropy follows is computed with it, where it cannot overflow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from fanin.jax.activations import jax_activation
from fanin.recipes import Slot
from fanin.studies.design import Loss
from fanin.studies.fits import ABSORBED
from fanin.studies.grammar import Network
from fanin.studies.parameters import slots_of

Arrays = Mapping[str, Array]

Forward = Callable[[Arrays, Arrays, Array, Array | None], tuple[Array, Arrays]]
"""From parameters, buffers, features of shape (examples, ...) and a random key (None while
measuring) to outputs of shape (examples, outputs) and the buffers afterwards."""

EPSILON = 1e-5
"""What the norms add to a variance, as in PyTorch."""

MOMENTUM = 0.1
"""How far a batch norm's running moments move in a step, as in PyTorch."""


@dataclass(frozen=True, eq=False)
class Function:
    """A network as a pure function; equal to itself alone, so that programs can be kept by it.

    Attributes:
        slots: Its parameters.
        buffers: What it remembers beside them, by name, before the first step.
        forward: One network on one batch.
        held: What it holds itself, by the name of the parameter, for a scheme that keeps it.
    """

    slots: tuple[Slot, ...]
    buffers: Mapping[str, NDArray[np.float32]]
    forward: Forward
    held: Mapping[str, NDArray[np.float32]]


@lru_cache(maxsize=16)
def function_of(network: Network, loss: Loss) -> Function:
    """Make the function of a network of the grammar: linear, norm, activation, dropout, linear.

    Args:
        network: The network.
        loss: What it is trained with; decides whether the output activation is applied here.

    Returns:
        The function.

    Example:
        >>> function = function_of(Network.parse("4-8-3 relu"), "cross_entropy")
        >>> start = {slot.name: jnp.zeros(slot.shape) for slot in function.slots}
        >>> function.forward(start, {}, jnp.ones((5, 4)), None)[0].shape
        (5, 3)
    """
    units = network.hidden_sizes
    hidden = jax_activation(network.hidden)
    absorbed = ABSORBED.get(loss) == network.output
    buffers = dict[str, NDArray[np.float32]]()
    if network.norm == "batch":
        for layer, width in enumerate(units):
            buffers[f"norms.{layer}.running_mean"] = np.zeros(width, np.float32)
            buffers[f"norms.{layer}.running_var"] = np.ones(width, np.float32)

    def forward(
        parameters: Arrays, buffers: Arrays, features: Array, key: Array | None
    ) -> tuple[Array, Arrays]:
        # Examples are the last axis: with many small layers stacked, products whose long axis is
        # the contiguous one take two thirds of the time.
        signal, after = features.T, dict(buffers)
        for depth in range(len(network.sizes) - 1):
            if depth > 0:
                if network.norm != "none":
                    signal, moved = _norm(network.norm, depth - 1, signal, parameters, buffers, key)
                    after |= moved
                signal = hidden(signal)
                if network.dropout and key is not None:
                    signal = _drop(signal, network.dropout, jax.random.fold_in(key, depth))
            signal = parameters[f"layers.{depth}.weight"] @ signal
            if network.bias:
                signal = signal + parameters[f"layers.{depth}.bias"][:, None]
        outputs = signal.T
        if network.output == "softmax":
            outputs = outputs if absorbed else jax.nn.softmax(outputs)
        elif not absorbed:
            outputs = jax_activation(network.output)(outputs)
        return outputs, after

    # What PyTorch's linear layers would hold is unknown here, and no scheme needs it.
    return Function(slots_of(network), buffers, forward, {})


def _norm(
    kind: str, layer: int, signal: Array, parameters: Arrays, buffers: Arrays, key: Array | None
) -> tuple[Array, dict[str, Array]]:
    """Normalise a signal of shape (units, examples), over the units or over the batch."""
    gain, offset = (parameters[f"norms.{layer}.{part}"][:, None] for part in ("weight", "bias"))
    mean_name, var_name = f"norms.{layer}.running_mean", f"norms.{layer}.running_var"
    moved = dict[str, Array]()
    if kind == "layer":
        mean, var = signal.mean(0), signal.var(0)
    elif key is None:
        mean, var = buffers[mean_name][:, None], buffers[var_name][:, None]
    else:
        mean, var = signal.mean(1, keepdims=True), signal.var(1, keepdims=True)
        examples = signal.shape[1]
        unbiased = var[:, 0] * (examples / (examples - 1))
        moved[mean_name] = (1 - MOMENTUM) * buffers[mean_name] + MOMENTUM * mean[:, 0]
        moved[var_name] = (1 - MOMENTUM) * buffers[var_name] + MOMENTUM * unbiased
    return (signal - mean) * jax.lax.rsqrt(var + EPSILON) * gain + offset, moved


def _drop(signal: Array, share: float, key: Array) -> Array:
    kept = jax.random.bernoulli(key, 1 - share, signal.shape)
    return jnp.where(kept, signal / (1 - share), 0.0)
