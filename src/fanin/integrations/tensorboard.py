"""A finished study in TensorBoard: a folder of events for each scheme, and one for the study."""

import importlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanin.errors import FaninError
from fanin.integrations.tracked import TrackedStudy, tracked
from fanin.integrations.writers import library, made

if TYPE_CHECKING:
    from fanin.studies.study import Study


def log_study(study: "Study", directory: str | Path) -> tuple[Path, ...]:
    """Write a study as event files.

    Args:
        study: The study.
        directory: What ``tensorboard --logdir`` is given; a study that is there is not replaced.

    Returns:
        The folders, the study's first: its texts are the verdict and the design, its
        file ``study.json`` every curve. That of a scheme
        holds its curves and, for the view HParams, the scheme with its figures.

    Raises:
        FaninError: TensorBoard is not installed or the folder cannot be written, or holds events
            already, or nothing is finished.
    """
    told = tracked(study)
    library("tensorboard")
    root = made(directory)
    if next(root.glob("**/events.out.tfevents.*"), None) is not None:
        raise FaninError(f"{root} holds events already: name another folder, such as {root}/second")
    names = _names([scheme.scheme for scheme in told.schemes])
    folders = [_write(root / "study", _texts(told), ())]
    (root / "study/study.json").write_text(told.document, encoding="utf-8")
    for scheme, name in zip(told.schemes, names, strict=True):
        last = scheme.steps[-1]
        scalars = [
            (tag, value, step) for step, values in scheme.points() for tag, value in values.items()
        ]
        scalars += [(f"figures/{tag}", value, last) for tag, value in scheme.figures.items()]
        folders.append(_write(root / name, _parameters(told, scheme.scheme), scalars))
    return tuple(folders)


def _write(folder: Path, summaries: Any, scalars: Any) -> Path:
    writers: Any = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    events: Any = importlib.import_module("tensorboard.compat.proto.event_pb2")
    shown: Any = importlib.import_module("tensorboard.plugins.scalar.summary_v2")
    now = time.time()
    writer = writers.EventFileWriter(str(folder))
    for summary in summaries:
        writer.add_event(events.Event(wall_time=now, step=0, summary=summary))
    for tag, value, step in scalars:
        summary = shown.scalar_pb(tag, value)
        writer.add_event(events.Event(wall_time=now, step=step, summary=summary))
    writer.close()
    return folder


def _texts(told: TrackedStudy) -> list[Any]:
    shown: Any = importlib.import_module("tensorboard.plugins.text.summary_v2")
    # The view reads Markdown: a sentence to a paragraph, a setting to a row.
    rows = "\n".join(f"| {name} | {value} |" for name, value in told.design.items())
    verdict = told.verdict.replace("\n", "\n\n")
    return [
        shown.text_pb("verdict", f"**{told.title}**\n\n{verdict}"),
        shown.text_pb("design", f"| setting | value |\n| --- | --- |\n{rows}"),
    ]


def _parameters(told: TrackedStudy, scheme: str) -> list[Any]:
    shown: Any = importlib.import_module("tensorboard.plugins.hparams.summary_v2")
    return [shown.hparams_pb({"scheme": scheme, **told.design})]


def _names(schemes: list[str]) -> list[str]:
    """Folders that say which scheme they hold and that every file system takes."""
    names = list[str]()
    for scheme in schemes:
        name = re.sub(r"[^A-Za-z0-9_.+=-]+", "_", scheme).strip("_.") or "scheme"
        names.append(name if name not in {*names, "study"} else f"{name}_{len(names)}")
    return names
