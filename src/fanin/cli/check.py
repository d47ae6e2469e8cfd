"""The command `fanin check`."""

import sys
from contextlib import redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanin.errors import FaninError

if TYPE_CHECKING:
    from fanin.checks import Report, Settings

FOUND = 1
"""Exit status where something is wrong."""


class Form(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    HTML = "html"


def check(
    model: Annotated[
        str,
        typer.Argument(
            help="A function without arguments that builds a model, train.py:build; a model of "
            "transformers, hf:gpt2; or a file of weights, model.safetensors."
        ),
    ],
    batch: Annotated[
        str | None,
        typer.Option(
            help="A function that returns what the model takes, train.py:batch; a tuple for "
            "several arguments, a dict by name. What the model does not take goes to the loss."
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(help="A function that makes the loss of output and targets, train.py:loss."),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(
            "--input", help="Make a batch: shape of an input, 8x3x32x32; once for each argument."
        ),
    ] = None,
    classes: Annotated[
        int | None, typer.Option(help="With --input: targets of so many classes.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="With --input: tokens of so many kinds, not numbers.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(help="What the model was to start as: a recipe such as gpt2, or a TOML file."),
    ] = None,
    pretrained: Annotated[
        Path | None, typer.Option(help="The weights it was to start from, as safetensors.")
    ] = None,
    lock: Annotated[
        Path | None, typer.Option(help="The start it was to keep, as fanin lock wrote it.")
    ] = None,
    probes: Annotated[
        str | None,
        typer.Option(help="What to do, of values,signal,birth,rebuild; all by default."),
    ] = None,
    prove: Annotated[
        bool, typer.Option("--prove", help="Train a copy as it is and mended, side by side.")
    ] = False,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Apply the safe mends to the model built here, check again."),
    ] = False,
    save: Annotated[
        Path | None, typer.Option(help="With --fix: save the mended weights as safetensors.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How the report is written.")] = Form.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report to this file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    select: Annotated[str | None, typer.Option(help="Report only these rules: FI1,FI203.")] = None,
    ignore: Annotated[str | None, typer.Option(help="Leave these rules out: FI3,FI502.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(help="The mildest severity to end with 1 on: error, warning or info."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Errors and warnings only, no remarks.")
    ] = False,
    ranks: Annotated[
        int, typer.Option(help="Build it in so many processes of one group too, and compare.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the builds and of the pass.")] = 0,
) -> None:
    """Check whether a network is started right, and say what is wrong, who did it, how to mend it.

    Ends with 0 where nothing is wrong, 1 where something is, 2 where the check cannot be made.
    """
    from fanin.checks import Severity
    from fanin.cli.batches import read_batch
    from fanin.cli.load import load_builder
    from fanin.cli.models import find_model
    from fanin.reports.terminal import write
    from fanin.torch.building import call
    from fanin.verbs.check import check as run

    settings = _settings(select, ignore, fail_on, quiet)
    if save is not None and not fix:
        raise FaninError("--save keeps what --fix mended: give both")
    found = find_model(model)
    # A person's own code may print; only the result belongs on stdout.
    with redirect_stdout(sys.stderr):
        given = read_batch(batch, shape or [], classes, tokens, seed)
        if given and found.weights_only:
            raise FaninError(
                f"{model} holds weights and no layers, so nothing can be run: leave out --batch "
                "and --input"
            )
        if not given and found.batch is not None:
            given = found.batch(call(found.build), seed)
        built = list[Any]()

        def build() -> Any:
            built.append(found.build())
            return built[-1]

        report = run(
            build() if found.weights_only else build,
            *given,
            loss=None if loss is None else load_builder(loss, "loss"),
            plan=plan,
            pretrained=pretrained,
            lock=lock,
            probes=None if probes is None else [part.strip() for part in probes.split(",")],
            prove=prove,
            fix=fix,
            settings=settings,
            ranks=ranks,
            seed=seed,
        )
    if save is not None:
        from fanin.torch.checkpoints import save_weights

        save_weights(built[0], save)
        write(sys.stderr, f"wrote {save}\n")
    _write(report, Form.JSON if json else form, output)
    limit = settings.fail_on.rank
    failed = any(Severity(one.severity).rank <= limit for one in report.findings)
    raise typer.Exit(FOUND if failed else 0)


def _settings(
    select: str | None, ignore: str | None, fail_on: str | None, quiet: bool
) -> "Settings":
    from dataclasses import replace

    from fanin.checks import read_settings
    from fanin.checks.settings import codes, severity

    settings = read_settings(Path.cwd())
    if select is not None:
        settings = replace(settings, select=codes(select.split(","), "--select"))
    if ignore is not None:
        more = codes(ignore.split(","), "--ignore")
        settings = replace(settings, ignore=(*settings.ignore, *more))
    if fail_on is not None:
        settings = replace(settings, fail_on=severity(fail_on, "--fail-on"))
    return replace(settings, remarks=False) if quiet else settings


def _write(report: "Report", form: Form, output: Path | None) -> None:
    from fanin.reports.terminal import write

    if form is Form.TEXT and output is None:
        report.show(sys.stdout)
        return
    text = str(report) if form is Form.TEXT else report.to(form)
    if output is None:
        write(sys.stdout, text + "\n")
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as problem:
        raise FaninError(f"--output {output} cannot be written: {problem}") from problem
    write(sys.stderr, f"wrote {output}\n")
