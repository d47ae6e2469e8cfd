"""The fans that scale a weight: from the layer it belongs to, or from its shape as torch does.

A shape alone cannot tell a grouped, depthwise or transposed convolution, a fused projection or an
embedding from a plain layer, and torch, which knows only the shape, scales those wrongly. Given the
layer, the fans are those of its use.
"""

import math

from torch import Tensor, nn

from fanin.errors import FaninError, nearest
from fanin.schemes import Fans
from fanin.torch.layouts import layer_layout

MODES = ("fan_in", "fan_out")


def fans_of_shape(tensor: Tensor) -> tuple[int, int]:
    """Compute the fans as torch does, as if the tensor were the weight of a plain layer.

    Args:
        tensor: Weight of shape (out, in, *kernel).

    Returns:
        `fan_in` and `fan_out`.

    Raises:
        FaninError: The tensor has fewer than 2 dimensions.

    Example:
        >>> import torch
        >>> fans_of_shape(torch.empty(8, 4, 3, 3))
        (36, 72)
    """
    if tensor.dim() < 2:
        raise FaninError(
            "fans need a weight with an output and an input dimension, got shape "
            f"{tuple(tensor.shape)}: for a bias or a norm use zeros_, ones_ or normal_"
        )
    out, into, *kernel = tensor.shape
    field = math.prod(kernel)
    return into * field, out * field


def fans_of_use(tensor: Tensor, layer: nn.Module | None) -> Fans:
    """Compute the fans of a weight.

    Args:
        tensor: The weight.
        layer: The module it belongs to; without one its shape has to do.

    Returns:
        The fans.

    Raises:
        FaninError: The tensor is not a parameter of the layer, or has no fans.
    """
    if layer is None:
        fan_in, fan_out = fans_of_shape(tensor)
        return Fans(fan_in, fan_out)
    layout = layer_layout(layer, parameter_name(tensor, layer))
    return layout.fans(tuple(tensor.shape))


def fan_of_mode(tensor: Tensor, mode: str, layer: nn.Module | None = None) -> float:
    """Pick one of the fans of a weight.

    Args:
        tensor: The weight.
        mode: ``"fan_in"`` or ``"fan_out"``, in any case, as in torch.
        layer: The module it belongs to; without one its shape has to do.

    Returns:
        The fan.

    Raises:
        FaninError: The mode is not one of the two, or the weight has no fans.

    Example:
        >>> import torch
        >>> fan_of_mode(torch.empty(8, 4, 3, 3), "fan_in")
        36.0
    """
    if mode.lower() not in MODES:
        raise FaninError(f'mode must be "fan_in" or "fan_out", got {mode!r}{nearest(mode, MODES)}')
    fans = fans_of_use(tensor, layer)
    return fans.fan_in if mode.lower() == "fan_in" else fans.fan_out


def parameter_name(tensor: Tensor, layer: nn.Module) -> str:
    """Find out which parameter of a layer a tensor is, or is meant for.

    Args:
        tensor: The parameter, its `.data`, or a tensor of its shape where only one has it.
        layer: The module that owns the parameter.

    Returns:
        The parameter's name in the layer.

    Raises:
        FaninError: None of the layer's parameters, or more than one, fits.
    """
    named = dict(layer.named_parameters(recurse=False))
    fitting = [name for name, own in named.items() if own.shape == tensor.shape]
    shared = [name for name in fitting if named[name].data_ptr() == tensor.data_ptr()]
    same = [name for name in fitting if named[name] is tensor]
    for found in (same, shared, fitting):
        if len(found) == 1:
            return found[0]
    own = ", ".join(f"{name} {tuple(value.shape)}" for name, value in named.items()) or "none"
    raise FaninError(
        f"cannot tell which parameter of layer={type(layer).__name__} the tensor of shape "
        f"{tuple(tensor.shape)} is; its own parameters are: {own}. Pass the parameter itself, and "
        "the module that owns it"
    )
