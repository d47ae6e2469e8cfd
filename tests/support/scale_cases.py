"""Evidence for the rules of scale: models, batches, and births written by hand."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from fanin.births import Birth, Births, Frame, Snapshot, Write
from fanin.checks import Evidence, Finding, Probe, Severity
from fanin.checks.evidence import Cost
from fanin.checks.families.scale import RULES
from fanin.torch.evidence import gather


def evidence_of(model: nn.Module, *batch: Any) -> Evidence:
    """Gather values, and the signal where there is a batch."""
    probes = [Probe.VALUES, *([Probe.SIGNAL] if batch else [])]
    return gather(model, batch, None, probes=probes, seed=0)[1]


def found(evidence: Evidence) -> list[Finding]:
    """Let every rule of the family look."""
    return [
        finding
        for rule in RULES
        if all(evidence.ran(probe) for probe in rule.probes)
        for finding in rule.look(evidence)
    ]


def findings(model: nn.Module, *batch: Any) -> list[Finding]:
    """Find what the family finds."""
    return found(evidence_of(model, *batch))


def codes(all_of_them: list[Finding], at_least: Severity = Severity.WARNING) -> set[str]:
    """List the codes that are no mere remark."""
    return {one.code for one in all_of_them if one.severity.rank <= at_least.rank}


def written(evidence: Evidence, name: str, function: str, arguments: str) -> Evidence:
    """Add a birth: the tensor as it is was written by one call."""
    own = evidence.values[name]
    after = Snapshot(own.mean, own.std, own.minimum, own.maximum, 0.0, "now")
    write = Write(
        0,
        function,
        arguments,
        (Frame("train.py", 7, "build", f"{function}(w, {arguments})"),),
        "init",
        ("build",),
        own.count,
        own.count,
        None,
        after,
    )
    birth = Birth(name, own.shape, own.dtype, False, writes=(write,))
    before = evidence.births.tensors if evidence.births is not None else ()
    costs = (*evidence.costs, Cost(Probe.BIRTH, 0.0))
    return replace(evidence, births=Births((*before, birth)), costs=costs)


def mlp(
    init: Callable[[torch.Tensor], Any] | None = None,
    width: int = 128,
    depth: int = 6,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Build a plain stack on 64 inputs and 10 classes; with an initialiser, biases are zero."""
    torch.manual_seed(0)
    sizes = [64, *[width] * (depth - 1), 10]
    parts = list[nn.Module]()
    for inputs, outputs in pairwise(sizes):
        parts += [nn.Linear(inputs, outputs), activation()]
    model = nn.Sequential(*parts[:-1])
    for layer in model:
        if isinstance(layer, nn.Linear) and init is not None:
            with torch.no_grad():
                init(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def digits(count: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Make a batch for it."""
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(count, 64, generator=generator),
        torch.randint(0, 10, (count,), generator=generator),
    )


def he(weight: torch.Tensor) -> None:
    """Draw by He's formula for the second axis, written out."""
    fan = math.prod(weight.shape[1:])
    weight.normal_(0, math.sqrt(2 / fan))
