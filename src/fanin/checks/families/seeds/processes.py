"""Several processes: replicas have to be equal, shards must not be."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe, Unlike
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule


@rule("FI804", "unequal replicas", Severity.WARNING, Probe.REBUILD)
def unequal_replicas(evidence: Evidence) -> Iterator[Finding]:
    """Processes that should hold the same weights hold different ones.

    Why it hurts:
        Gradients are averaged over weights that are not the same; each process trains a model of
        its own, and the checkpoint of rank 0 is one of them.

    Example:
        `torch.manual_seed(seed + rank)` before the model is built, under FSDP2 or by hand.

    Mend:
        Seed alike before the build and apart after it, or broadcast the weights from rank 0.

    When it is fine:
        `DistributedDataParallel` broadcasts rank 0 when it wraps the model; let the function that
        is checked wrap it, and this is silent.

    Threshold:
        Any bit, among tensors that every process holds whole.

    Source:
        PyTorch documentation, DistributedDataParallel: the state of rank 0 is broadcast on
        construction; FSDP2's `fully_shard` does not.
    """
    wrong = _of(evidence, "values")
    if not wrong:
        return
    first = wrong[0]
    yield Finding(
        "FI804",
        Severity.WARNING,
        tuple(one.name for one in wrong),
        f"{first.name} is {first.one} in one process and {first.other} in another",
        "the same numbers in every process that holds the whole tensor",
        "each process trains a model of its own, and averages gradients that do not belong to it",
        "seed alike before the build and apart after it, or broadcast the weights from rank 0 "
        "(DistributedDataParallel does)",
        title="replicas start differently",
        facts={"tensors": len(wrong), "processes": _world(evidence)},
    )


@rule("FI805", "copied shards", Severity.ERROR, Probe.REBUILD)
def copied_shards(evidence: Evidence) -> Iterator[Finding]:
    """Processes that hold different parts of one tensor drew the same numbers for them.

    Why it hurts:
        The whole tensor is one block repeated: its rank is a fraction of what its size promises,
        and equal units get equal gradients.

    Example:
        Tensor-parallel layers that are built after the same `torch.manual_seed` on every rank.

    Mend:
        Draw the whole and take the own part of it (fanin's draws do that for any region), or give
        every shard a generator of its own.

    When it is fine:
        A part that is not drawn (zeros, ones) is left out.

    Threshold:
        Bitwise equal parts of which more than half the numbers are different from each other: by
        chance that does not happen.

    Source:
        cases B76, B77 and B151 of the public record: tensor-parallel and pipeline ranks that share
        a seed.
    """
    wrong = _of(evidence, "copies")
    if not wrong:
        return
    first = wrong[0]
    yield Finding(
        "FI805",
        Severity.ERROR,
        tuple(one.name for one in wrong),
        f"the parts of {first.name} are the same numbers in {_world(evidence)} processes "
        f"({first.one})",
        "different numbers in every part",
        "the whole is one block repeated: its units come in equal copies that get equal gradients",
        "draw the whole and take the own part, or seed every shard apart",
        title="shards are copies of one draw",
        facts={"tensors": len(wrong), "processes": _world(evidence)},
    )


def _of(evidence: Evidence, what: str) -> list[Unlike]:
    rebuild = evidence.rebuild
    return [] if rebuild is None else [one for one in rebuild.ranks if one.what == what]


def _world(evidence: Evidence) -> int:
    return 1 if evidence.rebuild is None else evidence.rebuild.world
