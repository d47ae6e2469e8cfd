"""A study trained by a Ray cluster: the chunks it has on one machine, each a task of Ray.

A chunk is the same work wherever it runs, so the curves have the same bits as on one machine. The
study is sent once; Ray says which worker takes which chunk, and gives a chunk to another one when a
worker or its node dies. There is no scheduler here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast, no_type_check

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.studies.connection import connected
from fanin.studies.interrupt import interruptible
from fanin.studies.parcel import Parcel, Source, pack, unpack
from fanin.studies.trainer import SPLITS, Curves, Task, Trainer

RETRIES = 5
"""How often a chunk is given to another worker after one has died; a chunk that kills each of them
is at fault itself."""

GLANCE = 0.5
"""Seconds between two looks at whether Ctrl-C was pressed."""

ALIKE = ("fanin", "torch", "jax", "jaxlib")
"""Packages that must have one version everywhere: two versions may round differently."""


@dataclass(frozen=True)
class RayExecutor:
    """Trains chunks as tasks of a Ray cluster.

    Args:
        address: Where the cluster is, see `fanin.studies.connection.connected`.
        cpus: Cores that a chunk takes; Ray sets OMP_NUM_THREADS to as many for it.
        gpus: GPUs that a chunk takes; with 0 it sees none.

    Example:
        ``fanin.compare("4-3", "iris", schemes="zeros, he_normal", executor=RayExecutor("auto"))``
    """

    address: str | None = None
    cpus: float = 1
    gpus: float = 0

    def train(
        self,
        task: Task,
        trainer: Trainer,
        chunks: Sequence[range],
        curves: Curves,
        progress: Callable[[int], None],
    ) -> Iterator[range]:
        """Train the chunks; Ctrl-C, or an error in one, cancels those that are not finished.

        Args:
            task: The study.
            trainer: The engine; it is pickled, and opens its framework on the worker.
            chunks: Ranges of indices into ``task.design.runs``.
            curves: The curves of the whole study, filled chunk by chunk.
            progress: Called with the steps of each chunk that is finished.

        Yields:
            Each chunk, in the order in which they finish.

        Raises:
            FaninError: The cluster cannot be reached, the study cannot be sent, a worker is not
                set up as this machine is, or what a chunk itself raised.
        """
        with connected(self.address) as ray, interruptible() as step_done:
            parcel = ray.put(_plain(pack(task, trainer)))
            train = ray.remote(
                num_cpus=self.cpus, num_gpus=self.gpus, max_retries=RETRIES, retry_exceptions=False
            )(_for_workers())
            versions = {name: found for name in ALIKE if (found := _version(name)) is not None}
            pending = {
                train.remote(parcel, versions, chunk.start, chunk.stop): chunk for chunk in chunks
            }
            # From here on Ctrl-C is heard within a glance, and never between a chunk and its count.
            step_done()
            try:
                while pending:
                    ready, _ = ray.wait([*pending], timeout=GLANCE)
                    for reference in ready:
                        chunk = pending.pop(reference)
                        inside = slice(chunk.start, chunk.stop)
                        for metric, part in _result(ray, reference, chunk).items():
                            curves[metric][:, :, inside] = part
                        progress(len(task.design.schemes) * len(chunk) * task.design.steps)
                        yield chunk
                    step_done()
            finally:
                for reference in pending:
                    ray.cancel(reference, force=True)


def _result(ray: Any, reference: Any, chunk: range) -> Curves:
    """The curves of a chunk that has ended, or the error as it was raised where it ran."""
    try:
        result = ray.get(reference)
    except ray.exceptions.RayTaskError as problem:
        cause = problem.cause
        if isinstance(cause, ray.exceptions.RayError) or not isinstance(cause, Exception):
            raise FaninError(f"a worker failed: {problem}") from None
        if isinstance(cause, ImportError) and not isinstance(cause, FaninError):
            raise FaninError(
                f"a worker of the Ray cluster cannot open the study: {cause}; install there what "
                "is installed here"
            ) from None
        raise cause from None
    except ray.exceptions.RayError as problem:
        told = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise FaninError(
            f"runs {chunk.start} to {chunk.stop - 1} were lost with their worker {RETRIES + 1} "
            f"times, which is more than bad luck (too little memory there?): {told}"
        ) from problem
    if isinstance(result, str):
        raise FaninError(result)
    return result


def _plain(parcel: Parcel) -> tuple[str, Any, dict[str, tuple[str, str, bool]]]:
    """A parcel without classes of fanin, which a worker may lack."""
    sources = {
        name: (source.text, source.path, source.package) for name, source in parcel.sources.items()
    }
    return parcel.digest, parcel.pickled, sources


def _for_workers() -> Callable[..., Any]:
    """Make the task of Ray, which runs on a worker of which nothing is known yet.

    A function inside a function is pickled by value. So it can say that fanin is missing there.
    """

    # A checker of annotations would be pickled with it, and cannot be.
    @no_type_check
    def train(parcel: Any, versions: Any, start: Any, stop: Any) -> Any:
        import socket
        from importlib import import_module
        from importlib.metadata import PackageNotFoundError, version

        for name, here in versions.items():
            try:
                there = version(name)
            except PackageNotFoundError:
                # Of the frameworks a study needs one; that it is missing shows when it is opened.
                there = None if name == "fanin" else here
            if there != here:
                return (
                    f"the worker on {socket.gethostname()} has {name} {there or 'not installed'} "
                    f"and this machine {here}, so the same study may not give the same numbers: "
                    f"install {name}=={here} on every node"
                )
        return import_module("fanin.studies.cluster").train_chunk(parcel, start, stop)

    return cast(Callable[..., Any], train)


def train_chunk(
    parcel: tuple[str, NDArray[np.uint8], Mapping[str, tuple[str, str, bool]]],
    start: int,
    stop: int,
) -> Curves:
    """Train one chunk; runs on a worker.

    Args:
        parcel: The study as it was sent: digest, pickled bytes, sources.
        start: Index of the first run.
        stop: Index after the last one.

    Returns:
        The curves of the chunk, of shape (split, scheme, run of the chunk, point).
    """
    digest, pickled, sources = parcel
    known = {name: Source(*source) for name, source in sources.items()}
    task, trainer = unpack(Parcel(digest, pickled, known))
    design = task.design
    shape = (len(SPLITS), len(design.schemes), stop - start, len(design.points))
    curves = {metric: np.full(shape, np.nan, np.float32) for metric in task.metrics}
    trainer.run(task, design.runs[start:stop], curves, _unseen)
    return curves


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _unseen(steps: int) -> None:
    del steps
