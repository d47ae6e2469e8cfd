"""The modules of a model as the rules see them."""

from collections.abc import Mapping
from typing import Any, cast

from torch import nn

from fanin.checks import Layer
from fanin.torch.evidence.module_facts import declared_ties, gate_biases, padding_row
from fanin.torch.evidence.unregistered import registered, unregistered
from fanin.torch.layouts import module_names

Plain = float | int | str | bool | None
"""What a setting may be."""

CONFIGS = ("config", "cfg", "conf", "args", "hparams", "params", "opt")
"""Names under which modules keep the configuration that they were built from."""


def layers(model: nn.Module) -> tuple[Layer, ...]:
    """List the modules.

    Args:
        model: Any module.

    Returns:
        One layer for each module, in the order of the model.

    Example:
        >>> layers(nn.Embedding(5, 2, padding_idx=0))[0].settings["padding_idx"]
        0
    """
    known = registered(model)
    return tuple(_layer(path, module, known) for path, module in module_names(model))


def _layer(path: str, module: nn.Module, known: frozenset[int]) -> Layer:
    own = [name for name, _ in module.named_parameters(recurse=False)]
    own += [name for name, _ in module.named_buffers(recurse=False)]
    prefix = f"{path}." if path else ""
    return Layer(
        path=path,
        kind=type(module).__name__,
        classes=tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in type(module).__mro__),
        tensors=tuple(f"{prefix}{name}" for name in own),
        settings=_plain(vars(module)),
        config=_config(module),
        ties=declared_ties(module, prefix),
        padding=padding_row(module, prefix),
        gates=gate_biases(module, prefix),
        unregistered=unregistered(module, known),
    )


def _plain(entries: Mapping[Any, Any]) -> dict[str, Plain]:
    return {
        name: value
        for name, value in entries.items()
        if isinstance(name, str)
        and not name.startswith("_")
        and isinstance(value, int | float | str | bool | None)
    }


def _config(module: nn.Module) -> dict[str, Plain]:
    """Read the first configuration that is held under a usual name: an object or a mapping."""
    for name in CONFIGS:
        held = vars(module).get(name)
        if isinstance(held, Mapping):
            return _plain(cast("Mapping[Any, Any]", held))
        if hasattr(held, "__dict__"):
            return _plain(vars(held))
    return {}
