"""An attention that has chosen before it has learned anything."""

from collections.abc import Iterator

from fanin.checks.evidence import Evidence, Probe
from fanin.checks.families.units.graph import graph_of, is_answer
from fanin.checks.finding import Finding, Severity
from fanin.checks.rule import rule
from fanin.trace import Kind, Place
from fanin.trace.structure.graph import Graph

ONE = 0.5
"""Sum of squared probabilities above which one choice outweighs all others together."""


@rule("FI503", "softmax one-hot", Severity.WARNING, Probe.SIGNAL, symptom=True)
def sharp(evidence: Evidence) -> Iterator[Finding]:
    """A softmax inside the network puts nearly all of its weight on one place.

    Why it hurts:
        A softmax that has chosen has no slope: queries and keys receive next to no gradient, and
        what the attention looks at stays a matter of chance.

    Example:
        Dot products of width 64 that are not divided by sqrt(64), with projections of variance 1:
        logits of std 8.

    Mend:
        Divide by the square root of the width, or start the projections of queries and keys
        smaller.

    When it is fine:
        A router over a few experts, and rows that have fewer than eight places to choose from, are
        not looked at; neither is the softmax of the answer, nor an attention without projections,
        in which everything looks at itself.

    Threshold:
        The sum of the squared probabilities of a row, on average over rows with at least eight
        places. It is 1 / n for no choice among n, and for Gaussian logits of std 1 below e / n. A
        warning above 1/2: one place outweighs all others together, and the slope p (1 - p) is lost
        for them. It takes logits of a std of about sqrt(2 ln n).

    Source:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin (2017), Attention
        Is All You Need, section 3.2.1; Derrida (1981), Random-energy model, section III, for the
        size of logits from which one term rules the sum.
    """
    trace = evidence.trace
    if trace is None:
        return
    graph = graph_of(trace)
    found = [
        (op.sharpness, index)
        for index, op in enumerate(graph.ops)
        if op.sharpness is not None
        and op.sharpness > ONE
        and not is_answer(graph, index)
        and _names(graph, index)
    ]
    if not found:
        return
    worst, index = max(found)
    order = [at for _, at in sorted(found, reverse=True)]
    names = tuple(dict.fromkeys(name for at in order for name in _names(graph, at)))
    looked = {place: _places(evidence, names, place) for place in (Place.QUERY, Place.KEY)}
    named = tuple(name for own in looked.values() for name in own)
    path = graph.ops[index].path or graph.ops[index].function
    more = f"; {len(found)} in all" if len(found) > 1 else ""
    yield Finding(
        "FI503",
        Severity.WARNING,
        named or names,
        f"in {path} the squared probabilities of a row sum to {worst:.2f}{more}: about "
        f"{1 / worst:.1f} places share the weight",
        "a sum near 1 / n: at the start an attention looks everywhere alike",
        "a softmax that has chosen has no slope, so that queries and keys do not learn",
        "divide the logits by the square root of the width of a head, or start the projections of "
        "queries and keys smaller",
        title="an attention is one-hot",
        facts={"sharpness": worst, "layers": len(found)},
    )


def _names(graph: Graph, index: int) -> list[str]:
    """Name the kernels that made the logits."""
    waiting, names = [*graph.sources[index]], list[str]()
    seen = set[int]()
    if graph.kind(index) is Kind.ATTENTION:
        waiting = waiting[:2]
    while waiting:
        at = waiting.pop(0)
        if at in seen:
            continue
        seen.add(at)
        if graph.is_kernel(at):
            names += [own.name for own in graph.kernels(at)]
        elif graph.kind(at) not in (Kind.EMBEDDING, Kind.INPUT):
            waiting += graph.sources[at]
    return names


def _places(evidence: Evidence, names: tuple[str, ...], place: Place) -> list[str]:
    return [
        name
        for name in names
        if (slot := evidence.slot(name)) is not None
        and slot.around is not None
        and place in slot.around.places
    ]
