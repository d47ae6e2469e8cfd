"""Giving memory to a model that was built on the meta device.

Parameters get empty memory on the CPU and are then filled like any others; ties between layers are
kept. Buffers are another matter: their values came from the constructor and are gone. Those of
normalisation layers are known; any other is named in an error before anything is touched.
"""

from collections.abc import Collection, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]  # no public base

from fanin.errors import FaninError
from fanin.torch.layers import layer_name

Owned = Collection[tuple[nn.Module, str]]
"""(module, name) of tensors that somebody else fills."""


def refuse_lost_buffers(model: nn.Module, filled: Owned) -> None:
    """Raise if a buffer is on the meta device and nothing but its constructor knows its values.

    Args:
        model: Any module.
        filled: Tensors that initialising fills besides the parameters.

    Raises:
        FaninError: Which ones, and how to go on.
    """
    handled = {(id(module), name) for module, name in filled}
    lost = [
        f"{path} in {layer_name(module)}"
        for path, module, name in _meta_tensors(model)
        if (id(module), name) not in handled and not _is_statistic(module, name)
    ]
    if lost:
        raise FaninError(
            f"on the meta device, and only the constructor knows the values: {'; '.join(lost)}. "
            "Make these tensors on the CPU, with torch.device('cpu'): around the lines that "
            "compute them, or assign real ones before calling fanin.init_"
        )


def materialise(model: nn.Module) -> None:
    """Replace the parameters that are on the meta device by empty ones on the CPU.

    Shared parameters stay shared, and running statistics of normalisation layers start afresh. The
    `Parameter` objects are new, so an optimiser is to be built afterwards.

    Args:
        model: Any module; changed in place.
    """
    made = dict[int, nn.Parameter]()
    for module in model.modules():
        for name, old in [*module.named_parameters(recurse=False, remove_duplicate=False)]:
            if old.is_meta:
                if id(old) not in made:
                    made[id(old)] = _real(old)
                setattr(module, name, made[id(old)])
        if isinstance(module, _NormBase) and any(map(_is_meta, module.buffers(recurse=False))):
            for name, buffer in [*module.named_buffers(recurse=False)]:
                setattr(module, name, torch.empty_like(buffer, device="cpu"))
            module.reset_running_stats()


def _real(old: nn.Parameter) -> nn.Parameter:
    new = nn.Parameter(torch.empty_like(old, device="cpu"), requires_grad=old.requires_grad)
    # What training code hangs on a parameter (groups, tensor-parallel marks) belongs to it.
    vars(new).update(vars(old))
    return new


def _meta_tensors(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Find buffers and plain attributes, one level into lists and dicts, that have no memory."""
    walk = cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
    for path, module in walk:
        for name, value in [*module.named_buffers(recurse=False), *vars(module).items()]:
            if name.startswith("_") and name in INTERNAL:
                continue
            if any(map(_is_meta, _inside(value))):
                yield f"{path}.{name}".removeprefix("."), module, name


INTERNAL = frozenset(vars(nn.Module())) | {"_flat_weights"}
"""Attributes that torch keeps up to date itself."""


def _inside(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [*value]
    return [*value.values()] if isinstance(value, dict) else [value]


def _is_meta(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_meta


def _is_statistic(module: nn.Module, name: str) -> bool:
    known = ("running_mean", "running_var", "num_batches_tracked")
    return isinstance(module, _NormBase) and name in known
