"""The operations of a network that matter for its start, and how parameters are used in them.

An operation is told by what it does to a signal, whatever function of whatever framework did it.
Views, copies and casts are no operations: a signal passes through them unchanged.
"""

from dataclasses import dataclass
from enum import StrEnum

from fanin.schemes import Fans, Layout
from fanin.trace.signal import Signal


class Kind(StrEnum):
    """What an operation does."""

    INPUT = "input"
    LINEAR = "linear"
    CONVOLUTION = "convolution"
    EMBEDDING = "embedding"
    RECURRENT = "recurrent"
    PRODUCT = "product"
    ATTENTION = "attention"
    ACTIVATION = "activation"
    NORM = "norm"
    SOFTMAX = "softmax"
    ADD = "add"
    MULTIPLY = "multiply"
    CONCATENATE = "concatenate"
    POOL = "pool"
    DROPOUT = "dropout"
    OTHER = "other"
    OUTPUT = "output"
    LOSS = "loss"


WEIGHTED = frozenset({Kind.LINEAR, Kind.CONVOLUTION, Kind.EMBEDDING, Kind.RECURRENT})
"""Operations that a kernel makes new units in."""


class Part(StrEnum):
    """As what an operation takes a parameter."""

    KERNEL = "kernel"
    STATE_KERNEL = "state kernel"
    TABLE = "table"
    BIAS = "bias"
    GAIN = "gain"
    OFFSET = "offset"
    FACTOR = "factor"
    TERM = "term"
    PIECE = "piece"
    SLOPE = "slope"
    OTHER = "other"


@dataclass(frozen=True)
class Op:
    """One operation.

    Attributes:
        kind: What it does.
        function: Name of the framework's function that did it.
        path: Name of the innermost module that called it; empty for the model itself.
        module: Type of that module.
        inputs: Indices of the operations whose signals it takes, in the order of its arguments. A
            signal that came from outside has an operation of kind `INPUT`.
        detail: More on the kind: the activation as `fanin.theory` reads it (``"leaky_relu(0.2)"``),
            or an unknown one by its own name; for a norm what it normalises over; for a product or
            an attention which operand each input is.
        steps: How often it was applied to its own result: the time steps of a recurrent layer.
        forward: The signal it put out.
        backward: The gradient of the loss with respect to that; None where none arrived.
        sharpness: Of a softmax, or of the one inside an attention: the sum of the squares of its
            probabilities, on average over rows. 1 is a choice of one, 1 / n none at all among n;
            None for other kinds, or with fewer than eight to choose from.
    """

    kind: Kind
    function: str
    path: str = ""
    module: str = ""
    inputs: tuple[int, ...] = ()
    detail: str = ""
    steps: int = 1
    forward: Signal | None = None
    backward: Signal | None = None
    sharpness: float | None = None


@dataclass(frozen=True)
class Use:
    """One use of a parameter.

    Attributes:
        op: Index of the operation.
        part: As what the operation takes it.
        layout: What the axes of the *stored* tensor are for in this use; None for what sums over
            nothing.
        fans: Fans of the use, for a bias those of the kernel it goes with.
        through: What the stored tensor passed through before it got there, in order: views by
            their names, ``"cast"``, and names of functions such as ``"weight_norm"``.
        rows: First index and one past the last along the first output axis, where the use takes
            only a part of the tensor.
    """

    op: int
    part: Part
    layout: Layout | None = None
    fans: Fans | None = None
    through: tuple[str, ...] = ()
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class TracedParameter:
    """A parameter, and all that was done with it.

    Attributes:
        name: Qualified name, as a plan has it.
        shape: Shape of the tensor that the layer computes with.
        aliases: Further names of the same memory.
        uses: Its uses, in the order of execution; empty for one that was not used.
        gradient: The gradient of the loss with respect to it; None where none arrived.
    """

    name: str
    shape: tuple[int, ...]
    aliases: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    gradient: Signal | None = None
