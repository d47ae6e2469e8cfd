"""The command `fanin restart`."""

import inspect
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanin.cli import options
from fanin.cli.load import is_reference, load_builder
from fanin.cli.rules import read_rules
from fanin.cli.writable import check_writable
from fanin.errors import FaninError

if TYPE_CHECKING:
    from fanin.studies.functions.descent import Descent
    from fanin.studies.restart import Restart

OF_A_FUNCTION = frozenset(
    {"function", "start", "scheme", "starts", "steps", "rate", "seed", "json", "quiet"}
)
"""The options that go with --function."""


def restart(
    network: Annotated[
        str | None,
        typer.Option(help='A line such as "2-2-1 tanh", or a function that builds a model.'),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="As for fanin compare; also xor and spirals.")
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(help='Instead of a network: a function of x, "5x^2 + 3x - 4".'),
    ] = None,
    start: Annotated[
        float | None, typer.Option(help="With --function: one start to follow besides.")
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="What starts are drawn from; uniform(-5, 5) for a function."),
    ] = None,
    starts: Annotated[
        int | None, typer.Option(help="Starts of each scheme: 100, or 1000 for a function.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Steps of a whole training: 10 epochs, or 100.")
    ] = None,
    rate: options.Rate = None,
    seed: Annotated[int, typer.Option(help="Seed of the first start.")] = 0,
    eta: Annotated[int, typer.Option(help="At each cut one start in so many is kept.")] = 3,
    rungs: Annotated[
        int | None, typer.Option(help="Stretches between the cuts; 1 cuts nothing.")
    ] = None,
    controls: Annotated[
        int | None,
        typer.Option(help="Starts that are never cut and say what a start is worth; 30."),
    ] = None,
    long_runs: Annotated[
        int, typer.Option(help="Controls that go on for as many steps as the search took.")
    ] = 5,
    reach: Annotated[
        float | None, typer.Option(help="Training loss to arrive at; else as good as the best.")
    ] = None,
    target: options.Target = None,
    scale: options.Scale = False,
    holdout: options.Holdout = 0.3,
    split_seed: options.SplitSeed = 42,
    task: options.Kind = None,
    optimizer: options.Optimizer = "sgd",
    batch_size: options.BatchSize = 32,
    epochs: options.Epochs = None,
    loss: options.Loss = None,
    rule: options.Rule = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the best weights, a safetensors file.")
    ] = None,
    engine: options.Engine = None,
    html: options.Html = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train from many starts, keep the best, and say what the chance of one start is."""
    given = dict(locals())
    from fanin.reports.terminal import write
    from fanin.verbs import restart as verb

    if function is not None:
        _only_these(given)
        descent = verb.restart_function(
            function,
            start=start,
            rate=0.01 if rate is None else rate,
            steps=100 if steps is None else steps,
            starts=1000 if starts is None else starts,
            scheme=scheme or "uniform(-5, 5)",
            seed=seed,
            quiet=quiet,
        )
        _tell(descent, json=json)
        return
    if network is None or data is None or scheme is None:
        raise FaninError(
            "fanin restart needs --network, --data and --scheme, or --function for a function of x"
        )
    if start is not None:
        raise FaninError("--start belongs to --function; the starts of a network are drawn")
    for path, option in ((save, "--save"), (html, "--html")):
        if path is not None:
            check_writable(path, option)
    # A person's own code may print; only the result belongs on stdout.
    with redirect_stdout(sys.stderr):
        result = verb.restart(
            load_builder(network) if is_reference(network) else network,
            data,
            scheme=scheme,
            starts=verb.STARTS if starts is None else starts,
            eta=eta,
            rungs=rungs,
            controls=controls,
            long_runs=long_runs,
            reach=reach,
            target=options.columns_of(target),
            scale=scale,
            holdout=holdout,
            split_seed=split_seed,
            task=task,
            seed=seed,
            optimizer=optimizer,
            rate=rate,
            batch_size=batch_size,
            epochs=epochs,
            steps=steps,
            loss=loss,
            rules=read_rules(rule or []),
            engine=engine,
            quiet=quiet,
        )
    for path, keep in ((save, result.save), (html, result.save_html)):
        if path is not None:
            keep(path)
            write(sys.stderr, f"wrote {path}\n")
    _tell(result, json=json)


def _tell(result: "Restart | Descent", *, json: bool) -> None:
    from fanin.reports.terminal import show, write

    if json:
        write(sys.stdout, result.to_json() + "\n")
    else:
        show(result.document(), sys.stdout)
    if result.stopped:
        raise typer.Exit(130)


def _only_these(given: Mapping[str, object]) -> None:
    """Refuse options that a function has no use for, instead of leaving them without effect."""
    defaults = inspect.signature(restart).parameters
    others = [
        f"--{name.replace('_', '-')}"
        for name, value in given.items()
        if name not in OF_A_FUNCTION and value != defaults[name].default
    ]
    if others:
        raise FaninError(
            f"{', '.join(others)} cannot go with --function, which has no network and no data"
        )
