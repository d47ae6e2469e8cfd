"""The one decorator that fanin takes from Numba: what it returns is called with anything."""

from collections.abc import Callable
from typing import Any

def njit(
    *, inline: str = ..., nogil: bool = ..., cache: bool = ...
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
