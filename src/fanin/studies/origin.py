"""What a study owes its bits to beside its design: data, network, plans, engine and versions.

A study goes on only where it began the same way. A changed row of the data, an edited network or
another version of the engine would put two different experiments into one table, and no one would
see it in the curves. So all of it is kept with the study and held against what is asked for.
"""

import hashlib
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from fanin.recipes import Row, as_recipe, plan
from fanin.studies.data import Data
from fanin.studies.grammar import Network
from fanin.studies.parameters import slots_of
from fanin.studies.trainer import Task, Trainer

Rows = Sequence[Mapping[str, Any]]
"""A plan in short: name, shape, role, fans and scheme of every parameter."""

DECISIVE = ("fanin", "numpy")
"""Versions that can move the last bit of a training, beside that of the engine."""


@dataclass(frozen=True)
class Description:
    """A network and how it is started.

    Attributes:
        model: The network as text, layer by layer if that can be had.
        plans: Printed scheme to one entry for every parameter.
    """

    model: str
    plans: Mapping[str, Rows]


@runtime_checkable
class Describer(Protocol):
    """A trainer that can say what it trains."""

    def describe(self, task: Task) -> Description:
        """Build the network once and settle its plans, without training."""
        ...


@dataclass(frozen=True)
class Origin:
    """Where a study comes from.

    Attributes:
        created: When it was begun, in UTC, as ISO 8601 writes it.
        engine: What trains it, with its version.
        versions: Those of fanin, numpy and python.
        chunk: Runs that are trained together, all schemes of each.
        data: Name of every array of the data to its dtype, shape and SHA-256.
        rules: Parameter name or pattern to the scheme it has under every scheme.
        model: The network as text.
        plans: Printed scheme to one entry for every parameter.
    """

    created: str
    engine: str
    versions: Mapping[str, str]
    chunk: int
    data: Mapping[str, str]
    rules: Mapping[str, str]
    model: str
    plans: Mapping[str, Rows]


def origin_of(task: Task, trainer: Trainer, chunk: int) -> Origin:
    """Collect where a study comes from.

    Args:
        task: The study.
        trainer: The engine, already asked for its chunks, which settles its name.
        chunk: Runs trained together.

    Returns:
        The origin, created now.
    """
    described = trainer.describe(task) if isinstance(trainer, Describer) else _described(task)
    return Origin(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        engine=trainer.name,
        versions={name: version(name) for name in DECISIVE} | {"python": platform.python_version()},
        chunk=chunk,
        data=fingerprint(task.data),
        rules=dict(task.rules),
        # Where a function lies in memory says nothing, and differs every time.
        model=re.sub(r" at 0x[0-9a-fA-F]+", "", described.model),
        plans=described.plans,
    )


def fingerprint(data: Data) -> dict[str, str]:
    """Tell these data from all others, names apart.

    Args:
        data: The data, split and scaled.

    Returns:
        Such as ``"train features"`` to ``"float32 (960, 4) sha256:5f..."``, for each array.
    """
    found = dict[str, str]()
    for name, part in data.parts.items():
        for kind, values in (("features", part.features), ("target", part.target)):
            found[f"{name} {kind}"] = _digest(values)
    return found


def short(row: Row) -> dict[str, Any]:
    """Keep of a row of a plan what decides on the start.

    Args:
        row: The row.

    Returns:
        Name, shape, role, fans and scheme.
    """
    return {
        "name": row.name,
        "shape": list(row.shape),
        "role": str(row.role),
        "fan_in": row.fans.fan_in if row.fans else None,
        "fan_out": row.fans.fan_out if row.fans else None,
        "scheme": str(row.scheme),
    }


def _digest(values: NDArray[Any]) -> str:
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return f"{plain.dtype} {plain.shape} sha256:{hashlib.sha256(plain.data).hexdigest()}"


def _described(task: Task) -> Description:
    """A line says everything about its parameters; of a function only its name is known."""
    if not isinstance(task.network, Network):
        return Description(task.design.network, {})
    slots = slots_of(task.network)
    plans = dict[str, Rows]()
    for scheme in task.design.schemes:
        if as_recipe(scheme).needs_trace:
            plans[scheme] = [{"name": slot.name, "shape": list(slot.shape)} for slot in slots]
        else:
            plans[scheme] = [short(row) for row in plan(slots, scheme, task.rules).rows]
    return Description(str(task.network), plans)
