"""The starts of many trainings, stacked: what `init_` would write, for every scheme and seed.

For nearly all networks the plan of a scheme is made once and drawn once per seed, without touching
the network. Where the parameters are not what the layers compute with (weight norm, spectral norm,
pruning) or have no memory yet (meta), `init_` itself writes them, one training after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fanin.draws import Constant
from fanin.recipes import Row, assign
from fanin.schemes import ElementwiseScheme
from fanin.torch.apply import init_
from fanin.torch.layouts import survey
from fanin.torch.refusals import refuse


@dataclass(frozen=True)
class Starts:
    """Values of shape (repeats, schemes, ...) by name, in the network's dtype and on its device.

    Attributes:
        parameters: The parameters.
        buffers: The buffers.
    """

    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]


def stack_starts(
    module: nn.Module, schemes: Sequence[str], seeds: Sequence[int], rules: Mapping[str, str]
) -> Starts:
    """Draw the start of every scheme from every seed.

    Args:
        module: The network; left as it is, except that one on the meta device gets memory.
        schemes: The schemes, printed in full.
        seeds: One seed for each repeat.
        rules: Pattern of parameter names to scheme, as for `init_`.

    Returns:
        For scheme s and repeat r, at index [r, s], the state of the network after
        ``init_(module, schemes[s], seeds[r], rules)``.

    Raises:
        FaninError: As for `init_`.

    Example:
        >>> starts = stack_starts(nn.Linear(4, 2), ["he_normal", "zeros"], [0, 1, 2], {})
        >>> starts.parameters["weight"].shape
        torch.Size([3, 2, 2, 4])
    """
    sites = survey(module)
    refuse(sites)
    slots = [site.slot for site in sites]
    own = dict(module.named_parameters())
    as_used = {slot.name: slot.shape for slot in slots}
    as_kept = {name: tuple(parameter.shape) for name, parameter in own.items()}
    if as_used != as_kept or any(parameter.is_meta for parameter in own.values()):
        return _one_by_one(module, schemes, seeds, rules)
    leading = (len(seeds), len(schemes))
    drawn = {name: np.empty((*leading, *p.shape), np.float32) for name, p in own.items()}
    for s, scheme in enumerate(schemes):
        for row in assign(slots, scheme, rules).rows:
            if _is_constant(row):
                drawn[row.name][:, s] = row.values(seeds[0])
                continue
            for r, seed in enumerate(seeds):
                drawn[row.name][r, s] = row.values(seed)
    return Starts(
        {name: torch.as_tensor(drawn[name]).to(p.device, p.dtype) for name, p in own.items()},
        {
            name: buffer.detach().expand(*leading, *buffer.shape).clone()
            for name, buffer in module.named_buffers()
        },
    )


def _is_constant(row: Row) -> bool:
    """Whether every seed gives the same values, as of nearly all biases and gains."""
    scheme = row.scheme
    return isinstance(scheme, ElementwiseScheme) and isinstance(scheme.law(row.fans), Constant)


def _one_by_one(
    module: nn.Module, schemes: Sequence[str], seeds: Sequence[int], rules: Mapping[str, str]
) -> Starts:
    before, states = _state(module), list[dict[str, Tensor]]()
    leading = (len(seeds), len(schemes))
    try:
        for seed in seeds:
            for scheme in schemes:
                init_(module, scheme, seed, rules)
                states.append(_state(module))
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
