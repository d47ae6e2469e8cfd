"""The starts of many trainings, stacked: what `init_` would write, for every plan and seed.

For nearly all networks a plan is drawn once per seed, without touching the network. Where the
parameters are not what the layers compute with (weight norm, spectral norm, pruning) or have no
memory yet (meta), `init_` itself writes them, one training after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fanin.draws import Constant
from fanin.recipes import Plan, Row, Rules, Slot, as_recipe, plan
from fanin.schemes import ElementwiseScheme, Scheme, keep
from fanin.torch.apply import init_, planned
from fanin.torch.layouts import survey
from fanin.torch.planning import read


@dataclass(frozen=True)
class Starts:
    """Values of shape (repeats, plans, ...) by name, in the network's dtype and on its device.

    Attributes:
        parameters: The parameters.
        buffers: The buffers.
    """

    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]


def plans_of(
    module: nn.Module,
    schemes: Sequence[str | Scheme | Plan],
    rules: Rules,
    batch: tuple[Any, ...] = (),
) -> tuple[Plan, ...]:
    """Settle the plan of every scheme.

    Args:
        module: The network.
        schemes: The schemes, recipes by name, or plans that are there already.
        rules: Pattern of parameter names to scheme, as for `init_`; a plan takes none.
        batch: What the network is run on, once, if a recipe asks where its parameters stand.

    Returns:
        One plan for each.

    Raises:
        FaninError: As for `init_`.

    Example:
        >>> plans = plans_of(nn.Linear(4, 2), ["he_normal", "auto"], {}, (torch.ones(8, 4),))
        >>> [str(plan.rows[0].scheme) for plan in plans]
        ['he_normal', 'scaled_orthogonal']
    """
    sites = survey(module)
    seen: tuple[Slot, ...] | None = None
    plans = list[Plan]()
    for scheme in schemes:
        if isinstance(scheme, str) and as_recipe(scheme).needs_trace:
            seen = seen or read(module, batch).slots
            plans.append(planned(sites, plan(seen, scheme, rules, keep_unknown=True)))
        else:
            plans.append(planned(sites, scheme, None if isinstance(scheme, Plan) else rules))
    return tuple(plans)


def stack_starts(module: nn.Module, plans: Sequence[Plan], seeds: Sequence[int]) -> Starts:
    """Draw the start of every plan from every seed.

    Args:
        module: The network; left as it is, except that one on the meta device gets memory.
        plans: The plans.
        seeds: One seed for each repeat.

    Returns:
        For plan p and repeat r, at index [r, p], the state of the network after
        ``init_(module, plans[p], seeds[r])``.

    Raises:
        FaninError: As for `init_`.

    Example:
        >>> layer = nn.Linear(4, 2)
        >>> starts = stack_starts(layer, plans_of(layer, ["he_normal", "zeros"], {}), [0, 1, 2])
        >>> starts.parameters["weight"].shape
        torch.Size([3, 2, 2, 4])
    """
    sites = survey(module)
    fitted = [planned(sites, own_plan) for own_plan in plans]
    own = dict(module.named_parameters())
    as_used = {site.slot.name: site.slot.shape for site in sites}
    as_kept = {name: tuple(parameter.shape) for name, parameter in own.items()}
    if as_used != as_kept or any(parameter.is_meta for parameter in own.values()):
        return _one_by_one(module, fitted, seeds)
    leading = (len(seeds), len(fitted))
    drawn = {name: np.empty((*leading, *p.shape), np.float32) for name, p in own.items()}
    for p, own_plan in enumerate(fitted):
        for name, row in zip(as_used, own_plan.rows, strict=True):
            if _is_constant(row):
                drawn[name][:, p] = row.values(seeds[0])
            elif not isinstance(row.scheme, keep):
                for r, seed in enumerate(seeds):
                    drawn[name][r, p] = row.values(seed)
    stacks = {
        name: torch.as_tensor(drawn[name]).to(held.device, held.dtype) for name, held in own.items()
    }
    for p, own_plan in enumerate(fitted):
        for name, row in zip(as_used, own_plan.rows, strict=True):
            if isinstance(row.scheme, keep):
                stacks[name][:, p] = own[name].detach()
    return Starts(
        stacks,
        {
            name: buffer.detach().expand(*leading, *buffer.shape).clone()
            for name, buffer in module.named_buffers()
        },
    )


def _is_constant(row: Row) -> bool:
    """Whether every seed gives the same values, as of nearly all biases and gains."""
    scheme = row.scheme
    return isinstance(scheme, ElementwiseScheme) and isinstance(scheme.law(row.fans), Constant)


def _one_by_one(module: nn.Module, plans: Sequence[Plan], seeds: Sequence[int]) -> Starts:
    before, states = _state(module), list[dict[str, Tensor]]()
    leading = (len(seeds), len(plans))
    try:
        for seed in seeds:
            for own_plan in plans:
                init_(module, own_plan, seed)
                states.append(_state(module))
                _restore(module, before)  # what the next plan keeps is from before
    finally:
        _restore(module, before)
    stacks = {
        name: torch.stack([state[name] for state in states]).view(leading + own.shape)
        for name, own in before.items()
    }
    return Starts(
        {name: stacks[name] for name, _ in module.named_parameters()},
        {name: stacks[name] for name, _ in module.named_buffers()},
    )


def _state(module: nn.Module) -> dict[str, Tensor]:
    tensors = (*module.named_parameters(), *module.named_buffers())
    return {name: tensor.detach().clone() for name, tensor in tensors}


def _restore(module: nn.Module, before: Mapping[str, Tensor]) -> None:
    """A factory may hand out a network that the person goes on using."""
    with torch.no_grad():
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            if not before[name].is_meta:
                tensor.copy_(before[name])
