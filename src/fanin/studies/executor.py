"""Who trains the chunks of a study: this process, or others that hand their curves back.

An executor is given the chunks that are missing and the arrays they belong in. It says which chunk
is done whenever one is, in whatever order they finish.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from fanin.studies.interrupt import interruptible
from fanin.studies.trainer import Curves, Task, Trainer


@runtime_checkable
class Executor(Protocol):
    """Trains chunks of a study."""

    def train(
        self,
        task: Task,
        trainer: Trainer,
        chunks: Sequence[range],
        curves: Curves,
        progress: Callable[[int], None],
    ) -> Iterator[range]:
        """Train the chunks and fill their part of the curves.

        Args:
            task: The study.
            trainer: The engine.
            chunks: Ranges of indices into ``task.design.runs``.
            curves: The curves of the whole study, of shape (split, scheme, run, point).
            progress: Called with the number of steps of single trainings done since the last call.

        Yields:
            Each chunk, once its curves are complete.
        """
        ...


class InProcess:
    """Trains one chunk after the other in this process, filling the curves as it goes."""

    def train(
        self,
        task: Task,
        trainer: Trainer,
        chunks: Sequence[range],
        curves: Curves,
        progress: Callable[[int], None],
    ) -> Iterator[range]:
        """Train the chunks; Ctrl-C leaves in the curves what was measured until then."""
        runs = task.design.runs
        with interruptible() as step_done:
            for chunk in chunks:
                trainings = len(task.design.schemes) * len(chunk)

                def tick(steps: int, trainings: int = trainings) -> None:
                    progress(steps * trainings)
                    step_done()

                inside = slice(chunk.start, chunk.stop)
                parts = {metric: curve[:, :, inside] for metric, curve in curves.items()}
                trainer.run(task, runs[inside], parts, tick)
                yield chunk
