"""A finding: one thing that is wrong with a start, told so that the person can act on it.

What was measured, what was expected, why it matters and what to type are separate sentences, so
that a terminal, an editor, a CI log and a program each take what they need.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from fanin.births import Frame


class Severity(StrEnum):
    """How much harm a finding does."""

    ERROR = "error"
    """Training fails, or a part of the network never learns."""
    WARNING = "warning"
    """Training is slower, less stable, or not what the code asks for."""
    INFO = "info"
    """Worth knowing; fine as it is."""

    @property
    def rank(self) -> int:
        """0 for an error, 1 for a warning, 2 for an info."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Fix:
    """A new value for one tensor.

    Attributes:
        name: The parameter.
        scheme: The scheme to fill it with, such as ``"he_normal"``; empty for whatever the plan
            ``auto`` has for it.
        safe: Whether nothing is lost by it: the tensor holds no trained values, and no other use.
    """

    name: str
    scheme: str = ""
    safe: bool = True


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Sentences are lower case, without a full stop, and stand alone.

    Attributes:
        code: Code of the rule, such as ``"FI101"``.
        severity: How much harm it does.
        where: Names of the parameters, buffers or operations it speaks of, the worst first.
        observed: What was measured, with figures.
        expected: What was expected instead, with figures and where they come from.
        why: What it does to training.
        mend: What to do, as close to code as possible.
        title: What is wrong in a few words, such as ``"weights never written"``.
        location: The line of the person's code that did it, where it is known.
        fixes: New values that mend it.
        consequences: Symptoms elsewhere that come from it, one sentence each.
        facts: The figures behind the sentences, for programs: name to number or text.
    """

    code: str
    severity: Severity
    where: tuple[str, ...]
    observed: str
    expected: str
    why: str
    mend: str
    title: str = ""
    location: Frame | None = None
    fixes: tuple[Fix, ...] = ()
    consequences: tuple[str, ...] = ()
    facts: dict[str, float | str] = field(default_factory=dict[str, float | str])
