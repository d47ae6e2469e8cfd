"""A plan held against a model: was my initialisation applied?

For each parameter the moments that the model holds now are held against those that the plan
promises, within what chance allows for so many numbers. Where they differ, it is said what formula
they do match.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from fanin.recipes.formulas import likeness
from fanin.recipes.held import Held
from fanin.recipes.row import Row
from fanin.recipes.sampling import misfit
from fanin.recipes.tables import aligned, number, short
from fanin.schemes import keep


class State(StrEnum):
    """How a parameter stands to its plan."""

    AS_PLANNED = "as planned"
    KEPT = "kept"
    CONSTANT = "constant"
    OFF = "off"
    NOT_FINITE = "not finite"
    OTHER_SHAPE = "other shape"
    MISSING = "missing"


GOOD = frozenset({State.AS_PLANNED, State.KEPT})


@dataclass(frozen=True)
class Line:
    """One parameter, planned and held.

    Attributes:
        row: Its row in the plan.
        held: What the model holds; None where it has no such parameter.
        state: How the two go together.
        words: What is off, and what it looks like instead.
    """

    row: Row
    held: Held | None
    state: State
    words: str = ""


@dataclass(frozen=True)
class Audit:
    """A plan held against a model; prints what is not as planned.

    Attributes:
        lines: One line per row of the plan.
        unplanned: Parameters of the model that the plan does not know.
    """

    lines: tuple[Line, ...]
    unplanned: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the model holds what the plan says, and nothing else."""
        return not self.unplanned and all(line.state in GOOD for line in self.lines)

    def __str__(self) -> str:
        count = len(self.lines)
        wrong = [line for line in self.lines if line.state not in GOOD]
        kept = sum(line.state is State.KEPT for line in self.lines)
        said = f"{count - len(wrong) - kept} of {count - kept} parameters hold what the plan says"
        were = "is kept as it was" if kept == 1 else "are kept as they were"
        parts = [said + (f", {kept} {were}" if kept else "")]
        if wrong:
            parts.append(aligned([_cells(line) for line in wrong], ("std", "held std")))
        if self.unplanned:
            parts.append(f"not in the plan: {', '.join(self.unplanned)}")
        return "\n".join(parts)

    def to_json(self) -> str:
        """Write the comparison as JSON.

        Returns:
            An object with ``ok``, ``unplanned`` and ``lines``; each line has the name, the state,
            the words, and what is planned and held. What is not there is null.
        """
        lines = [
            {
                "name": line.row.name,
                "state": str(line.state),
                "words": line.words,
                "scheme": str(line.row.scheme),
                "planned": {"mean": _figure(line.row.mean), "std": _figure(line.row.std)},
                "held": None
                if line.held is None
                else {"mean": _figure(line.held.mean), "std": _figure(line.held.std)},
            }
            for line in self.lines
        ]
        stored = {"ok": self.ok, "unplanned": list(self.unplanned), "lines": lines}
        return json.dumps(stored, indent=2)


def audit(rows: Sequence[Row], held: Mapping[str, Held]) -> Audit:
    """Hold the rows of a plan against what a model holds.

    Args:
        rows: The rows.
        held: Name of each parameter to its moments; a tied one by any of its names.

    Returns:
        One line per row.
    """
    lines = [_line(row, held) for row in rows]
    known = {name for row in rows for name in row.slot.names}
    return Audit(tuple(lines), tuple(name for name in held if name not in known))


def _line(row: Row, held: Mapping[str, Held]) -> Line:
    found = next((held[name] for name in row.slot.names if name in held), None)
    if found is None:
        return Line(row, None, State.MISSING, "the model has no such parameter")
    if found.shape != row.shape:
        return Line(row, found, State.OTHER_SHAPE, f"its shape is {found.shape}")
    if not found.finite:
        return Line(row, found, State.NOT_FINITE, "it holds nan or infinity")
    if isinstance(row.scheme, keep):
        return Line(row, found, State.KEPT)
    wrong = misfit(row.scheme, row.slot, found)
    if not wrong:
        return Line(row, found, State.AS_PLANNED)
    alike = found.minimum == found.maximum and math.prod(row.shape) > 1
    if alike and row.std > 0:
        return Line(row, found, State.CONSTANT, wrong)
    looks = likeness(row.slot, found, row.scheme)
    looks = f"matches {looks}" if looks else ""
    return Line(row, found, State.OFF, "; ".join(part for part in (wrong, looks) if part))


def _figure(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cells(line: Line) -> dict[str, str]:
    return {
        "name": line.row.name,
        "state": str(line.state),
        "planned": short(line.row.scheme),
        "std": number(line.row.std),
        "held std": number(line.held.std if line.held is not None else None),
        "what": line.words,
    }
