"""Where a tensor of unknown making came from: torch's graph is walked back to what is known."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

FARTHEST = 4000
"""Steps back through the graph, after which the search is given up."""


def made_from(node: Any, makers: Mapping[Any, int]) -> tuple[list[int], list[Tensor]]:
    """Find the nearest known operations behind a node of torch's graph, and the leaves.

    Args:
        node: The node that made a tensor, ``tensor.grad_fn``.
        makers: For the nodes of recorded operations, the index of the operation.

    Returns:
        Indices of the operations, and the tensors that the graph begins with.

    Example:
        >>> import torch
        >>> start = torch.ones(2, requires_grad=True)
        >>> known, leaves = made_from((2 * start).exp().grad_fn, {})
        >>> known, leaves[0] is start
        ([], True)
    """
    known, leaves = list[int](), list[Tensor]()
    queue, seen = [node], set[Any]()
    while queue and len(seen) < FARTHEST:
        node = queue.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in makers:
            known.append(makers[node])
            continue
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            leaves.append(leaf)
        queue.extend(step for step, _ in node.next_functions)
    return known, leaves
