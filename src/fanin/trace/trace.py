"""A trace: what one forward and one backward pass at step 0 did, as data.

There is no framework object in it, so it can be stored as JSON, read back, compared, and handed to
recipes and checks that know nothing of where it came from.
"""

from dataclasses import dataclass, field

from fanin.trace.ops import Op, TracedParameter
from fanin.trace.surroundings import Surroundings


@dataclass(frozen=True)
class Trace:
    """One pass through a network.

    Attributes:
        ops: The operations that matter, in the order of execution; their indices are their names.
        parameters: Every parameter of the model, used or not, in the order of the model.
        loss: Name of the loss that the backward pass started from, as a person would say it.
        loss_value: Its value; None for a loss that only serves to send gradients back.
        training: Whether the model was in training mode: dropout and batch statistics as then.
        notes: What the reader has to know about how the pass was made.
        surroundings: What stands around each parameter, by name.
    """

    ops: tuple[Op, ...]
    parameters: tuple[TracedParameter, ...]
    loss: str
    loss_value: float | None
    training: bool
    notes: tuple[str, ...] = ()
    surroundings: dict[str, Surroundings] = field(default_factory=dict[str, Surroundings])
