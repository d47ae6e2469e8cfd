"""What the trainer promises about a study: pairing, repeatability, lost runs, memory, no traces."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fanin.errors import FaninError
from fanin.studies.run import run_study
from fanin.studies.trainer import Trainer
from fanin.torch.randomness import seeded
from fanin.torch.trainer import TorchTrainer
from training_cases import blobs, case, curves_of, empty_curves, line

# Batched products of other sizes may sum in another order: relative 2^-24 for each of the few terms
# of a sum, in each of some 12 steps. Curves near 1 agree to 12 x 8 x 2^-24 < 1e-5.
SAME = {"rtol": 0, "atol": 1e-5}


def test_it_is_a_trainer() -> None:
    assert isinstance(TorchTrainer(), Trainer)


def test_every_point_is_measured_and_ticks_add_up() -> None:
    task = case("4-5-1 tanh", blobs(), epochs=3)
    curves, ticks = empty_curves(task, 2), list[int]()
    TorchTrainer().run(task, task.design.runs[:2], curves, ticks.append)
    assert set(curves) == {"loss", "accuracy"}
    assert all(np.isfinite(curve).all() for curve in curves.values())
    assert sum(ticks) == task.design.steps
    assert (curves["loss"][0, :, :, -1] < curves["loss"][0, :, :, 0]).all()


def test_without_held_out_part_its_half_stays_empty() -> None:
    curves = curves_of(TorchTrainer(), case("4-1 sigmoid", blobs(held_out=0)))
    assert np.isfinite(curves["loss"][0]).all()
    assert np.isnan(curves["loss"][1]).all()


def test_a_repeat_does_not_depend_on_its_company() -> None:
    """Neither on the other schemes, nor on the other repeats, nor on how many run together."""
    schemes = ("he_normal", "zeros", "uniform(-0.3, 0.3)")
    whole = case("4-6-3 relu", blobs(classes=3), schemes=schemes, repeats=4)
    together = curves_of(TorchTrainer(), whole)
    for repeat in range(4):
        alone = curves_of(TorchTrainer(), whole, [repeat])
        np.testing.assert_allclose(alone["loss"][:, :, 0], together["loss"][:, :, repeat], **SAME)
    for s, scheme in enumerate(schemes):
        single = case("4-6-3 relu", blobs(classes=3), schemes=(scheme,), repeats=2, seed=2)
        np.testing.assert_allclose(
            curves_of(TorchTrainer(), single)["loss"][:, 0], together["loss"][:, s, 2:], **SAME
        )


def test_schemes_of_a_repeat_share_their_batches_and_repeats_do_not() -> None:
    """Two schemes that start at the same point stay together; two repeats part ways."""
    same = ("zeros", "constant(0)")
    loss = curves_of(TorchTrainer(), case("4-1 sigmoid", blobs(), schemes=same))["loss"]
    np.testing.assert_array_equal(loss[:, 0], loss[:, 1])
    assert len(np.unique(loss[0, 0, :, 1])) == loss.shape[2]


def test_the_last_batch_is_short_and_its_mean_is_over_itself() -> None:
    """5 examples in batches of 4: the second step of sgd has the gradient of one example alone."""
    data = blobs(5, held_out=0)
    task = case("4-1 sigmoid bias=no", data, schemes=("zeros",), repeats=1, epochs=1,
                optimizer="sgd(0.1)", batch_size=4)  # fmt: skip
    from fanin.studies.order import batches

    weight = np.zeros(4)
    for batch in batches(0, 0, 5, 4):
        x, y = data.train.features[batch].astype(float), data.train.target[batch]
        weight -= 0.1 * (x.T @ (1 / (1 + np.exp(-x @ weight)) - y)) / len(batch)
    x, y = data.train.features.astype(float), data.train.target
    expected = np.log1p(np.exp(-(2 * y - 1) * (x @ weight))).mean()
    got = curves_of(TorchTrainer(), task)["loss"][0, 0, 0, -1]
    assert got == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("network", ["4-1 sigmoid", "4-8-3 relu", "4-8-3 tanh dropout=0.3"])
def test_again_is_the_same_to_the_bit(network: str) -> None:
    task = case(network, blobs(classes=2 if "sigmoid" in network else 3))
    first, again = (curves_of(TorchTrainer(), task) for _ in range(2))
    for metric, curve in first.items():
        np.testing.assert_array_equal(curve, again[metric])


def test_a_lost_run_is_inf_from_there_on_and_hurts_no_other() -> None:
    schemes = ("normal(0, 0.1)", "normal(0, 1e30)")
    task = case("3-8-8-1 relu", line(), schemes=schemes, optimizer="sgd(0.01)", epochs=3)
    curves = curves_of(TorchTrainer(), task)["loss"]
    alone = case("3-8-8-1 relu", line(), schemes=schemes[:1], optimizer="sgd(0.01)", epochs=3)
    np.testing.assert_allclose(curves[:, 0], curves_of(TorchTrainer(), alone)["loss"][:, 0], **SAME)
    assert np.isfinite(curves[:, 0]).all()
    assert np.isposinf(curves[:, 1]).all()


def test_a_run_that_is_lost_on_the_way_stays_lost() -> None:
    """At rate 30 the squared error of a line grows in every step and leaves float32 on the way."""
    task = case("3-1", line(), optimizer="sgd(30)", epochs=6)
    curves = curves_of(TorchTrainer(), task)["loss"]
    assert np.isfinite(curves[..., 0]).all()
    assert np.isposinf(curves[..., -1]).all()
    assert (np.diff(np.isinf(curves).astype(int), axis=-1) >= 0).all()


def test_regression_of_two_targets_has_a_loss_and_no_accuracy() -> None:
    task = case("3-2", line(targets=2), optimizer="sgd(0.3)", epochs=60, batch_size=60)
    curves = curves_of(TorchTrainer(), task)
    assert set(curves) == {"loss"}
    x, y = task.data.train.features.astype(float), task.data.train.target.astype(float)
    design = np.column_stack([x, np.ones(len(x))])
    _, squares, *_ = np.linalg.lstsq(design, y)
    # Sixty full steps of a well-conditioned problem come near the least squares, from above.
    best = squares.sum() / y.size
    assert (curves["loss"][0, :, :, -1] >= best * (1 - 1e-6)).all()
    assert (curves["loss"][0, :, :, -1] <= best * 1.5).all()


@pytest.mark.parametrize("network", ["4-1 sigmoid", "4-5-2 relu softmax"])
def test_classes_under_the_squared_error(network: str) -> None:
    task = case(network, blobs(), loss="mse", epochs=8, optimizer="adam(0.02)")
    curves = curves_of(TorchTrainer(), task)
    assert (curves["loss"][0, :, :, -1] < 0.25).all()
    assert (curves["accuracy"][0, :, :, -1] > 0.6).all()


def test_measuring_in_slices_is_measuring() -> None:
    task = case("4-5-3 relu", blobs(90, classes=3))
    whole, sliced = curves_of(TorchTrainer(), task), curves_of(TorchTrainer(memory=4096), task)
    for metric, curve in whole.items():
        np.testing.assert_allclose(sliced[metric], curve, **SAME)


def test_chunks_follow_the_memory() -> None:
    task = case("4-50-3 relu", blobs(classes=3), repeats=1000)
    sizes = [TorchTrainer(memory=memory).chunk(task) for memory in (1, 10**6, 10**7, 10**12)]
    assert sizes[0] == 1
    assert sizes[3] == 1000
    assert 1 < sizes[1] < sizes[2] < 1000
    # At least value, gradient and running square of each parameter, for two schemes.
    assert sizes[2] * 2 * 3 * 4 * (4 * 50 + 50 + 50 * 3 + 3) <= 10**7


def test_the_process_is_left_as_it_was() -> None:

    def states() -> list[Any]:
        # Python's own generator is left to the test below: the checker of the annotations uses it.
        legacy: Any = np.random.get_state()  # noqa: NPY002  # the state that has to be left alone
        return [legacy[1].tolist(), legacy[2], torch.get_rng_state().tolist()]

    before = states()
    trainer, task = TorchTrainer(), case("4-8-3 relu dropout=0.5 norm=batch", blobs(classes=3))
    trainer.chunk(task)
    with torch.no_grad():
        curves = curves_of(trainer, task)
    with torch.inference_mode():
        again = curves_of(trainer, task)
    np.testing.assert_array_equal(curves["loss"], again["loss"])
    with pytest.raises(FaninError):
        trainer.chunk(case(lambda: nn.Linear(5, 1), blobs()))
    assert states() == before


def test_small_studies_take_one_thread_and_give_the_others_back() -> None:
    seen = set[int]()

    class Looking(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the name of the base class
            seen.add(torch.get_num_threads())
            return super().forward(input)

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        examined = TorchTrainer().chunk(case(lambda: Looking(4, 1), blobs()))
        assert seen == {2}
        curves_of(TorchTrainer(), case(lambda: Looking(4, 1), blobs(), repeats=examined))
        assert seen == {1, 2}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_seeded_restores_every_generator_even_after_an_error() -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002  # legacy

    with seeded(1, "a test"):
        inside = drawn()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  # same
    first = drawn()
    random.setstate(before[0])
    np.random.set_state(before[1])  # noqa: NPY002  # as above
    torch.set_rng_state(before[2])
    with pytest.raises(KeyboardInterrupt), seeded(9, "another"):
        interrupt(drawn())
    assert drawn() == first
    with seeded(1, "a test"):
        assert drawn() == inside
    with seeded(2, "a test"):
        assert drawn() != inside


def test_stopped_by_hand_it_keeps_what_it_has_measured() -> None:
    """Two repeats fit into a chunk; the stop comes in the second."""
    task = case("4-20-3 relu", blobs(classes=3), repeats=6, epochs=3)
    trainer, whole = TorchTrainer(memory=60_000), run_study(task, TorchTrainer()).dataset["loss"]
    size = trainer.chunk(task)
    assert 1 < size < 6
    done = list[int]()

    def progress(steps: int) -> None:
        done.append(steps)
        if sum(done) > 2 * size * task.design.steps * 1.5:
            interrupt()

    state = torch.get_rng_state()
    study = run_study(task, trainer, progress)
    assert torch.equal(torch.get_rng_state(), state)
    kept = study.dataset["loss"]
    np.testing.assert_allclose(kept[:, :size], whole[:, :size], **SAME)
    assert np.isnan(kept[:, size:, -1]).all()
    assert np.isfinite(kept[:, size : 2 * size, 0]).all()
    assert "Stopped by hand" in study.notes[-1]
