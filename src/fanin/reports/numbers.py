"""Numbers that JSON has no word for."""

import math
from typing import Any


def jsonable(value: Any) -> Any:
    """Replace what JSON cannot hold, at any depth.

    Args:
        value: Dicts, lists and tuples of plain values.

    Returns:
        The same, with nan as null and infinity as the text ``"inf"`` or ``"-inf"``.

    Example:
        >>> jsonable({"loss": [float("inf"), float("nan"), 1.5]})
        {'loss': ['inf', None, 1.5]}
    """
    inside: Any = value
    if isinstance(value, dict):
        return {key: jsonable(part) for key, part in inside.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in inside]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return inside
