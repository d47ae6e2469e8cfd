"""What a person reads: every sentence follows from the figures, and none says more."""

import math

import numpy as np
import pytest

from fanin.studies.study import Study
from fanin.studies.tables import pair_tables
from study_cases import falling, lesson, study_of

INF, NAN = math.inf, math.nan
EVEN = np.linspace(0.3, 0.4, 20)
"""Final losses of twenty repeats."""


def said(curves, **changes):
    return study_of(curves, **changes).summary().sentences


def flipped(count):
    """EVEN, a thousandth better in so many repeats and a thousandth worse in the others."""
    return EVEN - np.where(np.arange(20) < count, 0.001, -0.001)


def test_the_whole_text(golden):
    golden("study.txt", str(lesson()) + "\n")


def test_one_winner():
    sentences = said({"a": falling(EVEN), "b": falling(EVEN + 0.05), "c": falling(EVEN + 0.02)})
    assert sentences[0] == "Best: a. It is better than c and b by more than luck."
    # Three comparisons: p = 3 * 2 / 2**20 = 0.0000057.
    assert (
        sentences[1]
        == "a beats c: 100 % of 20 pairs, interval 84 to 100, by 0.0200 in the median (p < 0.0001)."
    )
    assert "the winner is a in 20 of 20 repeats." in sentences[3]


def test_a_winner_among_equals():
    sentences = said({"a": falling(flipped(11)), "b": falling(EVEN), "c": falling(EVEN + 0.1)})
    assert sentences[0] == (
        "Best: a, from which 20 repeats cannot tell b apart; c is worse than a by more than luck."
    )
    # The sign test on 11 of 20 is 0.82, the largest of three p-values, so Holm leaves it.
    assert (
        sentences[1]
        == "a and b cannot be told apart with 20 repeats: a is better in 55 % of 20 pairs, "
        "interval 34 to 74 (p = 0.82); about 820 would do, if that share is the true one."
    )
    assert "the winner is a in 11 of 20 repeats and b in 9." in sentences[3]


def test_all_alike():
    shuffled = np.random.default_rng(0).permutation(EVEN)
    sentences = said({"a": falling(shuffled), "b": falling(EVEN * 1.001)}, accuracy=True)
    assert sentences[0] == (
        "No best scheme: 20 repeats cannot tell a and b apart; their differences in held-out loss "
        "can be luck."
    )
    assert "By held-out accuracy no two schemes can be told apart." in sentences
    assert any("varies least" in s and "which can be luck (p = " in s for s in sentences)


def test_a_difference_in_spread_is_not_called_luck():
    """Both have the same median; b strays from it a hundred times as far, in every repeat."""
    near, far = 0.3 + (EVEN - 0.35) / 100, 0.3 + np.random.default_rng(1).permutation(EVEN - 0.35)
    sentences = said({"a": falling(near), "b": falling(far)})
    assert sentences[0].startswith("No best scheme")
    assert sentences[0].endswith(" in held-out loss can be luck, some of those in spread are not.")
    assert sentences[3] == (
        "From run to run a varies least (middle half of its runs 0.300 to 0.300) and b most (0.271 "
        "to 0.324), by more than luck (p < 0.0001)."
    )


def test_a_difference_in_accuracy_is_told_beside_the_loss():
    """By loss a wins 11 of 20; its accuracy is higher in every repeat."""
    study = study_of({"a": falling(flipped(11)), "b": falling(EVEN)}, accuracy=True)
    accuracy = study.dataset["held_out_accuracy"].copy()
    accuracy[0] = accuracy[1] + 0.01
    better = Study(study.dataset.assign(held_out_accuracy=accuracy), study.design)
    sentences = better.summary().sentences
    assert "can be luck, some of those in held-out accuracy" in sentences[0]
    assert "By held-out accuracy, by more than luck: b is worse than a." in sentences


def test_a_leader_that_beats_none_while_others_differ():
    """b beats c in every repeat; a is better than both in 14 and worse in 6, which can be luck."""
    a = EVEN - np.where(np.arange(20) < 14, 0.1, -0.1)
    sentences = said({"a": falling(a), "b": falling(EVEN), "c": falling(EVEN + 0.01)})
    assert sentences[0].startswith("No best scheme: a leads, but 20 repeats cannot tell any other")
    assert "a single run names" not in " ".join(sentences)


