"""Orthogonality that was asked for and is not there."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.scale.asked import asked
from fanin.checks.families.scale.looking import Kernel, fixes, kernels, spelled
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule

ROUNDING = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Unit roundoff of each dtype (IEEE 754-2019, section 3.6)."""

LOST = 0.1
"""Departure from the identity from which on a block is plainly not orthogonal."""


@rule("FI307", "not orthogonal", Severity.WARNING, Probe.VALUES)
def orthogonality_lost(evidence: Evidence) -> Iterator[Finding]:
    """A matrix that was to be orthogonal is not: as a whole, or in the blocks that are used.

    Why it hurts:
        Orthogonal matrices keep the length of every signal, over any number of layers or time
        steps. A stack of four gates that is orthogonal as a whole holds four gates that are not,
        at half the scale: each shrinks some directions to nothing.

    Example:
        ``nn.init.orthogonal_(lstm.weight_hh_l0)``, which is (4 H, H).

    Mend:
        Fill each block alone: ``for gate in weight.chunk(4): nn.init.orthogonal_(gate)``.

    When it is fine:
        Keras starts its recurrent kernels as one matrix over all gates; that trains as well, and so
        it is no error. For a packed query, key and value it is a remark.

    Threshold:
        Blocks: the whole is orthogonal within rounding, and a block departs from a multiple of the
        identity by more than a tenth. The whole, where a build was watched and `orthogonal_` wrote
        last: by more than 10 n u, for n rows and the unit roundoff u of the dtype, the error of a
        Householder QR.

    Source:
        Saxe, McClelland and Ganguli (2014); Le, Jaitly and Hinton (2015) for recurrent nets. Higham
        (2002), Accuracy and Stability of Numerical Algorithms, theorem 19.4, for the error.
    """
    for kernel in kernels(evidence).values():
        request = asked(evidence.births, kernel.name)
        wanted = request is not None and request.name == "orthogonal_"
        whole = kernel.values.orthogonality
        if whole is None and wanted:
            whole = _unevenness(kernel)
        if whole is None:
            continue
        if whole > _slack(kernel):
            if wanted:
                yield _departed(evidence, kernel, whole)
        elif (block := kernel.values.block_orthogonality) is not None and block > LOST:
            yield _stacked(evidence, kernel, block)


def _slack(kernel: Kernel) -> float:
    rows = kernel.values.shape[0] if kernel.values.shape else 1
    smaller = min(rows, kernel.values.count // max(rows, 1))
    return max(1e-4, 10 * smaller * ROUNDING.get(kernel.values.dtype, 2.0**-24))


def _unevenness(kernel: Kernel) -> float | None:
    """Tell by how much the squares of the lengths of rows, or columns of a tall matrix, differ."""
    layout = kernel.slot.layout
    if layout is None or layout.blocks > 1 or layout.groups > 1 or layout.batch_axes:
        return None
    _, outputs, inputs, taps = layout.stack(kernel.values.shape)
    lengths = kernel.values.unit_rms if outputs <= inputs * taps else kernel.values.input_rms
    if lengths is None or (taps > 1 and outputs > inputs * taps):
        return None
    least, middle, most = lengths
    return max((most / middle) ** 2 - 1, 1 - (least / middle) ** 2)


def _departed(evidence: Evidence, kernel: Kernel, whole: float) -> Finding:
    return Finding(
        "FI307",
        Severity.WARNING,
        (kernel.name,),
        f"W W^T departs from a multiple of the identity by {whole:.2g}",
        f"at most {_slack(kernel):.1g} in {kernel.values.dtype}",
        "lengths are not kept, and over many layers or steps they drift apart",
        f"draw {kernel.name} again in float32 or wider, and cast it after",
        title="orthogonal was asked for, and is not there",
        fixes=fixes(evidence, (kernel.name,)),
        facts={"departure": whole},
    )


def _stacked(evidence: Evidence, kernel: Kernel, block: float) -> Finding:
    layout = kernel.slot.layout
    count = layout.blocks if layout is not None else 1
    recurrent = kernel.slot.recurrent
    return Finding(
        "FI307",
        Severity.WARNING if recurrent else Severity.INFO,
        (kernel.name,),
        f"orthogonal as one matrix of shape {kernel.values.shape}, but its {count} blocks depart "
        f"from orthogonal by up to {block:.2g}",
        f"{count} orthogonal blocks, as they are used",
        f"each block alone shrinks some directions to nothing, and all of them by {count**0.5:.2g}",
        f"fill each alone: for block in {spelled(kernel.name)}.chunk({count}): "
        "nn.init.orthogonal_(block)",
        title="orthogonal as a whole, but not in its blocks",
        fixes=fixes(evidence, (kernel.name,)),
        facts={"departure": block, "blocks": float(count)},
    )
