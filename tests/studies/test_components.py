"""Variance components against published figures, known truths and the likelihood itself."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from fanin.errors import FaninError
from fanin.studies.components import analysed, components, mean_squares, restricted

PENICILLIN = """
27 23 26 23 23 21  27 23 26 23 23 21  25 21 25 24 24 20  26 23 25 23 23 20  25 22 26 22 23 20
24 22 25 23 22 19  24 20 23 21 22 19  26 22 26 24 24 21  24 21 24 22 22 20  24 21 24 23 22 19
26 23 26 24 24 21  25 22 26 24 24 20  26 24 26 24 25 22  26 23 26 23 23 20  26 23 25 24 24 22
25 22 25 23 23 20  25 21 24 23 23 20  25 22 24 23 23 19  24 21 23 21 21 19  26 23 26 24 24 21
25 21 24 22 22 18  25 22 25 22 22 20  24 21 24 22 24 19  24 21 24 22 21 18
"""
"""Davies and Goldsmith (1972), section 6.6: six samples on each of 24 plates."""


def table(generator, shape, variances, draw=None):
    draw = draw or generator.standard_normal
    rows, columns = shape
    row, column, rest = (math.sqrt(v) for v in variances)
    return row * draw((rows, 1)) + column * draw((1, columns)) + rest * draw(shape)


def test_published_figures():
    """lme4 gives 0.71691, 3.73092 and 0.30242 by REML (Bates, lme4, section 2.1)."""
    plates = np.array(PENICILLIN.split(), float).reshape(24, 6)
    squares, degrees = mean_squares(plates)
    found = restricted(squares, degrees, plates.shape)
    assert [float(v) for v in found] == pytest.approx([0.71691, 3.73092, 0.30242], abs=6e-6)
    parts = components(plates)
    assert parts.order.value == pytest.approx(3.73092 / 4.75025, abs=1e-5)
    assert parts.deviation == pytest.approx(math.sqrt(4.75025), abs=1e-5)


def slow(values):
    """Minus the restricted log-likelihood, by the covariance matrix of all cells."""
    rows, columns = values.shape
    same_row = np.kron(np.eye(rows), np.ones((columns, columns)))
    same_column = np.kron(np.ones((rows, rows)), np.eye(columns))
    ones, y = np.ones((values.size, 1)), values.ravel()

    def criterion(variances):
        cov = variances[0] * same_row + variances[1] * same_column
        cov = cov + variances[2] * np.eye(values.size)
        inverse = np.linalg.inv(cov)
        weight = ones.T @ inverse @ ones
        residual = y - (ones.T @ inverse @ y / weight[0, 0])[0]
        fit = residual @ inverse @ residual
        return 0.5 * (np.linalg.slogdet(cov)[1] + math.log(weight[0, 0]) + fit)

    return criterion


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("variances", [(1, 0.5, 1), (0, 0.5, 1), (0, 0, 1)])
def test_no_other_components_are_more_likely(seed, variances):
    """Where a component would be negative, too: there the best lies on the border."""
    values = table(np.random.default_rng(seed), (5, 4), variances)
    squares, degrees = mean_squares(values)
    found = np.array([float(v) for v in restricted(squares, degrees, values.shape)])
    criterion = slow(values)
    bounds = [(0, None), (0, None), (1e-6, None)]
    best = min(
        minimize(criterion, start, bounds=bounds, method="L-BFGS-B").fun
        for start in (found, np.array([0.5, 0.5, 0.5]))
    )
    assert criterion(found) <= best + 1e-6


def test_mean_squares_are_unbiased():
    """E = variance of the rest plus columns (rows) times that of the row (column).

    Over 2000 tables a mean square of d degrees has the relative standard error sqrt(2 / d / 2000);
    four of them are allowed.
    """
    generator, shape, truth = np.random.default_rng(0), (8, 5), (0.5, 0.2, 0.3)
    squares = [mean_squares(table(generator, shape, truth)) for _ in range(2000)]
    mean = np.mean([found for found, _ in squares], axis=0)
    expected = [0.3 + 5 * 0.5, 0.3 + 8 * 0.2, 0.3]
    for one, wanted, degrees in zip(mean, expected, (7, 4, 28), strict=True):
        assert one == pytest.approx(wanted, rel=4 * math.sqrt(2 / degrees / 2000))


@pytest.mark.parametrize(
    ("shape", "truth"),
    [((20, 10), (0.6, 0.1, 0.3)), ((10, 4), (0.1, 0.6, 0.3)), ((20, 10), (0.05, 0.05, 0.9))],
)
def test_intervals_hold_the_truth(shape, truth):
    """95 % nominal over 600 tables: the standard error is 0.9 %, three of them below is 92.3 %."""
    generator = np.random.default_rng(0)
    held = np.zeros(3)
    for _ in range(600):
        parts = components(table(generator, shape, truth))
        shares = (parts.start, parts.order, parts.rest)
        held += [one.low <= true <= one.high for one, true in zip(shares, truth, strict=True)]
    assert (held / 600 >= 0.923).all()


def test_heavy_tails_widen_nothing_and_cost_some_coverage():
    """What the documentation says of Student's t with 5 degrees: at least 80 % are held."""
    generator = np.random.default_rng(2)

    def draw(size):
        return generator.standard_t(5, size) / math.sqrt(5 / 3)

    truth = (0.6, 0.1, 0.3)
    held = np.zeros(3)
    for _ in range(200):
        parts = components(table(generator, (20, 10), truth, draw))
        shares = (parts.start, parts.order, parts.rest)
        held += [one.low <= true <= one.high for one, true in zip(shares, truth, strict=True)]
    assert (held / 200 >= 0.8).all()


