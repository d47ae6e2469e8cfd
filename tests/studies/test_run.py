"""Running a study: chunks, progress, and what is kept when it is stopped or breaks on the way."""

import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.studies.design import Run
from fanin.studies.run import guesses, run_study
from fanin.studies.statistics import constant_loss
from fanin.studies.trainer import Task
from training_cases import blobs, case, line

LINE = "4-1 sigmoid"


def go_on(repeat: int, point: int) -> None:
    del repeat, point


class Counter:
    """A trainer whose loss tells which repeat and point it belongs to, in chunks of two."""

    name = "counter"

    def __init__(self, stop: Callable[[int, int], None] = go_on) -> None:
        self.stop = stop
        self.notes: Sequence[str] = ("Counted.",)
        self.chunks = list[list[int]]()

    def chunk(self, task: Task) -> int:
        del task
        return 2

    def run(
        self,
        task: Task,
        runs: Sequence[Run],
        curves: dict[str, Any],
        tick: Callable[[int], None],
    ) -> None:
        repeats = [run.start - task.design.seed for run in runs]
        self.chunks.append(repeats)
        steps = np.diff([0, *task.design.points])
        for point in range(len(task.design.points)):
            self.stop(repeats[0], point)
            for metric in task.metrics:
                for position, repeat in enumerate(repeats):
                    curves[metric][:, :, position, point] = 100 * repeat + point
            tick(int(steps[point]))


def stopping(problem: BaseException, repeat: int, point: int) -> Counter:
    def stop(at_repeat: int, at_point: int) -> None:
        if (at_repeat, at_point) == (repeat, point):
            raise problem

    return Counter(stop)


def test_chunks_cover_every_repeat_once_and_land_in_their_place() -> None:
    trainer, ticks = Counter(), list[int]()
    task = case(LINE, blobs(), repeats=5, epochs=3)
    study = run_study(task, trainer, ticks.append)
    assert trainer.chunks == [[0, 1], [2, 3], [4]]
    expected = 100 * np.arange(5)[:, None] + np.arange(4)
    for variable in ("loss", "accuracy", "held_out_loss", "held_out_accuracy"):
        for scheme in range(2):
            np.testing.assert_array_equal(study.dataset[variable][scheme], expected)
    assert sum(ticks) == 2 * 5 * task.design.steps
    assert study.notes == ("Counted.",)
    assert study.design is task.design


def test_notes_of_the_data_are_passed_on() -> None:
    from dataclasses import replace

    data = replace(blobs(), notes=("Two rows were dropped.",))
    assert run_study(case(LINE, data), Counter()).notes == ("Counted.", "Two rows were dropped.")


def test_stopped_by_hand_in_a_later_chunk() -> None:
    study = run_study(case(LINE, blobs(), repeats=5), stopping(KeyboardInterrupt(), 2, 1))
    assert np.isfinite(study.dataset["loss"][:, :2]).all()
    assert np.isnan(study.dataset["loss"][:, 2:, 1:]).all()
    assert study.notes == ("Counted.", "Stopped by hand after 2 of 5 repeats.")
    assert study.summary().repeats == 2


def test_stopped_by_hand_in_the_first_chunk_keeps_its_points() -> None:
    study = run_study(case(LINE, blobs(), repeats=5, epochs=4), stopping(KeyboardInterrupt(), 0, 2))
    measured = np.isfinite(study.dataset["loss"].values)
    assert measured[:, :2, :2].all()
    assert measured.sum() == 2 * 2 * 2
    assert study.notes[-1] == "Stopped by hand after 0 of 5 repeats."


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_that_python_would_forget_stops_at_the_end_of_the_step() -> None:
    class Dying:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def stop(repeat: int, point: int) -> None:
        if (repeat, point) == (2, 1):
            Dying()  # raised here, the interrupt would be printed and forgotten

    study = run_study(case(LINE, blobs(), repeats=5), Counter(stop))
    assert study.notes[-1] == "Stopped by hand after 2 of 5 repeats."
    assert np.isfinite(study.dataset["loss"][:, 2:4, :2]).all()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_twice_does_not_wait_for_the_step() -> None:
    def stop(repeat: int, point: int) -> None:
        if (repeat, point) == (2, 1):
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    study = run_study(case(LINE, blobs(), repeats=5), Counter(stop))
    assert study.notes[-1] == "Stopped by hand after 2 of 5 repeats."


