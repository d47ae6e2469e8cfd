"""A plan: for each parameter of a model the scheme it gets, and why.

It is what a recipe has to say about one model, before any number is drawn. A plan and a seed
together are the start: the same two give the same weights wherever they are applied. It is a value:
it prints, goes to a file and comes back, and can be held against another plan or against a model.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.recipes.audit import Audit, audit
from fanin.recipes.difference import PlanDiff, difference
from fanin.recipes.files import read_toml, record, write_toml
from fanin.recipes.held import Held
from fanin.recipes.row import Row
from fanin.recipes.signal import departure
from fanin.recipes.tables import aligned, cells
from fanin.reports import Document, Table


@dataclass(frozen=True)
class Plan:
    """What every parameter of a model starts as; prints as a table.

    Attributes:
        recipe: The recipe it was made with, or the scheme that the kernels were asked to be.
        rows: One row per parameter, in the order of the model.
        notes: What a person should know: rules that fight, and where the recipe does not fit.

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

    recipe: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [aligned(cells(self.rows))] if self.rows else []
        return "\n".join((*lines, self._counted(), *(f"note: {note}" for note in self.notes)))

    def document(self) -> Document:
        """Lay the plan out for a terminal or a page.

        Returns:
            One table, with the notes below.
        """
        rows = cells(self.rows)
        columns = tuple(rows[0]) if rows else ()
        table = Table("parameters", columns, tuple(tuple(row.values()) for row in rows))
        return Document(f"plan: {self.recipe}", (f"{self._counted()}.",), (table,), self.notes)

    def row(self, name: str) -> Row:
        """Look up a parameter.

        Args:
            name: Any of its names.

        Returns:
            Its row.

        Raises:
            FaninError: No parameter has that name.
        """
        found = next((row for row in self.rows if name in row.slot.names), None)
        if found is None:
            raise FaninError(f"the plan has no parameter {name!r}")
        return found

    def worst(self) -> "Plan":
        """Put the kernels first that are farthest from keeping the size of their signal.

        Returns:
            The same plan in another order; what is no kernel comes last, as it came.
        """
        return replace(self, rows=tuple(sorted(self.rows, key=departure, reverse=True)))

    def start(self, seed: int) -> dict[str, NDArray[np.float32]]:
        """Draw every parameter.

        Args:
            seed: The one seed, from 0 to 2**64 - 1.

        Returns:
            Name to float32 values.

        Raises:
            FaninError: The plan keeps a parameter, and there is no model to keep it.
        """
        return {row.name: row.values(seed) for row in self.rows}

    def diff(self, other: "Plan") -> PlanDiff:
        """Tell what another plan does differently.

        Args:
            other: The plan to go to.

        Returns:
            Rows that only one of them has, and rows that differ.
        """
        return difference(self.rows, other.rows)

    def compare(self, held: Mapping[str, Held]) -> Audit:
        """Tell whether a model holds what the plan says.

        Args:
            held: Name of each parameter to what the model holds.

        Returns:
            One line per parameter.
        """
        return audit(self.rows, held)

    def to_json(self) -> str:
        """Write the plan as JSON.

        Returns:
            An object with ``recipe``, ``notes`` and ``rows``; each row holds the columns of the
            table and what else is known of the parameter. What a scheme does not promise is null.
        """
        rows = [
            {**record(row), "mean": _figure(row.mean), "std": _figure(row.std)} for row in self.rows
        ]
        stored = {"recipe": self.recipe, "notes": list(self.notes), "rows": rows}
        return json.dumps(stored, indent=2)

    def to_toml(self) -> str:
        """Write the plan as TOML, with all that is needed to apply it without a trace.

        Returns:
            A text that a person can read and edit, and `from_toml` reads.
        """
        return write_toml(self.recipe, self.rows, self.notes)

    @staticmethod
    def from_toml(text: str) -> "Plan":
        """Read a plan.

        Args:
            text: As `to_toml` writes it, edited or not.

        Returns:
            The plan.

        Raises:
            FaninError: The text is no plan, or something in it is wrong.
        """
        return Plan(*read_toml(text))

    def save(self, path: str | Path) -> None:
        """Write the plan to a file.

        Args:
            path: Such as ``"plan.toml"``; a file that is there is replaced.

        Raises:
            FaninError: It cannot be written.
        """
        try:
            Path(path).write_text(self.to_toml(), encoding="utf-8", newline="\n")
        except OSError as problem:
            raise FaninError(f"cannot write {path}: {problem.strerror}") from None

    @staticmethod
    def load(path: str | Path) -> "Plan":
        """Read a plan from a file.

        Args:
            path: A file that `save` wrote, edited or not.

        Returns:
            The plan.

        Raises:
            FaninError: It cannot be read, or is no plan.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as problem:
            raise FaninError(f"cannot read {path}: {problem.strerror}") from None
        except UnicodeDecodeError:
            raise FaninError(f"{path} is no text in UTF-8, so it is no plan") from None
        try:
            return Plan.from_toml(text)
        except FaninError as problem:
            raise FaninError(f"{path}: {problem}") from None

    def _counted(self) -> str:
        count = len(self.rows)
        size = sum(math.prod(row.shape) for row in self.rows)
        return f"{count} parameter{'s' * (count != 1)}, {size} value{'s' * (size != 1)}"


def _figure(value: float) -> float | None:
    return None if math.isnan(value) else value
