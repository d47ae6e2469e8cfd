"""One line of a plan: the decision for one parameter."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fanin.recipes.network import around
from fanin.recipes.slots import Role, Slot
from fanin.schemes import Fans, Scheme


@dataclass(frozen=True)
class Row:
    """The decision for one parameter.

    Attributes:
        slot: The parameter, as the use that decided sees it.
        scheme: What its values are drawn from.
        reason: Why, in a few words.
        mean: Mean that the scheme promises; nan where it promises nothing (`keep`).
        std: Standard deviation that the scheme promises.

    Raises:
        FaninError: The scheme cannot fill this parameter.
    """

    slot: Slot
    scheme: Scheme
    reason: str
    # They follow from the rest, and nan is not equal to itself.
    mean: float = field(init=False, compare=False)
    std: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        slot = self.slot
        promised = self.scheme.promised(slot.fans, shape=slot.shape, layout=slot.layout)
        object.__setattr__(self, "mean", promised.mean)
        object.__setattr__(self, "std", promised.std)

    @property
    def name(self) -> str:
        """Qualified name of the parameter."""
        return self.slot.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter."""
        return self.slot.shape

    @property
    def role(self) -> Role:
        """What the parameter is for."""
        return self.slot.role

    @property
    def fans(self) -> Fans | None:
        """Fans of the layer the parameter belongs to."""
        return self.slot.fans

    @property
    def fed_by(self) -> str:
        """What feeds the parameter, as a trace found it; empty where none was made."""
        return around(self.slot).fed_by

    def values(self, seed: int) -> NDArray[np.float32]:
        """Draw the parameter.

        Args:
            seed: The one seed, from 0 to 2**64 - 1.

        Returns:
            float32 values of the parameter's shape, the padding row at zero.
        """
        slot = self.slot
        drawn = self.scheme.values(
            slot.shape, seed=seed, name=slot.name, layout=slot.layout, fans=slot.fans
        )
        values = np.asarray(drawn, np.float32)
        if slot.zero_row is not None:
            values[slot.zero_row] = 0
        return values
