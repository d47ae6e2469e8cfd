"""Which of the person's initialising methods ran: they are wrapped while the build runs.

A class is met when its first instance is made. Only plain functions that the person's own classes
define under a name that promises an initialisation are wrapped, and all are put back at the end.
"""

import functools
import inspect
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from fanin.births import Frame
from fanin.torch.callers import frame_of, is_own

PROMISING = re.compile(
    r"_*(re)?(init|initiali[sz]e|reset)(_?(weights?|parameters?|params|bias(es)?|modules?))?_*"
    r"|_*weights?_init_*|_*(weights?|parameters?)_initiali[sz]ation_*|_*init_.*",
    re.IGNORECASE,
)
"""Names that promise an initialisation."""


@dataclass
class Methods:
    """The initialising methods that were met.

    Attributes:
        ran: Qualified names of those that ran.
        met: Class and name of each, with where it is defined.
    """

    ran: set[str] = field(default_factory=set[str])
    met: dict[tuple[type, str], Frame] = field(default_factory=dict[tuple[type, str], Frame])

    def of(self, model: nn.Module, *, ran: bool) -> tuple[tuple[str, Frame], ...]:
        """List the methods that the modules of a model have.

        Args:
            model: The model that was built.
            ran: Whether to list those that ran, or those that never did.

        Returns:
            Qualified name and place, in the order of the modules.
        """
        found = dict[str, Frame]()
        for kind in dict.fromkeys(type(module) for module in model.modules()):
            for (owner, name), place in self.met.items():
                own = next((base for base in kind.__mro__ if name in vars(base)), None)
                qualified = f"{owner.__qualname__}.{name}".replace("<locals>.", "")
                if own is owner and (qualified in self.ran) is ran:
                    found[qualified] = place
        return tuple(found.items())


@contextmanager
def watched_methods() -> Generator[Methods]:
    """Wrap the initialising methods of every class that is instantiated in the body.

    Yields:
        What was met, and what ran.
    """
    methods = Methods()
    originals = dict[tuple[type, str], Any]()
    begin: Any = nn.Module.__init__

    @functools.wraps(begin)
    def met(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        for kind in type(self).__mro__:
            _wrap(kind, methods, originals)
        begin(self, *args, **kwargs)

    nn.Module.__init__ = met
    try:
        yield methods
    finally:
        nn.Module.__init__ = begin
        for (kind, name), original in originals.items():
            setattr(kind, name, original)


def _wrap(kind: type, methods: Methods, originals: dict[tuple[type, str], Any]) -> None:
    for name, function in list(vars(kind).items()):
        if (kind, name) in originals or not inspect.isfunction(function):
            continue
        if name.startswith("__") or not PROMISING.fullmatch(name) or not is_own(function):
            continue
        originals[kind, name] = function
        methods.met[kind, name] = frame_of(function)
        setattr(kind, name, _noting(function, f"{kind.__qualname__}.{name}", methods))


def _noting(function: Callable[..., Any], name: str, methods: Methods) -> Callable[..., Any]:
    told = name.replace("<locals>.", "")

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        methods.ran.add(told)
        return function(*args, **kwargs)

    return called
