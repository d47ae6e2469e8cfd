"""`fanin.init_`: initialise a model, whatever its framework.

The framework is found among the modules that are loaded already: a model of a framework nobody
imported cannot exist, so none is imported to find out.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fanin.errors import FaninError
from fanin.recipes import Plan, Rules
from fanin.recipes.applied import Applied
from fanin.schemes import Scheme


def init_(
    model: Any,
    scheme: str | Path | Scheme | Plan,
    seed: int = 0,
    rules: Rules | None = None,
    build: Callable[[], Any] | None = None,
) -> Applied:
    """Initialise every parameter of a model, in place.

    Under a plan every row is laid to the parameter of its name, and all must fit. A scheme makes
    the plan: it is for the kernels, what a layer sums over. Biases and norm offsets become zero,
    norm gains one; embeddings take the scheme with one term per output, and keep a padding row at
    zero. `torch_default`, `keras_default` and `jax_default` bring that framework's habits for these
    too. The same seed gives the same numbers for a parameter of the same name, whatever else the
    model holds, whatever its dtype and device.

    Args:
        model: A `torch.nn.Module`. On the meta device it is given memory on the CPU first.
        scheme: A plan, the path of one (``"plan.toml"``), or a scheme or its printed form, such as
            ``"he_normal(gain=tanh)"``.
        seed: The one seed, from 0 to 2**64 - 1.
        rules: Pattern of parameter names (as of `fnmatch`) to scheme; the first match counts. They
            come before everything else, and parameters outside known layers need one. For a scheme
            only: a plan has settled everything.
        build: Builds the same model. Needed where the meta device lost what only the constructor
            knows, such as rotary frequencies; its parameters are never given memory.

    Returns:
        What was done: one row per parameter, which prints as a table, and what else was touched.

    Raises:
        FaninError: Something cannot be initialised; then nothing was written.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(64, 10)
        >>> print(init_(model, "lecun_normal"))
        name    shape     role    fan_in  fan_out  scheme        mean    std  reason
        weight  (10, 64)  kernel      64       10  lecun_normal     0  0.125  kernel of Linear
        bias    (10,)     bias        64       10  zeros            0      0  bias: starts at zero
        2 parameters, 650 values
        seed 0: each was written once and read back
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from fanin.torch import apply

        return apply.init_(model, scheme, seed, rules, build)
    raise FaninError(_expected(model))


def _expected(given: Any) -> str:
    """Say what came instead of a model, and what was probably meant."""
    kind = type(given).__name__
    if isinstance(given, type):
        hint = f"a class; build it first: {given.__name__}(...)"
    elif kind in {"Tensor", "Parameter"}:
        hint = f"a {kind}; for one tensor take fanin.torch.init, such as kaiming_normal_(tensor)"
    elif isinstance(given, dict):
        hint = "a dict; initialise the model and take its state_dict() afterwards"
    elif isinstance(given, list | tuple):
        hint = f"a {kind}; wrap the modules in torch.nn.ModuleList"
    else:
        hint = f"{kind}; call it for each model that is to be initialised"
    return f"fanin.init_ takes a torch.nn.Module, got {hint}"
