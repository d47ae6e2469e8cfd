"""The figures of a study against the same figures counted by hand."""

import math

import numpy as np
import pytest
from scipy.stats import rankdata

from fanin.errors import FaninError
from fanin.studies.measured import finished
from fanin.studies.study import Study
from study_cases import LN2, falling, lesson, study_of

INF, NAN = math.inf, math.nan


def row(summary, scheme):
    return next(row for row in summary.rows if row.scheme == scheme)


def pair(summary, first, second):
    return next(p for p in summary.comparisons if {p.first, p.second} == {first, second})


def test_every_figure_by_hand():
    """Three schemes, four repeats; steps 0, 10, 20."""
    summary = study_of(
        {
            "a": [[0.9, 0.5, 0.1], [0.9, 0.5, 0.2], [0.9, 0.5, 0.3], [0.9, 0.2, 0.4]],
            "b": [[0.9, 0.6, 0.2], [0.9, 0.6, 0.3], [0.9, 0.6, 0.2], [0.9, INF, INF]],
            "c": [[0.7, 0.7, 0.69], [0.7, 0.7, 0.69], [0.7, 0.7, 0.69], [0.7, 0.7, 0.69]],
        },
        accuracy=True,
    ).summary(target=0.35)
    assert summary.measure == "held-out loss"
    assert (summary.repeats, summary.planned, summary.steps) == (4, 4, 20)
    a, b, c = (row(summary, scheme) for scheme in "abc")
    assert [r.scheme for r in summary.rows] == ["a", "b", "c"]
    # Ranks by repeat: a 1 1 2 1, b 2 2 1 3, c 3 3 3 2.
    assert [r.mean_rank for r in (a, b, c)] == [1.25, 2.0, 2.75]
    assert [(r.best_rank, r.worst_rank) for r in (a, b, c)] == [(1, 2), (1, 3), (2, 3)]
    assert [r.firsts for r in (a, b, c)] == [3, 1, 0]
    assert a.loss.value == pytest.approx(0.25)
    assert (b.loss.value, b.loss.high) == (pytest.approx(0.25), INF)
    assert a.loss.confidence == 0.875
    assert a.accuracy is not None
    assert a.accuracy.value == pytest.approx(1 - 0.125)
    # a arrives at 0.35 at 20, 20, 20 and 10; b at 20, 20, 20 and never; c never.
    assert [r.arrived for r in (a, b, c)] == [4, 3, 0]
    assert [r.steps_to_target.value for r in (a, b, c)] == [20, 20, INF]
    assert (b.steps_to_target.low, b.steps_to_target.high) == (20, INF)
    assert [r.stuck for r in (a, b, c)] == [0, 0, 4]
    assert [r.diverged for r in (a, b, c)] == [0, 1, 0]
    assert c.stuck_share.high == 1.0
    versus = pair(summary, "a", "b").paired
    assert (versus.better, versus.worse) == (3, 1)


def test_the_target_is_where_half_of_all_runs_end():
    study = lesson()
    summary = study.summary()
    ends = study.dataset["held_out_loss"].values[..., -1]
    assert np.mean(ends <= summary.target) == 0.5
    assert sum(r.arrived for r in summary.rows) == pytest.approx(50, abs=2)


def test_ranks_are_scipys_and_agree_with_the_pairs():
    study = lesson()
    summary = study.summary()
    final = study.dataset["held_out_loss"].values[..., -1].astype(float)
    ranks = dict(zip(study.design.schemes, rankdata(final, axis=0).mean(axis=1), strict=True))
    for r in summary.rows:
        assert r.mean_rank == pytest.approx(ranks[r.scheme])
        losing = [
            1 - p.paired.chance.value if p.first == r.scheme else p.paired.chance.value
            for p in summary.comparisons
            if r.scheme in {p.first, p.second}
        ]
        assert r.mean_rank == pytest.approx(1 + sum(losing))


def test_the_lesson_is_told_apart_as_it_was_made():
    """lecun_uniform was made clearly better than all; the three in the middle are equal."""
    summary = lesson().summary()
    assert summary.best == ("lecun_uniform",)
    assert pair(summary, "zeros", "lecun_uniform").real
    assert not pair(summary, "uniform(-0.05, 0.05)", "normal(0, 0.05)").real
    assert row(summary, "zeros").stuck == 1
    assert row(summary, "he_normal").diverged == 1


def test_schemes_not_told_apart_from_the_first_are_best_together():
    even = np.linspace(0.3, 0.4, 12)
    odd = even + np.where(np.arange(12) % 3, 0.001, -0.001)
    summary = study_of({"a": falling(even), "b": falling(odd), "c": falling(even + 0.1)}).summary()
    assert summary.best == ("a", "b")
    assert summary.outsiders == 0


