"""Finding what a module means to train but does not register.

`Parameter(...).to(device)` and `2 * Parameter(...)` are plain tensors, and a Python list hides its
modules: neither is among the parameters, so no optimiser sees them and `state_dict` loses them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from torch import Tensor, nn

from fanin.checks import Unregistered

LONGEST_CHAIN = 8
"""Operations between a parameter and what is held of it: a cast, a move, a factor, a view."""

ON_PURPOSE = re.compile(r"teacher|target|ema|frozen|reference|ref_|momentum|average|shadow|discrim")
"""Names of what is kept beside a model and trained elsewhere, or not at all."""


def registered(model: nn.Module) -> frozenset[int]:
    """List what the model registers.

    Args:
        model: Any module.

    Returns:
        Identities of its parameters, buffers and modules.

    Example:
        >>> len(registered(nn.Linear(2, 2)))
        3
    """
    return frozenset(map(id, [*model.parameters(), *model.buffers(), *model.modules()]))


def unregistered(module: nn.Module, known: frozenset[int]) -> tuple[Unregistered, ...]:
    """List what a module holds to be trained that its model does not register.

    Args:
        module: Any module.
        known: Identities of what the model registers.

    Returns:
        One for each tensor, and for each module in a list, tuple or dict.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> model.gate = nn.Parameter(model.weight.detach().clone()) * 1.0
        >>> [(one.name, one.what) for one in unregistered(model, registered(model))]
        [('gate', 'tensor')]
    """
    found = list[Unregistered]()
    for attribute, value in vars(module).items():
        if attribute.startswith("_") or ON_PURPOSE.search(attribute.lower()):
            continue
        for name, held, alone in _held(attribute, value):
            if isinstance(held, Tensor) and _is_lost(held, known):
                found.append(Unregistered(name, "tensor", (tuple(held.shape),), alone))
            elif isinstance(held, nn.Module) and held.training and id(held) not in known:
                lost = [own for own in held.parameters() if own.requires_grad]
                if lost and not any(id(own) in known for own in lost):
                    shapes = tuple(tuple(own.shape) for own in lost)
                    found.append(Unregistered(name, type(held).__name__, shapes, alone))
    return tuple(found)


def _held(name: str, value: Any) -> Iterator[tuple[str, Any, bool]]:
    if isinstance(value, list | tuple):
        inside = list(cast("list[Any]", value))
        for index, item in enumerate(inside):
            yield f"{name}[{index}]", item, len(inside) == 1
    elif isinstance(value, Mapping):
        for key, item in list(cast("Mapping[Any, Any]", value).items()):
            yield f"{name}[{key!r}]", item, False
    else:
        yield name, value, False


def _is_lost(tensor: Tensor, known: frozenset[int]) -> bool:
    """Tell whether a tensor is, or was made of, a parameter that nobody registered.

    An output that a model keeps from its last pass requires a gradient as well; it leads back to
    several tensors, or to parameters that are registered.
    """
    if not tensor.requires_grad or id(tensor) in known:
        return False
    if tensor.is_leaf:
        return isinstance(tensor, nn.Parameter)
    step: Any = tensor.grad_fn
    for _ in range(LONGEST_CHAIN):
        if hasattr(step, "variable"):
            return id(step.variable) not in known and isinstance(step.variable, nn.Parameter)
        before = [inner for inner, _ in step.next_functions if inner is not None]
        if len(before) != 1:
            return False
        step = before[0]
    return False
