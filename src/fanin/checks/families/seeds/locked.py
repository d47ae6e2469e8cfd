"""A start that is not the one that was locked."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.starts import Change


@rule("FI806", "not as locked", Severity.ERROR, Probe.VALUES)
def not_as_locked(evidence: Evidence) -> Iterator[Finding]:
    """The model starts by another law than when its start was locked.

    Why it hurts:
        Somebody changed the start, perhaps without knowing: a refactor, a new version of a library,
        a sweep that reaches further than before. Results before and after are not comparable.

    Example:
        A renamed layer that the pattern of an initialiser no longer matches.

    Mend:
        Undo the change, or, where it is meant, lock anew:
        `fanin lock train.py:build -o fanin.lock`.

    When it is fine:
        Where it is meant. Weights that are merely drawn anew by the same law are a remark.

    Threshold:
        Five times the sampling error of both draws for mean, standard deviation and kurtosis; six
        digits for what is not drawn. A model of a thousand tensors is called changed by chance once
        in a thousand times.

    Source:
        Cramer (1946), Mathematical Methods of Statistics, section 28.1, for the sampling error of a
        standard deviation.
    """
    delta = evidence.delta
    if delta is None:
        return
    for what in dict.fromkeys(change.what for change in delta.changes if change.counts):
        own = [change for change in delta.changes if change.what == what]
        yield _finding(what, own)
    rest = [change for change in delta.changes if not change.counts]
    if rest:
        yield Finding(
            "FI806",
            Severity.INFO,
            tuple(dict.fromkeys(change.name for change in rest)),
            f"{len(rest)} tensors are drawn anew, or written by another line",
            "",
            "the law is the same: runs compare on average, but not number by number",
            "lock anew if the numbers themselves matter",
            title="the same law, other numbers than locked",
        )


def _finding(what: str, own: list[Change]) -> Finding:
    first = own[0]
    times = f" ({first.ratio:.3g} times the standard deviation)" if what == "scale" else ""
    return Finding(
        "FI806",
        Severity.ERROR,
        tuple(change.name for change in own),
        f"{first.name} is now {first.other}{times}",
        f"{first.one}, as locked",
        "the start changed, so results before and after do not compare",
        "undo the change, or lock anew where it is meant: fanin lock train.py:build -o fanin.lock",
        title=f"not as locked: {what}",
        facts={"tensors": len(own)},
    )
