"""The options that every command of a study has: what is trained, how, and where the answer goes.

One spelling and one sentence of help each, so that who knows one command knows the others.
"""

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[str | None, typer.Option(help="Target column, or several with commas between.")]
Scale = Annotated[
    bool, typer.Option("--scale", help="Standardise the features by the training part.")
]
Holdout = Annotated[float, typer.Option(help="Fraction of the rows held out.")]
SplitSeed = Annotated[int, typer.Option(help="Seed of the split.")]
Kind = Annotated[
    str | None, typer.Option(help="classification or regression; else read off the target.")
]
Optimizer = Annotated[
    str, typer.Option(help="sgd, momentum, rmsprop, adam, adamw; settings in parentheses.")
]
Rate = Annotated[float | None, typer.Option(help="Learning rate; else the optimiser's usual one.")]
BatchSize = Annotated[int, typer.Option(help="Examples in a batch.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data; 10 by default.")]
Steps = Annotated[int | None, typer.Option(help="Optimiser steps, instead of epochs.")]
Loss = Annotated[
    str | None, typer.Option(help="bce, cross_entropy or mse; else what the target calls for.")
]
Rule = Annotated[
    list[str] | None,
    typer.Option(help="NAME=SCHEME for one parameter under every scheme; may be repeated."),
]
Engine = Annotated[
    str | None, typer.Option(help="jax or torch; by default JAX where it is installed and can.")
]
Html = Annotated[
    Path | None, typer.Option(help="Write the report, one file that opens without network.")
]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]


def columns_of(target: str | None) -> str | list[str] | None:
    """Read the target columns as they are typed.

    Args:
        target: One name, or several with commas between; None when left out.

    Returns:
        The name, or the list of them.

    Example:
        >>> columns_of("price"), columns_of("x, y")
        ('price', ['x', 'y'])
    """
    if target is None:
        return None
    columns = [name.strip() for name in target.split(",")]
    return columns[0] if len(columns) == 1 else columns
