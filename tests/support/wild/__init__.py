"""Public bugs of initialisation, written again from their mechanism, with their mended twins."""

from types import ModuleType

from wild import (
    answer,
    applied,
    controls,
    declared,
    initialisers,
    intended,
    laws,
    memory,
    meta,
    overwritten,
    scale,
    structure,
    symmetry,
)
from wild.harness import Case, Control
from wild.unseen import MISSED as MISSED
from wild.unseen import UNSEEN as UNSEEN

_BUGS = (memory, meta, applied, overwritten, symmetry, scale, answer, structure, declared, laws,
         initialisers)  # fmt: skip


def _held(modules: tuple[ModuleType, ...], kind: type) -> list:
    return [made for module in modules for made in vars(module).values() if isinstance(made, kind)]


CASES: list[Case] = sorted(_held(_BUGS, Case), key=lambda one: (int(one.id[1:]), one.id))
"""The bugs, by number."""

CONTROLS: list[Control] = _held((controls, intended), Control)
"""What looks wrong and is meant."""
