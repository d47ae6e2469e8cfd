"""What a module says of itself, beyond its type: the rows, slices and ties that rules ask about.

A framework's room reads these off its own modules; each is a few plain numbers.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Padding:
    """The row of a table that stands for padding.

    Attributes:
        name: The table.
        row: Its index, as the layer has it.
        rms: Root of the mean square of that row; the largest over the tables of a fused stack.
        zero_rows: Rows that are all zero, at most 16; of a fused stack, rows zero in every table.
        tables: Tables that are fused into one tensor along its first axis; 1 for a plain one.
        zero_tables: Those of them that are all zero.
    """

    name: str
    row: int
    rms: float
    zero_rows: tuple[int, ...] = ()
    tables: int = 1
    zero_tables: tuple[int, ...] = ()


@dataclass(frozen=True)
class GateBias:
    """The bias of one gate of a recurrent layer: all the biases that add up to it.

    Attributes:
        names: The tensors that it is a slice of.
        gate: ``"input"``, ``"forget"``, ``"cell"`` or ``"output"`` of an LSTM, ``"reset"``,
            ``"update"`` or ``"new"`` of a GRU.
        mean: Mean of the sum over the units.
        std: Standard deviation of the sum over the units.
        units: Number of units.
    """

    names: tuple[str, ...]
    gate: str
    mean: float
    std: float
    units: int


@dataclass(frozen=True)
class Unregistered:
    """Something to be trained that a module holds where no optimiser sees it.

    Attributes:
        name: Where it is held, such as ``"gate"`` or ``"experts[0]"``.
        what: ``"tensor"`` that was a parameter, ``"leaf"`` for one that never was, or the type of
            a module.
        shapes: Shapes of the tensors.
        alone: Whether it is the only element of a list, which is how a module is hidden on purpose.
    """

    name: str
    what: str
    shapes: tuple[tuple[int, ...], ...]
    alone: bool = False
