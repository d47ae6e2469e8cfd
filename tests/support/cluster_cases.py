"""Trainers and a Ray cluster of several nodes on one machine, for the tests of the Ray executor."""

import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fanin.errors import FaninError
from fanin.studies.design import Run
from fanin.studies.trainer import Task


class Told:
    """A trainer without a framework, a run to a chunk; what it does is told by files in a folder.

    Each run writes who trains it; while there is a file ``wait`` it goes on only where that goes.
    """

    name = "told"
    notes: Sequence[str] = ()

    def __init__(self, folder: Path, fails: int | None = None) -> None:
        self.folder, self.fails = folder, fails

    def chunk(self, task: Task) -> int:
        del task
        return 1

    def run(
        self, task: Task, runs: Sequence[Run], curves: dict[str, Any], tick: Callable[[int], None]
    ) -> None:
        del tick
        (run,) = runs
        with (self.folder / f"run{run.start}").open("a") as file:
            file.write(f"{os.getpid()} {os.environ.get('OMP_NUM_THREADS')}\n")
        if run.start == self.fails:
            if run.start:
                until((self.folder / "done0").exists)
                time.sleep(0.5)
            raise FaninError("the network does not fit")
        while (self.folder / "wait").exists() and run.start:
            time.sleep(0.05)
        for metric in task.metrics:
            curves[metric][:] = 1 + run.start
        (self.folder / f"done{run.start}").touch()

    def begun(self, run: int) -> list[int]:
        """The processes that have begun a run."""
        path = self.folder / f"run{run}"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[0]) for line in lines]


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for something that is to happen."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds
        time.sleep(0.05)


@contextmanager
def cluster(nodes: int) -> Generator[Any]:
    """A head without cores, and nodes of one core each."""
    from ray.cluster_utils import Cluster

    before = {name: os.environ.get(name) for name in ("RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED")}
    # The default writes a token into the home of whoever runs the tests.
    os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0")
    handler = signal.getsignal(signal.SIGTERM)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1)
        yield made
    finally:
        made.shutdown()
        signal.signal(signal.SIGTERM, handler)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
