"""Rules let loose on real models: built under the recorder, read and run like any other."""

from collections.abc import Callable
from typing import Any

from torch import nn

from fanin.checks import Evidence, Finding, Probe, Rule, Severity
from fanin.torch.evidence import gather

WATCHED = (Probe.VALUES, Probe.SIGNAL, Probe.BIRTH)


def look(rules: tuple[Rule, ...], evidence: Evidence) -> list[Finding]:
    """What the rules find, in the order of the rules, as far as their probes ran."""
    able = [rule for rule in rules if all(evidence.ran(probe) for probe in rule.probes)]
    return [finding for rule in able for finding in rule.look(evidence)]


def check(
    rules: tuple[Rule, ...],
    build: Callable[[], nn.Module],
    *batch: Any,
    loss: Callable[..., Any] | None = None,
    pretrained: Any = None,
) -> list[Finding]:
    """What the rules find in a model that is built for it; remarks as well."""
    _, seen = gather(build, batch, loss, probes=WATCHED, seed=0, pretrained=pretrained)
    return look(rules, seen)


def alarms(findings: list[Finding]) -> list[Finding]:
    """Those that are more than remarks."""
    return [finding for finding in findings if finding.severity is not Severity.INFO]


def codes(findings: list[Finding]) -> list[str]:
    """Their codes, with the severity."""
    return [f"{finding.severity} {finding.code}" for finding in findings]
