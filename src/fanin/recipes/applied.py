"""A plan that was carried out, with what was done.

What a person asks after an initialisation is whether it happened: how much was written, from which
seed, what was left alone, and what else had to be touched. The answer is the same text every time.
"""

from dataclasses import dataclass, fields
from typing import Any

from fanin.recipes.plan import Plan
from fanin.schemes import keep


@dataclass(frozen=True)
class Applied(Plan):
    """The plan of a model that was initialised; prints as the table, and what was done below it.

    Attributes:
        seed: The one seed.
        done: What was done besides, one sentence for each thing.

    Example:
        >>> from fanin.recipes import Role, Slot, assign
        >>> bias = Slot("0.bias", (10,), Role.BIAS, None, None, "Linear")
        >>> print(Applied.of(assign([bias], "zeros"), seed=7))
        name    shape  role  fan_in  fan_out  scheme  mean  std  reason
        0.bias  (10,)  bias       -        -  zeros      0    0  bias: starts at zero
        1 parameter, 10 values
        seed 7: each was written once and read back
    """

    seed: int = 0
    done: tuple[str, ...] = ()

    @classmethod
    def of(cls, plan: Plan, seed: int, done: tuple[str, ...] = ()) -> "Applied":
        """Add to a plan what was done.

        Args:
            plan: What was carried out.
            seed: The one seed.
            done: What was done besides.

        Returns:
            All of it.
        """
        return cls(**_own(plan), seed=seed, done=done)

    @property
    def plan(self) -> Plan:
        """The plan alone."""
        return Plan(**_own(self))

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the parameters that were left alone."""
        return tuple(row.name for row in self.rows if isinstance(row.scheme, keep))

    def __str__(self) -> str:
        written = len(self.rows) - len(self.kept)
        told = "each was" if not self.kept else f"{written} of {len(self.rows)} were"
        lines = [f"seed {self.seed}: {told} written once and read back"]
        if self.kept:
            lines.append(f"left as they were: {', '.join(self.kept)}")
        return "\n".join((super().__str__(), *lines, *self.done))


def _own(plan: Plan) -> dict[str, Any]:
    return {field.name: getattr(plan, field.name) for field in fields(Plan) if field.init}