def test_the_luck_of_a_single_run_is_counted():
    """b is worse than a in 17 of 20 (p = 0.0026), and first in the other 3."""
    sentences = said({"a": falling(flipped(17)), "b": falling(EVEN)})
    assert sentences[0] == "Best: a. It is better than b by more than luck."
    assert sentences[2] == (
        "Run each scheme once and the winner is a in 17 of 20 repeats and b in 3; a single run "
        "names a scheme that is really worse in 3."
    )


@pytest.mark.parametrize(("repeats", "start"), [(1, "1 repeat cannot"), (3, "3 repeats cannot")])
def test_few_repeats_conclude_nothing(repeats, start):
    sentences = said({s: falling(EVEN[:repeats] + i) for i, s in enumerate("abcde")})
    assert sentences[0].startswith(f"{start} tell luck from effect: 5 schemes make 10 comparisons")
    # 2 / 2^n * 10 <= 0.05 from n = 9 on.
    assert "fewer than 9 repeats" in sentences[0]
    assert not any("better" in sentence or "p =" in sentence for sentence in sentences)


def test_one_repeat_has_one_winner():
    assert (
        said({"a": falling([0.1]), "b": falling([0.2])})[1] == "The winner of the one repeat is a."
    )


def test_one_scheme():
    study = study_of({"a": falling(EVEN)})
    text = str(study)
    assert "with one scheme there is nothing to compare" in text
    assert "rank" not in text
    assert "sign test" not in text


def test_identical_schemes():
    curves = falling(EVEN)
    sentences = said({"zeros": curves, "constant(0)": curves})
    assert sentences == (
        "No best scheme: zeros and constant(0) ended at exactly the same loss in every repeat.",
    )
    one_more = said({"zeros": curves, "constant(0)": curves, "c": falling(EVEN + 1)})
    assert one_more[1] == "zeros and constant(0) ended at exactly the same loss in every repeat."
    assert "(shared first places count for each)" in one_more[3]


def test_a_leader_by_rank_that_loses_to_another():
    """a beats b in 32 of 40, and comes last in the other 8, where b is first: b leads by rank.

    The sign test on 32 of 40 gives 0.00018, and 28 comparisons make at most 0.005 of it.
    """
    a = np.where(np.arange(40) < 32, 0.10, 0.90)
    others = {f"c{i}": falling(np.full(40, 0.5)) for i in range(6)}
    sentences = said({"a": falling(a), "b": falling(np.full(40, 0.2)), **others})
    assert sentences[0] == (
        "No single best scheme: b has the best mean rank, yet repeat by repeat it loses to a by "
        "more than luck."
    )
    assert any(
        s.startswith("a beats b: 80 % of 40 pairs, interval 65 to 90, by 0.100") for s in sentences
    )


def test_stuck_and_diverged_are_named_with_their_intervals():
    dead, wild = falling(EVEN), falling(EVEN)
    dead[:5] = 0.69
    wild[:2, -1] = INF
    sentences = said({"dead": dead, "wild": wild})
    # Wilson: 5 of 20 is 11 to 47 %, 2 of 20 is 3 to 30 %.
    assert "Stuck: dead in 5 of 20 runs (interval 11 to 47 %)." in sentences
    assert "Diverged: wild in 2 of 20 runs (interval 3 to 30 %); these runs rank last." in sentences


def test_no_winner_where_all_diverged():
    all_of_them = "8 of 8 runs (interval 68 to 100 %)"
    sentences = said({"a": [[0.7, INF]] * 8, "b": [[0.7, INF]] * 8})
    assert sentences == (
        "Every run of every scheme diverged: there is nothing to compare. A smaller rate may help.",
        f"Diverged: a in {all_of_them} and b in {all_of_them}; these runs rank last.",
    )
    assert said({"a": [[0.7, INF]] * 8}) == (
        "Every run diverged: there is nothing to compare. A smaller rate may help.",
        f"Diverged: a in {all_of_them}.",
    )
    assert "steps to" not in str(study_of({"a": [[0.7, INF]] * 8}))


def test_an_interrupted_study_says_what_it_rests_on():
    curves = {s: falling(EVEN + i) for i, s in enumerate("ab")}
    curves["b"][12:] = NAN
    assert said(curves)[1] == (
        "Only 12 of 20 repeats can be compared, and every figure is from those."
    )
    curves = {s: falling(EVEN) for s in "ab"}
    for curve in curves.values():
        curve[:, 3:] = NAN
    assert said(curves)[0].startswith("At step 20 of 50, where the study was stopped: No best ")


def test_still_falling_is_said():
    slow = np.linspace(2, 1, 6) * np.ones((20, 1)) + EVEN[:, None]
    assert said({"a": slow, "b": slow + 0.1})[-1].startswith("At least half of the runs were still")


