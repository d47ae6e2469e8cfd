"""Trained values that are not in the model, or not any more."""

import math
from collections import defaultdict
from collections.abc import Iterator

from fanin.births import Birth, Write
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.checks.values import Values
from fanin.reports.document import counted, figure

COUNTERS = "num_batches_tracked"
"""What counts on and is no value."""


@rule("FI708", "pretrained values lost", Severity.ERROR, Probe.VALUES)
def pretrained_lost(evidence: Evidence) -> Iterator[Finding]:
    """The model does not hold what the checkpoint holds that it was to start from.

    Why it hurts:
        Those layers start at random, and the layers that do hold trained values get a signal that
        they were never trained on.

    Example:
        `init_weights()` runs after `load_state_dict`; keys of the checkpoint begin with `module.`
        and `strict=False` says nothing.

    Mend:
        Load last. `fanin blame` shows what wrote the tensors; look at what `load_state_dict`
        returns as missing and unexpected keys.

    When it is fine:
        A head that is trained anew on purpose; leave it out of the checkpoint that is passed.

    Threshold:
        Equal bits; where the dtype differs, mean, deviation and extremes within 2^-7, the rounding
        of bfloat16. An error where more than half of the values are lost, else a warning.

    Source:
        IEEE 754-2019, section 4.3, for the rounding; documentation of load_state_dict, strict.
    """
    if not evidence.pretrained:
        return
    pairs = list(_matched(evidence.values, evidence.pretrained))
    if not pairs:
        yield _unmatched(evidence)
        return
    lost = [(own, wanted) for own, wanted in pairs if not _same(own, wanted)]
    lost = [pair for pair in lost if not _overwriting_seen(evidence, pair[0].name)]
    if not lost:
        return
    own, wanted = lost[0]
    most = 2 * sum(one.count for _, one in lost) > sum(one.count for _, one in pairs)
    resized = "" if own.shape == wanted.shape else f", shape {own.shape} for {wanted.shape}"
    yield Finding(
        "FI708",
        Severity.ERROR if most else Severity.WARNING,
        tuple(held.name for held, _ in lost),
        f"{len(lost)} of {len(pairs)} tensors of the checkpoint are not in the model: {own.name} "
        f"has std {figure(own.std)} for {figure(wanted.std)}{resized}",
        "the values of the checkpoint",
        "these layers start anew, and those that are trained get a signal they do not know",
        "load the checkpoint last; fanin blame shows what wrote them after it",
        title="pretrained values are not in the model",
        facts={"lost": len(lost), "of": len(pairs)},
    )


def _overwriting_seen(evidence: Evidence, name: str) -> bool:
    """Tell whether the birth shows what took the values away: then FI709 speaks of it."""
    birth = None if evidence.births is None else evidence.births.of(name)
    return birth is not None and _after_load(birth) is not None


def _unmatched(evidence: Evidence) -> Finding:
    one, other = next(iter(evidence.pretrained)), next(iter(evidence.values), "")
    return Finding(
        "FI708",
        Severity.ERROR,
        tuple(evidence.values)[:8],
        f"no name of the checkpoint is one of the model: {one} there, {other} here",
        "the names of the model",
        "nothing of the checkpoint can be loaded; with strict=False that is not said",
        "rename the keys before load_state_dict, and load with strict=True",
        title="checkpoint of another model",
    )


def _matched(held: dict[str, Values], wanted: dict[str, Values]) -> Iterator[tuple[Values, Values]]:
    """Pair the tensors by name, allowing for a prefix that one side has and the other has not."""
    names = {alias: own for own in held.values() for alias in (own.name, *own.aliases)}
    best = dict[str, str]()
    for prefix in _prefixes(names, wanted):
        found = dict[str, str]()
        for name in wanted:
            here = f"{prefix[1:]}{name}" if prefix[0] == "+" else name.removeprefix(prefix[1:])
            if here in names:
                found[name] = here
        if len(found) > len(best):
            best = found
    for name, here in best.items():
        if not name.endswith(COUNTERS):
            yield names[here], wanted[name]


