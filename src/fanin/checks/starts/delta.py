"""Two starts compared: what is drawn by another law, and what is merely drawn anew.

Two draws of one law never hold the same numbers, so numbers are not compared but moments, within
the sampling error of both. Only what is no matter of chance has to agree to the last digit.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from fanin.checks.starts.start import Figures, Start
from fanin.errors import FaninError, nearest
from fanin.recipes.sampling import ROUNDING, SIGMAS
from fanin.recipes.tables import aligned

FEWEST = 30
"""Elements below which the scale of a draw says nothing: its error is a fifth at 5 sigma."""

LAW = frozenset({"missing", "added", "shape", "dtype", "scale", "mean", "law", "values"})
"""Changes of the start itself; the others are changes of what stands behind it."""


@dataclass(frozen=True)
class Change:
    """One tensor that starts differently.

    Attributes:
        name: The tensor.
        what: ``"missing"``, ``"added"``, ``"shape"``, ``"dtype"``, ``"scale"``, ``"mean"``,
            ``"law"`` (the shape of the distribution), ``"values"`` (of what is not drawn),
            ``"writer"`` or ``"drawn anew"`` (the same law, other numbers).
        one: What the first start has.
        other: What the second has.
        ratio: How many times the first standard deviation the second is; nan where that says
            nothing.
    """

    name: str
    what: str
    one: str
    other: str
    ratio: float = math.nan

    @property
    def counts(self) -> bool:
        """Whether the start itself changed."""
        return self.what in LAW


@dataclass(frozen=True)
class Delta:
    """What differs between two starts; prints as a table.

    Attributes:
        one: What the first is the start of.
        other: What the second is the start of.
        changes: One for each tensor that differs, in the order of the first.
        same: Number of tensors of equal values.
    """

    one: str
    other: str
    changes: tuple[Change, ...]
    same: int

    @property
    def ok(self) -> bool:
        """Whether the two start by the same laws."""
        return not any(change.counts for change in self.changes)

    def __str__(self) -> str:
        counting = [change for change in self.changes if change.counts]
        anew = sum(change.what == "drawn anew" for change in self.changes)
        said = [f"{len(counting)} differ", f"{anew} drawn anew by the same law"]
        parts = [f"{self.one} and {self.other}: {', '.join(said)}, {self.same} the same"]
        shown = counting + [change for change in self.changes if change.what == "writer"]
        if shown:
            parts.append(aligned([_cells(change) for change in shown]))
        return "\n".join(parts)

    def to_json(self) -> str:
        """Write the comparison as JSON.

        Returns:
            An object with ``ok``, ``one``, ``other``, ``same`` and ``changes``.
        """
        changes = [
            {**asdict(change), "ratio": None if math.isnan(change.ratio) else change.ratio}
            for change in self.changes
        ]
        stored = {
            "ok": self.ok,
            "one": self.one,
            "other": self.other,
            "same": self.same,
            "changes": changes,
        }
        return json.dumps(stored, indent=2)


def compared(one: Start, other: Start, renamed: Mapping[str, str] | None = None) -> Delta:
    """Compare two starts.

    Args:
        one: The first.
        other: The second.
        renamed: Name in the first to name in the second, where they are not the same.

    Returns:
        What differs.

    Raises:
        FaninError: A tensor that is renamed is not there.

    Example:
        >>> small = Figures((64, 64), "float32", 0.0, 0.02, -0.08, 0.08)
        >>> large = Figures((64, 64), "float32", 0.0, 0.04, -0.16, 0.16)
        >>> print(compared(Start("a", 0, {"w": small}), Start("b", 0, {"w": large})))
        a and b: 1 differ, 0 drawn anew by the same law, 0 the same
        name  what   one               other
        w     scale  mean 0, std 0.02  mean 0, std 0.04 (2 times)
    """
    names = renamed or {}
    for old, new in names.items():
        for name, start in ((old, one), (new, other)):
            if name not in start.tensors:
                known = nearest(name, list(start.tensors))
                raise FaninError(f"{start.source} has no tensor {name} to be renamed{known}")
    changes, same = list[Change](), 0
    met = set[str]()
    for name, first in one.tensors.items():
        partner = names.get(name, name)
        met.add(partner)
        second = other.tensors.get(partner)
        if second is None:
            changes.append(Change(name, "missing", _told(first), "not there"))
            continue
        found = list(_changes(name, first, second))
        changes.extend(found)
        same += all(change.what == "writer" for change in found)
    for name, second in other.tensors.items():
        if name not in met:
            changes.append(Change(name, "added", "not there", _told(second)))
    return Delta(one.source, other.source, tuple(changes), same)


def _changes(name: str, one: Figures, other: Figures) -> Iterator[Change]:
    """Tell the first thing that differs, and whether somebody else wrote it."""
    what = _difference(one, other)
    if what in ("shape", "dtype"):
        yield Change(name, what, str(getattr(one, what)), str(getattr(other, what)))
    elif what:
        ratio = other.std / one.std if one.std > 0 else math.nan
        yield Change(name, what, _told(one), _told(other), ratio if what == "scale" else math.nan)
    if one.writer and other.writer and one.writer != other.writer and what not in LAW:
        yield Change(name, "writer", one.writer, other.writer)


def _difference(one: Figures, other: Figures) -> str:
    for key in ("shape", "dtype"):
        if getattr(one, key) != getattr(other, key):
            return key
    if one.digest and one.digest == other.digest:
        return ""
    random = one.random is not False and other.random is not False
    constant = one.low == one.high or other.low == other.high
    if not random or constant:
        return _fixed(one, other)
    return _drawn(one, other)


def _fixed(one: Figures, other: Figures) -> str:
    """Compare what is no matter of chance."""
    digests = bool(one.digest and other.digest)
    if math.isnan(one.std) or math.isnan(other.std):
        # A mask of minus infinities has no figures, and its values are told by the digest alone.
        both = math.isnan(one.std) and math.isnan(other.std)
        return "" if both and not digests else "values"
    size = max(abs(one.low), abs(one.high), abs(other.low), abs(other.high))
    slack = 1e-5 * size  # the six digits of a lock
    pairs = (
        (one.mean, other.mean),
        (one.std, other.std),
        (one.low, other.low),
        (one.high, other.high),
    )
    moved = any(abs(a - b) > slack for a, b in pairs)
    return "values" if moved or (digests and one.low != one.high) else ""


def _drawn(one: Figures, other: Figures) -> str:
    """Compare two draws within their sampling error.

    References:
        Cramer (1946), Mathematical Methods of Statistics, section 28.1: the relative standard error
        of a standard deviation of n values of kurtosis k is ``sqrt((k - 1) / (4 n))``; D'Agostino
        and Pearson (1973), the error of the kurtosis of n normal values is ``sqrt(24 / n)``.
    """
    count = one.count
    if math.isnan(one.std) or math.isnan(other.std):
        return "drawn anew" if math.isnan(one.std) and math.isnan(other.std) else "values"
    if count < FEWEST:
        return "drawn anew"
    heaviest = max(3.0, one.kurtosis, other.kurtosis)
    slack = SIGMAS * math.sqrt(2 * (heaviest - 1) / (4 * count)) + ROUNDING
    if abs(math.log(other.std / one.std)) > slack:
        return "scale"
    if abs(one.mean - other.mean) > SIGMAS * math.sqrt(2 / count) * max(one.std, other.std):
        return "mean"
    if abs(one.kurtosis - other.kurtosis) > SIGMAS * math.sqrt(2 * 24 / count):
        return "law"
    return "drawn anew"


def _told(figures: Figures) -> str:
    if figures.low == figures.high:
        return f"{figures.low:g} throughout"
    told = f"mean {figures.mean:.3g}, std {figures.std:.3g}"
    return told + (f", {figures.law}" if figures.law else "")


def _cells(change: Change) -> dict[str, str]:
    times = "" if math.isnan(change.ratio) else f" ({change.ratio:.3g} times)"
    return {
        "name": change.name,
        "what": change.what,
        "one": change.one,
        "other": change.other + times,
    }
