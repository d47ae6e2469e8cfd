"""The program `fanin`: the list of its commands, and what happens when one cannot go on.

Commands import what they need when they run, so that `fanin --help` answers at once.
"""

import functools
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fanin.cli.blame import blame
from fanin.cli.check import check
from fanin.cli.compare import compare
from fanin.cli.explain import explain
from fanin.cli.init import init
from fanin.cli.lock import diff, lock
from fanin.cli.plan import plan
from fanin.cli.restart import restart
from fanin.cli.studies import export, list_, repair, show
from fanin.cli.sweep import sweep
from fanin.errors import FaninError

USAGE = 2
"""Exit status of a request that cannot be carried out."""

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it: 128 and the number of the signal."""

app = typer.Typer(
    name="fanin",
    help="Start every network right: plan, check, compare and explain starting weights.",
    no_args_is_help=True,
    add_completion=False,
    # Typer's own look draws boxes, which a pipe or an ASCII terminal cannot show.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _ending(command: Callable[..., None]) -> Callable[..., None]:
    """Say how a command was cut short, before Typer, which would say nothing, sees it."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            _say("fanin: stopped before anything was finished")
            raise typer.Exit(STOPPED) from None
        except BrokenPipeError:
            # Whoever read our output has seen enough. Python would complain again on flushing.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    return run


for _command in (blame, check, compare, diff, explain, init, lock, plan, restart, sweep):
    app.command()(_ending(_command))

studies = typer.Typer(
    help="Studies kept on the disk: list, show, export and repair them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
studies.command("list")(_ending(list_))
for _command in (show, export, repair):
    studies.command()(_ending(_command))
app.add_typer(studies, name="studies")


def _version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import version

        typer.echo(f"fanin {version('fanin')}")
        raise typer.Exit
    return asked


@app.callback()
def fanin(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Start every network right: plan, check, compare and explain starting weights."""


def main() -> None:
    """Run the program and end it with its exit status."""
    try:
        app(prog_name="fanin")
    except FaninError as problem:
        _say(f"fanin: {problem}")
        sys.exit(USAGE)


def _say(text: str) -> None:
    from fanin.reports.terminal import write

    write(sys.stderr, text + "\n")
