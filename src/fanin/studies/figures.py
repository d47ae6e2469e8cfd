"""From curves to the figures of a study.

Runs are counted as runs: those that arrived, got stuck or diverged, and how they spread. Schemes
are compared by repeats, for the runs of one start are not independent of each other: in a crossed
design a repeat counts by the median of its orders, so that every test and every interval says what
new starts would do under the same orders.
"""

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError, nearest
from fanin.reports.document import listed
from fanin.studies import statistics
from fanin.studies.comparison import LEVEL, fewest_pairs, holm, paired
from fanin.studies.components import Components, analysed, components
from fanin.studies.measured import JUDGED, by_repeat, curves_of, finished, judged_by
from fanin.studies.summary import Comparison, SchemeSummary, Summary
from fanin.studies.survival import first_arrival, half_arrived

if TYPE_CHECKING:
    import xarray


def summarise(
    dataset: "xarray.Dataset",
    title: str,
    planned: int,
    planned_steps: int,
    target: float | None = None,
    reference: str | None = None,
) -> Summary:
    """Work out the figures of a study.

    Args:
        dataset: As in `Study`, interrupted or not.
        title: What was compared, one line.
        planned: Repeats the design asked for.
        planned_steps: Steps the design asked for.
        target: The loss to arrive at; by default the median of the final losses of all runs.
        reference: The scheme that each other is compared with; by default all pairs are compared.

    Returns:
        The summary; without rows when nothing at all was measured.

    Raises:
        FaninError: The target is not a finite number, or the reference is not among the schemes.

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
    check_reference(reference, schemes)
    curves, training = curves_of(kept, measure), curves_of(kept, "loss")
    repeats, orders, points = curves.shape[1:]
    steps = np.asarray(kept["step"].values)
    constant = kept.attrs.get("baseline_loss")
    common: dict[str, Any] = {
        "title": title,
        "measure": JUDGED[measure],
        "repeats": repeats if points else 0,
        "orders": orders,
        "planned": planned,
        "steps": int(steps[-1]) if points else 0,
        "planned_steps": planned_steps,
        "target_given": target is not None,
        "constant_loss": constant,
        "reference": reference,
        "fewest": _fewest(len(schemes), reference),
    }
    if repeats == 0 or points == 0:
        lists = ("rows", "comparisons", "by_accuracy", "by_spread", "best")
        nothing: dict[str, Any] = dict.fromkeys(lists, ())
        return Summary(
            **common, **nothing, target=target, logarithm=False, falling=False, outsiders=0
        )
    final = curves[..., -1].copy()
    diverged = np.isinf(training[..., -1]) | np.isinf(final)
    final[diverged] = np.inf
    outcome = by_repeat(final)
    ranks = np.asarray(rankdata(outcome, axis=0), dtype=np.float64)
    # A repeat in which every scheme diverged has no winner.
    winners = (outcome == outcome.min(axis=0)) & np.isfinite(outcome)
    goal = target if target is not None else _finite(float(np.median(final)))
    stuck = None if constant is None else statistics.stuck(training, steps, float(constant))
    accuracy = _accuracy(kept, measure)
    split, logarithm = analysed(final)
    rows = [
        _row(
            scheme,
            final[index],
            outcome[index],
            accuracy=None if accuracy is None else accuracy[index],
            arrivals=None if goal is None else first_arrival(curves[index], steps, goal),
            stuck=None if stuck is None else stuck[index],
            diverged=diverged[index],
            ranks=ranks[index],
            firsts=int(winners[index].sum()),
            parts=components(split[index]) if orders > 1 else None,
        )
        for index, scheme in enumerate(schemes)
    ]
    rows.sort(key=lambda row: (row.mean_rank, row.loss.value))
    order = [schemes.index(row.scheme) for row in rows]
    if reference is None:
        pairs = list(combinations(order, 2))
    else:
        pairs = [(place, schemes.index(reference)) for place in order]
        pairs = [(first, second) for first, second in pairs if first != second]
    comparisons = _compare(pairs, schemes, outcome)
    several = len(rows) > 1 and repeats >= common["fewest"] and reference is None
    best = _best(rows, comparisons) if several else ()
    inside = np.isin(np.asarray(schemes), best)
    won_outside = winners.any(axis=0) & ~winners[inside].any(axis=0)
    return Summary(
        **common,
        target=goal,
        logarithm=logarithm,
        falling=constant is not None and _falling(training, steps, float(constant)),
        rows=tuple(rows),
        comparisons=comparisons,
        by_accuracy=() if accuracy is None else _compare(pairs, schemes, -accuracy),
        by_spread=_compare(pairs, schemes, by_repeat(_distances(final))),
        best=best,
        outsiders=int(won_outside.sum()) if best else 0,
    )


def check_reference(reference: str | None, schemes: tuple[str, ...]) -> None:
    """Hold a baseline to the schemes of a study.

    Args:
        reference: The scheme named as the baseline, printed in full, if any.
        schemes: Those that are trained.

    Raises:
        FaninError: It is not one of them, or the only one.
    """
    if reference is None:
        return
    if reference not in schemes:
        raise FaninError(
            f"baseline {reference} is not among the schemes, {listed(schemes)}: add it to them"
            f"{nearest(reference, schemes)}"
        )
    if len(schemes) == 1:
        raise FaninError(
            f"baseline {reference} is the only scheme: name another to hold against it"
        )


def _accuracy(dataset: "xarray.Dataset", measure: str) -> NDArray[np.float64] | None:
    name = measure.replace("loss", "accuracy")
    if name not in dataset or np.isnan(dataset[name].values).all():
        return None
    return by_repeat(curves_of(dataset, name)[..., -1])


def _row(
    scheme: str,
    final: NDArray[np.float64],
    outcome: NDArray[np.float64],
    *,
    accuracy: NDArray[np.float64] | None,
    arrivals: NDArray[np.float64] | None,
    stuck: NDArray[np.bool_] | None,
    diverged: NDArray[np.bool_],
    ranks: NDArray[np.float64],
    firsts: int,
    parts: Components | None,
) -> SchemeSummary:
    """One scheme; `final`, `arrivals`, `stuck` and `diverged` have the shape (repeat, order)."""
    return SchemeSummary(
        scheme=scheme,
        runs=final.size,
        loss=statistics.median(outcome),
        loss_iqm=statistics.interquartile_mean(outcome),
        middle_half=statistics.middle_half(final),
        accuracy=None if accuracy is None else statistics.median(accuracy),
        steps_to_target=None if arrivals is None else half_arrived(_by_half(arrivals)),
        arrived=0 if arrivals is None else int(np.isfinite(arrivals).sum()),
        stuck=None if stuck is None else int(stuck.sum()),
        stuck_share=None if stuck is None else statistics.share_of_runs(stuck),
        diverged=int(diverged.sum()),
        diverged_share=statistics.share_of_runs(diverged),
        mean_rank=float(ranks.mean()),
        best_rank=float(ranks.min()),
        worst_rank=float(ranks.max()),
        firsts=firsts,
        components=parts,
    )


def _by_half(arrivals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The step by which half of the orders of each repeat have arrived."""
    return np.quantile(arrivals, 0.5, axis=1, method="inverted_cdf")


