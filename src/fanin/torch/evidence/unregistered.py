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

ON_PURPOSE = re.compile(
    r"teacher|target|frozen|reference|momentum|average|shadow|discrim|(^|_)(ema|ref)(_|$)"
)
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
        One for each tensor, and for each module in a list, tuple or dict, or in one of those.

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
            if isinstance(held, Tensor) and held.requires_grad and id(held) not in known:
                what = _what(held, known)
                if what:
                    found.append(Unregistered(name, what, (tuple(held.shape),), alone))
            elif isinstance(held, nn.Module) and held.training and id(held) not in known:
                lost = [own for own in held.parameters() if own.requires_grad]
                if lost and not any(id(own) in known for own in lost):
                    shapes = tuple(tuple(own.shape) for own in lost)
                    found.append(Unregistered(name, type(held).__name__, shapes, alone))
    return tuple(found)


def _held(name: str, value: Any, depth: int = 2) -> Iterator[tuple[str, Any, bool]]:
    """List what an attribute holds, and whether it holds that alone."""
    if not depth or not isinstance(value, list | tuple | Mapping):
        yield name, value, False
        return
    if isinstance(value, Mapping):
        inside = list(cast("Mapping[Any, Any]", value).items())
    else:
        inside = list(enumerate(cast("list[Any]", value)))
    alone = len(inside) == 1 and not isinstance(value, Mapping)
    for key, item in inside:
        for inner, held, _ in _held(f"{name}[{key!r}]", item, depth - 1):
            yield inner, held, alone


def _what(tensor: Tensor, known: frozenset[int]) -> str:
    """Tell whether a tensor is, or was made of, a parameter that nobody registered.

    An output that a model keeps from its last pass requires a gradient as well; it leads back to
    several tensors, or to parameters that are registered. A tensor that never was a parameter may
    hold the points at which derivatives are taken.
    """
    if tensor.is_leaf:
        return "tensor" if isinstance(tensor, nn.Parameter) else "leaf"
    step: Any = tensor.grad_fn
    for _ in range(LONGEST_CHAIN):
        if hasattr(step, "variable"):
            made = isinstance(step.variable, nn.Parameter) and id(step.variable) not in known
            return "tensor" if made else ""
        before = [inner for inner, _ in step.next_functions if inner is not None]
        if len(before) != 1:
            return ""
        step = before[0]
    return ""
