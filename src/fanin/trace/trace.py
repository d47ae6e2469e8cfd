"""A trace: what one forward and one backward pass at step 0 did, as data.

There is no framework object in it, so it can be stored as JSON, read back, compared, and handed to
recipes and checks that know nothing of where it came from.
"""

import math
from dataclasses import dataclass, field

from fanin.reports.document import Document, Table, counted, figure
from fanin.reports.terminal import plain
from fanin.trace.ops import Op, TracedParameter
from fanin.trace.predict import Predicted, predict
from fanin.trace.storing import read, written
from fanin.trace.surroundings import Surroundings
from fanin.trace.table import operations_table, unused_table

FORMAT = "fanin trace 1"
"""What a stored trace begins with."""


@dataclass(frozen=True)
class Trace:
    """One pass through a network; prints as a table.

    Attributes:
        ops: The operations that matter, in the order of execution; their indices are their names.
        parameters: Every parameter of the model, used or not, in the order of the model.
        loss: Name of the loss that the backward pass started from, as a person would say it.
        loss_value: Its value; None for a loss that only serves to send gradients back.
        training: Whether the model was in training mode: dropout and batch statistics as then.
        notes: What the reader has to know about how the pass was made.
        surroundings: What stands around each parameter, by name.
        moments: Mean and standard deviation that each parameter held, by name; empty when nobody
            looked, and then there is no theory either.
    """

    ops: tuple[Op, ...]
    parameters: tuple[TracedParameter, ...]
    loss: str
    loss_value: float | None
    training: bool
    notes: tuple[str, ...] = ()
    surroundings: dict[str, Surroundings] = field(default_factory=dict[str, Surroundings])
    moments: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])

    def __str__(self) -> str:
        return plain(self.document())

    def predicted(self) -> tuple[Predicted, ...]:
        """Compute what theory expects of each operation.

        Returns:
            One prediction for each; none at all where no moments were noted.
        """
        if not self.moments:
            return ()
        return predict(self.ops, self.parameters, self.moments, training=self.training)

    def document(self) -> Document:
        """Say what the pass did.

        Returns:
            The loss, a table of the operations, with theory where the moments of the parameters are
            known, and the parameters that were not used.

        Example:
            >>> from fanin.trace import Kind, Signal
            >>> ops = (
            ...     Op(Kind.INPUT, "input", forward=Signal((8, 64), 0.0, 1.0)),
            ...     Op(Kind.LINEAR, "linear", "fc", inputs=(0,), forward=Signal((8, 10), 0.0, 0.6)),
            ... )
            >>> print(Trace(ops, (), "cross entropy", 2.31, training=True))
            A trace of one step in training mode
            <BLANKLINE>
            The loss is 2.31 (cross entropy).
            <BLANKLINE>
            2 operations in the order of execution
            path  what    shape    rms
            -     input   8x64    1.00
            fc    linear  8x10   0.600
        """
        tables = [operations_table(self.ops, self.predicted())] if self.ops else list[Table]()
        unused = unused_table(self.parameters)
        return Document(
            title=f"A trace of one step in {'training' if self.training else 'evaluation'} mode",
            verdict=(self._verdict(),),
            tables=(*tables, unused) if unused is not None else tuple(tables),
            notes=self.notes,
        )

    def _verdict(self) -> str:
        if not math.isnan(self.loss_value):
            return f"The loss is {figure(self.loss_value)} ({self.loss})."
        used = sum(bool(parameter.uses) for parameter in self.parameters)
        return f"The gradients are those of {self.loss}; {counted(used, 'parameter')} used."

    def to_json(self) -> str:
        """Write the trace as JSON.

        Returns:
            One object on one line, which `from_json` reads back without loss.
        """
        return written(self, FORMAT)

    @staticmethod
    def from_json(text: str) -> "Trace":
        """Read a trace.

        Args:
            text: What `to_json` wrote.

        Returns:
            An equal trace.

        Raises:
            FaninError: The text is no trace, of another version, or damaged.

        Example:
            >>> trace = Trace((), (), "none", float("nan"), training=False)
            >>> trace.to_json()
            '{"format": "fanin trace 1", "ops": [], ..., "loss_value": "nan", "training": false}'
            >>> Trace.from_json(trace.to_json()).training
            False
        """
        return read(Trace, text, FORMAT)
