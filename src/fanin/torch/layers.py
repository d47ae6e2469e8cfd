"""The layers of torch.nn: what each of their parameters is for, and the layout it is used with.

One table from type to parameters, looked up with `issubclass`, so that a subclass of a known layer
is that layer. What a subclass adds is unknown, and stays unknown until a rule names it.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]  # no public base
from torch.nn.modules.conv import _ConvNd  # pyright: ignore[reportPrivateUsage]  # no public base
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from fanin.errors import FaninError
from fanin.recipes import Role
from fanin.schemes import Layout, Scheme, constant

GATES = {"LSTM": 4, "GRU": 3}
"""Matrices that a recurrent layer stacks into one, by its mode; an RNN has 1."""


@dataclass(frozen=True)
class Part:
    """One parameter of a layer.

    Attributes:
        role: What it is for.
        layout: What its axes are for; None when it sums over nothing.
        fans_of: Name of the parameter whose fans it shares: a bias those of its weight.
        zero_row: Row that stays zero.
        recurrent: Whether it multiplies the state of the step before.
        native: The value the layer's definition gives it.
    """

    role: Role
    layout: Layout | None = None
    fans_of: str | None = None
    zero_row: int | None = None
    recurrent: bool = False
    native: Scheme | None = None


def parts(module: nn.Module) -> Mapping[str, Part]:
    """List the parameters that a layer of this type can have.

    Args:
        module: Any module.

    Returns:
        Name in the module to what it is for; empty for a module that is no known layer.

    Raises:
        FaninError: The module was traced, and lost what its layout depends on.

    Example:
        >>> str(parts(nn.Conv2d(4, 8, 3))["bias"].role)
        'bias'
        >>> parts(nn.ReLU())
        {}
    """
    kind = layer_type(module)
    for known, describe in LAYERS:
        if issubclass(kind, known):
            try:
                return describe(module)
            except AttributeError as problem:
                raise FaninError(
                    f"a {layer_name(module)} lost its settings, probably in torch.jit.trace "
                    f"({problem}): call fanin.init_ before tracing"
                ) from None
    return {}


def layer_layout(module: nn.Module, parameter_name: str = "weight") -> Layout:
    """Tell what the axes of a layer's parameter are for.

    Args:
        module: A layer of torch.nn, or of a subclass.
        parameter_name: Name of the parameter in the layer.

    Returns:
        The layout.

    Raises:
        FaninError: The layer is not known, or the parameter sums over nothing.

    Example:
        >>> layer_layout(nn.Conv2d(8, 8, 3, groups=8)).groups
        8
        >>> layer_layout(nn.LSTM(3, 5), "weight_hh_l0").blocks
        4
    """
    known = parts(module)
    part = known.get(parameter_name)
    if part is not None and part.layout is not None:
        return part.layout
    having = [name for name, other in known.items() if other.layout is not None]
    listed = f"it has one for {', '.join(having)}" if having else "no layout is known for this type"
    raise FaninError(f"{layer_name(module)} has no layout for {parameter_name!r}: {listed}")


def layer_type(module: nn.Module) -> type:
    """Find the class that a module behaves as, also behind TorchScript.

    Args:
        module: Any module.

    Returns:
        Its class; for a scripted module the class that was scripted, if it can be found.
    """
    script = getattr(module, "_c", None)
    if script is None:
        return type(module)
    # Such as __torch__.torch.nn.modules.conv.___torch_mangle_0.Conv2d
    words = script.qualified_name.split(".")[1:]
    *home, name = [word for word in words if not word.startswith("___torch_mangle")]
    return getattr(sys.modules.get(".".join(home)), name, type(module))


def layer_name(module: nn.Module) -> str:
    """Name the type of a module as its author wrote it.

    Args:
        module: Any module.

    Returns:
        Name of its class, without what parametrising or scripting made of it.
    """
    kind = layer_type(module)
    if kind is not type(module):
        name = kind.__name__
    elif isinstance(module, torch.jit.ScriptModule):
        name = module.original_name
    else:
        kind = parametrize.type_before_parametrizations(module)
        name = kind.__name__
    if kind.__module__.startswith("torch.nn.modules."):
        # torch has classes of its own that nobody writes: NonDynamicallyQuantizableLinear.
        return next(base.__name__ for base in kind.__mro__ if hasattr(nn, base.__name__))
    return name


def _weight_and_bias(layout: Layout) -> dict[str, Part]:
    return {"weight": Part(Role.KERNEL, layout), "bias": Part(Role.BIAS, fans_of="weight")}


def _linear(module: Any) -> dict[str, Part]:
    # Some subclasses store their weight as (in, out); in a square one the fans are the same.
    weight = dict(module.named_parameters(recurse=False)).get("weight")
    sizes = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if weight is None or is_lazy(weight) or sizes[0] == sizes[1]:
        return _weight_and_bias(Layout.linear())
    turned = tuple(weight.shape) == sizes
    return _weight_and_bias(Layout.dense() if turned else Layout.linear())


def _bilinear(_: Any) -> dict[str, Part]:
    return _weight_and_bias(Layout(in_axes=(1, 2), out_axes=(0,)))


def _conv(module: Any) -> dict[str, Part]:
    build = Layout.conv_transpose if module.transposed else Layout.conv
    return _weight_and_bias(build(len(module.kernel_size), module.groups, math.prod(module.stride)))


def _embedding(module: Any) -> dict[str, Part]:
    return {"weight": Part(Role.EMBEDDING, Layout.embedding(), zero_row=module.padding_idx)}


def _norm(_: Any) -> dict[str, Part]:
    return {"weight": Part(Role.NORM_GAIN), "bias": Part(Role.NORM_OFFSET)}


def _prelu(module: Any) -> dict[str, Part]:
    # Not a weight that is summed over but the slope of an activation: no scheme speaks of it.
    return {"weight": Part(Role.OTHER, native=constant(getattr(module, "init", 0.25)))}


def _gated(gates: int, ending: str) -> dict[str, Part]:
    stacked = Layout.stacked(gates) if gates > 1 else Layout.linear()
    return {
        f"weight_ih{ending}": Part(Role.KERNEL, stacked),
        f"weight_hh{ending}": Part(Role.KERNEL, stacked, recurrent=True),
        f"bias_ih{ending}": Part(Role.BIAS, fans_of=f"weight_ih{ending}"),
        f"bias_hh{ending}": Part(Role.BIAS, fans_of=f"weight_hh{ending}"),
    }


def _recurrent(module: Any) -> dict[str, Part]:
    gates = GATES.get(module.mode, 1)
    found = dict[str, Part]()
    for layer in range(module.num_layers):
        for direction in ("", "_reverse") if module.bidirectional else ("",):
            ending = f"_l{layer}{direction}"
            found |= _gated(gates, ending)
            # The projection makes the state that the next step sees, and is itself a plain map.
            found[f"weight_hr{ending}"] = Part(Role.KERNEL, Layout.linear())
    return found


def _attention(module: Any) -> dict[str, Part]:
    # The module keeps the fused matrix if all three have one shape, and three matrices if not.
    fused = module.kdim == module.vdim == module.embed_dim
    single = {f"{name}_proj_weight": Part(Role.KERNEL, Layout.linear()) for name in "qkv"}
    return {
        "in_proj_weight": Part(Role.KERNEL, Layout.stacked(3)),
        **single,
        "in_proj_bias": Part(Role.BIAS, fans_of="in_proj_weight" if fused else "q_proj_weight"),
        "bias_k": Part(Role.BIAS),
        "bias_v": Part(Role.BIAS),
    }


Describe = Callable[[Any], dict[str, Part]]

LAYERS: tuple[tuple[type | tuple[type, ...], Describe], ...] = (
    (nn.Linear, _linear),
    (nn.Bilinear, _bilinear),
    (_ConvNd, _conv),
    ((nn.Embedding, nn.EmbeddingBag), _embedding),
    ((_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm), _norm),
    (nn.PReLU, _prelu),
    (nn.RNNBase, _recurrent),
    (nn.LSTMCell, lambda _: _gated(GATES["LSTM"], "")),
    (nn.GRUCell, lambda _: _gated(GATES["GRU"], "")),
    (nn.RNNCell, lambda _: _gated(1, "")),
    (nn.MultiheadAttention, _attention),
)
"""Every layer of torch.nn that holds parameters of its own."""
