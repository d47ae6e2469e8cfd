"""Reading the slots off a PyTorch model: every parameter once, under all its names.

The walk goes through the modules by name and asks each layer what its parameters are for. Memory
that several layers share becomes one slot with several uses, because it can be written only once.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from fanin.errors import FaninError
from fanin.recipes import Role, Slot
from fanin.schemes import Fans, Layout
from fanin.torch.defaults import native
from fanin.torch.hooked import hooked_places
from fanin.torch.layers import Part, layer_layout, layer_name, parts
from fanin.torch.parametrised import parametrised_places
from fanin.torch.places import Place

__all__ = ["Site", "layer_layout", "memory", "places", "slots", "survey"]

COMPILED = "_orig_mod"
"""Where `torch.compile` keeps the module it wraps."""


@dataclass(frozen=True)
class Site:
    """A parameter: what a recipe knows of it, and where its values are kept.

    Attributes:
        slot: The framework-free part.
        place: The place of the first use; the others share its memory.
    """

    slot: Slot
    place: Place


def slots(model: nn.Module) -> tuple[Slot, ...]:
    """List the parameters of a model, as plain data.

    Args:
        model: Any module whose parameters have shapes.

    Returns:
        One slot for each parameter, in the order of the modules. A parametrised weight is one slot
        under the name of the weight; a tied one is one slot with several uses; the prefix that
        `torch.compile` puts before the names is left out.

    Raises:
        FaninError: The model is no module, or has no parameters, or some without a shape yet.

    Example:
        >>> [(slot.name, str(slot.role)) for slot in slots(nn.Linear(4, 2))]
        [('weight', 'kernel'), ('bias', 'bias')]
    """
    return tuple(site.slot for site in survey(model))


def survey(model: nn.Module) -> tuple[Site, ...]:
    """List the parameters of a model, each with the place of its values.

    Args:
        model: As for `slots`.

    Returns:
        One site for each parameter.

    Raises:
        FaninError: As for `slots`.
    """
    if not isinstance(cast("Any", model), nn.Module):
        raise FaninError(f"expected a torch.nn.Module, got {type(model).__name__}: {_short(model)}")
    found = dict[tuple[object, ...], list[Site]]()
    for path, module, above in _modules(model):
        for site in _sites(path, module, above):
            keys = tuple(memory(tensor) for tensor in site.place.tensors)
            found.setdefault(keys, []).append(site)
    if not found:
        raise FaninError(
            f"{layer_name(model)} has no parameters to initialise (quantised and frozen modules "
            "keep their weights elsewhere)"
        )
    return tuple(_together(sites) for sites in found.values())


def module_names(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """List the modules of a model under the names that its parameters have.

    Args:
        model: Any module.

    Returns:
        (name, module) in the order of the model, without the prefix of `torch.compile`; a module
        that stands in several places comes under each of its names.
    """
    return [(path, module) for path, module, _ in _modules(model)]


def places(module: nn.Module) -> list[Place]:
    """List where a module itself, without its children, keeps parameters.

    Args:
        module: Any module.

    Returns:
        One place for each parameter; the originals of a parametrised one count as one.
    """
    if isinstance(module, ParametrizationList):
        return []
    computed = [*parametrised_places(module), *hooked_places(module)]
    taken = {name for place in computed for owner, name in place.originals if owner is module}
    plain = [
        Place(module, name)
        for name, _ in module.named_parameters(recurse=False, remove_duplicate=False)
        if name not in taken
    ]
    return [*computed, *plain]


def _modules(model: nn.Module) -> Iterator[tuple[str, nn.Module, tuple[nn.Module, ...]]]:
    """Walk the modules by every path; compiled wrappers leave no trace in the names."""
    seen = dict[str, tuple[str, tuple[nn.Module, ...]]]()
    walk = cast("Iterator[tuple[str, nn.Module]]", model.named_modules(remove_duplicate=False))
    for real, module in walk:
        home, _, last = real.rpartition(".")
        path, above = seen[home] if real else ("", tuple[nn.Module, ...]())
        if real and not (last == COMPILED and _is_compiled(above[-1])):
            path = _join(path, last)
        seen[real] = (path, (*above, module))
        if not _is_compiled(module):
            yield path, module, above


def _is_compiled(module: nn.Module) -> bool:
    # Importing torch._dynamo to ask for its class would cost seconds.
    return type(module).__module__.startswith("torch._dynamo") and hasattr(module, COMPILED)


def _sites(path: str, module: nn.Module, above: tuple[nn.Module, ...]) -> list[Site]:
    known = parts(module)
    here = {place.attribute: place for place in places(module)}
    for name, place in here.items():
        if any(is_lazy(tensor) for tensor in place.tensors):
            raise FaninError(
                f"{_join(path, name)} has no shape yet, because {layer_name(module)} waits for its "
                "first input: run the model once on a batch, then call fanin.init_"
            )
    shapes = {name: place.shape for name, place in here.items()}
    sites = list[Site]()
    for name, place in here.items():
        part = known.get(name, Part(Role.OTHER))
        holder = part.fans_of or name
        layout = known[holder].layout if holder in known else None
        shape, weight_shape = shapes[name], shapes.get(holder, shapes[name])
        slot = Slot(
            name=_join(path, name),
            shape=shape,
            role=part.role,
            layout=part.layout,
            fans=_fans(_join(path, holder), layout, shapes.get(holder, ())),
            module=layer_name(module),
            zero_row=part.zero_row,
            recurrent=part.recurrent,
            native=part.native,
            frozen=not any(tensor.requires_grad for tensor in place.tensors),
        )
        if name in known and part.native is None:
            slot = replace(slot, native=native(module, name, shape, weight_shape, above))
        sites.append(Site(slot, place))
    return sites


def _together(sites: list[Site]) -> Site:
    """Make one slot of all that use the same memory; a module met twice is one use."""
    first = sites[0]
    others = [site for site in sites[1:] if site.place != first.place]
    uses = {(id(site.place.module), site.place.attribute): site.slot for site in others}
    zero_rows = [site.slot.zero_row for site in sites if site.slot.zero_row is not None]
    slot = replace(
        first.slot,
        aliases=tuple(site.slot.name for site in sites[1:]),
        uses=tuple(uses.values()),
        zero_row=zero_rows[0] if zero_rows else None,
    )
    return Site(slot, first.place)


def _fans(name: str, layout: Layout | None, shape: tuple[int, ...]) -> Fans | None:
    """Count the fans; a placeholder without elements has none yet."""
    if layout is None or math.prod(shape) == 0 or not shape:
        return None
    try:
        return layout.fans(shape)
    except FaninError as problem:
        raise FaninError(f"{name}: {problem}") from None


def memory(tensor: Tensor) -> object:
    """Tell apart what can be written apart.

    Args:
        tensor: Any parameter.

    Returns:
        Something equal for two tensors in exactly the same memory; where there is no memory, for
        one tensor only.
    """
    if tensor.is_meta or is_traceable_wrapper_subclass(tensor) or tensor.numel() == 0:
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride()


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _short(thing: Any) -> str:
    text = repr(thing)
    return text if len(text) <= 80 else f"{text[:77]}..."
