"""Tables of gains: the condition of a norm, which the rules on tables of tokens leave alone."""

from fanin.checks.evidence import Evidence
from fanin.trace import Kind, Op, Part


def looks_up_gains(evidence: Evidence, name: str) -> bool:
    """Tell whether what is looked up in a table multiplies what a norm puts out.

    Args:
        evidence: What was gathered.
        name: The table.

    Returns:
        Whether it does, as in a conditional batch norm; False where nothing was traced.
    """
    if evidence.trace is None:
        return False
    ops, traced = evidence.trace.ops, evidence.trace.parameters
    rows = {u.op for one in traced if one.name == name for u in one.uses if u.part is Part.TABLE}
    # A gain may be kept as 1 + w: a sum with a constant has one signal.
    rows |= {i for i, op in enumerate(ops) if op.kind is Kind.ADD and _alone(op, rows)}
    return any(
        op.kind is Kind.MULTIPLY
        and rows.intersection(op.inputs)
        and any(ops[inner].kind is Kind.NORM for inner in op.inputs)
        for op in ops
    )


def _alone(op: Op, rows: set[int]) -> bool:
    return len(op.inputs) == 1 and op.inputs[0] in rows
