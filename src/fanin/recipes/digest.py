"""The fingerprint of a plan: equal for plans that draw the same numbers from the same seed."""

import hashlib
from collections.abc import Iterable

from fanin.recipes.row import Row

SIZE = 16
"""Bytes of a fingerprint."""


def digest(rows: Iterable[Row]) -> str:
    """Condense what decides the values of every parameter, and no reasons or remarks.

    Args:
        rows: The rows of a plan; their order does not matter.

    Returns:
        32 hexadecimal digits.

    Example:
        >>> from fanin.recipes import Role, Slot, assign
        >>> bias = Slot("0.bias", (10,), Role.BIAS, None, None, "Linear")
        >>> digest(assign([bias], "zeros").rows) == digest(assign([bias], "he_normal").rows)
        True
        >>> len(digest(assign([bias], "zeros", {"0.bias": "ones"}).rows))
        32
    """
    lines = sorted(map(_line, rows))
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=SIZE).hexdigest()


def _line(row: Row) -> str:
    slot, fans = row.slot, row.fans
    # A file edited by hand may say 64 for 64.0.
    counted = None if fans is None else (float(fans.fan_in), float(fans.fan_out))
    return repr((slot.name, slot.shape, str(row.scheme), slot.layout, counted, slot.zero_row))
