"""A plan was declared: does the model hold it?"""

import math
from collections.abc import Iterator

from fanin.checks.cause import times
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import few
from fanin.checks.finding import Finding, Fix, Severity
from fanin.checks.rule import rule
from fanin.recipes import Line, State
from fanin.recipes.audit import GOOD

FAR = 1.5

_TITLES = {
    State.OFF: "not as planned",
    State.CONSTANT: "one number throughout, where the plan draws",
    State.NOT_FINITE: "not finite, where the plan draws",
    State.OTHER_SHAPE: "of another shape than planned",
    State.MISSING: "planned, but not in the model",
}


@rule("FI310", "not as planned", Severity.ERROR, Probe.VALUES)
def not_as_planned(evidence: Evidence) -> Iterator[Finding]:
    """A plan was declared, and parameters of the model hold something else.

    Why it hurts:
        The start is not the one that was decided on: a rule that matched nothing, a scaling that
        was never applied or applied twice, a later write over it.

    Example:
        ``fanin check train.py:build --plan gpt2`` finds the residual projections at 0.02 instead
        of 0.02 / sqrt(2 L).

    Mend:
        Apply the plan: ``fanin.init_(model, plan, seed=0)``, or correct what wrote the tensors;
        `fanin blame` shows the line.

    When it is fine:
        Where the plan is not meant for these parameters: give them ``keep`` in it.

    Threshold:
        The mean, the spread and the largest element lie outside the range of 5 sigma for the
        number of elements. It is an error where the standard deviation is off by 1.5 or more, or
        is none, and a warning else: the plan is the person's word.

    Source:
        `fanin.recipes.audit`; Cramer (1946), Mathematical Methods of Statistics, section 28.1, on
        the sampling error of a standard deviation.
    """
    audit = evidence.audit
    if audit is None:
        return
    groups = dict[tuple[str, ...], list[Line]]()
    for line in audit.lines:
        if line.state not in GOOD:
            groups.setdefault(_cause(line), []).append(line)
    for group in groups.values():
        yield _finding(group)
    if audit.unplanned:
        yield Finding(
            "FI310",
            Severity.WARNING,
            audit.unplanned,
            f"the plan says nothing of {few(audit.unplanned)}",
            "a row of the plan for every parameter",
            "they hold whatever they held",
            "add them to the plan, with keep if they are to stay as they are",
            title="not in the plan",
        )


def _cause(line: Line) -> tuple[str, ...]:
    """Tell what lines of one cause have in common: the rule, the ratio, and what it is instead."""
    ratio = _ratio(line)
    size = "" if ratio is None else f"{round(math.log(ratio) / 0.1)}"
    looks = line.words.partition("; ")[2]
    # The rule of the plan: a scheme with figures of its own layer has them after the name.
    return (str(line.state), str(line.row.role), line.row.reason, looks, size)


def _ratio(line: Line) -> float | None:
    held = line.held
    if held is None or not held.finite or not line.row.std > 0 or not held.std > 0:
        return None
    return held.std / line.row.std


def _finding(group: list[Line]) -> Finding:
    names = tuple(line.row.name for line in group)
    first = group[0]
    ratio = _ratio(first)
    mild = first.state is State.OFF and (ratio is not None and 1 / FAR < ratio < FAR)
    return Finding(
        "FI310",
        Severity.WARNING if mild else Severity.ERROR,
        names,
        _observed(first, ratio) + (f", and {len(group) - 1} more alike" if len(group) > 1 else ""),
        f"{first.row.scheme}: std {first.row.std:.4g} ({first.row.reason})",
        "the start is not the one that was declared",
        "fanin.init_(model, plan, seed=0) applies it; `fanin blame` shows who wrote last",
        title=_TITLES[first.state],
        fixes=tuple(
            Fix(name, str(line.row.scheme)) for name, line in zip(names, group, strict=True)
        )
        if first.state not in (State.MISSING, State.OTHER_SHAPE)
        else (),
        facts={} if ratio is None else {"ratio": ratio, "planned": first.row.std},
    )


def _observed(line: Line, ratio: float | None) -> str:
    if line.state is not State.OFF or ratio is None or times(ratio) == "equal to":
        return line.words
    looks = line.words.partition("; ")[2]
    assert line.held is not None  # there is a ratio
    told = f"std {line.held.std:.4g}, {ratio:.2g} times the plan's"
    return f"{told}; {looks}" if looks else told