def _fewest(schemes: int, reference: str | None) -> int:
    comparisons = math.comb(schemes, 2) if reference is None else schemes - 1
    return fewest_pairs(comparisons) if comparisons else 0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _compare(
    pairs: list[tuple[int, int]], schemes: tuple[str, ...], values: NDArray[np.float64]
) -> tuple[Comparison, ...]:
    """Compare these pairs; values of shape (scheme, repeat), lower wins."""
    results = [paired(values[first], values[second]) for first, second in pairs]
    adjusted = holm([result.p_value for result in results])
    open_ = max(1, sum(p > LEVEL for p in adjusted))
    return tuple(
        Comparison(schemes[first], schemes[second], result, p, LEVEL / open_)
        for (first, second), result, p in zip(pairs, results, adjusted, strict=True)
    )


def _distances(final: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each run ends from the median of its scheme; a diverged run, infinitely far."""
    with np.errstate(invalid="ignore"):
        distances = np.abs(final - np.median(final, axis=(1, 2), keepdims=True))
    return np.where(np.isinf(final), np.inf, distances)


def _best(rows: list[SchemeSummary], comparisons: tuple[Comparison, ...]) -> tuple[str, ...]:
    leader = rows[0].scheme
    worse = {
        pair.second
        for pair in comparisons
        if pair.first == leader and pair.real and pair.paired.better > pair.paired.worse
    }
    return tuple(row.scheme for row in rows if row.scheme not in worse)


def _falling(training: NDArray[np.float64], steps: NDArray[np.integer], constant: float) -> bool:
    late = statistics.late_fall(training, steps)
    return bool(np.mean(late > statistics.STUCK_MARGIN * constant) >= 0.5)
