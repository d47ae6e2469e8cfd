"""The probes, one after the other: each adds its part to the evidence and says what it cost."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from fanin.checks import Cost, Evidence, Probe, Values
from fanin.errors import FaninError
from fanin.recipes.reading import slots_from
from fanin.reports.document import counted
from fanin.torch.births import record
from fanin.torch.building import Build, call, for_a_build
from fanin.torch.evidence.layers import layers
from fanin.torch.evidence.observing import Observer
from fanin.torch.evidence.opening import opened
from fanin.torch.evidence.pretrained import read_pretrained
from fanin.torch.evidence.values import as_used, read_values
from fanin.torch.layouts import Site, survey
from fanin.torch.rebuilding import across_ranks, rebuild
from fanin.torch.tracing import trace


def gather(
    model: nn.Module | Build,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    *,
    probes: Collection[Probe],
    seed: int,
    pretrained: Any = None,
    ranks: int = 1,
) -> tuple[nn.Module, Evidence]:
    """Gather what can be seen of a model.

    Args:
        model: The model, left as it was; or what builds it.
        batch: What its forward pass takes, then what the loss takes; empty for no pass.
        loss: As for `fanin.torch.tracing.trace`.
        probes: What to do. A model that is there is neither watched nor built again.
        seed: Seed of the builds and of the pass.
        pretrained: The weights that it was to start from, as `read_pretrained` takes them.
        ranks: Processes of one group to build it in as well; 1 for none.

    Returns:
        The model, and the evidence.

    Raises:
        FaninError: The model cannot be built or read at all.

    Example:
        >>> _, seen = gather(nn.Linear(4, 2), (), None, probes=[Probe.VALUES], seed=0)
        >>> seen.values["weight"].shape, seen.layers[0].kind
        ((2, 4), 'Linear')
    """
    evidence = Evidence()
    if isinstance(model, nn.Module):
        made = model
    else:
        made, evidence = _built(model, probes, seed)
    began = time.perf_counter()
    sites = survey(made)
    evidence = replace(
        evidence,
        slots=tuple(site.slot for site in sites),
        layers=layers(made),
        values=read_values(made, sites),
        pretrained={} if pretrained is None else read_pretrained(pretrained),
    )
    evidence = _spent(evidence, Probe.VALUES, began)
    blank = sum(own.is_meta for own in made.parameters())
    if blank:
        note = f"{counted(blank, 'parameter')} on the meta device, where there is nothing to read"
        evidence = replace(evidence, notes=(*evidence.notes, note))
    if Probe.SIGNAL in probes and batch:
        evidence = _signal(evidence, made, sites, batch, loss, seed)
    if Probe.REBUILD in probes and not isinstance(model, nn.Module):
        began = time.perf_counter()
        again = rebuild(model, made, seed)
        if ranks > 1:
            unlike, world = across_ranks(model, ranks, seed)
            again = replace(again, ranks=unlike, world=world)
        evidence = replace(evidence, rebuild=again)
        evidence = _spent(evidence, Probe.REBUILD, began)
    return made, evidence


def _built(build: Build, probes: Collection[Probe], seed: int) -> tuple[nn.Module, Evidence]:
    if Probe.BIRTH not in probes:
        with for_a_build(seed):
            return call(build), Evidence()
    began = time.perf_counter()
    made, births = record(build, seed=seed)
    return made, _spent(Evidence(births=births, notes=births.notes), Probe.BIRTH, began)


def _signal(
    evidence: Evidence,
    model: nn.Module,
    sites: Sequence[Site],
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
) -> Evidence:
    began = time.perf_counter()
    observer = Observer(evidence.values)
    try:
        seen = trace(model, *batch, loss=loss, seed=seed, watch=observer)
    except FaninError as problem:
        if all(own.finite for own in evidence.values.values()):
            raise
        # What is wrong with the values explains the failure better than the failure itself.
        note = f"no pass was made: {problem}"
        return replace(evidence, notes=(*evidence.notes, note))
    backs = observer.gradients
    trained = any(own.requires_grad and not own.is_meta for own in model.parameters())
    if trained and not backs:
        note = "no gradient was sent back: no output depends on a parameter that is trained"
        evidence = replace(evidence, notes=(*evidence.notes, note))
    closed = [name for name, back in backs.items() if back.finite and back.zero == 1]
    slots = slots_from(evidence.slots, seen)
    gained = as_used(evidence.values, sites, slots, seen)
    alike = {name for name, back in backs.items() if back.units}
    alike |= {name for name, own in gained.items() if _repeats(own) and name in backs}
    repeated = [slot for slot in slots if slot.name in alike]
    later = opened(model, batch, loss, seed, closed, repeated)
    return _spent(
        replace(
            evidence,
            slots=slots,
            values={**evidence.values, **gained},
            trace=seen,
            gradients=observer.gradients,
            stuck=later.stuck,
            shut=later.shut,
            staying=later.staying,
            answer=observer.answer,
            notes=(*evidence.notes, later.note) if later.note else evidence.notes,
        ),
        Probe.SIGNAL,
        began,
    )


def _repeats(values: Values) -> bool:
    return any(one.distinct < one.count for one in values.equal)


def _spent(evidence: Evidence, probe: Probe, began: float) -> Evidence:
    return replace(evidence, costs=(*evidence.costs, Cost(probe, time.perf_counter() - began)))
