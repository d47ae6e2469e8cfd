"""What feeds an operation, and what its signal goes to, in the words of `Surroundings`.

Both are told by the first operation on the way that changes the signal. Each is worked out once for
every operation, in order, from those beside it.
"""

from collections.abc import Iterable

from fanin.trace.ops import Kind
from fanin.trace.structure.gating import activation_name, gating, modulated
from fanin.trace.structure.graph import Graph
from fanin.trace.structure.residual import Residual

STREAM = "residual stream"

_WORDS = {
    Kind.INPUT: "input",
    Kind.LINEAR: "linear",
    Kind.CONVOLUTION: "linear",
    Kind.EMBEDDING: "embedding",
    Kind.RECURRENT: "state",
    Kind.PRODUCT: "product",
    Kind.ATTENTION: "attention",
    Kind.NORM: "norm",
    Kind.SOFTMAX: "softmax",
    Kind.OUTPUT: "output",
    Kind.LOSS: "loss",
}
"""What the output of an operation is called."""

_GOES_TO = _WORDS | {Kind.INPUT: "", Kind.EMBEDDING: "", Kind.RECURRENT: "linear"}
"""What the reader of a signal is called: a recurrent layer begins with its input kernel."""


def made(graph: Graph, residuals: dict[int, Residual]) -> list[str]:
    """Name the signal that each operation puts out.

    Args:
        graph: The graph.
        residuals: The residual sums.

    Returns:
        A word for each operation; empty where several signals of different kinds were joined.
    """
    words = list[str]()
    for index in range(len(graph.ops)):
        kept = None if index in residuals else modulated(graph, index)
        if kept is not None:
            words.append(words[kept])
        elif _carries(graph, index, residuals):
            words.append(agreed(words[source] for source in graph.sources[index]))
        else:
            words.append(_telling(graph, index, residuals, _WORDS))
    return words


def goes_to(graph: Graph, residuals: dict[int, Residual]) -> list[str]:
    """Name what the signal of each operation goes to.

    Args:
        graph: The graph.
        residuals: The residual sums.

    Returns:
        A word for each operation, that of the first reader that has one.
    """
    words = [""] * len(graph.ops)
    for index in reversed(range(len(graph.ops))):
        for reader in graph.readers[index]:
            passed_on = _carries(graph, reader, residuals) or modulated(graph, reader) == index
            if passed_on and graph.kind(reader) is not Kind.OUTPUT:
                word = words[reader]
            else:
                word = _telling(graph, reader, residuals, _GOES_TO)
            if word:
                words[index] = word
                break
    return words


def agreed(words: Iterable[str]) -> str:
    """Find the word that several signals share.

    Args:
        words: A word for each.

    Returns:
        The one word; empty where there are several, or none.

    Example:
        >>> agreed(["relu", "relu"]), agreed(["relu", "input"])
        ('relu', '')
    """
    different = set(words)
    return different.pop() if len(different) == 1 else ""


def _carries(graph: Graph, index: int, residuals: dict[int, Residual]) -> bool:
    """Tell whether signals of one kind come out as signals of that kind: passed, added, joined."""
    mixed = graph.kind(index) in (Kind.ADD, Kind.CONCATENATE)
    return index not in residuals and (mixed or graph.passes(index))


def _telling(
    graph: Graph, index: int, residuals: dict[int, Residual], words: dict[Kind, str]
) -> str:
    op = graph.ops[index]
    if index in residuals:
        return STREAM
    sides = gating(graph, index)
    if sides is not None:
        return f"gated {sides.name}"
    if op.kind is Kind.MULTIPLY:
        return "product"
    if op.kind in (Kind.ACTIVATION, Kind.OTHER):
        name = activation_name(op)
        return "" if name in {*_WORDS.values(), STREAM} else name
    return words.get(op.kind, "")
