"""What a recipe knows of a model: one slot per parameter, with no framework object in it.

A slot says what a parameter is for, how it is used and which other names it goes by. A framework's
room reads the slots off its own models; from there on every decision is made on plain data, so the
same recipe starts a PyTorch and a JAX model alike.
"""

from dataclasses import dataclass
from enum import StrEnum

from fanin.schemes import Fans, Layout, Scheme
from fanin.trace import Surroundings


class Role(StrEnum):
    """What a parameter is for."""

    KERNEL = "kernel"
    BIAS = "bias"
    NORM_GAIN = "norm gain"
    NORM_OFFSET = "norm offset"
    EMBEDDING = "embedding"
    POSITIONAL = "positional"
    HEAD = "head"
    GATE = "gate"
    SCALE = "scale"
    OTHER = "other"


@dataclass(frozen=True)
class Slot:
    """One parameter of a model, seen from outside.

    Attributes:
        name: Qualified name, which is also the name of its random stream.
        shape: Shape of the tensor that the layer computes with.
        role: What it is for; `OTHER` when the layer is not known.
        layout: What its axes are for; None for a parameter that sums over nothing.
        fans: Fans of the layer it belongs to, also for a bias; None when there are none.
        module: Type of the layer that holds it, such as ``"Conv2d"``.
        aliases: Further names of the same memory.
        uses: The same memory as other layers use it, each as a slot of its own (tied weights).
        zero_row: Row that stays zero: the padding row of an embedding.
        recurrent: Whether it multiplies the state of the step before.
        native: The scheme its own framework starts it with, where that does not follow from the
            role and the fans: a value of its own (PReLU), or a habit of that one layer.
        frozen: Whether it is held constant in training.
        around: What stands around it in the network, as a trace found it; None when the model was
            read without running it.
        used: Whether the traced pass used it; None when there was none.
        one_plus: Whether the layer computes with 1 plus it: a norm gain that is kept as 1 + w.
    """

    name: str
    shape: tuple[int, ...]
    role: Role
    layout: Layout | None
    fans: Fans | None
    module: str
    aliases: tuple[str, ...] = ()
    uses: tuple["Slot", ...] = ()
    zero_row: int | None = None
    recurrent: bool = False
    native: Scheme | None = None
    frozen: bool = False
    around: Surroundings | None = None
    used: bool | None = None
    one_plus: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it goes by, its own first."""
        return (self.name, *self.aliases)

    @property
    def known(self) -> bool:
        """Whether the layer told what the parameter is for; if not, it needs a rule."""
        return self.role is not Role.OTHER or self.native is not None
