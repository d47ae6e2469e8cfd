"""Giving memory to a model that was built on the meta device.

Parameters get empty memory on the CPU and are then filled like any others; ties between layers, and
lists of parameters that a module keeps besides, are kept. What the constructor computed is another
matter: its values are gone, and are found again (see `fanin.torch.buffers`) or named in an error
before anything is touched. The better way is to lose nothing: `parameters_on_meta` builds a model
whose parameters have no memory, and whose buffers are real.
"""

import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]  # no public base
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.nn.parameter import is_lazy

from fanin.torch.layers import layer_name

Owned = Collection[tuple[nn.Module, str]]
"""(module, name) of tensors that somebody else fills."""

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
"""Buffers of a normalisation layer, which start afresh."""


@dataclass(frozen=True)
class Lost:
    """A buffer or an attribute without memory, whose values only its constructor knew.

    Attributes:
        path: Its name in the model.
        module: The module that holds it.
        home: Name of that module in the model.
        name: Its name in the module.
    """

    path: str
    module: nn.Module
    home: str
    name: str

    def __str__(self) -> str:
        return f"{self.path} in {layer_name(self.module)}"


@contextmanager
def parameters_on_meta() -> Generator[None]:
    """Build models whose parameters have no memory, while all else is real.

    A parameter goes to the meta device at the moment a module takes it, so a model of any size is
    built in the memory of its largest parameter. Unlike under ``torch.device("meta")``, what a
    constructor computes besides (frequencies, masks, depths) is there afterwards. Models that other
    threads build meanwhile are not concerned.

    Yields:
        Nothing.

    Example:
        >>> with parameters_on_meta():
        ...     model = nn.BatchNorm1d(3)
        >>> model.weight.is_meta, model.running_var
        (True, tensor([1., 1., 1.]))
    """
    builder = threading.get_ident()

    def without_memory(_: nn.Module, __: str, parameter: nn.Parameter | None) -> Any:
        elsewhere = threading.get_ident() != builder
        if parameter is None or elsewhere or parameter.is_meta or is_lazy(parameter):
            return parameter
        return _on(parameter, "meta")

    handle = register_module_parameter_registration_hook(without_memory)
    try:
        yield
    finally:
        handle.remove()


def lost_values(model: nn.Module, filled: Owned) -> list[Lost]:
    """Find what is on the meta device and is no parameter, and whose values nobody here knows.

    Args:
        model: Any module.
        filled: Tensors that initialising fills besides the parameters.

    Returns:
        What was lost, in the order of the modules. A plain attribute counts when there is a tensor
        in it, one level into lists and dicts, that is none of the model's parameters.
    """
    handled = {(id(module), name) for module, name in filled}
    return [
        lost
        for lost in _without_memory(model)
        if (id(lost.module), lost.name) not in handled
        and not (isinstance(lost.module, _NormBase) and lost.name in STATISTICS)
    ]


def materialise(model: nn.Module) -> list[str]:
    """Replace the parameters that are on the meta device by empty ones on the CPU.

    Shared parameters stay shared, also with the lists and dicts of parameters that a module keeps,
    and running statistics of normalisation layers start afresh. The `Parameter` objects are new, so
    an optimiser is to be built afterwards.

    Args:
        model: Any module; changed in place.

    Returns:
        What was done, as sentences.
    """
    made = dict[int, nn.Parameter]()
    for module in model.modules():
        for name, old in [*module.named_parameters(recurse=False, remove_duplicate=False)]:
            if old.is_meta:
                if id(old) not in made:
                    made[id(old)] = _on(old, "cpu")
                setattr(module, name, made[id(old)])
        if isinstance(module, _NormBase) and any(map(_is_meta, module.buffers(recurse=False))):
            for name, buffer in [*module.named_buffers(recurse=False)]:
                setattr(module, name, torch.empty_like(buffer, device="cpu"))
            module.reset_running_stats()
    if not made:
        return []
    for module in model.modules():
        for name, value in [*vars(module).items()]:
            if name not in INTERNAL and any(id(item) in made for item in inside(value)):
                vars(module)[name] = _with(made, value)
    count = f"{len(made)} parameter{'s' * (len(made) != 1)}"
    return [f"{count} had no memory (meta device) and got some on the CPU"]


def _on(old: nn.Parameter, device: str) -> nn.Parameter:
    with torch.no_grad():
        new = nn.Parameter(torch.empty_like(old, device=device), requires_grad=old.requires_grad)
    # What training code hangs on a parameter (groups, tensor-parallel marks) belongs to it.
    vars(new).update(vars(old))
    return new


def _with(made: dict[int, nn.Parameter], value: Any) -> Any:
    """Put the new parameters into a list, tuple or dict, or in place of a lone one."""
    items: list[Any] = [made.get(id(item), item) for item in inside(value)]
    kind = cast("type[Any]", type(value))
    if issubclass(kind, list):
        value[:] = items
        return value
    if issubclass(kind, dict):
        value.update(zip(value, items, strict=True))
        return value
    if issubclass(kind, tuple):
        rebuild: Any = getattr(value, "_make", tuple)  # a named tuple has its own way
        return rebuild(items)
    return items[0]


def _without_memory(model: nn.Module) -> Iterator[Lost]:
    """Find buffers and plain attributes, one level into lists and dicts, that have no memory."""
    own = {id(parameter) for parameter in model.parameters()}
    walk = cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
    for home, module in walk:
        for name, value in [*module.named_buffers(recurse=False), *vars(module).items()]:
            if name in INTERNAL:
                continue
            if any(_is_meta(item) and id(item) not in own for item in inside(value)):
                yield Lost(f"{home}.{name}".removeprefix("."), module, home, name)


INTERNAL = frozenset(vars(nn.Module())) | {"_flat_weights"}
"""Attributes that torch keeps up to date itself."""


def inside(value: Any) -> list[Any]:
    """List what a plain attribute holds.

    Args:
        value: Any attribute of a module.

    Returns:
        The items of a list, tuple or dict; else the value alone.
    """
    if isinstance(value, list | tuple):
        return [*cast("list[Any]", value)]
    return [*cast("dict[Any, Any]", value).values()] if isinstance(value, dict) else [value]


def _is_meta(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_meta
