"""What a study measured, as figures: one row per scheme, one comparison per pair of schemes.

Schemes are judged by the loss at the last step, on the held-out part where there is one. All of
them meet the same repeats (start seed and data order), so they are compared within repeats: ranks,
wins and a sign test per pair, corrected for the number of pairs. `verdict` puts it in words.
"""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError
from fanin.reports.document import Document
from fanin.studies import statistics
from fanin.studies.comparison import LEVEL, Paired, fewest_pairs, holm, paired
from fanin.studies.statistics import Estimate

if TYPE_CHECKING:
    import xarray

CURVES = ("loss", "accuracy", "held_out_loss", "held_out_accuracy")
"""The variables of a study's dataset; a study has those it measured."""

JUDGED = {"held_out_loss": "held-out loss", "loss": "training loss"}
"""The measures a study can be judged by, the first that it has, with their names for a person."""


@dataclass(frozen=True)
class SchemeSummary:
    """How one scheme did.

    Attributes:
        scheme: The scheme, printed in full.
        runs: Trainings counted.
        loss: Median of the final loss the study is judged by.
        loss_iqm: Mean of the middle half of the same.
        middle_half: Its quartiles over the runs: how much one run differs from the next.
        accuracy: Median of the final accuracy on the same part of the data; None for a regression.
        steps_to_target: Median step at which the target was first met; inf when half or more of the
            runs never did. None when there is no target.
        arrived: Runs that met the target.
        stuck: Runs that learnt nothing, see `statistics.stuck`; None where the loss of the best
            constant guess is not known.
        stuck_share: The same as a share, with interval.
        diverged: Runs whose loss was not finite at the end; they rank last.
        diverged_share: The same as a share, with interval.
        mean_rank: Mean over repeats of the rank among the schemes, 1 is best.
        best_rank: Best rank in any repeat.
        worst_rank: Worst rank in any repeat.
        firsts: Repeats in which no scheme was better; a tie for the first place counts.
    """

    scheme: str
    runs: int
    loss: Estimate
    loss_iqm: Estimate
    middle_half: tuple[float, float]
    accuracy: Estimate | None
    steps_to_target: Estimate | None
    arrived: int
    stuck: int | None
    stuck_share: Estimate | None
    diverged: int
    diverged_share: Estimate
    mean_rank: float
    best_rank: float
    worst_rank: float
    firsts: int


@dataclass(frozen=True)
class Comparison:
    """Two schemes, the one with the better mean rank first.

    Attributes:
        first: A scheme.
        second: Another.
        paired: The two over the same repeats.
        p_adjusted: The p-value after Holm's correction for all pairs of the study.
    """

    first: str
    second: str
    paired: Paired
    p_adjusted: float

    @property
    def real(self) -> bool:
        """Whether the difference is more than luck, at the level of `comparison.LEVEL`."""
        return self.p_adjusted <= LEVEL


