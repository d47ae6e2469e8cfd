"""The commands `fanin lock` and `fanin diff`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from fanin.errors import FaninError

DIFFERENT = 1
"""Exit status where two starts differ."""


def lock(
    model: Annotated[
        str,
        typer.Argument(help="A function without arguments that builds a model, train.py:build."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the lock to this file.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="A function that returns what the model takes.")
    ] = None,
    plan: Annotated[
        str | None, typer.Option(help="Note the laws of this plan: a recipe or a TOML file.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the build.")] = 0,
) -> None:
    """Write down how a model starts, for `fanin check --lock` to hold later builds against."""
    from fanin.cli.batches import read_batch
    from fanin.cli.models import find_model
    from fanin.reports.terminal import write
    from fanin.verbs.lock import lock as run

    found = find_model(model)
    with redirect_stdout(sys.stderr):
        given = read_batch(batch, [], None, None, seed)
        start = run(found.build, *given, plan=plan, seed=seed, source=model)
    if output is None:
        write(sys.stdout, str(start))
        return
    start.save(output)
    write(sys.stderr, f"wrote {output}\n")


def diff(
    one: Annotated[
        str, typer.Argument(help="train.py:build, a lock file, or weights as safetensors.")
    ],
    other: Annotated[str, typer.Argument(help="The same, to be held against the first.")],
    seed: Annotated[int, typer.Option(help="Seed of what is built.")] = 0,
    other_seed: Annotated[
        int | None, typer.Option(help="Seed of the second, where it is another.")
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(help="OLD=NEW for a tensor with another name in the second; repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Compare two starts; ends with 1 where one is drawn by another law than the other."""
    from fanin.checks.starts import compared
    from fanin.reports.terminal import write

    with redirect_stdout(sys.stderr):
        first = _start(one, seed)
        second = _start(other, seed if other_seed is None else other_seed)
    delta = compared(first, second, dict(map(_renamed, rename or [])))
    write(sys.stdout, (delta.to_json() if json else str(delta)) + "\n")
    raise typer.Exit(0 if delta.ok else DIFFERENT)


def _start(reference: str, seed: int) -> Any:
    from fanin.checks.starts import read_lock
    from fanin.cli.load import is_reference
    from fanin.cli.models import find_model
    from fanin.verbs.lock import lock as run

    if reference.endswith(".safetensors"):
        return run(find_model(reference).build(), source=reference, seed=seed)
    if is_reference(reference):
        return run(find_model(reference).build, source=reference, seed=seed)
    return read_lock(Path(reference))


def _renamed(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not equals or not old or not new:
        raise FaninError(f"--rename is written OLD=NEW, got {text!r}")
    return old, new