def test_a_handler_of_the_program_stays_in_place() -> None:
    heard = list[int]()

    def handler(signum: int, frame: object) -> None:
        del frame
        heard.append(signum)

    def interrupting(repeat: int, point: int) -> None:
        del repeat, point
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, handler)
    try:
        run_study(case(LINE, blobs(), repeats=2), Counter(interrupting))
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(heard) == {signal.SIGINT}


def test_stopped_by_hand_before_anything_was_measured() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_study(case(LINE, blobs()), stopping(KeyboardInterrupt(), 0, 0))


def test_stopped_by_hand_when_only_the_starts_were_measured() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_study(case(LINE, blobs()), stopping(KeyboardInterrupt(), 0, 1))


def test_an_error_in_a_later_chunk_loses_nothing() -> None:
    problem = MemoryError("no room")
    study = run_study(case(LINE, blobs(), repeats=4), stopping(problem, 2, 1))
    assert np.isfinite(study.dataset["loss"][:, :2]).all()
    assert study.notes[-1] == "Stopped by an error after 2 of 4 repeats: MemoryError: no room"


def test_an_error_in_the_first_chunk_is_an_error() -> None:
    with pytest.raises(FaninError, match="does not fit"):
        run_study(case(LINE, blobs()), stopping(FaninError("does not fit"), 0, 1))


def test_guesses_of_classes() -> None:
    task = case("4-3", blobs(classes=3))
    baseline, held_out = guesses(task)
    train, held = (part.target for part in task.data.parts.values())
    shares = [np.mean(train == k) for k in range(3)]
    assert baseline == pytest.approx(-sum(share * np.log(share) for share in shares))
    assert held_out == pytest.approx(-np.mean([np.log(shares[k]) for k in held]))
    study = run_study(task, Counter())
    assert study.dataset.attrs["baseline_loss"] == baseline
    assert study.dataset.attrs["held_out_baseline_loss"] == held_out


def test_guesses_of_numbers() -> None:
    task = case("3-2", line(targets=2))
    train, held = (part.target.astype(float) for part in task.data.parts.values())
    baseline, held_out = guesses(task)
    assert baseline == pytest.approx(np.mean((train - train.mean(0)) ** 2))
    assert held_out == pytest.approx(np.mean((held - train.mean(0)) ** 2))


@pytest.mark.parametrize("network", ["4-1 sigmoid", "4-2 softmax"])
def test_guesses_of_classes_under_the_squared_error(network: str) -> None:
    """One output or two: the mean is p (1 - p) either way."""
    task = case(network, blobs(), loss="mse")
    share = task.data.train.target.mean()
    assert guesses(task)[0] == pytest.approx(share * (1 - share))


def test_a_guess_that_rules_out_a_class_of_the_held_out_part() -> None:
    data = blobs(n=20, classes=3)
    data.train.target[:] = np.arange(20) % 2
    data.held_out.target[0] = 2
    baseline, held_out = guesses(case("4-3", data))
    assert baseline == pytest.approx(constant_loss([0, 1], "bce"))
    assert held_out is None


def test_nothing_held_out() -> None:
    study = run_study(case(LINE, blobs(held_out=0)), Counter())
    assert "held_out_baseline_loss" not in study.dataset.attrs
    assert guesses(case("3-1", line(held_out=0)))[1] is None


def test_a_crossed_design_lays_its_runs_out_by_repeat_and_order() -> None:
    task = case(LINE, blobs(), repeats=3, orders=2)
    trainer = Counter()
    study = run_study(task, trainer)
    assert trainer.chunks == [[0, 0], [1, 1], [2, 2]]
    loss = study.dataset["loss"]
    assert loss.dims == ("scheme", "repeat", "order", "epoch")
    np.testing.assert_array_equal(loss[0, :, 1, 0], [0, 100, 200])
    assert study.dataset["order_seed"].values.tolist() == [0, 1]
