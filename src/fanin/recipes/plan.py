"""A plan: for each parameter of a model the scheme it gets, and why.

It is what a recipe has to say about one model, before any number is drawn. A plan and a seed
together are the start: the same two give the same weights wherever they are applied.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fanin.recipes.slots import Role, Slot
from fanin.schemes import Fans, Scheme

NUMERIC = frozenset({"fan_in", "fan_out", "mean", "std"})
"""Columns that are aligned to the right."""


@dataclass(frozen=True)
class Row:
    """The decision for one parameter.

    Attributes:
        slot: The parameter, as the use that decided sees it.
        scheme: What its values are drawn from.
        reason: Why, in a few words.
        mean: Mean that the scheme promises.
        std: Standard deviation that the scheme promises.

    Raises:
        FaninError: The scheme cannot fill this parameter.
    """

    slot: Slot
    scheme: Scheme
    reason: str
    mean: float = field(init=False)
    std: float = field(init=False)

    def __post_init__(self) -> None:
        slot = self.slot
        promised = self.scheme.promised(slot.fans, shape=slot.shape, layout=slot.layout)
        object.__setattr__(self, "mean", promised.mean)
        object.__setattr__(self, "std", promised.std)

    @property
    def name(self) -> str:
        """Qualified name of the parameter."""
        return self.slot.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter."""
        return self.slot.shape

    @property
    def role(self) -> Role:
        """What the parameter is for."""
        return self.slot.role

    @property
    def fans(self) -> Fans | None:
        """Fans of the layer the parameter belongs to."""
        return self.slot.fans

    def values(self, seed: int) -> NDArray[np.float32]:
        """Draw the parameter.

        Args:
            seed: The one seed, from 0 to 2**64 - 1.

        Returns:
            float32 values of the parameter's shape, the padding row at zero.
        """
        slot = self.slot
        drawn = self.scheme.values(
            slot.shape, seed=seed, name=slot.name, layout=slot.layout, fans=slot.fans
        )
        values = np.asarray(drawn, np.float32)
        if slot.zero_row is not None:
            values[slot.zero_row] = 0
        return values


@dataclass(frozen=True)
class Plan:
    """What every parameter of a model starts as; prints as a table.

    Attributes:
        scheme: What the kernels were asked to be.
        rows: One row per parameter, in the order of the model.

    Example:
        >>> from fanin.recipes import Role, Slot, assign
        >>> from fanin.schemes import Fans, Layout
        >>> kernel = Slot(
        ...     "0.weight", (10, 64), Role.KERNEL, Layout.linear(), Fans(64, 10), "Linear"
        ... )
        >>> print(assign([kernel], "lecun_normal"))
        name      shape     role    fan_in  fan_out  scheme        mean    std  reason
        0.weight  (10, 64)  kernel      64       10  lecun_normal     0  0.125  kernel of Linear
        1 parameter, 640 values
    """

    scheme: Scheme
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        count = len(self.rows)
        size = sum(math.prod(row.shape) for row in self.rows)
        counted = f"{count} parameter{'s' * (count != 1)}, {size} value{'s' * (size != 1)}"
        return f"{_table([_cells(row) for row in self.rows])}\n{counted}"

    def start(self, seed: int) -> dict[str, NDArray[np.float32]]:
        """Draw every parameter.

        Args:
            seed: The one seed, from 0 to 2**64 - 1.

        Returns:
            Name to float32 values.
        """
        return {row.name: row.values(seed) for row in self.rows}

    def to_json(self) -> str:
        """Write the plan as JSON.

        Returns:
            An object with ``scheme`` and ``rows``; each row holds the columns of the table and the
            further names of tied weights.
        """
        rows = [_record(row) for row in self.rows]
        return json.dumps({"scheme": str(self.scheme), "rows": rows}, indent=2)


def _record(row: Row) -> dict[str, object]:
    fans = row.fans
    return {
        "name": row.name,
        "shape": list(row.shape),
        "role": str(row.role),
        "fan_in": None if fans is None else fans.fan_in,
        "fan_out": None if fans is None else fans.fan_out,
        "scheme": str(row.scheme),
        "mean": row.mean,
        "std": row.std,
        "reason": row.reason,
        "aliases": list(row.slot.aliases),
    }


def _cells(row: Row) -> dict[str, str]:
    """Print a row; the further names of a tied weight stand in the reason already."""
    record = _record(row) | {"shape": str(row.shape)}
    del record["aliases"]
    return {name: _cell(value) for name, value in record.items()}


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(rows: Sequence[dict[str, str]]) -> str:
    headings = {name: name for name in rows[0]}
    widths = {name: max(len(line[name]) for line in (headings, *rows)) for name in headings}
    return "\n".join(
        "  ".join(
            text.rjust(widths[name]) if name in NUMERIC else text.ljust(widths[name])
            for name, text in line.items()
        ).rstrip()
        for line in (headings, *rows)
    )
