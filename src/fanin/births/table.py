"""Births as tables: who wrote each tensor last, and every write of those that were written more.

Figures are those of the whole memory of a tensor after each write, so that a write that changed
nothing, or that only reached a part, can be seen.
"""

from collections.abc import Iterable, Iterator

from fanin.births.record import Birth, Births, Write
from fanin.reports.document import Document, Table, counted, figure

_COLUMNS = ("tensor", "shape", "last written by", "at", "writes", "std", "note")


def document(births: Births, *, every: bool = False) -> Document:
    """Tell who wrote what.

    Args:
        births: The record.
        every: Whether to list the writes of every tensor, not only of those written on purpose
            more than once.

    Returns:
        One row for each tensor, then a table of writes for those that need one, then what was lost.
    """
    chosen = births.tensors
    unwritten = [birth for birth in chosen if birth.unwritten]
    said = [f"{counted(len(chosen), 'tensor')}, {_count(chosen)} in {births.seconds:.2f} s."]
    if unwritten:
        names = ", ".join(birth.name for birth in unwritten)
        said.insert(0, f"{len(unwritten)} never written, in whole or in part: {names}.")
    if births.lost:
        said.append(f"{counted(len(births.lost), 'write')} went where no tensor of the model is.")
    tables = [Table("Who wrote what", _COLUMNS, tuple(map(_row, chosen)))]
    tables += [_writes(birth) for birth in chosen if every or _contested(birth)]
    if births.lost:
        tables.append(_lost(births))
    for title, listed in (
        ("Initialising methods that never ran", births.uncalled),
        ("Initialising methods that ran and wrote nothing", births.idle),
    ):
        rows = tuple((name, str(frame)) for name, frame in listed)
        tables += [Table(title, ("method", "at"), rows)] if rows else []
    return Document("Who wrote each tensor?", tuple(said), tuple(tables), births.notes)


def _count(chosen: Iterable[Birth]) -> str:
    return counted(sum(len(birth.writes) for birth in chosen), "write")


def _contested(birth: Birth) -> bool:
    return sum(write.by == "init" for write in birth.writes) > 1


def _row(birth: Birth) -> tuple[str, ...]:
    last = birth.last
    return (
        " = ".join((birth.name, *birth.aliases)),
        str(birth.shape),
        _called(last) if last else "nobody",
        _at(last) if last else _born(birth),
        str(len(birth.writes)),
        figure(last.after.std) if last else "-",
        "; ".join(_notes(birth)) or "-",
    )


def _notes(birth: Birth) -> Iterator[str]:
    if birth.unwritten:
        yield f"{100 * birth.unwritten:.3g}% never written"
    if birth.buffer:
        yield "buffer"
    if birth.last is not None and birth.last.by == "constructor":
        yield "by its layer"
    idle = sum(not write.changed for write in birth.writes)
    if idle:
        yield f"{counted(idle, 'write')} changed nothing"


def _writes(birth: Birth) -> Table:
    rows = tuple(
        (
            str(place),
            _called(write),
            _at(write),
            write.by,
            f"{write.elements} of {write.of}",
            figure(write.after.mean),
            figure(write.after.std),
            "changed" if write.changed else "changed nothing",
        )
        for place, write in enumerate(birth.writes, start=1)
    )
    columns = ("order", "write", "at", "by", "elements", "mean", "std", "effect")
    return Table(f"Writes to {birth.name}", columns, rows)


def _lost(births: Births) -> Table:
    rows = tuple(
        (_called(lost.write), _at(lost.write), lost.into, lost.of or "-") for lost in births.lost
    )
    return Table("Writes that were lost", ("write", "at", "into", "meant for"), rows)


def _called(write: Write) -> str:
    return f"{write.function}({write.arguments})"


def _at(write: Write) -> str:
    if not write.frames:
        return "-"
    frame = write.frames[0]
    return f"{frame} in {frame.function}"


def _born(birth: Birth) -> str:
    allocation = birth.allocation
    if allocation is None or not allocation.frames:
        return "-"
    return f"{allocation.frames[0]} ({allocation.function})"
