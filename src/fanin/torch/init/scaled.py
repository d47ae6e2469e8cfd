"""The functions of `torch.nn.init` that scale the weights by the fans: Glorot's and He's.

Without `layer` the fans come from the shape exactly as in torch. With it they come from the use of
the weight, which differs for grouped and transposed convolutions, fused projections and embeddings.
"""

import math
import warnings

import torch
from torch import Tensor, nn
from torch.overrides import has_torch_function_variadic

from fanin.torch.init.fans import fan_of_mode, fans_of_shape, fans_of_use
from fanin.torch.init.gains import calculate_gain
from fanin.torch.init.origin import choose_origin, draw_normal_, draw_uniform_
from fanin.torch.init.overrides import hand_over


def xavier_uniform_(
    tensor: Tensor,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
    layer: nn.Module | None = None,
) -> Tensor:
    """Fill a weight evenly, with Glorot's compromise between forward and backward variance.

    The bound is ``gain * sqrt(6 / (fan_in + fan_out))``.

    Args:
        tensor: Weight of shape (out, in, *kernel), floating point or complex (the parts share the
            variance).
        gain: Factor on the standard deviation, dimensionless.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.
        layer: Module the weight belongs to, for the true fans; the shape alone when left out.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has no fans or cannot hold the values, the gain is negative (also a
            `RuntimeError`), or `generator`, `seed` and `name` contradict each other.

    Example:
        >>> w = xavier_uniform_(torch.empty(300, 300), seed=0, name="w")
        >>> round(w.max().item(), 2)
        0.1

    References:
        Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
        networks, equation 16.
    """
    origin = choose_origin(tensor, generator, seed, name)
    std = _glorot_std(tensor, gain, layer)
    if std is None:
        return _leave(tensor)
    return draw_uniform_(tensor, *_bounds(tensor, std), origin)


def xavier_normal_(
    tensor: Tensor,
    gain: float = 1.0,
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
    layer: nn.Module | None = None,
) -> Tensor:
    """Fill a weight from a normal, with Glorot's compromise of forward and backward variance.

    The standard deviation is ``gain * sqrt(2 / (fan_in + fan_out))``.

    Args:
        tensor: Weight of shape (out, in, *kernel), floating point or complex (the parts share the
            variance).
        gain: Factor on the standard deviation, dimensionless.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.
        layer: Module the weight belongs to, for the true fans; the shape alone when left out.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has no fans or cannot hold the values, the gain is negative (also a
            `RuntimeError`), or `generator`, `seed` and `name` contradict each other.

    Example:
        >>> w = xavier_normal_(torch.empty(200, 200), seed=0, name="w")
        >>> round(w.std().item(), 2)
        0.07

    References:
        Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
        networks, equation 12.
    """
    origin = choose_origin(tensor, generator, seed, name)
    std = _glorot_std(tensor, gain, layer)
    return _leave(tensor) if std is None else draw_normal_(tensor, 0.0, std, origin)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
    layer: nn.Module | None = None,
) -> Tensor:
    """Fill a weight evenly, with He's variance for the activation that follows.

    The bound is ``gain * sqrt(3 / fan)``. With the defaults the gain is that of the ReLU, because
    the slope `a` is 0.

    Args:
        tensor: Weight of shape (out, in, *kernel), floating point or complex (the parts share the
            variance).
        a: Negative slope of the leaky ReLU that follows; unused by the other activations.
        mode: ``"fan_in"`` keeps the variance forwards, ``"fan_out"`` backwards.
        nonlinearity: Activation in `calculate_gain`'s table.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.
        layer: Module the weight belongs to, for the true fans; the shape alone when left out.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has no fans or cannot hold the values, `mode` or `nonlinearity` is
            not known, or `generator`, `seed` and `name` contradict each other.

    Example:
        >>> w = kaiming_uniform_(torch.empty(300, 150), nonlinearity="relu", seed=0, name="w")
        >>> round(w.max().item(), 2)
        0.2

    References:
        He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, equations 10, 14 and 15.
    """
    if has_torch_function_variadic(tensor):
        # For complex weights torch's own function means something else: see `_bounds`.
        theirs = kaiming_uniform_ if tensor.is_complex() else torch.nn.init.kaiming_uniform_
        arguments = {"a": a, "mode": mode, "nonlinearity": nonlinearity, "generator": generator}
        additions = {"seed": seed, "name": name, "layer": layer}
        return hand_over(theirs, kaiming_uniform_, tensor, arguments, additions)
    origin = choose_origin(tensor, generator, seed, name)
    std = _he_std(tensor, a, mode, nonlinearity, layer)
    if std is None:
        return _leave(tensor)
    return draw_uniform_(tensor, *_bounds(tensor, std), origin)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: torch.Generator | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
    layer: nn.Module | None = None,
) -> Tensor:
    """Fill a weight from a normal, with He's variance for the activation that follows.

    The standard deviation is ``gain / sqrt(fan)``. With the defaults the gain is that of the ReLU,
    because the slope `a` is 0.

    Args:
        tensor: Weight of shape (out, in, *kernel), floating point or complex (the parts share the
            variance).
        a: Negative slope of the leaky ReLU that follows; unused by the other activations.
        mode: ``"fan_in"`` keeps the variance forwards, ``"fan_out"`` backwards.
        nonlinearity: Activation in `calculate_gain`'s table.
        generator: Generator of torch to draw with; the global one when left out.
        seed: Draw with fanin instead: a pure function of (seed, name, index). Needs `name`.
        name: Name of the parameter, such as ``"layers.0.weight"``.
        layer: Module the weight belongs to, for the true fans; the shape alone when left out.

    Returns:
        The same tensor, filled in place.

    Raises:
        FaninError: The tensor has no fans or cannot hold the values, `mode` or `nonlinearity` is
            not known, or `generator`, `seed` and `name` contradict each other.

    Example:
        >>> conv = nn.Conv2d(32, 32, 3, groups=32)
        >>> w = kaiming_normal_(conv.weight, mode="fan_out", seed=0, name="w", layer=conv)
        >>> round(w.std().item(), 1)  # sqrt(2 / 9); from the shape alone torch takes 0.08
        0.5

    References:
        He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, equations 10, 14 and 15.
    """
    origin = choose_origin(tensor, generator, seed, name)
    std = _he_std(tensor, a, mode, nonlinearity, layer)
    return _leave(tensor) if std is None else draw_normal_(tensor, 0.0, std, origin)


def _glorot_std(tensor: Tensor, gain: float, layer: nn.Module | None) -> float | None:
    """Compute Glorot's standard deviation, or None for a tensor without elements."""
    if tensor.numel() == 0:
        fans_of_shape(tensor)
        return None
    fans = fans_of_use(tensor, layer)
    return gain * math.sqrt(2.0 / (fans.fan_in + fans.fan_out))


def _he_std(
    tensor: Tensor, slope: float, mode: str, nonlinearity: str, layer: nn.Module | None
) -> float | None:
    """Compute He's standard deviation, or None for a tensor without elements."""
    if tensor.numel() == 0:
        return None
    fan = fan_of_mode(tensor, mode, layer)
    return calculate_gain(nonlinearity, slope) / math.sqrt(fan)


def _bounds(tensor: Tensor, std: float) -> tuple[float, float]:
    """Turn the standard deviation of an element into the bounds of what is drawn."""
    bound = math.sqrt(3.0) * std
    if tensor.is_complex():
        # Torch forgets that both parts are drawn and gives complex weights twice the variance.
        bound /= math.sqrt(2.0)
    return -bound, bound


def _leave(tensor: Tensor) -> Tensor:
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return tensor
