"""Two plans, row by row: what the second does differently from the first."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from fanin.recipes.row import Row
from fanin.recipes.tables import aligned, number, short


@dataclass(frozen=True)
class Change:
    """A parameter for which two plans have different things.

    Attributes:
        before: Its row in the first plan.
        after: Its row in the second.
    """

    before: Row
    after: Row

    @property
    def ratio(self) -> float:
        """Standard deviation in the second plan over that in the first; nan where one is 0."""
        stds = self.before.std, self.after.std
        return stds[1] / stds[0] if all(stds) else math.nan


@dataclass(frozen=True)
class PlanDiff:
    """What two plans do differently; prints as a table.

    Attributes:
        removed: Rows that only the first plan has.
        added: Rows that only the second has.
        changed: Parameters of both whose shape or scheme differs.
        same: How many rows are alike.
    """

    removed: tuple[Row, ...]
    added: tuple[Row, ...]
    changed: tuple[Change, ...]
    same: int

    @property
    def ok(self) -> bool:
        """Whether nothing differs: the two start the same parameters alike."""
        return not (self.removed or self.added or self.changed)

    def __str__(self) -> str:
        if self.ok:
            return f"no difference in {self.same} parameter{'s' * (self.same != 1)}"
        lines = [
            *(_line("-", row, None) for row in self.removed),
            *(_line("+", None, row) for row in self.added),
            *(_line("~", change.before, change.after, change.ratio) for change in self.changed),
        ]
        counts = (
            f"{len(self.changed)} changed, {len(self.removed)} only before, {len(self.added)} only "
            f"after, {self.same} the same"
        )
        return f"{aligned(lines, ('std ratio',))}\n{counts}"

    def to_json(self) -> str:
        """Write the difference as JSON.

        Returns:
            An object with ``removed`` and ``added``, the names; ``changed``, one object each with
            the name, both shapes and schemes, and the ratio of the standard deviations; ``same``.
        """
        changed = [
            {
                "name": change.after.name,
                "before": _stored(change.before),
                "after": _stored(change.after),
                "std_ratio": None if math.isnan(change.ratio) else change.ratio,
            }
            for change in self.changed
        ]
        stored = {
            "removed": [row.name for row in self.removed],
            "added": [row.name for row in self.added],
            "changed": changed,
            "same": self.same,
        }
        return json.dumps(stored, indent=2)


def difference(before: Sequence[Row], after: Sequence[Row]) -> PlanDiff:
    """Compare the rows of two plans.

    Args:
        before: Rows of the first.
        after: Rows of the second.

    Returns:
        What differs. A tied parameter is found by any of its names; reasons do not count.
    """
    known = {name: row for row in after for name in row.slot.names}
    pairs = [(row, _partner(row, known)) for row in before]
    met = {id(partner) for _, partner in pairs if partner is not None}
    changed = [
        Change(row, other) for row, other in pairs if other is not None and not _alike(row, other)
    ]
    return PlanDiff(
        removed=tuple(row for row, other in pairs if other is None),
        added=tuple(row for row in after if id(row) not in met),
        changed=tuple(changed),
        same=len(pairs) - len(changed) - sum(other is None for _, other in pairs),
    )


def _stored(row: Row) -> dict[str, object]:
    return {"shape": list(row.shape), "scheme": str(row.scheme)}


def _partner(row: Row, known: dict[str, Row]) -> Row | None:
    return next((known[name] for name in row.slot.names if name in known), None)


def _alike(row: Row, other: Row) -> bool:
    """Tell whether the same numbers are drawn; by another name they are not."""
    if row.name != other.name or row.shape != other.shape or row.scheme != other.scheme:
        return False
    # What is kept has no moments: nan on both sides.
    same = row.std == other.std or (math.isnan(row.std) and math.isnan(other.std))
    return same and row.slot.zero_row == other.slot.zero_row


def _line(
    mark: str, before: Row | None, after: Row | None, ratio: float = math.nan
) -> dict[str, str]:
    one = before or after
    return {
        "": mark,
        "name": one.name if one is not None else "",
        "before": _said(before, after),
        "after": _said(after, before),
        "std ratio": number(ratio),
    }


def _said(row: Row | None, other: Row | None) -> str:
    if row is None:
        return "-"
    shape = f"{row.shape} " if other is None or row.shape != other.shape else ""
    return f"{shape}{short(row.scheme)}"
