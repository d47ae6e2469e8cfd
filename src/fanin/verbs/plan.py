"""`fanin.plan`: what every parameter of a model should start as, and why.

The framework is found among the modules that are loaded already; its room reads the parameters off
the model, and runs it once if there is a batch. The recipe decides on plain data.
"""

import sys
from collections.abc import Callable
from typing import Any

from fanin.errors import FaninError
from fanin.recipes import Plan, Recipe, Rules, Slot
from fanin.recipes import plan as decide
from fanin.schemes import Scheme


def plan(
    model: Any,
    *batch: Any,
    recipe: str | Scheme | Recipe = "auto",
    rules: Rules | None = None,
    loss: Callable[..., Any] | None = None,
) -> Plan:
    """Plan the start of a model. Nothing is written to it.

    Args:
        model: A `torch.nn.Module`.
        *batch: What its forward pass takes. With a batch the model is run once and left as it was,
            and recipes may ask where each parameter stands; parameters that no rule speaks for are
            then kept as the model holds them. Without one the types of the layers decide.
        recipe: A recipe (`fanin.recipes.recipe_names`), the path of one (``"mine.toml"``), or a
            scheme for the kernels.
        rules: Pattern of parameter names (as of `fnmatch`) to scheme; the first match counts, and
            all of them come before the recipe.
        loss: Makes a number of what the model puts out, for the backward pass; a simple one by
            default.

    Returns:
        One row per parameter, which prints as a table.

    Raises:
        FaninError: The model cannot be read, or fails on the batch, or the recipe does not fit.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10)
        ... )
        >>> made = plan(model, torch.ones(8, 64))
        >>> str(made.row("0.weight").scheme), made.row("2.weight").reason
        ('scaled_orthogonal', 'head: small, so that the first loss is that of no knowledge')
    """
    slots = _slots(model, batch, loss)
    return decide(slots, recipe, rules, keep_unknown=bool(batch))


def _slots(model: Any, batch: tuple[Any, ...], loss: Callable[..., Any] | None) -> tuple[Slot, ...]:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from fanin.torch.planning import read

        return read(model, batch, loss).slots
    kind = type(model).__name__
    hint = f"a class; build it first: {model.__name__}(...)" if isinstance(model, type) else kind
    raise FaninError(f"fanin.plan takes a torch.nn.Module, got {hint}")
