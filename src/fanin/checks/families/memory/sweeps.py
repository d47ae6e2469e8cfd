"""Reading births line by line: which line of the person's code wrote which tensors.

A line that writes many tensors is a sweep, as the body of ``model.apply(init)`` is; a line that
writes few of those is more specific. That a sweep comes last is how special values get lost.
"""

import math
import re
from collections import defaultdict
from dataclasses import dataclass, field

from fanin.births import Birth, Births, Frame, Write

REPLACES = re.compile(
    r"^nn\.init\.\w+$|(^|\.)(zero|fill|copy|set|normal|uniform|log_normal|exponential|cauchy"
    r"|bernoulli|random|geometric)_$|^__setitem__$|^data$"
)
"""Functions after which nothing is left of what was there; ``mul_`` and ``add_`` build on it, and
``torch.zeros`` makes new memory."""

PLACEHOLDER = re.compile(r"(^|[._])(zeros|ones|empty)(_like)?$")
"""Functions that make memory which somebody else is to fill."""


@dataclass(frozen=True)
class Line:
    """A line of the person's code that wrote tensors on purpose.

    Attributes:
        frame: The line.
        names: The tensors it wrote, in the order of the writes, each once.
        writes: Its writes, with the tensors.
    """

    frame: Frame
    names: tuple[str, ...]
    writes: tuple[tuple[Birth, Write], ...] = field(repr=False, default=())

    @property
    def own(self) -> bool:
        """Whether the line itself asked for the writes, and not a library that it called."""
        return not any(write.library for _, write in self.writes)


def replaces(write: Write) -> bool:
    """Tell whether a write leaves nothing of what was there.

    Args:
        write: Any write.

    Returns:
        Whether it reached every element with values of its own.

    Example:
        >>> bool(REPLACES.search("nn.init.normal_")), bool(REPLACES.search("mul_"))
        (True, False)
    """
    return write.whole and bool(REPLACES.search(write.function))


def purposeful(birth: Birth) -> list[Write]:
    """List the writes that the person's own code asked for.

    Args:
        birth: A tensor.

    Returns:
        The writes of kind ``"init"``, in order.
    """
    return [write for write in birth.writes if write.by == "init"]


def place(write: Write) -> tuple[str, int] | None:
    """Tell which line a write came from.

    Args:
        write: Any write.

    Returns:
        File and line of the innermost frame; None where there is none.
    """
    return (write.frames[0].file, write.frames[0].line) if write.frames else None


def function(write: Write) -> str:
    """Name the function that a write was made in.

    Args:
        write: Any write.

    Returns:
        The innermost function, the person's own where it is known.
    """
    if write.scope:
        return write.scope[-1]
    return write.frames[0].function if write.frames else ""


def lines(births: Births) -> dict[tuple[str, int], Line]:
    """Sort the purposeful writes by the line they came from.

    Args:
        births: The births.

    Returns:
        File and line number to what it wrote.
    """
    found = defaultdict[tuple[str, int], list[tuple[Birth, Write]]](list)
    for birth in births.tensors:
        for write in purposeful(birth):
            where = place(write)
            if where is not None:
                found[where].append((birth, write))
    return {
        where: Line(
            pairs[0][1].frames[0], tuple(dict.fromkeys(b.name for b, _ in pairs)), tuple(pairs)
        )
        for where, pairs in found.items()
    }


def said(write: Write) -> str:
    """Say what a write did, as the person would type it, and where.

    Args:
        write: Any write.

    Returns:
        Such as ``"nn.init.normal_(std=0.02) at net.py:41"``.
    """
    at = f" at {write.frames[0]}" if write.frames else ""
    return f"{write.function}({write.arguments}){at}"


def sampling_error(write: Write, elements: int) -> float:
    """Compute the sampling error of the mean of what was written.

    Args:
        write: The write.
        elements: Number of elements of the tensor.

    Returns:
        One standard error.

    References:
        Cramer (1946), Mathematical Methods of Statistics, section 27.4: s / sqrt(n).
    """
    return write.after.std / math.sqrt(max(1, elements))