def test_without_a_held_out_part_the_training_loss_judges():
    summary = study_of({"a": falling([0.1] * 3), "b": falling([0.2] * 3)}, held_out=False).summary()
    assert summary.measure == "training loss"
    assert row(summary, "a").loss.value == pytest.approx(0.099)
    assert row(summary, "a").accuracy is None


def test_too_few_repeats_have_no_best():
    curves = {"a": falling([0.1] * 5), "b": falling([0.2] * 5)}
    assert study_of(curves).summary().best == ()
    six = {scheme: np.vstack([curve, curve[:1]]) for scheme, curve in curves.items()}
    assert study_of(six).summary().best == ("a",)
    assert study_of(six).summary().fewest == 6


def test_one_scheme_has_nothing_to_compare():
    summary = study_of({"a": falling(np.linspace(0.1, 0.3, 8))}).summary()
    assert summary.comparisons == ()
    assert (summary.best, summary.fewest) == ((), 0)
    assert row(summary, "a").mean_rank == 1.0


def test_everything_diverged():
    summary = study_of({"a": [[0.7, INF]] * 8, "b": [[0.7, INF]] * 8}).summary()
    assert summary.target is None
    assert [r.firsts for r in summary.rows] == [0, 0]
    assert [r.steps_to_target for r in summary.rows] == [None, None]
    assert row(summary, "a").diverged_share.value == 1.0
    assert summary.best == ("a", "b")


def test_a_run_whose_training_loss_alone_diverged_ranks_last():
    study = study_of({"a": [[0.7, 0.1]] * 8, "b": [[0.7, 0.2]] * 8})
    training = study.dataset["loss"].values.copy()
    training[0, :, -1] = INF
    dataset = study.dataset.assign(loss=(study.dataset["loss"].dims, training))
    summary = Study(dataset, study.design).summary()
    assert row(summary, "a").diverged == 8
    assert summary.rows[0].scheme == "b"


def test_the_order_of_dims_does_not_matter():
    study = lesson()
    turned = Study(study.dataset.transpose("epoch", "repeat", "scheme"), study.design)
    assert turned.summary() == study.summary()


def test_still_falling():
    slow = np.linspace(2.0, 1.0, 6) * np.ones((8, 1))
    assert study_of({"a": slow, "b": slow}).summary().falling
    assert not lesson().summary().falling


def test_a_target_must_be_a_number():
    with pytest.raises(FaninError, match="target must be a loss"):
        lesson().summary(target=NAN)


# ------------------------------------------------------------------------------------- interrupted


def stopped(fill):
    """Two schemes, four repeats, points at 0, 10 and 20, with NaN put in."""
    curves = {s: np.tile([0.7, 0.5, 0.3], (4, 1)) for s in "ab"}
    fill(curves)
    return study_of(curves)


def test_finished_repeats_are_kept_whole():
    def fill(curves):
        curves["a"][3] = NAN
        curves["b"][2:] = NAN

    study = stopped(fill)
    summary = study.summary()
    assert study.stopped
    assert finished(study.dataset)["repeat"].values.tolist() == [0, 1]
    assert (summary.repeats, summary.planned, summary.steps) == (2, 4, 20)


def test_without_a_finished_repeat_the_points_of_the_begun_ones_are_kept():
    def fill(curves):
        curves["a"][:, 2] = NAN
        curves["b"][:, 2] = NAN
        curves["b"][:, 3:] = NAN
        curves["b"][3] = NAN

    summary = stopped(fill).summary()
    assert (summary.repeats, summary.steps, summary.planned_steps) == (3, 10, 20)


def test_nothing_in_common():
    def fill(curves):
        curves["b"][:] = NAN

    study = stopped(fill)
    summary = study.summary()
    assert (summary.rows, summary.repeats) == ((), 0)
    assert "there is no result" in str(summary)
    with pytest.raises(FaninError, match="nothing to draw"):
        study.plot()


def test_a_finished_study_is_kept_as_it_is():
    study = lesson()
    assert not study.stopped
    assert finished(study.dataset).sizes == study.dataset.sizes


def test_unknown_baseline():
    study = lesson()
    attributes = {k: v for k, v in study.dataset.attrs.items() if "baseline" not in k}
    bare = Study(study.dataset.assign_attrs({}).copy(), study.design)
    bare.dataset.attrs = attributes
    summary = bare.summary()
    assert summary.constant_loss is None
    assert [r.stuck for r in summary.rows] == [None] * 5
    assert "stuck" not in str(summary)
    assert study.summary().constant_loss == pytest.approx(LN2)
