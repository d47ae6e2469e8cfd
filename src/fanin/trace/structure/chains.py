"""Plain stretches: kernels in a row with nothing but activations, pooling and dropout between.

A stretch ends where a branch begins or ends, so one inside a branch is a stretch of its own. How
many kernels come before and after is counted once along the order of execution and once against it.
"""

from dataclasses import dataclass

from fanin.errors import FaninError
from fanin.theory import activation
from fanin.trace.ops import Kind, Part, TracedParameter, Use
from fanin.trace.structure.gating import activation_name, gating, modulated
from fanin.trace.structure.graph import KERNELS, Graph
from fanin.trace.structure.residual import Residual
from fanin.trace.surroundings import Chain


@dataclass(frozen=True)
class Chains:
    """The plain stretches of a network.

    Attributes:
        chain: For each operation that multiplies with a kernel where it stands.
        paired: Those whose units keep their order into the next kernel.
    """

    chain: dict[int, Chain]
    paired: frozenset[int]


def chains(graph: Graph, residuals: dict[int, Residual], group: dict[int, int]) -> Chains:
    """Read off the plain stretches.

    Args:
        graph: The graph.
        residuals: The residual sums.
        group: A number for each operation of a branch or shortcut, the same within one.

    Returns:
        What is known of them.
    """
    before = _feeders(graph, residuals, group)
    after = {index: list[int]() for index in before}
    for index, feeders in before.items():
        for feeder in feeders:
            after[feeder].append(index)
    ahead, behind = dict[int, int](), dict[int, int]()
    for index in before:
        ahead[index] = max((ahead[feeder] + 1 for feeder in before[index]), default=0)
    for index in reversed(before):
        behind[index] = max((behind[reader] + 1 for reader in after[index]), default=0)
    found = {
        index: Chain(
            ahead[index],
            ahead[index] + 1 + behind[index],
            _names(graph, before[index]),
            _names(graph, after[index]),
        )
        for index in before
    }
    paired = {index for index in before if len(after[index]) == 1 and _paired(graph, index)}
    return Chains(found, frozenset(paired))


def _feeders(
    graph: Graph, residuals: dict[int, Residual], group: dict[int, int]
) -> dict[int, list[int]]:
    """Find for each kernel the kernels whose units feed it."""
    reaching = list[tuple[int, ...]]()
    before = dict[int, list[int]]()
    for index, op in enumerate(graph.ops):
        sources = [feeder for source in graph.sources[index] for feeder in reaching[source]]
        through = tuple(dict.fromkeys(sources))
        if op.kind in (Kind.LINEAR, Kind.CONVOLUTION):
            before[index] = [
                feeder for feeder in sorted(through) if group.get(feeder) == group.get(index)
            ]
            reaching.append((index,))
        elif op.kind is Kind.RECURRENT:
            before[index] = []
            reaching.append(())
        else:
            reaching.append(through if _plain(graph, index, residuals) else ())
    return before


def _plain(graph: Graph, index: int, residuals: dict[int, Residual]) -> bool:
    if index in residuals or gating(graph, index) or modulated(graph, index) is not None:
        return False
    unary = len(graph.sources[index]) == 1
    match graph.kind(index):
        case Kind.ACTIVATION | Kind.OTHER:
            return unary
        case Kind.ADD | Kind.CONCATENATE:
            return True
        case _:
            return graph.passes(index)


def _names(graph: Graph, indices: list[int]) -> tuple[str, ...]:
    names = (found.name for index in sorted(indices) for found in graph.kernels(index))
    return tuple(dict.fromkeys(names))


def _paired(graph: Graph, index: int) -> bool:
    """Tell whether the units of a kernel can be mirrored in the next one."""
    activations, at = 0, index
    while True:
        if len(graph.readers[at]) != 1:
            return False
        (at,) = graph.readers[at]
        match graph.kind(at):
            case Kind.LINEAR | Kind.CONVOLUTION:
                return activations == 1 and _match(_only(graph, index), _only(graph, at))
            case Kind.ACTIVATION if _known(activation_name(graph.ops[at])):
                activations += 1
            case Kind.DROPOUT | Kind.POOL | Kind.ADD | Kind.MULTIPLY if graph.passes(at):
                pass
            case _:
                return False


def _only(graph: Graph, index: int) -> tuple[TracedParameter, Use] | None:
    """Take the one kernel of an operation, unless it is used elsewhere too."""
    found = [pair for pair in graph.uses[index] if pair[1].part in KERNELS]
    if len(found) != 1 or found[0][1].part is not Part.KERNEL or len(found[0][0].uses) != 1:
        return None
    return found[0]


def _match(
    first: tuple[TracedParameter, Use] | None, second: tuple[TracedParameter, Use] | None
) -> bool:
    if first is None or second is None:
        return False
    sizes = [_sizes(*pair) for pair in (first, second)]
    (matrices, outputs, _), (others, _, inputs) = sizes
    # The halves of a group are halves of that group alone, and the next kernel has other groups.
    return matrices == others == 1 and outputs > 0 and outputs % 2 == 0 and inputs % outputs == 0


def _sizes(parameter: TracedParameter, use: Use) -> tuple[int, int, int]:
    """Count matrices, outputs and inputs; no matrix where that is not known."""
    if use.layout is None or use.rows is not None:
        return 0, 0, 0
    return use.layout.stack(parameter.shape)[:3]


def _known(name: str) -> bool:
    try:
        activation(name)
    except FaninError:
        return False
    return True
