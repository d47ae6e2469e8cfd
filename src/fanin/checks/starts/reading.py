"""The start of a model, read off what was gathered of it."""

import math

from fanin.births import Birth
from fanin.checks.evidence import Evidence
from fanin.checks.starts.start import Figures, Start
from fanin.checks.values import Values
from fanin.recipes import Held
from fanin.recipes.audit import likeness
from fanin.schemes import keep


def start_of(evidence: Evidence, source: str, seed: int) -> Start:
    """Read a start off what was gathered.

    Args:
        evidence: The values, and what else is there.
        source: What it is the start of.
        seed: The seed it was built with.

    Returns:
        The start.

    Example:
        >>> held = Values("gain", (4,), "float32", 4, mean=1.0, minimum=1.0, maximum=1.0)
        >>> start_of(Evidence(values={"gain": held}), "build", 0).tensors["gain"].mean
        1.0
    """
    return Start(
        source,
        seed,
        {name: _figures(held, evidence) for name, held in evidence.values.items()},
    )


def _figures(held: Values, evidence: Evidence) -> Figures:
    birth = None if evidence.births is None else evidence.births.of(held.name)
    return Figures(
        shape=held.shape,
        dtype=held.dtype,
        mean=_short(held.mean if held.finite else math.nan),
        std=_short(held.std if held.finite else math.nan),
        low=_short(held.minimum),
        high=_short(held.maximum),
        kurtosis=_short(held.kurtosis),
        law=_law(held, evidence),
        writer=_writer(birth),
        random=None if birth is None else _drawn(birth),
        digest=held.digest[:16],
    )


def _short(number: float) -> float:
    # Six digits: more than any sampling error, and less than what two machines may round apart.
    return float(f"{number:.6g}")


def _law(held: Values, evidence: Evidence) -> str:
    slot = evidence.slot(held.name)
    if slot is None or held.buffer or not held.finite or math.prod(held.shape) != held.count:
        return ""
    if evidence.plan is not None:
        rows = [row for row in evidence.plan.rows if row.name == slot.name]
        if rows:
            return str(rows[0].scheme)
    if held.constant:
        return f"constant({held.mean:g})"
    moments = Held(held.mean, held.std, held.minimum, held.maximum, True, held.shape)
    return likeness(slot, moments, keep()).removeprefix("matches ")


def _writer(birth: Birth | None) -> str:
    last = None if birth is None else birth.last
    if last is None:
        return ""
    said = f"{last.function}({last.arguments})"
    # Without file and line, which change when code is moved.
    return f"{said} in {last.frames[0].function}" if last.frames else said


def _drawn(birth: Birth) -> bool:
    """Tell whether what a tensor holds was drawn, and not written over by something that is not."""
    for write in reversed(birth.writes):
        if write.stream or write.whole:
            return bool(write.stream)
    return False
