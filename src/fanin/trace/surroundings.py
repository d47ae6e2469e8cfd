"""What stands around a parameter in the network: the facts that decide how large it may be.

These are the words that recipes speak in. They are read off the graph of a trace by
`fanin.trace.structure`, and hold for every framework.
"""

from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where a parameter stands. A parameter may have several."""

    FIRST = "first"
    """Fed by an input of the network, with no kernel before it."""
    LAST = "last"
    """Its output is the output of the network, or what the loss is computed from."""
    WRITER = "writer"
    """The last kernel of a residual branch: it writes to the stream."""
    BRANCH = "branch"
    """Inside a residual branch, and no writer."""
    SHORTCUT = "shortcut"
    """On the path that goes around a residual branch."""
    QUERY = "query"
    KEY = "key"
    VALUE = "value"
    ATTENTION_OUTPUT = "attention output"
    """Fed by an attention."""
    GATE = "gate"
    """Its output decides how much of another signal passes."""
    GATED = "gated"
    """Its output is multiplied by a gate."""
    SCALE = "branch scale"
    """A factor on all that a residual branch puts out."""
    POSITION = "position"
    """Added to every example alike, one value per position."""
    TOKEN = "token"
    """Joined to the signal as a further position."""


@dataclass(frozen=True)
class Branch:
    """The residual branch that a parameter belongs to.

    Attributes:
        stream: Which stream the branch writes to, counted from 0 in the order of execution.
        index: Which branch of that stream it is, counted from 0.
        of: How many branches write to that stream.
        kernels: Kernels in a row on the longest path through the branch.
        norm: ``"before"`` when the branch begins with a norm, ``"after"`` when the sum is
            normalised, ``"inside"`` when a norm stands between or behind its kernels, ``"none"``
            when nothing normalises.
    """

    stream: int
    index: int
    of: int
    kernels: int
    norm: str = "none"


@dataclass(frozen=True)
class Chain:
    """The plain stretch of the network that a kernel belongs to: no norm, no skip in between.

    Attributes:
        index: How many kernels of the stretch come before it.
        of: Kernels on the longest plain stretch through it.
        before: Names of the kernels whose units feed it, with nothing but activations, views,
            pooling and dropout between.
        after: Names of the kernels that it feeds in the same way.
    """

    index: int
    of: int
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """All of it for one parameter.

    Attributes:
        fed_by: What feeds it: an activation as `fanin.theory` reads it, or ``"input"``,
            ``"norm"``, ``"embedding"``, ``"residual stream"``, ``"linear"`` (a kernel with no
            activation between), ``"attention"``, ``"softmax"``, ``"product"``, ``"gated silu"``
            (an activation times another signal), ``"state"``; empty where it is not known.
        followed_by: What its output goes to, in the same words, and ``"output"`` or ``"loss"``.
        places: Where it stands.
        branch: The residual branch it belongs to, if any.
        chain: The plain stretch it belongs to; None for what is no kernel.
        input_rms: Measured root mean square of the signal that it multiplies; None where none was
            measured.
        steps: Time steps of the recurrent layer it belongs to; 1 elsewhere.
        paired: Whether its output units keep their order into the kernel after it, so that the
            units of both can be mirrored in pairs: one activation of known name between them, no
            other reader, and as many inputs as outputs or a whole multiple (flattened positions).
        regression: Whether the network is asked for numbers rather than classes, as far as the
            trace could tell: a squared or absolute error, or an output of the shape of the input.
    """

    fed_by: str = ""
    followed_by: str = ""
    places: frozenset[Place] = frozenset()
    branch: Branch | None = None
    chain: Chain | None = None
    input_rms: float | None = None
    steps: int = 1
    paired: bool = False
    regression: bool = False
