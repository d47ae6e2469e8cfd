"""Crossed studies: runs are counted as runs, and compared by repeats."""

import json
import math

import numpy as np
import pytest

from fanin.errors import FaninError
from fanin.studies.comparison import paired
from fanin.studies.measured import by_repeat
from fanin.studies.power import repeats_needed
from fanin.studies.statistics import proportion, share_of_runs
from fanin.studies.study import Study
from study_cases import LN2, design

INF, NAN = math.inf, math.nan


def crossed(finals, points=4):
    """A study of these held-out final losses, shape (repeat, order) for each scheme."""
    ends = np.stack([np.asarray(final, np.float32) for final in finals.values()])
    schemes, repeats, orders = ends.shape
    share = np.minimum(np.arange(points) / 2, 1).astype(np.float32)
    with np.errstate(invalid="ignore"):
        losses = (0.7 + (ends[..., None] - 0.7) * share).reshape(schemes, repeats * orders, points)
    losses[..., 0] = 0.7
    plan = design(tuple(finals), repeats, points, orders=orders)
    return Study.from_curves(plan, {"loss": np.stack([losses * 0.99, losses])}, baseline=LN2)


def luck(seed, start, order, rest, shape=(12, 5), centre=0.3):
    generator = np.random.default_rng(seed)
    rows = generator.normal(0, start, (shape[0], 1))
    columns = generator.normal(0, order, (1, shape[1]))
    return centre * np.exp(rows + columns + generator.normal(0, rest, shape))


def test_runs_are_counted_and_repeats_are_compared():
    final = np.full((6, 5), 0.2)
    final[0] = [0.69, 0.69, INF, 0.2, 0.2]
    summary = crossed({"a": final, "b": np.full((6, 5), 0.3)}).summary(target=0.25)
    a, b = summary.rows
    assert (summary.repeats, summary.orders) == (6, 5)
    assert (a.scheme, a.runs, a.arrived, a.stuck, a.diverged) == ("a", 30, 27, 2, 1)
    # The first repeat of a ends at the median of its orders, 0.69, which loses.
    assert (a.firsts, b.firsts) == (5, 1)
    assert summary.comparisons[0].paired.pairs == 6
    assert (a.steps_to_target.value, b.steps_to_target.value) == (20, INF)


def test_one_diverged_order_does_not_condemn_a_repeat():
    final = np.full((8, 5), 0.2)
    final[:, 1] = INF
    summary = crossed({"a": final, "b": np.full((8, 5), 0.3)}).summary()
    assert summary.best == ("a",)
    assert summary.rows[0].diverged == 8
    assert math.isfinite(summary.rows[0].loss.high)


def test_a_share_counts_what_the_runs_of_a_start_are_worth():
    alike = np.repeat([[True], [False], [False], [False]], 10, axis=1)
    assert share_of_runs(alike) == proportion(1.0, 4)
    assert share_of_runs(np.zeros((4, 10))) == proportion(0.0, 4)
    assert share_of_runs([[True], [False], [False]]) == proportion(1.0, 3)


def test_independent_orders_count_as_runs():
    """The number of runs is read off a variance over 60 starts: sqrt(2 / 59) = 18 % of error."""
    flags = np.random.default_rng(0).random((60, 20)) < 0.4
    found, plain = share_of_runs(flags), proportion(float(flags.sum()), 1200)
    assert found.value == pytest.approx(plain.value)
    assert found.high - found.low == pytest.approx(plain.high - plain.low, rel=0.3)


@pytest.mark.parametrize("spread", [0.0, 0.5, 50.0])
def test_the_interval_of_a_clustered_share_holds_the_truth(spread):
    """Starts with chances around 0.3, from all alike (0) to all or nothing (50).

    500 studies of 20 starts and 10 orders have a standard error of 1 %, and the Wilson interval is
    some 2 % off its 95 % here (Dean and Pagano 2015): 90 % at least.
    """
    generator, held = np.random.default_rng(0), 0
    for _ in range(500):
        chance = np.full(20, 0.3)
        if spread:
            chance = generator.beta(0.3 / spread * 5, 0.7 / spread * 5, 20)
        share = share_of_runs(generator.random((20, 10)) < chance[:, None])
        held += share.low <= 0.3 <= share.high
    assert held / 500 >= 0.90


def test_the_verdict_says_where_the_luck_comes_from():
    study = crossed({"a": luck(0, 0.5, 0.02, 0.05), "b": luck(1, 0.01, 0.01, 0.3)})
    sentences, text = study.summary().sentences, str(study)
    (said,) = [s for s in sentences if s.startswith("Luck, as variance of the logarithm of the ")]
    assert "mostly the start under a (" in said
    assert "mostly what start and order do together under b (" in said
    assert "12 repeats x 5 data orders" in text
    assert "What makes the runs differ" in text
    assert "each by the median of its 5 orders" in text
    assert text.isascii()


def test_left_out_runs_are_told():
    final = luck(2, 0.5, 0.1, 0.1)
    final[3, 2] = INF
    study = crossed({"a": final, "b": luck(3, 0.1, 0.1, 0.1)})
    rows = {row.scheme: row for row in study.summary().rows}
    assert rows["a"].components.left_out == 5
    assert "5 of 60" in str(study)


def called_different(own_orders):
    """Share of 300 studies of two equal schemes in which a sign test over repeats tells them apart.

    Of 15 repeats the exact test asks for 12 or more on one side: a level of 3.5 %.
    """
    wrong, generator = 0, np.random.default_rng(0)
    for _ in range(300):
        orders = generator.normal(0, 0.3, (2 if own_orders else 1, 1, 4))
        runs = generator.normal(0, 0.3, (2, 15, 1)) + orders + generator.normal(0, 0.1, (2, 15, 4))
        wrong += paired(*by_repeat(runs)).p_value <= 0.05
    return wrong / 300


