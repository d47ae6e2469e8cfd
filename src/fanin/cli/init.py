"""The command `fanin init`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fanin.cli.load import load_builder
from fanin.cli.rules import read_rules
from fanin.errors import FaninError

ENDING = ".safetensors"


def init(
    model: Annotated[
        str,
        typer.Argument(help="A function without arguments that builds a model, train.py:build."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, *.safetensors.")],
    plan: Annotated[
        Path | None, typer.Option(help="A plan in TOML, as fanin plan saves it.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Or a scheme for the kernels, such as he_normal.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The one seed.")] = 0,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SCHEME for the parameters of that name; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Write the start of a model to a file: the checkpoint of step 0 of a plan and a seed."""
    from fanin.reports.progress import Progress
    from fanin.reports.terminal import write

    start = scheme if plan is None else plan
    if start is None or (plan is not None and scheme is not None):
        raise FaninError(
            "say how the model starts, once: --scheme he_normal, or --plan plan.toml as fanin plan "
            "saves it"
        )
    if output.suffix != ENDING:
        raise FaninError(
            f"--output: the file is of safetensors, so its name ends in {ENDING}: "
            f"{output.with_suffix(ENDING)}"
        )
    from fanin.torch import container, stream

    container.check_target(output)
    # A person's own code may print; only the result belongs on stdout.
    with redirect_stdout(sys.stderr):
        drafted = stream.draft(load_builder(model), start, seed, read_rules(rule or []))
    with Progress(drafted.values, "values", quiet=quiet) as progress:
        written = stream.write(drafted, output, progress.advance)
    write(sys.stdout, (written.to_json() if json else str(written)) + "\n")
