"""The command `fanin compare`."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from fanin.cli import options
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
    target: options.Target = None,
    scale: options.Scale = False,
    holdout: options.Holdout = 0.3,
    split_seed: options.SplitSeed = 42,
    task: options.Kind = None,
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
    optimizer: options.Optimizer = "sgd",
    rate: options.Rate = None,
    batch_size: options.BatchSize = 32,
    epochs: options.Epochs = None,
    steps: options.Steps = None,
    loss: options.Loss = None,
    rule: options.Rule = None,
    reach: Annotated[
        float | None,
        typer.Option(help="Loss to count the steps to; else where half of the runs end."),
    ] = None,
    engine: options.Engine = None,
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
    html: options.Html = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
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
    # A person's own code may print; only the result belongs on stdout.
    with redirect_stdout(sys.stderr):
        study = run(
            load_builder(network) if is_reference(network) else network,
            data,
            schemes=schemes,
            target=options.columns_of(target),
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
