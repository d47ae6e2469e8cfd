"""Attention that was written by hand, read as the one operation it is.

Softmax of a product, times a third signal: whatever stands between (a scale, a mask, a bias,
dropout), the product behind the softmax becomes an operation of kind `ATTENTION` that reads query,
key and value, as a fused one does. From here on there is one kind of attention.
"""

from collections.abc import Sequence
from dataclasses import replace

from fanin.trace.ops import WEIGHTED, Kind, Op

_ENDS = WEIGHTED | {Kind.INPUT, Kind.NORM, Kind.SOFTMAX, Kind.ATTENTION}
"""Where the way from a softmax back to the scores is lost."""

_FARTHEST = 24
"""Operations between the scores and their softmax, at most; T5 and Swin have about 6."""


def with_attention(ops: Sequence[Op]) -> tuple[Op, ...]:
    """Tell attention apart from other products.

    Args:
        ops: In the order of execution.

    Returns:
        As many operations. The product with the values is of kind `ATTENTION` and reads query, key
        and value; the product that made the scores reads nothing any more.
    """
    read = list(ops)
    for index, op in enumerate(ops):
        if op.kind is not Kind.PRODUCT or len(op.inputs) != 2:
            continue
        for weights, value in (op.inputs, op.inputs[::-1]):
            scores = _scores(ops, weights)
            if scores is not None:
                query, key = ops[scores].inputs
                read[scores] = replace(ops[scores], inputs=())
                read[index] = replace(
                    op, kind=Kind.ATTENTION, inputs=(query, key, value), detail="query key value"
                )
                break
    return tuple(read)


def _scores(ops: Sequence[Op], weights: int) -> int | None:
    """Find the product that a softmax was taken of; the first, where there are several."""
    while ops[weights].kind is not Kind.SOFTMAX:
        if len(ops[weights].inputs) != 1 or ops[weights].kind in _ENDS | {Kind.PRODUCT}:
            return None
        (weights,) = ops[weights].inputs
    waiting, seen, found = list(ops[weights].inputs), set[int](), list[int]()
    while waiting and len(seen) < _FARTHEST:
        index = waiting.pop()
        if index in seen or ops[index].kind in _ENDS:
            continue
        seen.add(index)
        if ops[index].kind is not Kind.PRODUCT:
            waiting += ops[index].inputs
        elif len(ops[index].inputs) == 2:
            found.append(index)
    return min(found, default=None)
