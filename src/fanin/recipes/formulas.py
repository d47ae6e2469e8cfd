"""What else is it? The formula that explains what a parameter holds.

The formulas that people use are tried one after the other, because the answer is mostly the default
of a framework, another fan, or a variance taken for a standard deviation.
"""

import math
from collections.abc import Iterator
from functools import cache

from fanin.recipes.companion import companion
from fanin.recipes.held import Held
from fanin.recipes.sampling import explains
from fanin.recipes.slots import Slot
from fanin.schemes import ElementwiseScheme, Scheme, as_scheme, normal

NUMBERS_TO_TELL = 30
"""Elements below which nearly any formula explains what a parameter holds."""

FORMULAS = (
    *(
        f"{family}_{law}"
        for family in ("he", "glorot", "lecun")
        for law in ("normal", "uniform", "truncated_normal")
    ),
    "variance_scaling(2, fan_out, normal)",
    "variance_scaling(1, fan_out, normal)",
    "orthogonal",
    "normal(0, 0.02)",
    "truncated_normal(std=0.02)",
    "normal(0, 0.01)",
    "normal(0, 1)",
    "uniform(-0.05, 0.05)",
    "uniform(0, 1)",
)
"""What people start parameters with, besides the defaults of the frameworks."""


def likeness(slot: Slot, held: Held, planned: Scheme | None = None) -> str:
    """Find the formula that explains what a parameter holds.

    Args:
        slot: The parameter.
        held: Its moments.
        planned: What it was to be, if anybody said so.

    Returns:
        ``"he_normal"``, the nearest of those that fit; nothing where none does, or where there are
        too few numbers to tell.

    Example:
        >>> from fanin.recipes import Role
        >>> from fanin.schemes import Fans, Layout
        >>> slot = Slot("w", (64, 32), Role.KERNEL, Layout.linear(), Fans(32, 64), "Linear")
        >>> likeness(slot, Held(0.0, 0.25, -0.9, 0.9, True, (64, 32)))
        'he_normal'
    """
    if math.prod(slot.shape) < NUMBERS_TO_TELL or not held.std > 0:
        return ""
    fits = [
        # Where two explain it, the one of which more was looked at: its law, besides its moments.
        (not isinstance(scheme, ElementwiseScheme), abs(math.log(std / held.std)), words)
        for words, scheme in _formulas(slot, planned)
        if explains(scheme, slot, held) and (std := _std(scheme, slot)) > 0
    ]
    return min(fits)[2] if fits else ""


def _std(scheme: Scheme, slot: Slot) -> float:
    return scheme.promised(slot.fans, shape=slot.shape, layout=slot.layout).std


@cache
def _known() -> tuple[tuple[tuple[str, Scheme], ...], tuple[tuple[str, Scheme], ...]]:
    """Read the formulas once: the defaults of the frameworks, and the rest."""
    defaults = (
        ("torch's default", as_scheme("torch_default")),
        ("Keras's default", as_scheme("keras_default")),
        ("Flax's default", as_scheme("jax_default")),
    )
    return defaults, tuple((text, as_scheme(text)) for text in FORMULAS)


def _formulas(slot: Slot, planned: Scheme | None) -> Iterator[tuple[str, Scheme]]:
    defaults, formulas = _known()
    for owner, scheme in defaults:
        yield owner, companion(scheme, slot)[0]
    yield from formulas
    if isinstance(planned, normal) and planned.std > 0:
        yield "the plan's std taken for a variance", normal(planned.mean, math.sqrt(planned.std))
        yield "the plan's variance taken for a std", normal(planned.mean, planned.std**2)
