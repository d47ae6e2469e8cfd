"""From a task and a trainer to a study, chunk by chunk, keeping what is finished whatever happens.

The curves of the whole study are one array per metric, full of NaN at first. Every chunk fills its
own slice, so at any moment the arrays hold all that was measured, and a study that is stopped is
simply one with NaN in it.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.studies.chunks import cut
from fanin.studies.design import Design
from fanin.studies.executor import Executor, InProcess
from fanin.studies.origin import origin_of
from fanin.studies.statistics import constant_loss
from fanin.studies.store.keeping import keeping, remaining, size_of
from fanin.studies.store.store import Remarks, Store
from fanin.studies.study import Study
from fanin.studies.trainer import SPLITS, Curves, Task, Trainer


def run_study(
    task: Task,
    trainer: Trainer,
    progress: Callable[[int], None] | None = None,
    *,
    executor: Executor | None = None,
    store: str | Path | None = None,
    chunk: int | None = None,
    target: float | None = None,
    reference: str | None = None,
    skipped: Callable[[int], None] | None = None,
) -> Study:
    """Train every scheme in every run.

    Args:
        task: What to train on what.
        trainer: The engine.
        progress: Called with the number of steps of single trainings done since the last call; a
            whole study has schemes x runs x steps of them.
        executor: Who trains the chunks; this process by default.
        store: Folder to keep the study in. Chunks that are finished there are not trained again.
        chunk: Runs trained together, all schemes of each; what the engine takes by default.
        target: The loss that counts as arriving; see `Study`.
        reference: The scheme that each other is held against; see `Study`.
        skipped: Called once with the number of steps that the store has already.

    Returns:
        The study. One that was stopped by Ctrl-C, or by an error after its first chunk, holds NaN
        where nothing was measured and says so in its notes.

    Raises:
        FaninError: The network or the data cannot be trained on, or the store is of another study,
            damaged, or cannot be written to.
        KeyboardInterrupt: Stopped before anything was measured but the starts.
    """
    design = task.design
    size = size_of(design, chunk, trainer.chunk(task))
    origin = origin_of(task, trainer, size)
    baseline, held_out_baseline = guesses(task)

    def study(curves: Curves, notes: Sequence[str], failure: str | None = None) -> Study:
        made = Study.from_curves(
            design, curves, baseline=baseline, held_out_baseline=held_out_baseline, notes=notes
        )
        return replace(made, failure=failure, target=target, reference=reference, origin=origin)

    shape = (len(SPLITS), len(design.schemes), len(design.runs), len(design.points))
    curves = {metric: np.full(shape, np.nan, np.float32) for metric in task.metrics}
    with ExitStack() as kept:
        book: Store | None = None
        chunks = cut(len(design.runs), size)
        if store is not None:
            opened = keeping(Path(store), task, origin, study(curves, ()), chunk)
            book = kept.enter_context(opened)
            origin, chunks = book.origin or origin, remaining(book)
            curves = book.curves()
        finished = before = len(design.runs) - sum(map(len, chunks))
        if before and skipped is not None:
            skipped(before * len(design.schemes) * design.steps)
        notes, failure = list(task.data.notes), None
        try:
            for done in (executor or InProcess()).train(
                task, trainer, chunks, curves, progress or _unseen
            ):
                finished += len(done)
                if book is not None:
                    book.write(done, curves)
        except KeyboardInterrupt:
            # The first point is the start: on its own it is not the outcome of any training.
            if np.isnan(curves["loss"][..., 1:]).all():
                raise
            notes.append(f"Stopped by hand after {_counted(finished, design)}.")
        except Exception as problem:
            if finished == 0:
                raise
            kind = "" if isinstance(problem, FaninError) else f"{type(problem).__name__}: "
            failure = f"{kind}{problem}"
            notes.append(f"Stopped by an error after {_counted(finished, design)}: {failure}")
        notes = [*trainer.notes, *notes]
        if book is None:
            return study(curves, notes, failure)
        if not chunks:
            notes = list(book.remarks().notes) or notes
        notes += _kept(book, Remarks(tuple(notes), target, reference, failure), before)
        return study(curves, notes, failure)


def _kept(book: Store, remarks: Remarks, before: int) -> list[str]:
    """Write the remarks, and tell what only whoever ran the command wants to know."""
    said = list[str]()
    if before:
        whole = ", and nothing was left to train" if before == len(book.design.runs) else ""
        said.append(f"{_counted(before, book.design)} were read from {book.path}{whole}.")
    try:
        book.remark(remarks)
    except FaninError as problem:
        if remarks.failure is None:  # which would say the same
            said.append(f"The notes of the study were not kept: {problem}.")
    left = remaining(book)
    if left:
        there = len(book.design.runs) - sum(map(len, left))
        said.append(
            f"{_counted(there, book.design)} are kept in {book.path}: the same command goes on "
            "from there."
        )
    return said


def guesses(task: Task) -> tuple[float, float | None]:
    """Find the loss of the best constant guess: what a network has without its features.

    Args:
        task: The study.

    Returns:
        Its loss on the training part, where it is best, and on the held-out part; the latter None
        where nothing is held out, or where the guess rules out a class that is there.
    """
    loss, data = task.design.loss, task.data
    train, classes = data.train.target, len(data.classes)
    held_out = None if data.held_out is None else data.held_out.target
    if loss == "mse":
        values = _numbers(train, classes)
        baseline = constant_loss(values, loss)
        if held_out is None:
            return baseline, None
        errors = _numbers(held_out, classes) - values.mean(axis=0)
        return baseline, float(np.square(errors).mean())
    baseline = constant_loss(train, loss)
    if held_out is None:
        return baseline, None
    shares = np.mean(train.reshape(-1, 1) == np.arange(classes), axis=0)
    chances = shares[np.asarray(held_out, np.int64)]
    return baseline, float(-np.log(chances).mean()) if chances.all() else None


def _numbers(target: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """The target under the squared error, where a class is a row of zeros and a one.

    Two classes may have a single output instead, 0 or 1, and the mean squared error is the same.
    """
    return np.asarray(np.eye(classes)[target] if classes else target, np.float64)


def _counted(finished: int, design: Design) -> str:
    if design.orders == 1:
        return f"{finished} of {design.repeats} repeats"
    return f"{finished} of {len(design.runs)} runs of each scheme"


def _unseen(steps: int) -> None:
    del steps
