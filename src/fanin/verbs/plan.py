"""`fanin.plan`: what every parameter of a model should start as, and why.

The framework is found among the modules that are loaded already; its room reads the parameters off
the model, and runs it once if there is a batch. The recipe decides on plain data.
"""

import sys
from collections.abc import Callable
from typing import Any

from fanin.errors import FaninError
from fanin.recipes import Audit, Plan, Recipe, Rules
from fanin.recipes import plan as decide
from fanin.schemes import Scheme


def plan(
    model: Any,
    *batch: Any,
    recipe: str | Scheme | Recipe = "auto",
    rules: Rules | None = None,
    loss: Callable[..., Any] | None = None,
    calibrate: bool = False,
    seed: int = 0,
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
        calibrate: Whether the batch sets the scales, layer by layer in the order of execution, so
            that each kernel puts out a signal of standard deviation 1 about 0.
        seed: The seed that the plan is calibrated for.

    Returns:
        One row per parameter, which prints as a table.

    Raises:
        FaninError: The model cannot be read, or fails on the batch, or the recipe does not fit.

    Example:
        >>> import torch
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 10)
        ... )
        >>> made = plan(model, torch.ones(8, 64), recipe="mup(base_width=16)")
        >>> made.row("2.weight").fed_by, made.row("2.weight").reason
        ('tanh', 'head: sqrt(16) / 32')
    """
    _check(model)
    from fanin.torch.calibrate import calibrate as measure
    from fanin.torch.planning import read

    if calibrate and not batch:
        raise FaninError(
            "calibrate=True sets the scales from a batch, and none was passed: fanin.plan(model, "
            "inputs, calibrate=True)"
        )
    made = decide(read(model, batch, loss).slots, recipe, rules, keep_unknown=bool(batch))
    return measure(model, made, seed, lambda: model(*batch)) if calibrate else made


def audit(model: Any, planned: Plan) -> Audit:
    """Tell whether a model holds what a plan says.

    Args:
        model: A `torch.nn.Module` with memory.
        planned: The plan.

    Returns:
        One line per parameter; prints what is not as planned.

    Raises:
        FaninError: It is no model, or a parameter has no memory.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(64, 32)
        >>> print(audit(model, plan(model, recipe="torch_default")))
        2 of 2 parameters hold what the plan says
    """
    _check(model)
    from fanin.torch.held import held

    return planned.compare(held(model))


def _check(model: Any) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        return
    kind = type(model).__name__
    hint = f"a class; build it first: {model.__name__}(...)" if isinstance(model, type) else kind
    raise FaninError(f"fanin.plan takes a torch.nn.Module, got {hint}")
