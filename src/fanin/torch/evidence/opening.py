"""Does a parameter of zero gradient ever get one, and are equal units ever told apart?

A layer that starts at zero sends no gradient through itself, so what stands before it waits until
it has moved. That takes as many steps as there are such layers in a row. They are tried on a copy:
what still has no gradient then, or is still equal, will be so for ever.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fanin.checks import Equal
from fanin.checks.evidence import STEPS
from fanin.recipes import Role, Slot
from fanin.torch.copying import copied
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
        shut: Those of them that get one as soon as what is all zero is drawn.
        staying: Units that were equal and moved equally, by name.
        note: Why nothing could be tried; empty if it could.
    """

    stuck: frozenset[str] = frozenset()
    shut: frozenset[str] = frozenset()
    staying: dict[str, tuple[Equal, ...]] = field(default_factory=dict[str, tuple[Equal, ...]])
    note: str = ""


def opened(
    model: nn.Module,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
    closed: Collection[str],
    repeated: Collection[Slot],
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
        What stayed; all of `closed`, and nothing shut, where the model cannot be copied or run
        again.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1))
        >>> with torch.no_grad():
        ...     _ = model[0].weight.zero_()
        >>> sorted(opened(model, (torch.ones(4, 2),), None, 0, ["0.weight"], []).stuck)
        ['0.weight']
    """
    stuck = set(closed)
    if not closed and not repeated:
        return Opened()
    try:
        twin = copied(model)
        sites = {site.slot.name: site for site in survey(twin) if not site.slot.frozen}
        before = [(own, _values(sites[own.name])) for own in repeated if own.name in sites]
        with seeded(seed, "opening"), torch.enable_grad():
            for _ in range(STEPS):
                stuck -= _step(twin, batch, loss, seed, sites)
        staying = {
            slot.name: _staying(slot, start, _values(sites[slot.name])) for slot, start in before
        }
        shut = set[str]()
        if stuck and _drawn(twin, seed):
            # The draws of the first step again: a mask that left a token out then does so now.
            with seeded(seed, "opening"), torch.enable_grad():
                shut = stuck & _step(twin, batch, loss, seed, sites)
    except Exception as problem:  # noqa: BLE001  # whatever the model raises
        note = f"no steps were tried on a copy: {type(problem).__name__}: {problem}"
        return Opened(frozenset(closed), note=note)
    equal = {name: found for name, found in staying.items() if found}
    return Opened(frozenset(stuck), frozenset(shut), equal)


def _drawn(twin: nn.Module, seed: int) -> bool:
    """Draw what is all zero, frozen or not, and tell whether there was any."""
    zero = [own for own in twin.parameters() if own.is_floating_point() and not own.any()]
    with torch.no_grad(), seeded(seed, "drawing"):
        for own in zero:
            own.normal_(std=FLOOR)
    return bool(zero)


def _values(site: Site) -> Tensor:
    return site.place.current().clone()


def _staying(slot: Slot, before: Tensor, after: Tensor) -> tuple[Equal, ...]:
    """Group the slices that were equal by how they moved."""
    start, change = pile_of(slot, before), pile_of(slot, after - before)
    if start is None or change is None:
        return ()
    table = slot.role is Role.EMBEDDING
    found = list[Equal]()
    for held, went in zip(slices(start, table=table), slices(change, table=table), strict=True):
        parts = [part for own in groups(held.rows) for part in parted(went.rows, own)]
        # What did not move was not asked: a dead unit, an expert without a token.
        alike = [part for part in parts if went.rows[part[0]].any()]
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
