"""The data of a study as a value, ready to train on."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["classification", "regression"]
"""What a target asks for: one of several classes, or numbers."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds, by name."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the examples.

    Attributes:
        features: float32 of shape (n, d), or (n, ...) when the source had such an array.
        target: For classification int64 of shape (n,), the index of each example's class; for
            regression float32 of shape (n, k), one column for each target.
    """

    features: NDArray[np.float32]
    target: NDArray[np.int64] | NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, eq=False)
class Data:
    """Examples, split and scaled.

    Attributes:
        name: The source as text, such as ``"banknotes.csv"``; no path.
        kind: Classification or regression.
        train: The part that is trained on.
        held_out: The part that is only measured; None when nothing is held out.
        feature_names: Name of each feature.
        target_names: Name of each target column.
        classes: Name of each class, in the order of their indices; empty for regression.
        preparation: How the rows were split and the features scaled, in words.
        notes: What else a reader should know, in sentences.
    """

    name: str
    kind: Kind
    train: Part
    held_out: Part | None
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    classes: tuple[str, ...]
    preparation: str
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that there are, by the names of `fanin.studies.trainer.SPLITS`."""
        return {"train": self.train} | ({"held-out": self.held_out} if self.held_out else {})

    def __str__(self) -> str:
        return f"{self.name}, target {', '.join(self.target_names)}, {self.preparation}"
