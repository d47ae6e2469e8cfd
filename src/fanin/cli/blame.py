"""The command `fanin blame`."""

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

FOUND = 1
"""Exit status where something was never written, or a write was lost."""


def blame(
    model: Annotated[
        str,
        typer.Argument(
            help="A function without arguments that builds a model, train.py:build, or hf:gpt2."
        ),
    ],
    tensor: Annotated[
        str, typer.Option(help="Only tensors of this name; *.bias for all biases.")
    ] = "*",
    every: Annotated[
        bool, typer.Option("--all", help="List the writes of every tensor, one by one.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the build.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Show who wrote each tensor of a model, from which line, and what was never written.

    Ends with 1 where something was never written, or a write was lost.
    """
    from fanin.births.table import document
    from fanin.cli.models import find_model
    from fanin.reports.terminal import show, write
    from fanin.verbs.blame import blame as run

    with redirect_stdout(sys.stderr):
        births = run(find_model(model).build, seed=seed).matching(tensor)
    if json:
        write(sys.stdout, births.to_json() + "\n")
    else:
        one = every or tensor != "*"
        show(document(births, every=one), sys.stdout)
    raise typer.Exit(0 if births.ok else FOUND)
