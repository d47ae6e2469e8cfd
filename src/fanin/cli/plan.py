"""The command `fanin plan`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fanin.cli.batches import made_by
from fanin.cli.load import load_builder
from fanin.cli.rules import read_rules
from fanin.errors import FaninError

DIFFERENT = 1
"""Exit status where two plans differ, or a model does not hold what its plan says."""


def plan(
    model: Annotated[
        str,
        typer.Argument(help="A function without arguments that builds a model, train.py:build."),
    ],
    batch: Annotated[
        str | None,
        typer.Option(
            help="A function that returns what the model takes, train.py:batch; a tuple for "
            "several arguments, a dict by name. Without it the types of the layers decide."
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(help="A recipe such as gpt2, a file of one, or a scheme such as he_normal."),
    ] = "auto",
    rule: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SCHEME for the parameters of that name; may be repeated."),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Set the scales from the batch, for this seed.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The seed to calibrate for.")] = 0,
    plan: Annotated[
        Path | None, typer.Option(help="Take the plan in this file instead of making one.")
    ] = None,
    toml: Annotated[Path | None, typer.Option(help="Save the plan to this file.")] = None,
    worst: Annotated[
        bool, typer.Option("--worst", help="First what is farthest from keeping its signal.")
    ] = False,
    diff: Annotated[
        Path | None,
        typer.Option(help="Show what differs from the plan in this file; ends with 1 if anything."),
    ] = None,
    held: Annotated[
        bool,
        typer.Option(
            "--held", help="Show where the model as built is not as planned; ends with 1 if it is."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Show what every parameter of a model should start as, and why; nothing is written to it."""
    from fanin.recipes import Plan
    from fanin.reports.terminal import show, write
    from fanin.verbs.plan import audit
    from fanin.verbs.plan import plan as run

    if plan is not None and (batch is not None or rule or calibrate or recipe != "auto"):
        raise FaninError(
            "--plan takes a plan as it is: leave out --batch, --recipe, --rule and --calibrate"
        )
    if diff is not None and held:
        raise FaninError("--diff looks at another plan and --held at the model: one at a time")
    before = None if diff is None else Plan.load(diff)
    given = None if plan is None else Plan.load(plan)
    # A person's own code may print; only the result belongs on stdout.
    with redirect_stdout(sys.stderr):
        built, inputs = load_builder(model)(), () if batch is None else made_by(batch, seed)
        made = given or run(
            built,
            *inputs,
            recipe=recipe,
            rules=read_rules(rule or []),
            calibrate=calibrate,
            seed=seed,
        )
        answer = audit(built, made) if held else None if before is None else before.diff(made)
    if toml is not None:
        made.save(toml)
        write(sys.stderr, f"wrote {toml}\n")
    if answer is not None:
        write(sys.stdout, (answer.to_json() if json else str(answer)) + "\n")
        raise typer.Exit(0 if answer.ok else DIFFERENT)
    ordered = made.worst() if worst else made
    if json:
        write(sys.stdout, ordered.to_json() + "\n")
    else:
        show(ordered.document(), sys.stdout)
