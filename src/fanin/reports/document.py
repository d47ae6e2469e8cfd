"""What a report says, before it is drawn: a verdict, tables and notes as plain text.

A room above fills a `Document`; the terminal, the pipe, the notebook and the page each draw the
same one, so the same words appear everywhere. The helpers here print figures the same way too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: What the table shows, one line.
        columns: Head of each column.
        rows: One text per column in each row; the first names the row and is never shortened.
        notes: How to read it, one sentence each.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One thing that was found.

    Attributes:
        mark: How bad it is, one word.
        title: What it is, in a few words.
        names: What it speaks of.
        said: Label and sentence, in the order they are read.
    """

    mark: str
    title: str
    names: tuple[str, ...]
    said: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Document:
    """A report in the order it is read.

    Attributes:
        title: What was asked.
        verdict: The answer: the first sentence alone must do.
        tables: The figures behind it, the most important first.
        notes: What else the person must know.
    """

    title: str
    verdict: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


def figure(value: float, digits: int = 3, infinite: str = "inf") -> str:
    """Print a measured number with a fixed number of significant digits.

    Args:
        value: The number.
        digits: Significant digits.
        infinite: What to print for infinity.

    Returns:
        The text; ``"-"`` for NaN, which means there is no such figure.

    Example:
        >>> figure(0.4), figure(1234.6), figure(2.5e-7), figure(float("nan"))
        ('0.400', '1235', '2.50e-07', '-')
    """
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return infinite if value > 0 else f"-{infinite}"
    if abs(value) >= 10**digits and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:#.{digits}g}".removesuffix(".")


def between(value: str, low: str, high: str) -> str:
    """Print a figure with its interval.

    Args:
        value: The figure, printed.
        low: Its lower end, printed; ``"-"`` when there is none.
        high: Its upper end, printed.

    Returns:
        The text.

    Example:
        >>> between("0.40", "0.38", "0.43"), between("0.40", "-", "-")
        ('0.40 [0.38, 0.43]', '0.40')
    """
    return value if low == "-" else f"{value} [{low}, {high}]"


def p_text(p_value: float, bound: str = "=") -> str:
    """Print a p-value.

    Args:
        p_value: Between 0 and 1.
        bound: What stands between the letter and the number, such as ``"at most"``.

    Returns:
        The text.

    Example:
        >>> p_text(0.824), p_text(0.0000019), p_text(0.031, "at most")
        ('p = 0.82', 'p < 0.0001', 'p at most 0.031')
    """
    return "p < 0.0001" if p_value < 0.0001 else f"p {bound} {p_value:.2g}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join words as a person would.

    Args:
        words: Any number of them.
        last: The word before the last.

    Returns:
        The text.

    Example:
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def shortened(words: Sequence[str], most: int = 5) -> str:
    """Join words as a person would, and only count them after the first few.

    Args:
        words: Any number of them.
        most: How many are named at most.

    Returns:
        The text.

    Example:
        >>> shortened(["a", "b", "c", "d"], most=2)
        'a, b and 2 others'
    """
    if len(words) <= most + 1:  # "and 1 others" would be no shorter
        return listed(words)
    return listed([*words[:most], f"{len(words) - most} others"])


def counted(number: int, word: str) -> str:
    """Put a number before a regular noun.

    Args:
        number: How many.
        word: The noun, singular.

    Returns:
        The text.

    Example:
        >>> counted(1, "repeat"), counted(20, "repeat")
        ('1 repeat', '20 repeats')
    """
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
