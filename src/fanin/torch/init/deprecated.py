"""The names without an underscore that `torch.nn.init` keeps for old code; each warns and obeys."""

import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from fanin.torch.init.constants import constant_, dirac_, eye_
from fanin.torch.init.elementwise import normal_, uniform_
from fanin.torch.init.matrices import orthogonal_, sparse_
from fanin.torch.init.scaled import (
    kaiming_normal_,
    kaiming_uniform_,
    xavier_normal_,
    xavier_uniform_,
)

P = ParamSpec("P")
R = TypeVar("R")


def _deprecated(function: Callable[P, R]) -> Callable[P, R]:
    """Give a function its old name, which warns whoever calls it."""
    new = function.__name__
    old = new.removesuffix("_")

    def warn_and_call(*args: P.args, **kwargs: P.kwargs) -> R:
        warnings.warn(
            f"fanin.torch.init.{old} is deprecated, as in torch: call {new}",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    warn_and_call.__name__ = warn_and_call.__qualname__ = old
    warn_and_call.__doc__ = f"Deprecated name of `{new}`, which says what it does."
    return warn_and_call


uniform = _deprecated(uniform_)
"""Deprecated name of `uniform_`."""

normal = _deprecated(normal_)
"""Deprecated name of `normal_`."""

constant = _deprecated(constant_)
"""Deprecated name of `constant_`."""

eye = _deprecated(eye_)
"""Deprecated name of `eye_`."""

dirac = _deprecated(dirac_)
"""Deprecated name of `dirac_`."""

xavier_uniform = _deprecated(xavier_uniform_)
"""Deprecated name of `xavier_uniform_`."""

xavier_normal = _deprecated(xavier_normal_)
"""Deprecated name of `xavier_normal_`."""

kaiming_uniform = _deprecated(kaiming_uniform_)
"""Deprecated name of `kaiming_uniform_`."""

kaiming_normal = _deprecated(kaiming_normal_)
"""Deprecated name of `kaiming_normal_`."""

orthogonal = _deprecated(orthogonal_)
"""Deprecated name of `orthogonal_`."""

sparse = _deprecated(sparse_)
"""Deprecated name of `sparse_`."""
