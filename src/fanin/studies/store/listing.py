"""The studies of a folder, one line each, for the person who has forgotten which was which."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from fanin.errors import FaninError
from fanin.reports.document import Document, Table, counted, shortened
from fanin.studies.store.reading import read_store, stores_in, study_in


@dataclass(frozen=True)
class Entry:
    """One study of a folder.

    Attributes:
        path: Where it is.
        network: The network as text; None, as all that follows, where it cannot be read.
        data: Name of the data.
        schemes: What is compared.
        finished: Runs that are finished, of each scheme.
        planned: Runs that were asked for; in a crossed design repeats times orders.
        created: When it was begun, in UTC, as ISO 8601 writes it; None if not known.
        verdict: The first sentence of its report.
        problem: Why it cannot be read; None if it can.
    """

    path: Path
    network: str | None = None
    data: str | None = None
    schemes: tuple[str, ...] = ()
    finished: int = 0
    planned: int = 0
    created: str | None = None
    verdict: str | None = None
    problem: str | None = None


def studies_in(folder: Path) -> Iterator[Entry]:
    """Look at every study in a folder and the folders in it.

    Args:
        folder: Where to look.

    Yields:
        One entry for each, by path; one that is damaged says so.

    Raises:
        FaninError: There is no such folder.
    """
    for path in stores_in(folder):
        try:
            store = read_store(path)
            store.check()
            study = study_in(store)
        except FaninError as problem:
            yield Entry(path, problem=str(problem))
            continue
        yield Entry(
            path,
            network=store.design.network,
            data=store.design.data.partition(", ")[0],
            schemes=store.design.schemes,
            finished=sum(map(len, store.finished())),
            planned=len(store.design.runs),
            created=None if store.origin is None else store.origin.created,
            verdict=study.summary().sentences[0],
        )


def document(folder: Path, entries: list[Entry]) -> Document:
    """Lay the list out for a person.

    Args:
        folder: Where was looked.
        entries: What was found.

    Returns:
        A table, and for each study that cannot be read a note why.
    """
    if not entries:
        return Document(f"studies in {folder}", ("There is no study in this folder.",))
    columns = ("path", "network", "data", "schemes", "runs", "begun (UTC)", "verdict")
    rows = tuple(_row(entry) for entry in entries)
    problems = tuple(f"{entry.problem}." for entry in entries if entry.problem)
    table = Table(counted(len(entries), "study").replace("studys", "studies"), columns, rows)
    return Document(f"studies in {folder}", (), (table,), problems)


def as_json(entries: list[Entry]) -> str:
    """Write the list for a program.

    Args:
        entries: What was found.

    Returns:
        A list of objects, with the attributes of `Entry` as keys.
    """
    return json.dumps([asdict(entry) | {"path": str(entry.path)} for entry in entries], indent=2)


def _row(entry: Entry) -> tuple[str, ...]:
    if entry.problem is not None:
        return (str(entry.path), "-", "-", "-", "-", "-", "cannot be read, see below")
    begun = (entry.created or "-")[:16].replace("T", " ")
    runs = f"{entry.finished} of {entry.planned}"
    named = (str(entry.path), entry.network or "-", entry.data or "-")
    return (*named, shortened(entry.schemes, most=3), runs, begun, entry.verdict or "-")