def test_equal_schemes_are_rarely_told_apart():
    """Three standard errors of a share of 5 % in 300 above it are 8.8 %."""
    assert called_different(own_orders=False) <= 0.088


def test_tests_speak_of_these_orders_only():
    """Where each scheme feels the orders in its own way, four orders do favour one; it is said."""
    assert called_different(own_orders=True) > 0.088
    text = str(crossed({"a": luck(0, 0.3, 0.1, 0.1), "b": luck(1, 0.3, 0.1, 0.1)}))
    assert "of new starts under these orders" in text


def test_json_charts_and_page(tmp_path):
    study = crossed({"a": luck(0, 0.5, 0.02, 0.05), "b": luck(1, 0.01, 0.01, 0.3)})
    content = json.loads(study.to_json())
    assert len(content["curves"]["held_out_loss"]["a"]) == 60
    assert content["order_seed"] == [0, 1, 2, 3, 4]
    assert content["components_of"] == "logarithm of the loss"
    stored = np.array(content["curves"]["held_out_loss"]["a"], np.float32)
    held = study.dataset["held_out_loss"].sel(scheme="a").values
    np.testing.assert_array_equal(stored, held.reshape(60, -1))
    parts = content["schemes"][0]["components"]
    assert sum(parts[part]["value"] for part in ("start", "order", "rest")) == pytest.approx(1)
    assert len(content["not_arrived"]["a"]["share"]) == 4
    study.plot()
    assert len(study.to_dataframe()) == 4
    path = tmp_path / "crossed.html"
    study.save_html(path)
    text = path.read_text("utf-8")
    assert "every repeat meets the same orders of the data" in text
    assert "Which share of the runs has not yet arrived" in text


def test_an_interrupted_crossed_study_keeps_whole_repeats():
    study = crossed({"a": luck(0, 0.5, 0.1, 0.1), "b": luck(1, 0.5, 0.1, 0.1)})
    losses = study.dataset["loss"].copy()
    losses[1, 7, 2, 1:] = NAN
    stopped = Study(study.dataset.assign(loss=losses), study.design)
    assert stopped.stopped
    assert stopped.summary().repeats == 11


# ---------------------------------------------------------------------------- against a baseline


def against(**finals):
    study = crossed({s: np.asarray(f)[:, None] for s, f in finals.items()})
    return study.summary(baseline=next(iter(finals)))


EVEN = np.linspace(0.3, 0.4, 20)


def test_schemes_against_a_baseline():
    flip = np.where(np.arange(20) < 13, 0.001, -0.001)
    summary = against(zeros=EVEN, he_normal=EVEN - 0.05, ones=EVEN + 0.02, eye=EVEN - flip)
    assert summary.reference == "zeros"
    assert summary.best == ()
    assert {pair.second for pair in summary.comparisons} == {"zeros"}
    # 3 comparisons in place of 6: the fewest repeats are 1 + log2(3 / 0.05) and not with 6.
    assert (len(summary.comparisons), summary.fewest) == (3, 7)
    assert summary.sentences[0] == (
        "Better than zeros, the baseline, by more than luck: he_normal; worse: ones; not told "
        "apart from it by 20 repeats: eye."
    )
    assert (
        "he_normal beats zeros: 100 % of 20 pairs, interval 84 to 100, by 0.0500 in the median "
        "(p < 0.0001)." in summary.sentences
    )
    assert any(s.startswith("zeros beats ones: 100 % of 20 pairs") for s in summary.sentences)
    # 13 of 20 are 65 %; the exact test at 0.05 needs 97 pairs, said as 100.
    assert any(
        s.startswith("eye and zeros cannot be told apart with 20 repeats: eye is better in 65 % of")
        and s.endswith("about 100 would do, if that share is the true one.")
        for s in summary.sentences
    )
    assert "zeros (baseline)" in str(summary)


def test_the_repeats_needed_are_at_the_level_that_holm_leaves():
    """Of three comparisons one is real; the other two are each asked for 0.05 / 2."""
    flip = np.where(np.arange(20) < 13, 0.001, -0.001)
    summary = against(zeros=EVEN, he_normal=EVEN - 0.05, ones=EVEN + flip, eye=EVEN - flip)
    needed = {pair.first: pair.repeats_needed for pair in summary.comparisons}
    assert needed == {
        "he_normal": None,
        "ones": repeats_needed(7, 13, level=0.025),
        "eye": repeats_needed(13, 7, level=0.025),
    }


def test_a_baseline_must_be_among_others():
    with pytest.raises(FaninError, match="baseline lecun_normal is not among the schemes"):
        crossed({"zeros": EVEN[:, None], "eye": EVEN[:, None]}).summary(baseline="lecun_normal")
    with pytest.raises(FaninError, match="is the only scheme"):
        crossed({"zeros": EVEN[:, None]}).summary(baseline="zeros")


def test_many_schemes_against_a_baseline_are_summed_up():
    finals = {f"normal(0, {i})": EVEN + 0.01 * (i - 5) for i in range(1, 13)}
    study = crossed({s: f[:, None] for s, f in finals.items()})
    sentences = study.summary(baseline="normal(0, 5)").sentences
    assert any(" beat normal(0, 5): 100 % of 20 pairs" in s for s in sentences)
    assert any(s.startswith("normal(0, 5) beats normal(0, 6), ") for s in sentences)
    assert len(sentences) < 8
