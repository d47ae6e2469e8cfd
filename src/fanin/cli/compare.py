"""The command `fanin compare`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fanin.cli.load import is_reference, load_builder
from fanin.cli.rules import read_rules
from fanin.cli.writable import check_writable


def compare(
    network: Annotated[
        str,
        typer.Option(
            help='A line such as "64-128-10 relu norm=layer", or a function that builds a model, '
            "train.py:build."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            help="A CSV or Parquet file, a data set of scikit-learn (digits, "
            '"circles(n=300, noise=0.05)"), or openml:NAME.'
        ),
    ],
    schemes: Annotated[
        str,
        typer.Option(help='What to compare: "zeros, he_normal, normal(std=0.01)".'),
    ],
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
    repeats: Annotated[int, typer.Option(help="Starts of each scheme.")] = 20,
    orders: Annotated[
        int,
        typer.Option(help="Data orders for every start; from 2 on start and order are told apart."),
    ] = 1,
    baseline: Annotated[
        str | None,
        typer.Option(help="Scheme to hold each other against; else all pairs are compared."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first repeat.")] = 0,
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
        typer.Option(help="NAME=SCHEME for one parameter under every scheme; may be repeated."),
    ] = None,
    reach: Annotated[
        float | None,
        typer.Option(help="Loss to count the steps to; else where half of the runs end."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="jax or torch; by default JAX where it is installed and can."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Keep the study in this folder, chunk by chunk; the same command goes on with it."
        ),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            help="Runs trained together, at most; fewer lose less when the process is killed."
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on a Ray cluster: local, auto, HOST:6379 or ray://HOST:10001.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the report, one file that opens without network.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train a network many times from each of several initialisations, and say what is luck."""
    from fanin.reports.terminal import show, write
    from fanin.verbs.compare import compare as run

    if html is not None:
        check_writable(html, "--html")
    executor = None
    if ray is not None:
        from fanin.studies.cluster import RayExecutor

        executor = RayExecutor(ray)
    columns = [name.strip() for name in target.split(",")] if target is not None else None
    # A person's own code may print; only the result belongs on stdout.
    with redirect_stdout(sys.stderr):
        study = run(
            load_builder(network) if is_reference(network) else network,
            data,
            schemes=schemes,
            target=columns[0] if columns is not None and len(columns) == 1 else columns,
            scale=scale,
            holdout=holdout,
            split_seed=split_seed,
            task=task,
            repeats=repeats,
            orders=orders,
            baseline=baseline,
            seed=seed,
            optimizer=optimizer,
            rate=rate,
            batch_size=batch_size,
            epochs=epochs,
            steps=steps,
            loss=loss,
            rules=read_rules(rule or []),
            reach=reach,
            engine=engine,
            store=store,
            chunk=chunk,
            executor=executor,
            quiet=quiet,
        )
    if json:
        write(sys.stdout, study.to_json() + "\n")
    else:
        show(study.document(), sys.stdout)
    if html is not None:
        study.save_html(html)
        write(sys.stderr, f"wrote {html}\n")
    if study.stopped:
        raise typer.Exit(130 if study.failure is None else 1)
