"""The probes, one after the other: each adds its part to the evidence and says what it cost."""

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from torch import nn

from fanin.checks import Cost, Evidence, Probe
from fanin.errors import FaninError
from fanin.recipes import Plan
from fanin.recipes.reading import slots_from
from fanin.torch.evidence.layers import layers
from fanin.torch.evidence.observing import Observer
from fanin.torch.evidence.values import read_values
from fanin.torch.layouts import survey
from fanin.torch.tracing import trace


def gather(
    model: nn.Module,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    *,
    probes: Collection[Probe],
    seed: int,
    plan: Plan | None = None,
) -> Evidence:
    """Gather what can be seen of a model that is there.

    Args:
        model: The model; left as it was.
        batch: What its forward pass takes, then what the loss takes; empty for no pass.
        loss: As for `fanin.torch.tracing.trace`.
        probes: What to do of `VALUES` and `SIGNAL`.
        seed: Seed of the pass.
        plan: The plan that the person declared.

    Returns:
        The evidence.

    Raises:
        FaninError: The model cannot be read at all.

    Example:
        >>> seen = gather(nn.Linear(4, 2), (), None, probes=[Probe.VALUES], seed=0)
        >>> seen.values["weight"].shape, seen.layers[0].kind
        ((2, 4), 'Linear')
    """
    began = time.perf_counter()
    sites = survey(model)
    evidence = Evidence(
        slots=tuple(site.slot for site in sites),
        layers=layers(model),
        values=read_values(model, sites),
        plan=plan,
    )
    evidence = _spent(evidence, Probe.VALUES, began)
    if Probe.SIGNAL in probes and batch:
        evidence = _signal(evidence, model, batch, loss, seed)
    return evidence


def _signal(
    evidence: Evidence,
    model: nn.Module,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    seed: int,
) -> Evidence:
    began = time.perf_counter()
    observer = Observer(evidence.values)
    try:
        seen = trace(model, *batch, loss=loss, seed=seed, watch=observer)
    except FaninError as problem:
        if evidence.values and all(own.finite for own in evidence.values.values()):
            raise
        # What is wrong with the values explains the failure better than the failure itself.
        return replace(evidence, failure=str(problem))
    return _spent(
        replace(
            evidence,
            slots=slots_from(evidence.slots, seen),
            trace=seen,
            gradients=observer.gradients,
            answer=observer.answer,
        ),
        Probe.SIGNAL,
        began,
    )


def _spent(evidence: Evidence, probe: Probe, began: float) -> Evidence:
    return replace(evidence, costs=(*evidence.costs, Cost(probe, time.perf_counter() - began)))
