"""A start as figures: for each tensor what it holds, by which law, and who wrote it.

It is small enough to be kept beside the code, and says enough to tell whether another build starts
the same: by the same numbers, or at least by the same law.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from fanin.errors import FaninError


@dataclass(frozen=True)
class Figures:
    """One tensor of a start.

    Attributes:
        shape: Its shape.
        dtype: Its dtype.
        mean: Mean over its elements.
        std: Standard deviation over them.
        low: Smallest of them.
        high: Largest of them.
        kurtosis: Fourth standardised moment; nan for a constant.
        law: The formula that it was planned by, or else one that explains it; empty for none.
        writer: What wrote it last and in which function; empty where nobody watched.
        random: Whether it was drawn; None where nobody watched.
        digest: A fingerprint of the values.
    """

    shape: tuple[int, ...]
    dtype: str
    mean: float
    std: float
    low: float
    high: float
    kurtosis: float = math.nan
    law: str = ""
    writer: str = ""
    random: bool | None = None
    digest: str = ""

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Start:
    """A start.

    Attributes:
        source: What it is the start of, as the person named it.
        seed: The seed it was built with.
        tensors: Name of every parameter and buffer to its figures, in the order of the model.
    """

    source: str
    seed: int
    tensors: dict[str, Figures]

    def __str__(self) -> str:
        from fanin.checks.starts.lockfile import written_lock

        return written_lock(self)

    def save(self, path: str | Path) -> None:
        """Write the start to a file that `fanin.check(..., lock=path)` takes.

        Args:
            path: The file.

        Raises:
            FaninError: It cannot be written.
        """
        try:
            Path(path).write_text(str(self), encoding="utf-8")
        except OSError as problem:
            raise FaninError(f"{path} cannot be written: {problem}") from problem
