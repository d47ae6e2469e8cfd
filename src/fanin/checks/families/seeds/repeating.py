"""Building again: the same seed gives other weights, or another seed gives the same."""

from collections.abc import Iterator

from fanin.births import Births
from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule


@rule("FI801", "same seed, other weights", Severity.WARNING, Probe.REBUILD)
def not_reproducible(evidence: Evidence) -> Iterator[Finding]:
    """The model was built twice with the same seed, and does not start the same.

    Why it hurts:
        No run can be repeated, no two runs can be compared, and a bug that shows once in five
        starts cannot be caught.

    Example:
        `numpy.random.default_rng()` without a seed; the order of a `set` of names, which Python
        shuffles anew in every process; a counter that goes on from build to build.

    Mend:
        Draw from torch's generator, or from one that is seeded with a number from the outside.

    When it is fine:
        Never for weights. A buffer that holds the time or an id is ignored with a comment.

    Threshold:
        Any bit: with torch's, NumPy's and Python's generators seeded alike, one machine computes
        the same. Memory that was never written is left to FI101.

    Source:
        PyTorch documentation, "Reproducibility", on what a seed fixes.
    """
    rebuild = evidence.rebuild
    if rebuild is None or not rebuild.same_seed:
        return
    names = tuple(one.name for one in rebuild.same_seed)
    first = rebuild.same_seed[0]
    weights = any(not held.buffer for name in names if (held := evidence.values.get(name)))
    yield Finding(
        "FI801",
        Severity.WARNING if weights else Severity.INFO,
        names,
        f"built twice with one seed, {first.name} differs: {first.one}, then {first.other}",
        "the same numbers: torch, numpy and random were seeded alike",
        "no run can be repeated, and no two can be compared",
        "draw from torch's generator, or seed your own with a number from the outside",
        title="the same seed gives other weights",
        facts={"tensors": len(names)},
    )


@rule("FI802", "seed ignored", Severity.WARNING, Probe.REBUILD, Probe.BIRTH)
def seed_ignored(evidence: Evidence) -> Iterator[Finding]:
    """Weights that are drawn do not change with the seed, although others do.

    Why it hurts:
        Repeats that are meant to differ share a part of their luck, so their spread is too small;
        and where a layer sets the global seed, everything that is drawn after it is fixed as well.

    Example:
        A layer that calls `torch.manual_seed(0)` in its constructor; an initialiser that takes a
        seed and drops it.

    Mend:
        Seed once, outside, and let the layers draw on; `torch.random.fork_rng` keeps a fixed draw
        to itself.

    When it is fine:
        A build that seeds everything itself gives the same for every seed: that is reported as a
        remark only, and so are adapters of a fixed seed on a frozen network. Fixed random features
        are buffers or frozen, and silent; so is what came from a checkpoint.

    Threshold:
        Bitwise equal under two seeds, of a tensor that was seen to be drawn: by chance two draws of
        16 numbers agree once in 2**384 times.

    Source:
        cases B71, B154 and B156 of the public record: seeds that were dropped or shifted.
    """
    rebuild, births = evidence.rebuild, evidence.births
    if rebuild is None or births is None:
        return
    fixed = tuple(name for name in rebuild.other_seed if _trained_draw(name, evidence, births))
    if not fixed:
        return
    others = [held for name in rebuild.random if (held := evidence.values.get(name))]
    frozen = any(slot.frozen for slot in evidence.slots)
    some = not frozen and any(not held.buffer for held in others)
    yield Finding(
        "FI802",
        Severity.WARNING if some else Severity.INFO,
        fixed,
        f"{len(fixed)} drawn tensors are the same under two seeds"
        + (f", {len(rebuild.random)} others are not" if some else ""),
        "other numbers under another seed" if some else "",
        "repeats that should differ share a part of their start"
        if some
        else "the build seeds itself: repeats with other seeds are copies of this one",
        "seed once, outside of the model, and let the layers draw on"
        if some
        else "pass the seed in from the outside where repeats are to differ",
        title="a part of the start ignores the seed" if some else "the build seeds itself",
        facts={"tensors": len(fixed)},
    )


def _trained_draw(name: str, evidence: Evidence, births: Births) -> bool:
    held, birth = evidence.values.get(name), births.of(name)
    if held is None or birth is None or held.buffer or held.frozen:
        return False
    last = next((write for write in reversed(birth.writes) if write.stream or write.whole), None)
    return last is not None and bool(last.stream) and last.by != "load"
