"""Does a parameter of zero gradient ever get one, and are equal units ever told apart?

A layer that starts at zero sends no gradient through itself, so what stands before it waits until
it has moved. That takes as many steps as there are such layers in a row. They are tried on a copy:
what still has no gradient then, or is still equal, will be so for ever.
"""

import copy
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fanin.checks import Equal
from fanin.checks.evidence import STEPS
from fanin.recipes import Role
from fanin.torch.evidence.gradients import parted
from fanin.torch.evidence.slices import described, groups, slices
from fanin.torch.evidence.values import pile_of
from fanin.torch.layouts import Site, survey
from fanin.torch.randomness import seeded
from fanin.torch.tracing.running import bind, choose_loss

LENGTH = 0.05
"""Length of a step, relative to the size of the parameter: as much as a fast training moves."""

FLOOR = 0.02
"""What stands for the size of a parameter of zeros."""


@dataclass(frozen=True)
class Opened:
    """What a few steps showed.

    Attributes:
        stuck: Parameters whose gradient was zero in every step.
        staying: Units that were equal and moved equally, by name.
    """

    stuck: frozenset[str] = frozenset()
    staying: dict[str, tuple[Equal, ...]] = field(default_factory=dict[str, tuple[Equal, ...]])


def opened(
    model: nn.Module,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
    closed: Collection[str],
    repeated: Collection[str],
) -> Opened:
    """Try a few steps on a copy.

    Args:
        model: The model; a copy of it is trained.
        batch: The batch.
        loss: The loss, as for `fanin.torch.tracing.trace`.
        seed: Seed of what the pass draws.
        closed: Parameters whose gradient is zero at the start.
        repeated: Parameters of which slices are equal.

    Returns:
        What stayed; all of `closed` where the model cannot be copied or run again.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1))
        >>> with torch.no_grad():
        ...     _ = model[0].weight.zero_()
        >>> sorted(opened(model, (torch.ones(4, 2),), None, 0, ["0.weight"], []).stuck)
        ['0.weight']
    """
    shut = set(closed)
    if not closed and not repeated:
        return Opened()
    try:
        twin = copy.deepcopy(model)
        sites = {site.slot.name: site for site in survey(twin) if not site.slot.frozen}
        before = {name: _values(sites[name]) for name in repeated if name in sites}
        with seeded(seed, "opening"), torch.enable_grad():
            for _ in range(STEPS):
                shut -= _step(twin, batch, loss, seed, sites)
    except Exception:  # noqa: BLE001  # a model that cannot be copied is told by its first pass
        return Opened(frozenset(shut))
    staying = {name: _staying(sites[name], start) for name, start in before.items()}
    return Opened(frozenset(shut), {name: equal for name, equal in staying.items() if equal})


def _values(site: Site) -> Tensor:
    return site.place.current().clone()


def _staying(site: Site, before: Tensor) -> tuple[Equal, ...]:
    """Group the slices that were equal by how they moved."""
    moved = site.place.current() - before
    start, change = pile_of(site.slot, before), pile_of(site.slot, moved)
    if start is None or change is None:
        return ()
    table = site.slot.role is Role.EMBEDDING
    found = list[Equal]()
    for held, went in zip(slices(start, table=table), slices(change, table=table), strict=True):
        alike = [part for own in groups(held.rows) for part in parted(went.rows, own)]
        if alike:
            found.append(described(held, alike))
    return tuple(found)


def _step(
    model: nn.Module,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
    sites: dict[str, Site],
) -> set[str]:
    """Move every parameter against its gradient, and list those that had one."""
    trained = [
        (name, tensor)
        for name, site in sites.items()
        for tensor in site.place.tensors
        if tensor.requires_grad
    ]
    arguments = bind(model, batch)
    output = model(*arguments.args, **arguments.kwargs)
    chosen = choose_loss(output, arguments.rest, loss, seed)
    if chosen.value is None:
        return set()
    gradients = torch.autograd.grad(
        chosen.value, [tensor for _, tensor in trained], allow_unused=True
    )
    open_ = set[str]()
    arrived: Any = gradients
    with torch.no_grad():
        for (name, tensor), gradient in zip(trained, arrived, strict=True):
            if gradient is None:
                continue
            size = gradient.float().square().mean().sqrt()
            if size > 0 and torch.isfinite(size):
                open_.add(name)
                length = LENGTH * max(FLOOR, tensor.float().square().mean().sqrt().item())
                tensor.sub_((gradient.float() * (length / size)).to(tensor.dtype))
    return open_