@given(st.integers(0, 10**6), st.integers(2, 7), st.integers(2, 7))
def test_shares_are_shares(seed, rows, columns):
    parts = components(np.random.default_rng(seed).normal(size=(rows, columns)))
    shares = (parts.start, parts.order, parts.rest)
    assert sum(share.value for share in shares) == pytest.approx(1)
    for share in shares:
        assert 0 <= share.low <= share.value <= share.high <= 1


def test_turning_the_table_turns_start_and_order():
    values = table(np.random.default_rng(3), (6, 5), (1, 0.3, 0.2))
    one, other = components(values), components(values.T)
    assert one.start.value == pytest.approx(other.order.value)
    assert one.rest.value == pytest.approx(other.rest.value)


def test_diverged_runs_are_left_out_with_their_start_or_order():
    values = table(np.random.default_rng(4), (10, 5), (1, 0.3, 0.2))
    spoiled = values.copy()
    spoiled[3, 2] = math.inf
    left = components(spoiled)
    assert (left.starts, left.orders, left.left_out) == (9, 5, 5)
    assert left.start == components(np.delete(values, 3, axis=0)).start
    whole_order = values.copy()
    whole_order[:, 1] = math.inf
    left = components(whole_order)
    assert (left.starts, left.orders, left.left_out) == (10, 4, 10)
    values[:6] = math.inf
    assert components(values) is None


def test_nothing_to_split():
    assert components(np.full((4, 3), 0.7)) is None
    assert components([[1.0, 2.0]]) is None
    assert components(np.full((3, 3), math.inf)) is None
    with pytest.raises(FaninError, match=r"shape \(2,\)"):
        components([1.0, 2.0])


def test_what_is_analysed():
    """A constant factor moves no share of the logarithm; a loss of 0 has none."""
    losses = np.exp(table(np.random.default_rng(5), (6, 4), (1, 0.3, 0.2)))
    one, two = (components(analysed(scale * losses)[0]) for scale in (1, 1000))
    assert one.start.value == pytest.approx(two.start.value)
    assert analysed(losses)[1]
    assert not analysed(np.where(losses < 1, 0, losses))[1]
