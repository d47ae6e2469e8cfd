"""The checker that executes the package's annotations: beartype, with two of its limits lifted.

PEP 484 counts an int as a float, and so does pyright; beartype does when asked. And the import hook
decorates methods one by one, where beartype cannot know whom `Self` means, so it is told by name.
"""

from collections.abc import Callable
from typing import Any, Self

from beartype import BeartypeConf, beartype

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function check its arguments and its result against its annotations."""
    owner = function.__qualname__.rpartition(".")[0]
    for name, hint in function.__annotations__.items():
        if hint is Self:
            function.__annotations__[name] = owner
    return _check(function)