def _prefixes(names: dict[str, Values], wanted: dict[str, Values]) -> list[str]:
    """List prefixes to try: with a plus what the model has more, with a minus what it has less."""
    found = dict.fromkeys(["+"])
    some = list(wanted)[:: max(1, len(wanted) // 8)]
    for name in some:
        for own in names:
            if own.endswith(f".{name}"):
                found[f"+{own.removesuffix(name)}"] = None
            elif name.endswith(f".{own}"):
                found[f"-{name.removesuffix(own)}"] = None
    return list(found)


def _same(own: Values, wanted: Values) -> bool:
    if own.shape != wanted.shape:
        return False
    if own.dtype == wanted.dtype and own.digest and wanted.digest:
        return own.digest == wanted.digest
    size = max(abs(wanted.minimum), abs(wanted.maximum), wanted.std)
    pairs = (
        (own.mean, wanted.mean),
        (own.std, wanted.std),
        (own.minimum, wanted.minimum),
        (own.maximum, wanted.maximum),
    )
    return all(abs(here - there) <= 2**-7 * size for here, there in pairs)


@rule("FI709", "loaded values overwritten", Severity.ERROR, Probe.BIRTH)
def loaded_overwritten(evidence: Evidence) -> Iterator[Finding]:
    """A tensor was loaded from a checkpoint, and an initialiser wrote over it afterwards.

    Why it hurts:
        The trained values are gone before the first step, and nothing says so.

    Example:
        `backbone.load_state_dict(...)` and then `self.apply(init_weights)` for the new layers,
        which reaches the backbone as well.

    Mend:
        Initialise first and load last, or sweep over the new layers only.

    When it is fine:
        A line that starts a few loaded layers anew on purpose, such as the head or the topmost
        blocks, is a remark.

    Threshold:
        An error where the line took more than half of the values that were loaded, or went on to
        tensors that never were: then it is a sweep, and no choice of layers.

    Source:
        Zhang et al. (2021), Revisiting few-sample BERT fine-tuning, section 5, for layers that are
        started anew on purpose.
    """
    births = evidence.births
    if births is None:
        return
    loaded = {b.name: math.prod(b.shape) for b in births.tensors if _load(b) is not None}
    groups = defaultdict[str, list[tuple[Birth, Write]]](list)
    reached = defaultdict[str, set[str]](set)
    for birth in births.tensors:
        for write in birth.writes:
            if write.by in ("init", "reset") and write.frames:
                reached[str(write.frames[0])].add(birth.name)
        lost = _after_load(birth)
        if lost is not None:
            groups[str(lost.frames[0])].append((birth, lost))
    for line, group in groups.items():
        taken = sum(loaded[birth.name] for birth, _ in group)
        swept = bool(reached[line] - set(loaded)) or 2 * taken > sum(loaded.values())
        yield _overwritten(group, len(loaded), swept=swept)


def _load(birth: Birth) -> Write | None:
    return next((write for write in reversed(birth.writes) if write.by == "load"), None)


def _after_load(birth: Birth) -> Write | None:
    """Find the write that took the loaded values away, if they are gone."""
    load = _load(birth)
    if load is None or birth.name.endswith(COUNTERS) or not birth.writes:
        return None
    if birth.writes[-1].after.digest == load.after.digest:
        return None
    later = [write for write in birth.writes if write.order > load.order]
    return next(
        (w for w in later if w.by in ("init", "reset") and w.frames and w.whole and w.changed), None
    )


def _overwritten(group: list[tuple[Birth, Write]], loaded: int, *, swept: bool) -> Finding:
    write = group[0][1]
    return Finding(
        "FI709",
        Severity.ERROR if swept else Severity.INFO,
        tuple(birth.name for birth, _ in group),
        f"{write.function}({write.arguments}) at {write.frames[0]} wrote over {len(group)} of "
        f"{counted(loaded, 'tensor')} that had been loaded",
        "the values of the checkpoint" if swept else "",
        "the trained values are gone before the first step"
        if swept
        else "fine if these layers are to start anew: the line touches nothing else",
        "initialise first and load last, or sweep over the new layers only" if swept else "",
        title="loaded values overwritten" if swept else "loaded layers started anew",
        location=write.frames[0],
        facts={"lost": len(group), "loaded": loaded},
    )
