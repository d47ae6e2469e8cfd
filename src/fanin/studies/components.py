"""How much of the luck is the start, how much the order of the data, and how much the two together.

In a crossed design every start meets every order, so the final losses of a scheme are a table: what
its rows share is the start, what its columns share is the order, and what neither explains is the
rest. One run fills one cell, so the rest is the interaction of start and order and any noise beside
it; the two cannot be told apart.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fanin.errors import FaninError
from fanin.studies.statistics import CONFIDENCE, Estimate

DRAWS = 10_000
"""Draws behind an interval: the 2.5 % tail then holds 250 of them."""

KEPT = 0.5
"""Share of the runs that must not have diverged; the rest would speak for a minority."""


@dataclass(frozen=True)
class Components:
    """Where the differences between the runs of a scheme come from, as shares of their variance.

    Attributes:
        start: Share of the start.
        order: Share of the order of the data.
        rest: Share of what neither explains alone; the three add up to 1.
        deviation: Standard deviation of a run with a new start and a new order, in the units of
            what was analysed; of a logarithm it is about the relative deviation.
        starts: Starts that were analysed.
        orders: Orders that were analysed.
        left_out: Runs that were not: the diverged ones, and those that share a start or an order
            with one, as far as it takes to have a full table.
    """

    start: Estimate
    order: Estimate
    rest: Estimate
    deviation: float
    starts: int
    orders: int
    left_out: int


def components(
    values: ArrayLike, confidence: float = CONFIDENCE, seed: int = 0
) -> Components | None:
    """Split the variance of a table by the two-way random effects model.

    The estimates are those of restricted maximum likelihood. On a full table they are the classical
    ones of the analysis of variance wherever those are admissible; where one of those would be
    negative, they are still shares that add up to 1. The intervals are generalised confidence
    intervals: the mean squares are divided by fresh chi-square draws, and the shares of each draw
    are a sample of what the true ones may be. That rests on effects that are about normal, hence
    the logarithm, see `analysed`; in simulations of 20 starts and 10 orders the 95 % intervals held
    the truth in 95 to 96 % of the tables with normal effects, and in 83 to 95 % with heavy tails
    (Student's t of 5 degrees) or two clusters.

    Args:
        values: One value per run, shape (start, order); infinite or NaN for a run without one.
        confidence: Confidence of the intervals.
        seed: Seed of the simulation.

    Returns:
        The shares; None where there is nothing to split: fewer than two starts or orders with a
        full table, more than half of the runs without a value, or no difference between any two.

    Raises:
        FaninError: The values are not a table.

    Example:
        >>> split = components([[1.0, 1.1, 1.2], [2.0, 2.1, 2.2], [4.0, 4.1, 4.2]])
        >>> f"{split.start.value:.3f} {split.order.value:.3f} {split.rest.value:.3f}"
        '0.996 0.004 0.000'

    References:
        Searle, Casella and McCulloch (1992), Variance components, section 4.7 (the model and its
        mean squares). Thompson (1962), The problem of negative estimates of variance components
        (restricted maximum likelihood by pooling). Weerahandi (1993), Generalized confidence
        intervals. Burdick, Borror and Montgomery (2005), Design and analysis of gauge R&R studies,
        section 3 and appendix B (the same intervals for this very model).
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise FaninError(
            f"variance components need a table (start, order), got an array of shape {table.shape}"
        )
    full = _full(table)
    if min(full.shape) < 2 or full.size < KEPT * table.size or np.ptp(full) == 0:
        return None
    squares, degrees = mean_squares(full)
    found = restricted(squares, degrees, full.shape)
    generator = np.random.default_rng(seed)
    chances = squares * degrees / generator.chisquare(degrees, (DRAWS, 3))
    drawn = _solved(chances.T, full.shape)
    tail = (1 - confidence) / 2
    ends = np.quantile(drawn / drawn.sum(axis=0), (tail, 1 - tail), axis=1)
    shares = [
        Estimate(value, min(low, value), max(high, value), confidence)
        for value, low, high in zip((found / found.sum()).tolist(), *ends.tolist(), strict=True)
    ]
    return Components(
        *shares,
        deviation=math.sqrt(float(found.sum())),
        starts=full.shape[0],
        orders=full.shape[1],
        left_out=table.size - full.size,
    )


def analysed(final: ArrayLike) -> tuple[NDArray[np.float64], bool]:
    """Choose what the variance is taken of: the logarithm of the losses, where they have one.

    Losses differ by factors, and a few large ones would be all of a plain variance. Where all runs
    end at about the same loss, both give the same shares.

    Args:
        final: Final losses, any shape; inf for a diverged run.

    Returns:
        The values, and whether they are logarithms; they are not when a loss is exactly 0.

    Example:
        >>> analysed([1.0, float("inf")]), analysed([1.0, 0.0])
        ((array([ 0., inf]), True), (array([1., 0.]), False))
    """
    losses = np.asarray(final, dtype=np.float64)
    if np.any(losses <= 0):
        return losses, False
    return np.log(losses), True


def mean_squares(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Work out the mean squares of a full table.

    Args:
        table: One finite value per cell, shape (row, column), at least 2 of each.

    Returns:
        The mean squares of rows, columns and rest, and their degrees of freedom; shape (3,) each.

    References:
        Searle, Casella and McCulloch (1992), Variance components, table 4.8.
    """
    rows, columns = table.shape
    centred = table - table.mean()
    by_row, by_column = centred.mean(axis=1), centred.mean(axis=0)
    rest = centred - by_row[:, None] - by_column
    sums = (columns * np.sum(by_row**2), rows * np.sum(by_column**2), np.sum(rest**2))
    degrees = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
    return np.array(sums) / degrees, degrees


def restricted(
    squares: NDArray[np.float64], degrees: NDArray[np.int64], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Estimate by restricted maximum likelihood, in closed form.

    The expected mean square of the rows, or of the columns, is never below that of the rest. Where
    the observed ones are, the likelihood is largest when those in conflict share their weighted
    mean; the smallest is taken first, as the other may no longer be in conflict then.

    Args:
        squares: Mean squares of rows, columns and rest.
        degrees: Their degrees of freedom.
        shape: Rows and columns.

    Returns:
        The components of rows, columns and rest, shape (3,).

    References:
        Thompson (1962), The problem of negative estimates of variance components, section 4.
    """
    expected = squares.copy()
    pooled = [2]
    for place in np.argsort(squares[:2]):
        if expected[place] < expected[2]:
            pooled.append(int(place))
            expected[pooled] = np.sum((squares * degrees)[pooled]) / np.sum(degrees[pooled])
    return _solved(expected, shape)


def _solved(expected: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The components behind expected mean squares, of shape (3, ...)."""
    rows, columns = shape
    row, column, rest = expected
    return np.stack(
        [np.maximum(row - rest, 0.0) / columns, np.maximum(column - rest, 0.0) / rows, rest]
    )


def _full(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The table without missing cells: the row or column with the largest share of them goes."""
    kept = table
    while kept.size:
        missing = ~np.isfinite(kept)
        by_row, by_column = missing.mean(axis=1), missing.mean(axis=0)
        if not missing.any():
            break
        if by_row.max() > by_column.max() or (
            by_row.max() == by_column.max() and kept.shape[0] >= kept.shape[1]
        ):
            kept = np.delete(kept, np.argmax(by_row), axis=0)
        else:
            kept = np.delete(kept, np.argmax(by_column), axis=1)
    return kept
