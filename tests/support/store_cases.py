"""What the tests of a study on the disk have in common."""

from killed import Counter
from training_cases import blobs, case


class Stopping(Counter):
    """Trains some chunks and is stopped by hand in the next."""

    def __init__(self, chunks: int, problem: BaseException | None = None) -> None:
        self.left, self.problem = chunks, problem or KeyboardInterrupt()
        self.trained = list[int]()

    def run(self, task, runs, curves, tick):
        if self.left == 0:
            raise self.problem
        self.left -= 1
        self.trained += [run.start for run in runs]
        super().run(task, runs, curves, tick)


def task_of(**changes):
    return case("4-1 sigmoid", blobs(), **{"repeats": 5, **changes})
