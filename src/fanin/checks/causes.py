"""Findings with one cause become one: symptoms go under what explains them.

A cause explains a symptom that speaks of the same tensors, of the same layer, or of a stretch most
of which it covers; memory that holds no numbers explains everything. What is not explained stands
by itself. A cause takes over the severity of the worst symptom that it explains, because that is
the harm it does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fanin.checks.catalogue import find_rule
from fanin.checks.evidence import Evidence
from fanin.checks.finding import Finding, Severity

POISON = frozenset({"FI101", "FI102"})
"""Rules on memory without numbers, which spread to every output."""

LOSS = "FI601"
"""A loss that starts too high: whatever makes the signal large on the way explains it."""

GROWING = ("FI402", "FI504")
"""Symptoms that make the signal large: growth with depth, large inputs."""

COVERED = 0.5
"""Part of a symptom's tensors that a cause has to name."""


def merged(findings: Iterable[Finding], evidence: Evidence) -> list[Finding]:
    """Put symptoms under their causes, and what is said twice under the worse of the two.

    Args:
        findings: All that was found.
        evidence: What it was read from.

    Returns:
        The findings that stand by themselves, the worst first.

    Example:
        >>> names = ("a.weight", "b.weight")
        >>> cause = Finding("FI102", Severity.ERROR, names, "2 nan", "", "", "")
        >>> effect = Finding("FI502", Severity.WARNING, ("c.weight",), "is dead", "", "", "")
        >>> [one.consequences for one in merged([effect, cause], Evidence())]
        [('is dead',)]
    """
    told = list(findings)
    causes = [one for one in told if not _symptom(one) and one.severity is not Severity.INFO]
    symptoms = [one for one in told if _symptom(one) and one.severity is not Severity.INFO]
    remarks = [one for one in told if one.severity is Severity.INFO]
    causes = _absorbed(_by_rank(causes, evidence), causes=True)
    left = list[Finding]()
    for symptom in symptoms:
        place = next((i for i, cause in enumerate(causes) if _explains(cause, symptom)), None)
        if place is None:
            left.append(symptom)
        else:
            causes[place] = _under(causes[place], symptom)
    left = _absorbed(_loss_last(_by_rank(left, evidence)), causes=False)
    standing = _by_rank([*causes, *left], evidence)
    kept = [one for one in remarks if not any(set(one.where) <= set(w.where) for w in standing)]
    return [*standing, *kept]


def _symptom(finding: Finding) -> bool:
    return find_rule(finding.code).symptom


def _by_rank(findings: Iterable[Finding], evidence: Evidence) -> list[Finding]:
    """Order by severity, then by reach, then by place in the model."""
    places = {name: place for place, name in enumerate(evidence.values)}

    def key(finding: Finding) -> tuple[int, int, int, str]:
        first = min((places.get(name, len(places)) for name in finding.where), default=0)
        return finding.severity.rank, -len(finding.where), first, finding.code

    return sorted(findings, key=key)


def _absorbed(findings: Sequence[Finding], *, causes: bool) -> list[Finding]:
    """Put what speaks of a part of the same tensors under the worse finding."""
    kept = list[Finding]()
    for finding in findings:
        place = next((i for i, one in enumerate(kept) if _same(one, finding, causes)), None)
        if place is None:
            kept.append(finding)
        else:
            kept[place] = _under(kept[place], finding)
    return kept


def _loss_last(symptoms: list[Finding]) -> list[Finding]:
    """Put a high loss under what makes the signal large before it reaches the head."""
    growing = next((i for i, one in enumerate(symptoms) if one.code in GROWING), None)
    loud = [one for one in symptoms if one.code == LOSS]
    if growing is None or not loud:
        return symptoms
    told = list(symptoms)
    told[growing] = _under(told[growing], loud[0])
    return [one for one in told if one.code != LOSS]


def _same(worse: Finding, other: Finding, causes: bool) -> bool:
    if worse.code == other.code or not other.where:
        return False
    if causes and worse.code not in POISON and worse.severity is not Severity.ERROR:
        # Two warnings of one tensor may be two faults; only a scale is told in many ways.
        scales = worse.code[:3] == other.code[:3] == "FI3"
        return scales and set(other.where) <= set(worse.where)
    return set(other.where) <= set(worse.where)


def _explains(cause: Finding, symptom: Finding) -> bool:
    if cause.code in POISON:
        return True
    named, seen = set(cause.where), set(symptom.where)
    if not seen:
        return False
    if len(named & seen) >= COVERED * len(seen):
        return True
    if symptom.code == LOSS:
        large = cause.code == "FI301" and float(cause.facts.get("ratio", 0.0)) > 1
        return large or cause.code in GROWING
    if symptom.code.startswith("FI4"):
        return cause.code == "FI301" and bool(named & seen)
    layers = {name.rpartition(".")[0] for name in named}
    return {name.rpartition(".")[0] for name in seen} <= layers


def _under(cause: Finding, other: Finding) -> Finding:
    worst = min(cause.severity, other.severity, key=lambda severity: severity.rank)
    said = f"{other.title}: {other.observed}" if other.title else other.observed
    known = {fix.name for fix in cause.fixes}
    return replace(
        cause,
        severity=worst,
        consequences=(*cause.consequences, said, *other.consequences),
        fixes=(*cause.fixes, *(fix for fix in other.fixes if fix.name not in known)),
    )
