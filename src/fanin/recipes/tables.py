"""Rows of texts as aligned columns, for a terminal, a file or a pipe alike."""

import math
from collections.abc import Collection, Mapping, Sequence

from fanin.recipes.row import Row
from fanin.schemes import Scheme, listed

NUMERIC = frozenset({"fan_in", "fan_out", "mean", "std"})
"""Columns of a plan that are aligned to the right."""

SHOWN = 3
"""Numbers of a list that a table shows; the plan's file has them all."""


def aligned(rows: Sequence[Mapping[str, str]], numeric: Collection[str] = NUMERIC) -> str:
    """Align rows in columns under their headings.

    Args:
        rows: Heading to text, the same headings in each; at least one row.
        numeric: Headings of the columns that are aligned to the right.

    Returns:
        The lines, joined; no text is cut.

    Example:
        >>> print(aligned([{"name": "a", "std": "0.5"}, {"name": "longer", "std": "10"}]))
        name    std
        a       0.5
        longer   10
    """
    headings = {name: name for name in rows[0]}
    widths = {name: max(len(line[name]) for line in (headings, *rows)) for name in headings}
    return "\n".join(
        "  ".join(
            text.rjust(widths[name]) if name in numeric else text.ljust(widths[name])
            for name, text in line.items()
        ).rstrip()
        for line in (headings, *rows)
    )


def cells(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Print the rows of a plan as texts.

    Args:
        rows: The rows.

    Returns:
        Heading to text for each; the column of what feeds a parameter is there only if a trace
        found something.
    """
    traced = any(row.fed_by for row in rows)
    return [_cells(row, traced=traced) for row in rows]


def number(value: float | None) -> str:
    """Print a figure of a plan.

    Args:
        value: The figure; None or nan where there is none.

    Returns:
        Four significant digits, or ``"-"``.

    Example:
        >>> number(0.176777), number(None)
        ('0.1768', '-')
    """
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"


def short(scheme: Scheme) -> str:
    """Print a scheme, a long list of numbers by its first few.

    Args:
        scheme: Any scheme.

    Returns:
        Its text for a table.

    Example:
        >>> short(listed((0.0, 1.0, 2.0, 3.0, 4.0)))
        'listed(0, 1, 2, ... 5 numbers)'
    """
    if not isinstance(scheme, listed) or len(scheme.numbers) <= SHOWN:
        return str(scheme)
    first = ", ".join(number(value) for value in scheme.numbers[:SHOWN])
    return f"listed({first}, ... {len(scheme.numbers)} numbers)"


def _cells(row: Row, *, traced: bool) -> dict[str, str]:
    fans = row.fans
    return {
        "name": row.name,
        "shape": str(row.shape),
        "role": str(row.role),
        "fan_in": number(fans.fan_in if fans else None),
        "fan_out": number(fans.fan_out if fans else None),
        **({"fed by": row.fed_by or "-"} if traced else {}),
        "scheme": short(row.scheme),
        "mean": number(row.mean),
        "std": number(row.std),
        "reason": row.reason,
    }
