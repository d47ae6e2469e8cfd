"""Marks that a draw bears: values cut off at a bound, and a grid of a coarser dtype."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import few, held_slots
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import QUANTILES, Values

_DIFFERENT = 64
"""Values that a tensor has at least when it was drawn, and not listed or quantised."""

_LOW, _HIGH = QUANTILES.index(0.01), QUANTILES.index(0.99)


@rule("FI308", "marks of the draw", Severity.INFO, Probe.VALUES)
def marks_of_the_draw(evidence: Evidence) -> Iterator[Finding]:
    """The values bear a mark: many lie on one bound, or all on the grid of a coarser dtype.

    Why it hurts:
        It mostly does not. Clamping moves the mass of the tails onto two values, and a draw in
        bfloat16 has no more than 256 values in each octave; both are rarely meant.

    Example:
        ``torch.randn(n, m, dtype=torch.bfloat16).float()``, or ``w.normal_().clamp_(-1, 1)``.

    Mend:
        Draw in float32 and cast last; draw from a truncated law instead of clamping.

    When it is fine:
        Weights from a checkpoint in half precision lie on its grid. Nothing has to be done.

    Threshold:
        At least 1 in 100 of the elements on the smallest and on the largest value, of a tensor
        with at least 64 different ones. The grid: every element of a float32 tensor is a number of
        the coarser dtype, which for n draws has a chance of 2**(-13 n) or less.

    Source:
        IEEE 754-2019, section 3.6, and the definition of bfloat16, on the bits of the fractions.
    """
    coarse, clamped = dict[str, list[str]](), list[tuple[str, Values]]()
    for slot, values in held_slots(evidence):
        if values.distinct >= _DIFFERENT:
            if values.grid:
                coarse.setdefault(values.grid, []).append(slot.name)
            if _on_bounds(values):
                clamped.append((slot.name, values))
    for grid, named in coarse.items():
        yield _finding(
            tuple(named),
            f"every value in {few(tuple(named))} is a number of {grid}",
            "values with the digits of float32",
            f"they were drawn, or stored, in {grid}; only the tails are a little coarser",
            "nothing has to be done; to draw all digits, draw in float32 and cast last",
            "values on the grid of a coarser dtype",
        )
    if clamped:
        names = tuple(name for name, _ in clamped)
        values = clamped[0][1]
        yield _finding(
            names,
            f"1 in 100 elements or more lies on {values.minimum:.3g}, and as many on "
            f"{values.maximum:.3g}",
            "no two elements alike",
            "clamping moved the tails onto the bounds, and took the spread down a little",
            "nothing has to be done; a truncated law has no heaps at its bounds",
            "mass at the bounds",
        )


def _on_bounds(values: Values) -> bool:
    if len(values.quantiles) != len(QUANTILES) or values.minimum == 0 or values.maximum == 0:
        return False
    low, high = values.quantiles[_LOW], values.quantiles[_HIGH]
    return low == values.minimum and high == values.maximum


def _finding(
    names: tuple[str, ...], observed: str, expected: str, why: str, mend: str, title: str
) -> Finding:
    return Finding("FI308", Severity.INFO, names, observed, expected, why, mend, title=title)
