"""A race in JAX against the trainer and against the race in torch."""

import numpy as np
import pytest

from fanin.jax.trainer import JaxTrainer
from fanin.studies.design import Run
from fanin.studies.race import Race, Racer, Trial
from training_cases import blobs, case, curves_of

SCHEMES = ("he_normal", "orthogonal", "zeros")
TRIALS = [Trial(place % 3, Run(7 + place, 40 + place)) for place in range(7)]
NEAR = {"rtol": 0, "atol": 3e-5}


def task_of(optimizer: str = "adam", line: str = "4-6-3 relu", **settings):
    return case(
        line, blobs(81, classes=3), schemes=SCHEMES, optimizer=optimizer, epochs=3, **settings
    )


def test_it_is_a_racer() -> None:
    assert isinstance(JaxTrainer(), Racer)
    with JaxTrainer().race(task_of(), TRIALS) as race:
        assert isinstance(race, Race)


@pytest.mark.parametrize("memory", [2**30, 2**14])
def test_every_training_gives_the_curve_of_a_study(memory: int) -> None:
    """Whoever else is in the race, and however it is cut into stacks."""
    task, ticks = task_of(), list[int]()
    starts = [trial.run for trial in TRIALS]
    from training_cases import empty_curves

    curves = empty_curves(task, len(TRIALS))
    JaxTrainer().run(task, starts, curves, [].append)
    with JaxTrainer(memory).race(task, TRIALS) as race:
        for point, step in enumerate(task.design.points[:-1]):
            race.advance(step, ticks.append)
            for place, trial in enumerate(TRIALS):
                expected = curves["loss"][:, trial.scheme, place, point]
                np.testing.assert_allclose(race.losses()[:, place], expected, **NEAR)
        race.keep([1, 4, 6])
        race.advance(task.design.steps, ticks.append)
        for left, place in enumerate([1, 4, 6]):
            expected = curves["loss"][:, TRIALS[place].scheme, place, -1]
            np.testing.assert_allclose(race.losses()[:, left], expected, **NEAR)
    before = task.design.points[-2]
    assert sum(ticks) == 7 * before + 3 * (task.design.steps - before)


def test_it_ends_where_the_race_in_torch_ends() -> None:
    from fanin.torch.trainer import TorchTrainer

    task = task_of("rmsprop(0.01)", "4-6-3 tanh norm=batch", batch_size=19)
    features = task.data.train.features[:5]
    ends = list[tuple]()
    for trainer in (JaxTrainer(), TorchTrainer()):
        with trainer.race(task, TRIALS) as race:
            race.advance(4, [].append)
            race.keep([0, 2, 5])
            race.advance(9, [].append)
            weights = {n: v for n, v in race.weights(1).items() if "batches" not in n}
            ends.append((race.losses(), race.outputs(features), weights))
    ours, theirs = ends
    np.testing.assert_allclose(ours[0], theirs[0], **NEAR)
    np.testing.assert_allclose(ours[1], theirs[1], **NEAR)
    assert set(ours[2]) == set(theirs[2])
    for name, values in ours[2].items():
        np.testing.assert_allclose(values, theirs[2][name], **NEAR)


def test_a_training_that_is_lost_stays_lost() -> None:
    task = case("4-6-3 linear", blobs(classes=3), schemes=("normal(0, 1e30)", "he_normal"))
    with JaxTrainer().race(task, [Trial(0, Run(0, 0)), Trial(1, Run(1, 1))]) as race:
        race.advance(3, [].append)
        assert np.isinf(race.losses()[:, 0]).all()
        assert np.isfinite(race.losses()[:, 1]).all()
        race.keep([1])
        assert np.isfinite(race.losses()).all()


def test_a_tick_that_raises_leaves_the_race_usable() -> None:
    task = task_of()

    def stop(steps: int) -> None:
        raise KeyboardInterrupt(steps)

    with JaxTrainer().race(task, TRIALS) as race:
        with pytest.raises(KeyboardInterrupt):
            race.advance(3, stop)
        assert np.isfinite(race.losses()).all()
        assert race.weights(0)["layers.0.weight"].shape == (6, 4)


def test_the_study_and_the_race_share_their_starts() -> None:
    task = task_of()
    loss = curves_of(JaxTrainer(), task)["loss"]
    trials = [Trial(scheme, run) for run in task.design.runs for scheme in range(3)]
    with JaxTrainer().race(task, trials) as race:
        got = race.losses().reshape(2, len(task.design.runs), 3)
    np.testing.assert_allclose(got.swapaxes(1, 2), loss[..., 0], **NEAR)
