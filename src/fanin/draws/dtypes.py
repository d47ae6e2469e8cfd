"""Which types numbers can be drawn in: every floating-point type that NumPy knows, or is taught.

`ml_dtypes` teaches it bfloat16 and the 8-bit floats. NumPy files those under the raw kinds, with
raw bytes and 4-bit integers, so such a type is asked whether it can hold a half.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fanin.errors import FaninError


def floating(dtype: DTypeLike) -> np.dtype[Any]:
    """Read a floating-point type.

    Args:
        dtype: What `numpy.dtype` takes.

    Returns:
        The type.

    Raises:
        FaninError: There is no such type, or it does not hold fractions of both signs.

    Example:
        >>> floating("float16")
        dtype('float16')
    """
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise FaninError(
            f"dtype must be a floating-point type, and NumPy knows no {dtype!r}; bfloat16 and the "
            "8-bit floats come with the package ml_dtypes: dtype=ml_dtypes.bfloat16"
        ) from None
    if kind.kind == "f" or (kind.kind == "V" and kind.type is not np.void and _keeps_half(kind)):
        return kind
    raise FaninError(f"dtype must be a floating-point type, got {kind}")


def _keeps_half(kind: np.dtype[Any]) -> bool:
    return bool(np.float32(-0.5).astype(kind) == -0.5)
