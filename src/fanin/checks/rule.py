"""A rule: what to look at, what to say, and the page that explains it.

The function's docstring is the page, under fixed headings, so that the code, `fanin explain` and
the documentation are one text.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity

HEADINGS = ("Why it hurts", "Example", "Mend", "When it is fine", "Threshold", "Source")
"""Every page has these, each as ``Heading:`` on a line of its own, after a first paragraph."""

Look = Callable[[Evidence], Iterator[Finding]]
"""Reads the evidence and yields what is wrong."""


@dataclass(frozen=True)
class Rule:
    """A rule of the catalogue.

    Attributes:
        code: ``FI`` and three digits, the first of which is the family.
        name: What is wrong, in a few words: ``"never written"``.
        severity: The worst that its findings can be.
        probes: What must have been gathered.
        look: The function.
        symptom: Whether it sees an effect, which goes under the cause when that is found as well.
    """

    code: str
    name: str
    severity: Severity
    probes: tuple[Probe, ...]
    look: Look
    symptom: bool = False

    @property
    def page(self) -> str:
        """The page that explains it."""
        return inspect.cleandoc(self.look.__doc__ or "")


def rule(
    code: str,
    name: str,
    severity: Severity,
    *probes: Probe,
    symptom: bool = False,
) -> Callable[[Look], Rule]:
    """Make a rule of a function.

    Args:
        code: Its code.
        name: What is wrong, in a few words.
        severity: The worst that its findings can be.
        *probes: What must have been gathered.
        symptom: Whether it sees an effect rather than a cause.

    Returns:
        What turns the function into the rule.
    """

    def made(look: Look) -> Rule:
        return Rule(code, name, severity, probes, look, symptom)

    return made
