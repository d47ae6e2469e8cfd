"""The commands `fanin studies list`, `show`, `export` and `repair`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer


def list_(
    folder: Annotated[Path, typer.Argument(help="Where to look, also deeper.")] = Path(),
    json: Annotated[bool, typer.Option("--json", help="Write the list as JSON.")] = False,
) -> None:
    """List the studies of a folder and what came out of each."""
    from fanin.reports.terminal import show, write
    from fanin.studies.store.listing import as_json, document, studies_in

    entries = list(studies_in(folder))
    if json:
        write(sys.stdout, as_json(entries) + "\n")
    else:
        show(document(folder, entries), sys.stdout)


def show(
    path: Annotated[Path, typer.Argument(help="The study, as fanin compare --store wrote it.")],
    html: Annotated[
        Path | None, typer.Option(help="Write the report, one file that opens without network.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Show the report of a study, finished or not."""
    from fanin.cli.writable import check_writable
    from fanin.reports.terminal import show as draw
    from fanin.reports.terminal import write
    from fanin.studies.store import open_study

    if html is not None:
        check_writable(html, "--html")
    study = open_study(path)
    if json:
        write(sys.stdout, study.to_json() + "\n")
    else:
        draw(study.document(), sys.stdout)
    if html is not None:
        study.save_html(html)
        write(sys.stderr, f"wrote {html}\n")


def export(
    path: Annotated[Path, typer.Argument(help="The study, as fanin compare --store wrote it.")],
    place: Annotated[
        str,
        typer.Argument(
            help="What to write: TABLE.parquet or TABLE.csv; with --to, the tracker's folder or "
            "address, such as runs or sqlite:///mlflow.db."
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(help="Instead of a table a tracker: mlflow, tensorboard or wandb."),
    ] = None,
) -> None:
    """Write the curves of a study as one long table, or to a tracker of experiments.

    A row is one training at one measured point on one part of the data; trainings that are not
    finished are left out. A tracker gets one run for each scheme and one for the study.
    """
    from fanin.reports.document import counted
    from fanin.reports.terminal import write
    from fanin.studies.store import open_study
    from fanin.studies.tidy import check_ending
    from fanin.studies.tidy import export as run

    if to is not None:
        from fanin.integrations.writers import export_study

        with redirect_stdout(sys.stderr):
            see = export_study(open_study(path), to, place)
        write(sys.stderr, f"wrote {path} to {place}; to see it: {see}\n")
        return
    file = Path(place)
    check_ending(file)
    rows = run(open_study(path), file)
    write(sys.stderr, f"wrote {file}, {counted(rows, 'row')}\n")


def repair(
    path: Annotated[Path, typer.Argument(help="The study, as fanin compare --store wrote it.")],
) -> None:
    """Forget what is damaged, to be trained again.

    Only damaged repeats are deleted; the command that made the study then trains them again.
    """
    from fanin.reports.terminal import write
    from fanin.studies.store import repair as run
    from fanin.studies.store.reading import read_store
    from fanin.studies.store.store import named

    found = run(path)
    if not found:
        write(sys.stdout, f"{path} is whole: there is nothing to repair\n")
        return
    design = read_store(path).design
    for damage in found:
        write(sys.stdout, f"forgot {named(design, damage.chunk)}: {damage.what}\n")
    write(sys.stdout, "The command that made the study trains them again.\n")
