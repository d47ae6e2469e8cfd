"""A healthy model: how to build it, what it eats and what it is trained on.

Healthy means that people train such models and they learn. Some of them look wrong; those say why
they are not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Batch = Callable[[], tuple[Any, ...]]
Loss = Callable[..., Tensor]
Build = Callable[[], nn.Module]


@dataclass(frozen=True)
class Case:
    """One animal of the zoo.

    Attributes:
        name: What it is, such as ``"conv/unet"``.
        build: Builds it.
        batch: Makes what the forward pass takes, then what the loss takes.
        loss: As for `fanin.check`; None where the model computes it, or where it has none.
        fine: Why what looks wrong in it is not; empty where nothing does.
        telling: Whether the weights alone tell that it is fine; else the build has to be watched.
    """

    name: str
    build: Build
    batch: Batch
    loss: Loss | None = None
    fine: str = ""
    telling: bool = True

    def __str__(self) -> str:
        return self.name


class Cage:
    """The cases of one kind.

    Args:
        kind: The kind, such as ``"conv"``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.cases = list[Case]()

    def __iter__(self) -> Iterator[Case]:
        return iter(self.cases)

    def add(
        self,
        name: str,
        build: Build,
        batch: Batch,
        loss: Loss | None = None,
        fine: str = "",
        *,
        telling: bool = True,
    ) -> None:
        """Add a model."""
        self.cases.append(Case(f"{self.kind}/{name}", build, batch, loss, fine, telling))

    def healthy(
        self, batch: Batch, loss: Loss | None = None, fine: str = ""
    ) -> Callable[[Build], Build]:
        """Add the model that the function below builds, under its name."""

        def added(build: Build) -> Build:
            self.add(build.__name__, build, batch, loss, fine)
            return build

        return added
