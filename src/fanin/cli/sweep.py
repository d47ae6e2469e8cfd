"""The command `fanin sweep`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

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
    target: Annotated[
        str | None, typer.Option(help="Target column, or several with commas between.")
    ] = None,
    scale: Annotated[
        bool, typer.Option("--scale", help="Standardise the features by the training part.")
    ] = False,
    holdout: Annotated[float, typer.Option(help="Fraction of the rows held out.")] = 0.3,
    split_seed: Annotated[int, typer.Option(help="Seed of the split.")] = 42,
    task: Annotated[
        str | None, typer.Option(help="classification or regression; else read off the target.")
    ] = None,
    optimizer: Annotated[
        str, typer.Option(help="sgd, momentum, rmsprop, adam, adamw; settings in parentheses.")
    ] = "sgd",
    rate: Annotated[
        float | None, typer.Option(help="Learning rate; else the optimiser's usual one.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Examples in a batch.")] = 32,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data; 10 by default.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of epochs.")] = None,
    loss: Annotated[
        str | None, typer.Option(help="bce, cross_entropy or mse; else what the target calls for.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SCHEME for one parameter in all of it; may be repeated."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="jax or torch; by default JAX where it is installed and can."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Keep the studies in this folder; the same command goes on with them."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the report, one file that opens without network.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Find out at which scale, depth and width a start stops working."""
    from fanin.reports.terminal import show, write
    from fanin.verbs.sweep import sweep as run

    if html is not None:
        check_writable(html, "--html")
    columns = [name.strip() for name in target.split(",")] if target is not None else None
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
            target=columns[0] if columns is not None and len(columns) == 1 else columns,
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
