"""Residual scaling: applied to the wrong kernel, twice, or to some of the writers only."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.looking import Kernel, few, fixes, kernels
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.recipes.network import around, stands
from fanin.trace import Place


@dataclass(frozen=True)
class _Stream:
    """The kernels of the branches of one stream.

    Attributes:
        branches: How many branches write to it.
        writers: Their last kernels.
        others: The kernels before those.
        usual: Root mean square that most of the others have.
    """

    branches: int
    writers: list[Kernel]
    others: list[Kernel]
    usual: float

    @property
    def factor(self) -> float:
        """The factor of the scaling: ``1 / sqrt(branches)``."""
        return 1 / math.sqrt(self.branches)


@rule("FI313", "residual scaling misapplied", Severity.WARNING, Probe.SIGNAL)
def residual_scaling(evidence: Evidence) -> Iterator[Finding]:
    """The scaling by 1 / sqrt(number of branches) is on the wrong kernel, there twice, or missing.

    Why it hurts:
        The sum of N branches grows by sqrt(N) unless the last kernel of each is scaled down. On
        another kernel of the branch the factor weakens a gate or an activation instead, and on the
        writers that were missed the stream grows as if there were none.

    Example:
        A loop for ``w3.weight`` in an MLP that is ``w2(silu(w1 x) * w3 x)``: w2 writes.

    Mend:
        Scale the kernel that writes to the stream, by ``1 / sqrt(2 * layers)``, once.

    When it is fine:
        Networks that scale no kernel, or by other laws, are not told on: only a kernel whose
        standard deviation is exactly that factor from the others of its stream shows the intent,
        and only where no formula of the fans explains the difference.

    Threshold:
        Ratios of standard deviations equal to ``1 / sqrt(N)`` (or 1 / N) of what most of the
        others have, within 5 sigma of sampling error, in every branch concerned, for at least 4
        branches so that the factor is 2 or more.

    Source:
        Radford et al. (2019), section 2.3. The slip on w3: karpathy/llama2.c, pull request 580.
    """
    known = kernels(evidence)
    for stream in _streams(known):
        yield from _judge(evidence, stream)


def _streams(known: dict[str, Kernel]) -> Iterator[_Stream]:
    groups = dict[int, list[Kernel]]()
    for kernel in known.values():
        branch = around(kernel.slot).branch
        if branch is not None and branch.of >= 4 and not stands(kernel.slot, Place.SHORTCUT):
            groups.setdefault(branch.stream, []).append(kernel)
    for group in groups.values():
        writers = [kernel for kernel in group if stands(kernel.slot, Place.WRITER)]
        others = [kernel for kernel in group if kernel not in writers]
        first = around(group[0].slot).branch
        if len(writers) > 1 and len(others) > 1 and first is not None:
            yield _Stream(first.of, writers, others, _usual(others))


def _usual(others: list[Kernel]) -> float:
    """Find the size that most kernels have; the larger where two are as frequent."""
    sizes = [kernel.values.rms for kernel in others]
    most, usual = max((sum(_is(one, size, 1.0) for one in others), size) for size in sizes)
    del most
    return usual


def _judge(evidence: Evidence, stream: _Stream) -> Iterator[Finding]:
    factor = stream.factor
    plain = [one for one in stream.writers if _is(one, stream.usual, 1.0)]
    scaled = [one for one in stream.writers if _is(one, stream.usual, factor)]
    twice = [one for one in stream.writers if _is(one, stream.usual, factor**2)]
    wrong = [one for one in stream.others if _is(one, stream.usual, factor)]
    missed = plain and not twice and len(plain) + len(scaled) == len(stream.writers)
    # The kernels of one stream that are not scaled have one standard deviation, or nothing is told.
    same = sum(_is(one, stream.usual, 1.0) for one in stream.others)
    if same < 2 or same + len(wrong) < len(stream.others) or _by_fans(stream):
        return
    if len(twice) == len(stream.writers):
        yield _finding(
            evidence,
            twice,
            stream,
            f"1/{stream.branches} of the other kernels'",
            "the scaling was applied twice, and the branches are weaker than they were meant to be",
            "residual scaling applied twice",
        )
    elif wrong and missed:
        names = tuple(one.name for one in wrong)
        lonely = [one for one in plain if _branch(one) in {_branch(other) for other in wrong}]
        yield _finding(
            evidence,
            wrong + lonely,
            stream,
            f"1/sqrt({stream.branches}) of the others', but {few(names)} does not write to the "
            f"stream: {few(tuple(one.name for one in lonely or plain))} does, unscaled",
            "the stream grows with every branch, and what was scaled instead is too weak",
            "residual scaling on the wrong kernel",
        )
    elif missed and scaled:
        yield _finding(
            evidence,
            plain,
            stream,
            f"as large as the kernels before it, while {few(tuple(o.name for o in scaled))} is "
            f"scaled by 1/sqrt({stream.branches})",
            "the stream grows by these branches as if nothing was scaled",
            "residual scaling missing on some writers",
        )


def _by_fans(stream: _Stream) -> bool:
    """Tell whether one formula of the fans explains all kernels: a wide layer then has less."""
    group = [*stream.writers, *stream.others]
    slack = 2 * max(kernel.error for kernel in group) + 0.02
    for fan in (_fan_in, _fan_out, _fan_mean):
        gains = [kernel.values.rms * math.sqrt(fan(kernel)) for kernel in group]
        if min(gains) > 0 and math.log(max(gains) / min(gains)) <= slack:
            return True
    return False


def _fan_in(kernel: Kernel) -> float:
    return kernel.slot.fans.fan_in if kernel.slot.fans is not None else 0.0


def _fan_out(kernel: Kernel) -> float:
    return kernel.slot.fans.fan_out if kernel.slot.fans is not None else 0.0


def _fan_mean(kernel: Kernel) -> float:
    return kernel.slot.fans.mean if kernel.slot.fans is not None else 0.0


def _branch(kernel: Kernel) -> int | None:
    branch = around(kernel.slot).branch
    return None if branch is None else branch.index


def _is(kernel: Kernel, usual: float, factor: float) -> bool:
    off = abs(math.log(kernel.values.rms / (usual * factor)))
    # Both are samples; and no more than a tenth, so that tiny kernels do not fit everything.
    return off <= min(2 * kernel.error + 0.01, 0.1)


def _finding(
    evidence: Evidence, named: list[Kernel], stream: _Stream, observed: str, why: str, title: str
) -> Finding:
    names = tuple(one.name for one in named)
    wanted = stream.usual * stream.factor
    return Finding(
        "FI313",
        Severity.WARNING,
        names,
        f"std {named[0].values.std:.3g}, {observed}",
        f"std {wanted:.3g} (1/sqrt({stream.branches}) of {stream.usual:.3g}) in each kernel that "
        "writes to the stream, and there alone",
        why,
        f"scale the kernels that write to the stream once, by 1/sqrt({stream.branches})",
        title=title,
        fixes=fixes(evidence, names),
        facts={"std": named[0].values.std, "wanted": wanted, "branches": float(stream.branches)},
    )
