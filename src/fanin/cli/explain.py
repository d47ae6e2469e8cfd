"""The command `fanin explain`."""

import sys
from typing import Annotated

import typer


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A rule such as FI102, a scheme such as he_normal, an activation such as tanh, "
            "a recipe such as gpt2; none: list."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Explain a rule, a scheme, an activation or a recipe: what it is, and where it comes from."""
    from fanin.reports.terminal import write
    from fanin.verbs.explain import explain as run

    page = run(name)
    write(sys.stdout, (page.to_json() if json else str(page)) + "\n")
