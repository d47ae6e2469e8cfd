"""Evidence for the rules of scale, with the figures of the values read by plain NumPy."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from fanin.births import Birth, Births, Frame, Snapshot, Write
from fanin.checks import Evidence, Finding, Probe, Severity, Values
from fanin.checks.evidence import Cost
from fanin.checks.families.scale import RULES
from fanin.checks.values import QUANTILES
from fanin.recipes import Slot
from fanin.torch.evidence import gather


def evidence_of(model: nn.Module, *batch: Any) -> Evidence:
    """Gather, and read anew what the gathering of values may leave out."""
    seen = gather(
        model, batch, None, probes=[Probe.VALUES, *([Probe.SIGNAL] if batch else [])], seed=0
    )
    held = {name: t.detach() for name, t in model.state_dict(keep_vars=True).items()}
    slots = {slot.name: slot for slot in seen.slots}
    values = {
        name: _read(own, held[name].double().numpy(), slots.get(name))
        if name in held and not held[name].is_complex()
        else own
        for name, own in seen.values.items()
    }
    return replace(seen, values=values)


def _read(own: Values, array: Any, slot: Slot | None) -> Values:
    if array.size < 2 or not np.isfinite(array).all() or array.std() == 0:
        return own
    centred = (array - array.mean()) / array.std()
    own = replace(
        own,
        kurtosis=float((centred**4).mean()),
        quantiles=tuple(np.quantile(array, QUANTILES).tolist()),
        distinct=len(np.unique(array)),
        sampled=array.size,
    )
    if slot is None or slot.layout is None or array.ndim < 2:
        return own
    matrices = slot.layout.split(array)
    rms = np.sqrt((matrices**2).mean(axis=(2, 3))).ravel()
    blocks = matrices.reshape(len(matrices), matrices.shape[1], -1)
    return replace(
        own,
        unit_rms=(float(rms.min()), float(np.median(rms)), float(rms.max())),
        orthogonality=departure(array.reshape(len(array), -1)),
        block_orthogonality=max(map(departure, blocks)) if len(blocks) > 1 else None,
    )


def departure(matrix: Any) -> float:
    """Tell how far a matrix is from orthogonal, up to a factor."""
    smaller = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    scale = np.trace(smaller) / len(smaller)
    return float(np.abs(smaller / scale - np.eye(len(smaller))).max())


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
