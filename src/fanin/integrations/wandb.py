"""A finished study in Weights & Biases, offline: a run for each scheme, grouped, and one for all.

Nothing leaves the machine; ``wandb sync`` sends the folders when the person wants it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError
from fanin.integrations.tracked import TrackedStudy, tracked
from fanin.integrations.writers import library, made

if TYPE_CHECKING:
    from fanin.studies.study import Study


def log_study(
    study: "Study", directory: str | Path = ".", project: str = "fanin"
) -> tuple[Path, ...]:
    """Write a study as offline runs of Weights & Biases.

    Args:
        study: The study.
        directory: Folder under which the library makes its own, ``wandb``.
        project: The project they belong to once they are sent.

    Returns:
        The folder of each run, the study's first: its configuration is the design, its notes the
        verdict, its table ``schemes`` the figures. The runs of the schemes share its group.

    Raises:
        FaninError: wandb is not installed or cannot write there, or nothing is finished.
    """
    told, wandb = tracked(study), library("wandb")
    made(directory)
    folders = list[Path]()
    names = [*dict.fromkeys(name for scheme in told.schemes for name in scheme.figures)]
    rows = [
        [scheme.scheme, *(scheme.figures.get(name) for name in names)] for scheme in told.schemes
    ]
    with _run(wandb, told, directory, project, "study", told.title) as run:
        run.log({"schemes": wandb.Table(columns=["scheme", *names], data=rows)})
        document = Path(run.dir) / "study.json"
        document.write_text(told.document, encoding="utf-8")
        run.save(str(document), base_path=run.dir, policy="now")
        folders.append(Path(run.dir).parent)
    for scheme in told.schemes:
        with _run(wandb, told, directory, project, "scheme", scheme.scheme) as run:
            run.config.update({"scheme": scheme.scheme})
            for step, values in scheme.points():
                run.log(values, step=step)
            run.summary.update(scheme.figures)
            folders.append(Path(run.dir).parent)
    return tuple(folders)


@contextmanager
def _run(
    wandb: Any, told: TrackedStudy, directory: str | Path, project: str, kind: str, name: str
) -> Generator[Any]:
    # What it would note of the machine, the code and the terminal is not about the study.
    settings = wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
    )
    try:
        run = wandb.init(
            project=project,
            dir=str(directory),
            mode="offline",
            group=told.title,
            job_type=kind,
            name=name,
            notes=told.verdict,
            config=told.design,
            # A run of the person's own, open in this process, goes on.
            reinit="create_new",
            settings=settings,
        )
    except (OSError, wandb.Error) as problem:
        raise FaninError(f"wandb cannot write the study to {directory}: {problem}") from problem
    with run:
        yield run
