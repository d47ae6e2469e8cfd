"""A study that is killed before its n-th file operation, or at any moment, and begun again.

The process forks a child for every killing, so that one interpreter is started for all of them. An
audit hook counts what the child does to files: opening, renaming, making and removing.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray

from fanin.studies.run import run_study
from fanin.studies.trainer import Trainer
from training_cases import case, line

EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


class Counter:
    """A trainer whose loss tells which run and point it belongs to."""

    name = "counter 1"
    notes = ("Counted.",)

    def chunk(self, task):
        del task
        return 2

    def run(self, task, runs, curves, tick):
        for place, run in enumerate(runs):
            for metric in task.metrics:
                for point in range(len(task.design.points)):
                    curves[metric][: len(task.data.parts), :, place, point] = 1 / (
                        3 + 100 * run.start + point
                    )
        tick(task.design.steps)


def study(path: Path, trainer: Trainer):
    return run_study(case("3-1", line(), repeats=5), trainer, store=path)


def forked(work: Callable[[], object]) -> int:
    """Do something in a child; its exit status, negative for the signal that killed it."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as problem:  # noqa: BLE001
            sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_before(n: int, folder: Path, work: Callable[[], object]) -> int:
    """Do it in a child that is killed before its n-th operation on files of this folder."""

    def dying() -> None:
        left = n

        def count(event: str, arguments: tuple) -> None:
            nonlocal left
            if event in EVENTS and str(folder) in str(arguments[0]):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        work()

    return forked(dying)


def killed_after(seconds: float, work: Callable[[], object]) -> bool:
    """Do it in a child that is killed after a while, and say whether it was finished by then."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0
            return True
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def check_whole(path: Path, expected: Path) -> None:
    """The same bits in every variable, and nothing left over."""
    one, other = (xarray.open_zarr(store, chunks=None).load() for store in (path, expected))
    xarray.testing.assert_identical(one, other)
    for name in one.data_vars:
        assert one[name].values.tobytes() == other[name].values.tobytes(), name
        assert not np.isnan(one[name].values).any(), name
    assert not list(path.parent.rglob("*.partial"))
    names = [
        sorted(str(file.relative_to(store)) for file in store.rglob("*"))
        for store in (path, expected)
    ]
    assert names[0] == names[1]


def every(folder: Path, first: int, stride: int) -> int:
    """Kill at every stride-th operation, go on, compare; how many operations there were."""
    expected = folder / "expected.zarr"
    assert forked(lambda: study(expected, Counter())) == 0
    n = first
    while True:
        path = folder / f"{n}" / "s.zarr"
        path.parent.mkdir()
        status = killed_before(n, path.parent, lambda path=path: study(path, Counter()))
        assert status in (0, -signal.SIGKILL), status
        assert forked(lambda path=path: study(path, Counter())) == 0, n
        assert forked(lambda path=path: check_whole(path, expected)) == 0, n
        if status == 0:
            return n
        n += stride


def random_moments(folder: Path, times: int) -> int:
    """Kill a real training again and again until it is finished, so often; how many kills."""
    import torch

    from fanin.torch.trainer import TorchTrainer

    torch.set_num_threads(1)
    generator = np.random.default_rng(5)

    def train(path: Path):
        task = case("3-4-1 tanh", line(), repeats=6, epochs=8)
        return run_study(task, TorchTrainer(), store=path, chunk=1)

    expected = folder / "expected.zarr"
    begun = time.monotonic()
    assert forked(lambda: train(expected)) == 0
    length = time.monotonic() - begun
    kills = 0
    for round_ in range(times):
        path = folder / f"{round_}" / "s.zarr"
        path.parent.mkdir()
        while not killed_after(
            generator.uniform(0.05, 0.8) * length, lambda path=path: train(path)
        ):
            kills += 1
        assert forked(lambda path=path: check_whole(path, expected)) == 0, round_
    return kills


if __name__ == "__main__":
    what, where, *numbers = sys.argv[1:]
    sys.stdout.write(
        str({"every": every, "random": random_moments}[what](Path(where), *map(int, numbers)))
    )
