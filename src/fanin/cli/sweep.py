"""The command `fanin sweep`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fanin.cli import options
from fanin.cli.rules import read_rules
from fanin.cli.writable import check_writable


def sweep(
    network: Annotated[
        str, typer.Option(help='A line such as "64-64-10 relu"; its hidden layers are replaced.')
    ],
    data: Annotated[str, typer.Option(help="As for fanin compare.")],
    scheme: Annotated[
        str, typer.Option(help="A scheme with {} where the value goes.")
    ] = "normal(0, {})",
    values: Annotated[
        str,
        typer.Option(help="0.001..1 (two to a decade), 0.001..1:9 (nine in all), or 0.01,0.1,1."),
    ] = "0.001..1",
    depth: Annotated[
        str | None,
        typer.Option(help="Hidden layers: 1..32 (doubling) or 1,2,3; else the network's own."),
    ] = None,
    width: Annotated[
        str | None,
        typer.Option(help="Units of a hidden layer, likewise; else the network's own."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Starts of each value.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the first repeat.")] = 0,
    target: options.Target = None,
    scale: options.Scale = False,
    holdout: options.Holdout = 0.3,
    split_seed: options.SplitSeed = 42,
    task: options.Kind = None,
    optimizer: options.Optimizer = "sgd",
    rate: options.Rate = None,
    batch_size: options.BatchSize = 32,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    loss: options.Loss = None,
    rule: options.Rule = None,
    engine: options.Engine = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Keep the studies in this folder; the same command goes on with them."),
    ] = None,
    html: options.Html = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find out at which scale, depth and width a start stops working."""
    from fanin.reports.terminal import show, write
    from fanin.verbs.sweep import sweep as run

    if html is not None:
        check_writable(html, "--html")
    with redirect_stdout(sys.stderr):
        found = run(
            network,
            data,
            scheme=scheme,
            values=values,
            depth=depth,
            width=width,
            repeats=repeats,
            seed=seed,
            target=options.columns_of(target),
            scale=scale,
            holdout=holdout,
            split_seed=split_seed,
            task=task,
            optimizer=optimizer,
            rate=rate,
            batch_size=batch_size,
            epochs=epochs,
            steps=steps,
            loss=loss,
            rules=read_rules(rule or []),
            engine=engine,
            store=store,
            quiet=quiet,
        )
    if json:
        write(sys.stdout, found.to_json() + "\n")
    else:
        show(found.document(), sys.stdout)
    if html is not None:
        found.save_html(html)
        write(sys.stderr, f"wrote {html}\n")
    if found.stopped:
        raise typer.Exit(130 if not any(own.failure for own in found.studies.values()) else 1)
