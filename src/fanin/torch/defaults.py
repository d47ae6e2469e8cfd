"""Where torch's own constructors do not start a layer by the general rule.

The rule of torch.nn is uniform up to 1/sqrt(fan_in) for weight and bias alike. Some layers count
another fan, some draw from another law, and two containers write over what their children did.
`torch_default` means all of that, so it is written down here, with explicit numbers.
"""

import math
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd  # pyright: ignore[reportPrivateUsage]  # no public base

from fanin.schemes import Scheme, normal, uniform, zeros
from fanin.torch.layers import layer_type

RECURRENT = (nn.RNNBase, nn.LSTMCell, nn.GRUCell, nn.RNNCell)


def native(
    module: nn.Module,
    attribute: str,
    shape: Sequence[int],
    weight_shape: Sequence[int],
    above: Sequence[nn.Module],
) -> Scheme | None:
    """Tell how torch's constructor starts a parameter, where the general rule does not say it.

    Args:
        module: The layer.
        attribute: Name of the parameter in the layer.
        shape: Shape of the parameter.
        weight_shape: Shape of the weight it belongs to: its own, or that of a bias's weight.
        above: The modules around the layer, outermost first.

    Returns:
        The scheme, or None where the rule holds.

    Example:
        >>> layer = nn.ConvTranspose1d(8, 4, 4)
        >>> str(native(layer, "weight", layer.weight.shape, layer.weight.shape, ()))
        'uniform(-0.25, 0.25)'

    References:
        torch 2.13, `reset_parameters` of torch.nn.modules.conv, linear, rnn, activation and
        transformer. The fan of a transposed convolution is taken from axis 1 of its weight, which
        holds the outputs: pytorch/pytorch pull request 30079.
    """
    kind = layer_type(module)
    if any(issubclass(layer_type(outer), nn.Transformer) for outer in above) and len(shape) > 1:
        return _xavier_uniform(shape)
    if above and issubclass(layer_type(above[-1]), nn.MultiheadAttention) and attribute == "bias":
        return zeros()
    if issubclass(kind, nn.MultiheadAttention):
        return _attention(attribute, shape)
    if issubclass(kind, RECURRENT):
        hidden: Any = module.hidden_size
        return _even(hidden)
    if issubclass(kind, nn.Bilinear):
        return _even(weight_shape[1])
    if issubclass(kind, _ConvTransposeNd):
        return _even(math.prod(weight_shape[1:]))
    return None


def _attention(attribute: str, shape: Sequence[int]) -> Scheme:
    if attribute == "in_proj_bias":
        return zeros()
    if attribute in ("bias_k", "bias_v"):
        inputs, outputs = _fans_of_shape(shape)
        return normal(0, math.sqrt(2 / (inputs + outputs)))
    return _xavier_uniform(shape)


def _xavier_uniform(shape: Sequence[int]) -> Scheme:
    """Glorot's bound on the fans that torch reads off the shape, fused or not."""
    inputs, outputs = _fans_of_shape(shape)
    return uniform(-(bound := math.sqrt(6 / (inputs + outputs))), bound)


def _fans_of_shape(shape: Sequence[int]) -> tuple[int, int]:
    return math.prod(shape[1:]), shape[0] * math.prod(shape[2:])


def _even(fan: int) -> Scheme:
    bound = 1 / math.sqrt(fan)
    return uniform(-bound, bound)
