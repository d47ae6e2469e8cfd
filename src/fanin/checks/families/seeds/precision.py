"""Draws that were made with too few digits."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule

DIGITS = {"bfloat16": 8, "float16": 11}
"""Bits of the significand, the hidden one included (IEEE 754-2019, table 3.5, for float16)."""


@rule("FI803", "drawn in low precision", Severity.INFO, Probe.BIRTH, Probe.VALUES)
def drawn_in_low_precision(evidence: Evidence) -> Iterator[Finding]:
    """Weights were drawn in bfloat16 or float16, and not in float32 and then cast.

    Why it hurts:
        The law is coarse where it should be smooth, the tails are cut, and the same seed gives
        other weights than in float32, so the two cannot be compared.

    Example:
        `torch.set_default_dtype(torch.bfloat16)` before the model is built.

    Mend:
        Build in float32 and cast afterwards: `model.to(torch.bfloat16)`.

    When it is fine:
        It trains; most large models are built so. That is why it is a remark.

    Threshold:
        The dtype of the tensor that the draw was written to, as recorded.

    Source:
        IEEE 754-2019, table 3.5: 11 bits of significand in float16; bfloat16 has 8.
    """
    births = evidence.births
    if births is None:
        return
    names = tuple(
        birth.name
        for birth in births.tensors
        if birth.dtype in DIGITS and any(write.stream for write in birth.writes)
    )
    if not names:
        return
    dtype = next(birth.dtype for birth in births.tensors if birth.name == names[0])
    yield Finding(
        "FI803",
        Severity.INFO,
        names,
        f"{len(names)} tensors were drawn in {dtype}, with {DIGITS[dtype]} bits for each number",
        "",
        "the law is coarse, and the same seed gives other weights than in float32",
        "build in float32 and cast afterwards, if the start is to be the same in both",
        title=f"drawn in {dtype}",
    )
