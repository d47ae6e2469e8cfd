"""What follows a check: the safe mends applied, the harm of a fault shown by training."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fanin.checks import (
    Evidence,
    Finding,
    Fix,
    Probe,
    Report,
    Severity,
    find_rule,
)
from fanin.errors import FaninError


def mend(
    model: Any,
    report: Report,
    batch: tuple[Any, ...],
    loss: Callable[..., Any] | None,
    look: Callable[[], Report],
) -> Report:
    """Apply the safe fixes of a report to the model, and check it again.

    Args:
        model: The model, written to. Tensors that were loaded or are frozen are left alone.
        report: What was found.
        batch: The batch of the check.
        loss: The loss of the check.
        look: Checks the model as it is then, in the same way.

    Returns:
        What is found now, with what was done.

    Raises:
        FaninError: A fix cannot be applied; nothing is changed then.
    """
    from fanin.torch.mending import mend as apply

    fixes = safe_fixes(report)
    if not fixes:
        return replace(report, fixed=("nothing was changed: no finding has a safe fix",))
    done = apply(model, fixes, batch, loss, report.seed)
    after = look()
    filled = {line.partition(": ")[0] for line in done}
    mended = {fix.name for fix in fixes if _among(fix.name, filled, report.evidence)}
    # What only a build can show was seen then, and is told again unless it was mended.
    left = [
        one
        for one in report.findings
        if _of_the_build(one) and not (one.where and set(one.where) <= mended)
    ]
    proofs = [
        said for one in report.findings for said in one.consequences if said.startswith("proof: ")
    ]
    kept = [
        f"nothing was changed in {fix.name}: no layer tells what it is for"
        for fix in fixes
        if fix.name not in mended
    ]
    told = (*proofs, *_told(done, report, after), *kept)
    return replace(after, findings=(*left, *after.findings), fixed=told)


def _among(name: str, filled: set[str], evidence: Evidence) -> bool:
    slot = evidence.slot(name)
    return slot is not None and not filled.isdisjoint(slot.names)


def _of_the_build(finding: Finding) -> bool:
    probes = find_rule(finding.code).probes
    return Probe.BIRTH in probes or Probe.REBUILD in probes


def _told(done: Sequence[str], before: Report, after: Report) -> tuple[str, ...]:
    said = list[str]()
    for line in done:
        name = line.partition(": ")[0]
        held, now = before.evidence.values.get(name), after.evidence.values.get(name)
        figures = "" if held is None or now is None else f" (std {held.std:.3g} -> {now.std:.3g})"
        said.append(f"{line}{figures}")
    return tuple(said)


def safe_fixes(report: Report) -> list[Fix]:
    """List the fixes of a report by which nothing is lost.

    Args:
        report: The report.

    Returns:
        One for each tensor, those of the worst findings first.
    """
    found = dict[str, Fix]()
    for finding in report.findings:
        if finding.severity is Severity.INFO:
            continue
        for fix in finding.fixes:
            if fix.safe and not _kept(fix.name, report.evidence):
                found.setdefault(fix.name, fix)
    return list(found.values())


def _kept(name: str, evidence: Evidence) -> bool:
    """Tell whether a tensor holds what must not be lost: it is frozen, or was loaded."""
    slot = evidence.slot(name)
    birth = evidence.births.of(name) if evidence.births is not None else None
    loaded = birth is not None and any(write.by == "load" for write in birth.writes)
    return slot is None or slot.frozen or loaded or name in evidence.pretrained


def prove(
    model: Any, report: Report, batch: tuple[Any, ...], loss: Callable[..., Any] | None
) -> Report:
    """Train copies as they are and mended, and let the severity follow the harm.

    Args:
        model: The model; copies of it are trained.
        report: What was found.
        batch: The batch that is trained on.
        loss: The loss.

    Returns:
        The report with the losses; what trains as well as its mended twin is milder by one step.

    Raises:
        FaninError: There is no batch to train on.
    """
    if not batch:
        raise FaninError("a proof trains the model on a batch, and none was passed")
    from fanin.torch.proof import prove as train

    findings = list[Finding]()
    for finding in report.findings:
        fixes = [fix for fix in finding.fixes if not _kept(fix.name, report.evidence)]
        if finding.severity is Severity.INFO or not fixes:
            findings.append(finding)
            continue
        proof = train(model, fixes, batch, loss, report.seed)
        if proof is None:
            findings.append(finding)
            continue
        milder = _milder(finding.severity) if proof.harmless else finding.severity
        said = (*finding.consequences, str(proof))
        findings.append(replace(finding, severity=milder, consequences=said))
    ordered = sorted(findings, key=lambda one: one.severity.rank)
    return replace(report, findings=tuple(ordered))


def _milder(severity: Severity) -> Severity:
    return Severity.WARNING if severity is Severity.ERROR else Severity.INFO