@dataclass(frozen=True)
class Summary:
    """The figures of a study and what follows from them; ``str()`` is the text for a person.

    Attributes:
        title: What was compared, one line.
        measure: What the schemes are judged by: ``"held-out loss"`` or ``"training loss"``.
        repeats: Repeats counted.
        planned: Repeats the design asked for.
        steps: Steps after which the schemes are judged.
        planned_steps: Steps the design asked for.
        target: The loss that counts as arriving; None when there is none.
        target_given: Whether the target was asked for; if not, half of all runs end at or below it.
        baseline: Training loss of the best constant guess, None when not known.
        fewest: Repeats needed before any difference can be called real; 0 for one scheme.
        falling: Whether half of the runs were still falling when the training ended.
        rows: One per scheme, by mean rank.
        comparisons: One per pair of schemes, by the loss.
        by_accuracy: The same by the final accuracy, where better is higher; empty for a regression.
        by_spread: The same by the distance of a run's final loss from the median of its scheme,
            where better is nearer: which scheme depends less on its start and on the data's order.
        best: The first scheme and all that are not worse than it by more than luck; empty when
            there are too few repeats to tell anything apart, or one scheme only.
        outsiders: Repeats in which a scheme that is not in `best` came first.
    """

    title: str
    measure: str
    repeats: int
    planned: int
    steps: int
    planned_steps: int
    target: float | None
    target_given: bool
    baseline: float | None
    fewest: int
    falling: bool
    rows: tuple[SchemeSummary, ...]
    comparisons: tuple[Comparison, ...]
    by_accuracy: tuple[Comparison, ...]
    by_spread: tuple[Comparison, ...]
    best: tuple[str, ...]
    outsiders: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdict in plain sentences, the most important first."""
        from fanin.studies.verdict import sentences

        return sentences(self)

    def document(self) -> Document:
        """Lay the summary out for a report: title, verdict, table, notes."""
        from fanin.studies.verdict import document

        return document(self)

    def __str__(self) -> str:
        from fanin.reports.terminal import plain

        return plain(self.document())


def finished(dataset: "xarray.Dataset") -> "xarray.Dataset":
    """Keep the part of an interrupted study that can be compared.

    Repeats measured to the end for every scheme are kept whole. If there is none, the repeats begun
    by every scheme are kept, up to the last point that all of their runs reached. The start alone
    is none: it ranks the schemes before any has been trained.

    Args:
        dataset: As in `Study`; NaN in ``loss`` means not measured.

    Returns:
        The same variables on fewer repeats or points; all of it when nothing is missing.
    """
    measured = ~np.isnan(curves_of(dataset, "loss"))
    whole = measured.all(axis=(0, 2))
    if whole.any():
        return dataset.isel(repeat=np.flatnonzero(whole))
    begun = measured[:, :, 0].all(axis=0)
    reached = measured[:, begun].all(axis=(0, 1))
    points = int(np.argmin(np.append(reached, False))) if begun.any() else 0
    trained = points if points > 1 else 0
    return dataset.isel(repeat=np.flatnonzero(begun), epoch=slice(0, trained))


def curves_of(dataset: "xarray.Dataset", name: str) -> NDArray[np.float64]:
    """Take one variable out of a dataset, whatever the order of its dims.

    Args:
        dataset: As in `Study`.
        name: The variable.

    Returns:
        An array of shape (scheme, repeat, point). In a crossed design a repeat is the mean over its
        data orders, infinite if one of them diverged.
    """
    values = dataset[name]
    if "order" in values.dims:
        values = values.mean("order", skipna=False)
    ordered = values.transpose("scheme", "repeat", "epoch")
    return np.asarray(ordered.values, dtype=np.float64)


def judged_by(dataset: "xarray.Dataset") -> str:
    """Name the variable the schemes are judged by.

    Args:
        dataset: As in `Study`.

    Returns:
        ``"held_out_loss"`` where it was measured, else ``"loss"``.
    """
    held_out = "held_out_loss" in dataset and not np.isnan(dataset["held_out_loss"].values).all()
    return "held_out_loss" if held_out else "loss"


def summarise(
    dataset: "xarray.Dataset",
    title: str,
    planned: int,
    planned_steps: int,
    target: float | None = None,
) -> Summary:
    """Work out the figures of a study.

    Args:
        dataset: As in `Study`, interrupted or not.
        title: What was compared, one line.
        planned: Repeats the design asked for.
        planned_steps: Steps the design asked for.
        target: The loss to arrive at; by default the median of the final losses of all runs.

    Returns:
        The summary; without rows when nothing at all was measured.

    Raises:
        FaninError: The target is not a finite number.

    References:
        The intervals are those of `statistics`, the tests those of `comparison`. A scheme's mean
        rank is 1 plus the sum of its chances of losing against each other scheme, so the order is
        that of the paired wins.
    """
    from scipy.stats import rankdata

    if target is not None and not math.isfinite(target):
        raise FaninError(f"target must be a loss, a finite number, got {target}")
    kept = finished(dataset)
    measure = judged_by(kept)
    schemes = tuple(str(name) for name in kept["scheme"].values)
    curves = curves_of(kept, measure)
    training = curves_of(kept, "loss")
    repeats, points = curves.shape[1:]
    steps = np.asarray(kept["step"].values)
    baseline = kept.attrs.get("baseline_loss")
    common: dict[str, Any] = {
        "title": title,
        "measure": JUDGED[measure],
        "repeats": repeats if points else 0,
        "planned": planned,
        "steps": int(steps[-1]) if points else 0,
        "planned_steps": planned_steps,
        "target_given": target is not None,
        "baseline": baseline,
        "fewest": _fewest(len(schemes)),
    }
    if repeats == 0 or points == 0:
        lists = ("rows", "comparisons", "by_accuracy", "by_spread", "best")
        nothing: dict[str, Any] = dict.fromkeys(lists, ())
        return Summary(**common, **nothing, target=target, falling=False, outsiders=0)
    final = curves[..., -1].copy()
    diverged = np.isinf(training[..., -1]) | np.isinf(final)
    final[diverged] = np.inf
    ranks = np.asarray(rankdata(final, axis=0), dtype=np.float64)
    # A repeat in which every scheme diverged has no winner.
    winners = (final == final.min(axis=0)) & np.isfinite(final)
    goal = target if target is not None else _finite(float(np.median(final)))
    stuck = None if baseline is None else statistics.stuck(training, steps, float(baseline))
    accuracy = _accuracy(kept, measure)
    rows = [
        _row(
            scheme,
            final[index],
            accuracy=None if accuracy is None else accuracy[index],
            arrivals=None if goal is None else statistics.first_arrival(curves[index], steps, goal),
            stuck=None if stuck is None else int(stuck[index].sum()),
            diverged=int(diverged[index].sum()),
            ranks=ranks[index],
            firsts=int(winners[index].sum()),
        )
        for index, scheme in enumerate(schemes)
    ]
    rows.sort(key=lambda row: (row.mean_rank, row.loss.value))
    order = [schemes.index(row.scheme) for row in rows]
    comparisons = _compare(order, schemes, final)
    best = _best(rows, comparisons) if len(rows) > 1 and repeats >= common["fewest"] else ()
    inside = np.isin(np.asarray(schemes), best)
    won_outside = winners.any(axis=0) & ~winners[inside].any(axis=0)
    return Summary(
        **common,
        target=goal,
        falling=baseline is not None and _falling(training, steps, float(baseline)),
        rows=tuple(rows),
        comparisons=comparisons,
        by_accuracy=() if accuracy is None else _compare(order, schemes, -accuracy),
        by_spread=_compare(order, schemes, _distances(final)),
        best=best,
        outsiders=int(won_outside.sum()) if best else 0,
    )


def _accuracy(dataset: "xarray.Dataset", measure: str) -> NDArray[np.float64] | None:
    name = measure.replace("loss", "accuracy")
    if name not in dataset or np.isnan(dataset[name].values).all():
        return None
    return curves_of(dataset, name)[..., -1]


def _row(
    scheme: str,
    final: NDArray[np.float64],
    *,
    accuracy: NDArray[np.float64] | None,
    arrivals: NDArray[np.float64] | None,
    stuck: int | None,
    diverged: int,
    ranks: NDArray[np.float64],
    firsts: int,
) -> SchemeSummary:
    return SchemeSummary(
        scheme=scheme,
        runs=final.size,
        loss=statistics.median(final),
        loss_iqm=statistics.interquartile_mean(final),
        middle_half=statistics.middle_half(final),
        accuracy=None if accuracy is None else statistics.median(accuracy),
        steps_to_target=None if arrivals is None else statistics.median(arrivals),
        arrived=0 if arrivals is None else int(np.isfinite(arrivals).sum()),
        stuck=stuck,
        stuck_share=None if stuck is None else statistics.proportion(float(stuck), final.size),
        diverged=diverged,
        diverged_share=statistics.proportion(float(diverged), final.size),
        mean_rank=float(ranks.mean()),
        best_rank=float(ranks.min()),
        worst_rank=float(ranks.max()),
        firsts=firsts,
    )


def _fewest(schemes: int) -> int:
    return fewest_pairs(math.comb(schemes, 2)) if schemes > 1 else 0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _compare(
    order: list[int], schemes: tuple[str, ...], values: NDArray[np.float64]
) -> tuple[Comparison, ...]:
    """Compare all pairs, in the order of the rows; values of shape (scheme, repeat), lower wins."""
    pairs = list(combinations(order, 2))
    results = [paired(values[first], values[second]) for first, second in pairs]
    adjusted = holm([result.p_value for result in results])
    return tuple(
        Comparison(schemes[first], schemes[second], result, p)
        for (first, second), result, p in zip(pairs, results, adjusted, strict=True)
    )


def _distances(final: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each run ends from the median of its scheme; a diverged run, infinitely far."""
    with np.errstate(invalid="ignore"):
        distances = np.abs(final - np.median(final, axis=1, keepdims=True))
    return np.where(np.isinf(final), np.inf, distances)


def _best(rows: list[SchemeSummary], comparisons: tuple[Comparison, ...]) -> tuple[str, ...]:
    leader = rows[0].scheme
    worse = {
        pair.second
        for pair in comparisons
        if pair.first == leader and pair.real and pair.paired.better > pair.paired.worse
    }
    return tuple(row.scheme for row in rows if row.scheme not in worse)


def _falling(training: NDArray[np.float64], steps: NDArray[np.integer], baseline: float) -> bool:
    late = statistics.late_fall(training, steps)
    return bool(np.mean(late > statistics.STUCK_MARGIN * baseline) >= 0.5)
