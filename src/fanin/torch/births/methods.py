"""Which of the person's initialising methods ran: they are wrapped while the build runs.

A class is met when its first instance is made. Only plain functions that the person's own classes
define under a name that promises an initialisation are wrapped, and all are put back at the end.
Of a name that says nothing of weights the code has to: ``reset`` may clear a state, and
``init_metrics`` start a count.
"""

import functools
import inspect
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType
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

ABOUT = re.compile(r"weight|param|bias", re.IGNORECASE)
"""Names of methods that say what they initialise."""

WEIGHTS = re.compile(
    r"(named_)?(parameters|modules|children)|_parameters|_modules|apply|getattr|state_dict"
    r"|.*(weight|bias|kernel).*"
)
"""Names in code that reaches for weights; those of the layer's own parameters and layers do too."""

WRITES = re.compile(r"\w*[a-z]_|data|.*init.*|reset_parameters|_reset_parameters", re.IGNORECASE)
"""Names in code that writes: methods in place, initialisers, and helpers that are called so."""


@dataclass
class Methods:
    """The initialising methods that were met.

    Attributes:
        ran: Qualified names of those that ran.
        met: Class and name of each, with the function.
    """

    ran: set[str] = field(default_factory=set[str])
    met: dict[tuple[type, str], Any] = field(default_factory=dict[tuple[type, str], Any])

    def of(self, model: nn.Module, *, ran: bool) -> tuple[tuple[str, Frame], ...]:
        """List the methods that the modules of a model have.

        Args:
            model: The model that was built.
            ran: Whether to list those that ran, or those that never did.

        Returns:
            Qualified name and place, in the order of the modules.
        """
        found = dict[str, Frame]()
        for module in {type(module): module for module in model.modules()}.values():
            for (owner, name), function in self.met.items():
                own = next((base for base in type(module).__mro__ if name in vars(base)), None)
                qualified = f"{owner.__qualname__}.{name}".replace("<locals>.", "")
                ran_so = (qualified in self.ran) is ran
                if own is owner and ran_so and _initialises(function, module):
                    found[qualified] = frame_of(function)
        return tuple(found.items())


def _initialises(function: Any, module: nn.Module) -> bool:
    """Tell whether a method is about weights: by its name, or by what its code names and calls."""
    if ABOUT.search(function.__name__):
        return True
    named = _named(function.__code__) - {function.__name__}
    own = {name for name, _ in (*module.named_parameters(), *module.named_children())}
    return any(name in own or WEIGHTS.fullmatch(name) for name in named) and any(
        WRITES.fullmatch(name) for name in named
    )


def _named(code: CodeType) -> set[str]:
    """List all names that a function speaks of, and the functions inside it."""
    inside = [_named(one) for one in code.co_consts if isinstance(one, CodeType)]
    return {*code.co_names, *code.co_freevars}.union(*inside)


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
        methods.met[kind, name] = function
        setattr(kind, name, _noting(function, f"{kind.__qualname__}.{name}", methods))


def _noting(function: Callable[..., Any], name: str, methods: Methods) -> Callable[..., Any]:
    told = name.replace("<locals>.", "")

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        methods.ran.add(told)
        return function(*args, **kwargs)

    return called
