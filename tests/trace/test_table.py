"""A trace as a person reads it."""

from dataclasses import replace

from fanin.reports import plain
from fanin.trace import Kind, Signal, Trace, TracedParameter
from graph_cases import WIDTH, Net


def traced() -> Trace:
    net = Net()
    x = net.linear(net.input(), "0", bias=False)
    x = net.recurrent(net.act(x, "tanh"), "lstm")
    logits = net.linear(net.op(Kind.OTHER, x, function="cumsum"), "1")
    net.loss(logits)
    out = Signal((8, WIDTH), 0.1, 1.0, dead=0.25, correlation=0.5)
    seen = {
        1: replace(net.ops[1], path="enc.0", forward=out, backward=Signal((8, WIDTH), 0.0, 2.5e-7)),
        2: replace(net.ops[2], path="enc.1", forward=Signal((8, WIDTH), 0.0, 0.7, saturated=0.004)),
        3: replace(net.ops[3], forward=Signal((8, 4, 4), float("nan"), float("nan"), finite=False)),
    }
    ops = tuple(seen.get(index, op) for index, op in enumerate(net.ops))
    parameters = (*net.parameters.values(), TracedParameter("head.weight", (3, WIDTH)))
    return Trace(ops, parameters, "mean squared error", 1.25, training=False, notes=("A note.",))


def test_a_trace_prints_as_a_table() -> None:
    assert str(traced()) == (
        """A trace of one step in evaluation mode

The loss is 1.25 (mean squared error).

7 operations in the order of execution
path   what             shape  rms         gradient  dead  saturated  alike
-      input            8x16   2.00               -     -          -      -
enc.0  linear           8x16   1.00        2.50e-07   25%          -  0.500
enc.1  tanh             8x16   0.700              -     -         0%      -
-      recurrent x 100  8x4x4  not finite         -     -          -      -
-      cumsum           -      -                  -     -          -      -
-      linear           -      -                  -     -          -      -
-      loss             -      -                  -     -          -      -
dead: units with the same value for every example and position.
saturated: values where the slope of the activation is next to nothing.
alike: mean cosine between the signals of different examples.

1 parameter that nothing used
name         shape
head.weight  (3, 16)

A note."""
    )


def test_theory_stands_beside_what_was_measured() -> None:
    std = 0.5
    trace = replace(traced(), moments={"0.weight": (0.0, std)})
    table = trace.document().tables[0]
    column = table.columns.index("theory")
    # The input has an rms of 2 and there are 16 of it: 2 * 0.5 * sqrt(16).
    assert [row[column] for row in table.rows][:2] == ["-", "4.00"]
    assert "theory: " in table.notes[0]
    assert "theory" not in traced().document().tables[0].columns


def test_an_empty_trace() -> None:
    empty = Trace((), (), "the outputs", float("nan"), training=True)
    text = plain(empty.document())
    assert text == (
        "A trace of one step in training mode\n\n"
        "The gradients are those of the outputs; 0 parameters used."
    )
