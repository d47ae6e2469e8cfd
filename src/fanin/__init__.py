"""Start every network right: initialise, compare and explain the starting weights of networks.

The public names, re-exported. Each is loaded when it is first asked for, so that importing fanin
costs next to nothing and imports no framework that the person has not imported.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError as FaninError

if TYPE_CHECKING:
    from fanin import checks as checks
    from fanin import draws as draws
    from fanin import jax as jax
    from fanin import recipes as recipes
    from fanin import schemes as schemes
    from fanin import studies as studies
    from fanin import theory as theory
    from fanin import torch as torch
    from fanin.checks import Report as Report
    from fanin.recipes import Plan as Plan
    from fanin.studies.restart import Restart as Restart
    from fanin.studies.store import open_study as open_study
    from fanin.studies.study import Study as Study
    from fanin.studies.sweep import Sweep as Sweep
    from fanin.verbs.blame import blame as blame
    from fanin.verbs.check import check as check
    from fanin.verbs.compare import compare as compare
    from fanin.verbs.explain import explain as explain
    from fanin.verbs.init import init_ as init_
    from fanin.verbs.lock import diff as diff
    from fanin.verbs.lock import lock as lock
    from fanin.verbs.plan import plan as plan
    from fanin.verbs.restart import restart as restart
    from fanin.verbs.restart import restart_function as restart_function
    from fanin.verbs.sweep import sweep as sweep

    __version__: str

_NAMES = {
    "Plan": "fanin.recipes",
    "Report": "fanin.checks",
    "Restart": "fanin.studies.restart",
    "Study": "fanin.studies.study",
    "Sweep": "fanin.studies.sweep",
    "blame": "fanin.verbs.blame",
    "check": "fanin.verbs.check",
    "compare": "fanin.verbs.compare",
    "diff": "fanin.verbs.lock",
    "explain": "fanin.verbs.explain",
    "init_": "fanin.verbs.init",
    "lock": "fanin.verbs.lock",
    "open_study": "fanin.studies.store",
    "plan": "fanin.verbs.plan",
    "restart": "fanin.verbs.restart",
    "restart_function": "fanin.verbs.restart",
    "sweep": "fanin.verbs.sweep",
}
_ROOMS = frozenset({"checks", "draws", "jax", "recipes", "schemes", "studies", "theory", "torch"})

__all__ = [
    "FaninError",
    "Plan",
    "Report",
    "Restart",
    "Study",
    "Sweep",
    "__version__",
    "blame",
    "check",
    "checks",
    "compare",
    "diff",
    "draws",
    "explain",
    "init_",
    "lock",
    "open_study",
    "plan",
    "recipes",
    "restart",
    "restart_function",
    "schemes",
    "sweep",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("fanin")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"fanin.{name}")
    raise AttributeError(f"module 'fanin' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
