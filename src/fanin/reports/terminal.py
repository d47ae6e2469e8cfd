"""A document on a screen or in a pipe.

On a terminal it is drawn by rich, in colour and to the width there is; names wrap, never cut off.
Anywhere else it is plain lines: one row of a table per line, every name in full, no box drawing, so
that grep, cut and a log file can read it. Characters the stream cannot encode become escapes
instead of ending the program.
"""

import io
import os
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from fanin.reports.document import Document, Table

if TYPE_CHECKING:
    from rich.console import Console

_NUMBER = re.compile(r"-|[-+]?[\d.]+(e[-+]\d+)?%?|\d+ of \d+")


@runtime_checkable
class Stream(Protocol):
    """What is asked of ``sys.stdout`` or any other stream of text."""

    @property
    def encoding(self) -> str | None:
        """Name of the encoding; None where text stays text."""
        ...

    def write(self, text: str, /) -> int:
        """Take some text."""
        ...

    def flush(self) -> None:
        """Send what was taken."""
        ...

    def isatty(self) -> bool:
        """Whether a person is looking."""
        ...


def plain(document: Document) -> str:
    """Write a document as plain text, one sentence or table row per line.

    Args:
        document: What to write.

    Returns:
        The lines, joined, without a newline at the end.

    Example:
        >>> table = Table("loss by scheme", ("scheme", "loss"), (("he_normal", "0.4"),))
        >>> print(plain(Document("Which start?", ("he_normal.",), (table,))))
        Which start?
        <BLANKLINE>
        he_normal.
        <BLANKLINE>
        loss by scheme
        scheme     loss
        he_normal   0.4
    """
    parts = [document.title, "\n".join(document.verdict)]
    parts += [_plain_table(table) for table in document.tables]
    parts.append("\n".join(document.notes))
    return "\n\n".join(part for part in parts if part)


def show(document: Document, stream: Stream, width: int | None = None) -> None:
    """Write a document to a stream, drawn when the stream is a terminal and plain when not.

    Args:
        document: What to write.
        stream: Such as ``sys.stdout``.
        width: Columns to fill on a terminal; the terminal's own by default.
    """
    if not stream.isatty():
        write(stream, plain(document) + "\n")
        return
    write(stream, _drawn(document, width, ascii_only=not _takes(stream, "─")))


def write(stream: Stream, text: str) -> None:
    """Write a text, with escapes for what the stream's encoding does not have.

    Args:
        stream: Any text stream.
        text: What to write.
    """
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, errors="backslashreplace").decode(encoding))
    stream.flush()


def coloured(lines: Iterable[tuple[str, str, str]]) -> str:
    """Colour lines for a terminal, unless NO_COLOR asks for none.

    Args:
        lines: What stands before each text, the text, and its style in the words of rich.

    Returns:
        The lines with their escape codes.
    """
    from rich.text import Text

    page = io.StringIO()
    # The lines are cut to the width already; rich must not cut them again.
    console = _console(page, width=10_000)
    for lead, text, style in lines:
        told = Text(lead, style=style or "dim")
        told.append(text, style=style)
        console.print(told)
    return page.getvalue()


def _plain_table(table: Table) -> str:
    cells = [table.columns, *table.rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.columns))]
    numeric = [_numeric(table, column) for column in range(len(table.columns))]
    lines = [table.title]
    for row in cells:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join((*lines, *table.notes))


def _numeric(table: Table, column: int) -> bool:
    return all(_NUMBER.fullmatch(row[column]) for row in table.rows)


def _drawn(document: Document, width: int | None, *, ascii_only: bool) -> str:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    page = io.StringIO()
    console = _console(page, width)
    console.print(Text(document.title, style="dim"))
    for place, sentence in enumerate(document.verdict):
        console.print(Text(sentence, style="bold" if place == 0 else ""))
    for table in document.tables:
        console.print()
        console.print(Text(table.title, style="dim"))
        for columns in _blocks(table, console.width):
            drawn = RichTable(
                box=None if ascii_only else box.SIMPLE_HEAD, show_edge=False, pad_edge=False
            )
            for column in columns:
                side = "right" if _numeric(table, column) else "left"
                drawn.add_column(Text(table.columns[column]), overflow="fold", justify=side)
            for row in table.rows:
                drawn.add_row(*(Text(row[column]) for column in columns))
            console.print(drawn)
            console.print()
        for note in table.notes:
            console.print(Text(note, style="dim"))
    for note in document.notes:
        console.print(Text(note))
    return page.getvalue()


def _console(page: io.StringIO, width: int | None) -> "Console":
    from rich.console import Console

    return Console(
        file=page,
        force_terminal=True,
        width=width,
        # rich takes any NO_COLOR, even an empty one, as a wish; the convention wants a value.
        no_color=bool(os.environ.get("NO_COLOR")),
        highlight=False,
        legacy_windows=False,
    )


def _blocks(table: Table, width: int) -> list[list[int]]:
    """Cut a table too wide for the terminal into several under each other, each with the names.

    Squeezed into one, its cells would wrap in the middle of numbers.
    """
    gap = 3
    natural = [
        max(len(row[column]) for row in (table.columns, *table.rows))
        for column in range(len(table.columns))
    ]
    blocks, used = [[0]], natural[0]
    for column in range(1, len(natural)):
        used += gap + natural[column]
        if used > width and len(blocks[-1]) > 1:
            blocks.append([0])
            used = natural[0] + gap + natural[column]
        blocks[-1].append(column)
    return blocks


def _takes(stream: Stream, text: str) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
