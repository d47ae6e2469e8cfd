"""The race against a slow obvious one, with an engine whose losses are written down."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.errors import FaninError
from fanin.studies.halving import Halving, most_steps, plan_rungs
from fanin.studies.minima import same_minimum
from fanin.studies.race import Race


class Written:
    """A race in which start i has the loss table[i, step]."""

    def __init__(self, table: Any) -> None:
        self.table, self.left, self.step = table, list(range(len(table))), 0

    def advance(self, step: int, tick: Any) -> None:
        tick((step - self.step) * len(self.left))
        self.step = step

    def losses(self) -> Any:
        return self.table[self.left, self.step][None]

    def keep(self, which: Sequence[int]) -> None:
        self.left = [self.left[place] for place in which]

    def weights(self, which: int) -> dict[str, Any]:
        return {"start": np.array(self.left[which])}

    def outputs(self, features: Any) -> Any:
        return np.zeros((len(self.left), len(features), 1))


def test_it_is_a_race() -> None:
    assert isinstance(Written(np.zeros((1, 1))), Race)


@given(
    starts=st.integers(1, 60), steps=st.integers(1, 40), eta=st.integers(2, 4),
    controls=st.integers(0, 5), seed=st.integers(0, 99),
)  # fmt: skip
def test_who_is_kept(starts: int, steps: int, eta: int, controls: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    table = generator.integers(0, 8, (starts, steps + 1)).astype(float)  # ties on purpose
    rungs = plan_rungs(starts, steps, eta)
    watched = range(min(controls, starts))
    halving = Halving.of(rungs, watched, (0, steps))
    halving.run(Written(table), [].append)
    racing, spent, before = list(range(starts)), 0, 0
    for rung in rungs:
        assert rung.starts == len(racing)
        spent += (rung.step - before) * len({*racing, *watched})
        before = rung.step
        if rung is not rungs[-1]:
            order = sorted((table[i, rung.step], i) for i in racing)
            racing = [
                i for _, i in order[: max(1, math.ceil(starts / eta ** (1 + rungs.index(rung))))]
            ]
    assert halving.left == sorted({*racing, *watched})
    assert halving.spent == spent <= most_steps(rungs, len(watched))
    assert rungs[-1].step == steps
    np.testing.assert_array_equal(halving.finals[0, halving.left], table[halving.left, steps])
    gone = sorted(set(range(starts)) - set(halving.left))
    assert np.isnan(halving.finals[0, gone]).all()
    assert sorted(np.flatnonzero(halving.cut == 0)) == sorted(racing)


def test_a_diverged_start_goes_first() -> None:
    table = np.ones((9, 10))
    table[0, 1:] = np.inf
    halving = Halving.of(plan_rungs(9, 9), (), (0, 9))
    halving.run(Written(table), [].append)
    assert 0 not in halving.left


def test_one_rung_cuts_nothing() -> None:
    (rung,) = plan_rungs(50, 10, rungs=1)
    assert (rung.step, rung.starts) == (10, 50)


@pytest.mark.parametrize(("eta", "rungs"), [(1, None), (3, 0), (3, 6), (3, 4)])
def test_rungs_out_of_range_are_refused(eta: int, rungs: int | None) -> None:
    with pytest.raises(FaninError):
        plan_rungs(10, 100, eta, rungs)


def network(weights: Any, x: Any) -> Any:
    first, second = weights
    return np.tanh(x @ first) @ second


def test_swapped_and_negated_hidden_units_are_one_minimum() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(50, 3))
    first, second = generator.normal(size=(3, 4)), generator.normal(size=(4, 1))
    swapped = (first[:, [2, 0, 3, 1]], second[[2, 0, 3, 1]])
    negated = (first * [1, -1, 1, -1], second * np.array([1, -1, 1, -1])[:, None])
    other = (generator.normal(size=(3, 4)), second)
    answers = np.stack([network(w, x) for w in ((first, second), swapped, negated, other)])
    spread = float(answers[0].std())
    losses = np.array([0.1, 0.1, 0.1, 0.1])
    groups = same_minimum(losses, answers, baseline=1.0, spread=spread)
    assert groups.tolist()[:3] == [groups[0]] * 3
    assert groups[3] != groups[0]


def test_the_same_function_with_another_loss_is_another_minimum() -> None:
    answers = np.zeros((3, 5, 1))
    groups = same_minimum(np.array([0.3, 0.1, 0.11]), answers, baseline=1.0, spread=1.0)
    assert groups.tolist() == [1, 0, 0]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30))
def test_every_two_of_a_minimum_are_close(losses: list[float]) -> None:
    ends = np.array(losses)
    groups = same_minimum(ends, np.zeros((len(ends), 2, 1)), baseline=1.0, spread=1.0)
    for group in set(groups.tolist()):
        assert np.ptp(ends[groups == group]) <= 0.05 + 1e-12