def test_a_regression_has_no_accuracy():
    assert "accuracy" not in str(study_of({"a": falling(EVEN), "b": falling(EVEN)}))


def test_many_schemes_are_summed_up():
    curves = {f"normal(0, {i})": falling(EVEN + 0.01 * i) for i in range(1, 13)}
    sentences = said(curves)
    assert sentences[0] == (
        "Best: normal(0, 1). It is better than normal(0, 2), normal(0, 3), normal(0, 4), "
        "normal(0, 5), normal(0, 6) and 6 others by more than luck."
    )
    # 66 comparisons, all with p = 2 / 2**20: Holm gives 66 times that to each, 0.00013.
    assert sentences[1].endswith("others: 100 % of 20 pairs (p at most 0.00013).")
    assert len(sentences) < 6
    even = {f"normal(0, {i})": falling(flipped(5 + i)) for i in range(1, 10)}
    assert "cannot be told apart from" in said(even)[1]
    assert "others in " in said({f"s{i}": falling(flipped(2 * i)) for i in range(10)})[-2]


def test_the_notes_say_what_the_columns_mean():
    text = str(lesson())
    for word in ("middle half:", "steps to", "stuck:", "diverged:", "p: exact two-sided"):
        assert word in text
    assert text.isascii()
    few = str(study_of({"a": falling(EVEN[:3]), "b": falling(EVEN[:3])}))
    assert "the range of the repeats, which holds the true median with 75 % confidence only" in few


def test_a_given_target_is_told_as_such():
    study = lesson()
    assert "steps to 0.350" in str(study.summary(target=0.35))
    assert "(as asked)" in str(study.summary(target=0.35))
    assert "(as asked)" not in str(study.summary())


def test_every_pair_is_tabulated_by_every_measure():
    study = study_of({"a": falling(flipped(11)), "b": falling(EVEN)}, accuracy=True)
    loss, accuracy, spread = pair_tables(study.summary())
    # 11 of 20 is 55 %, its Wilson interval 34 to 74 %.
    assert loss.rows[0][:5] == ("a", "b", "11 of 20", "0", "55 % [34, 74]")
    assert loss.rows[0][-3:] == ("0.82", "can be luck", "820")
    assert [table.columns[5] for table in (loss, accuracy, spread)] == [
        "lower by",
        "higher by",
        "nearer by",
    ]
    assert len(pair_tables(study_of({"a": falling(EVEN), "b": falling(EVEN)}).summary())) == 2
    assert pair_tables(study_of({"a": falling(EVEN)}).summary()) == ()
    many = {f"normal(0, {i})": falling(EVEN[:2]) for i in range(1, 16)}
    assert pair_tables(study_of(many).summary()) == ()


def test_a_longer_training_of_one_scheme_ranks_nothing():
    slow = np.linspace(2, 1, 6) * np.ones((20, 1)) + EVEN[:, None]
    assert said({"a": slow})[-1].endswith("a longer one may end lower.")


def test_starts_alone_are_no_result():
    """Stopped after the first measurement, nothing is trained, whatever the starts look like."""
    curves = {s: falling(EVEN + i) for i, s in enumerate("ab")}
    for curve in curves.values():
        curve[:, 1:] = NAN
    assert said(curves) == ("No repeat was trained under every scheme: there is no result.",)


def test_a_loss_to_infinity_has_no_size():
    """b diverges always, c in 15 of 20: neither is worse by a number."""
    some = falling(EVEN + 0.1)
    some[:15, -1] = INF
    sentences = said({"a": falling(EVEN), "b": [[0.7, *[INF] * 5]] * 20, "c": some})
    assert "a beats b: 100 % of 20 pairs, interval 84 to 100; b diverged in all of them (p < " in (
        " ".join(sentences)
    )
    assert (
        "a beats c: 100 % of 20 pairs, interval 84 to 100; c diverged in half of them or more ("
        in (" ".join(sentences))
    )
    assert any(s.startswith("From run to run a varies") and " and c most (" in s for s in sentences)


def test_a_single_worse_scheme_among_many_is_told_by_its_own_figures():
    curves = {f"s{i}": falling(flipped(6 + i)) for i in range(9)}
    sentences = said({**curves, "bad": falling(EVEN + 1)})
    assert (
        sum(" beats bad: 100 % of 20 pairs, interval 84 to 100, by " in s for s in sentences) == 1
    )
    assert not any(" others: 100 %" in sentence for sentence in sentences)
