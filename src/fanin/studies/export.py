"""A study as JSON, for programs: the figures a person reads and every curve behind them.

The object has these keys, and a change of their meaning changes ``format``:

- ``format``: ``"fanin study 1"``; ``fanin``: the version that wrote it
- ``design``: what was fixed, as `Design.to_json` writes it
- ``notes``: sentences about how the trainings were run
- ``verdict``: sentences, the first one alone is the answer; ``best``: the first scheme and those
  not worse than it by more than luck, empty when nothing could be told
- ``judged_by``, ``repeats``, ``steps``, ``target``, ``fewest_repeats``: what the figures below are
  about; see `Summary`
- ``compared_with``: the scheme named as the baseline, null when all pairs are compared
- ``baseline_loss``: the loss of the best constant guess; it is no scheme's
- ``schemes``: one object per scheme, by mean rank; see `SchemeSummary`
- ``components_of``: what the ``components`` of a scheme split: ``"logarithm of the loss"`` or
  ``"loss"``; null where the design is not crossed
- ``comparisons``: by ``loss``, ``accuracy`` and ``spread``, one object per pair; see `Paired`, with
  ``p_adjusted``, ``real`` and ``repeats_needed`` beside
- ``seed``: one per repeat, also of repeats not finished
- ``order_seed``: one per data order of a crossed design; empty where every repeat has its own
- ``epoch``, ``step``: the points of the curves, in a page perhaps fewer than the design measured
- ``curves``: for each measure, for each scheme, a list per run of one number per point; the runs of
  a crossed design are, for every repeat, its orders one after the other
- ``not_arrived``: for each scheme the ``share`` of its runs not yet at the target after each point,
  with the ends ``low`` and ``high`` of its interval; see `Study.survival`

An estimate is an object with ``value``, ``low``, ``high`` and ``confidence``. JSON has no infinity:
a diverged loss, and the steps of a run that never arrives, are the text ``"inf"``; what was not
measured is null.
"""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fanin.reports.numbers import jsonable
from fanin.studies.measured import CURVES, runs_of
from fanin.studies.summary import Comparison, Summary

if TYPE_CHECKING:
    from fanin.studies.study import Study

FORMAT = "fanin study 1"
"""Name and version of the layout."""


def to_json(study: "Study", limit: int | None = None) -> str:
    """Write a study.

    Args:
        study: The study, interrupted or not.
        limit: Characters the text should not pass by much. To keep to it the curves are given at
            fewer points, the last one always among them, then not at all; then go the comparisons.

    Returns:
        One JSON object with the keys above.
    """
    dataset, figures = study.dataset, _figures(study)
    points = dataset.sizes["epoch"]
    whole = _written(figures | _curves(study, figures["target"], np.arange(points)))
    if limit is None or len(whole) <= limit:
        return whole
    taken = len(_written(figures))
    room = int((limit - taken) * points // (len(whole) - taken))
    if room < 0:
        figures["comparisons"] = {}
    return _written(figures | _curves(study, figures["target"], thinned(points, room)))


def thinned(points: int, most: int) -> NDArray[np.intp]:
    """Choose evenly spaced points, the last one always.

    Args:
        points: How many there are.
        most: How many are wanted at most.

    Returns:
        Their places, ascending.

    Example:
        >>> thinned(6, 3).tolist(), thinned(6, 1).tolist(), thinned(6, 9).tolist()
        ([1, 3, 5], [5], [0, 1, 2, 3, 4, 5])
    """
    if most < 1:
        return np.arange(0)
    stride = -(-points // most)
    return np.arange(points - 1, -1, -stride)[::-1]


def _figures(study: "Study") -> dict[str, Any]:
    summary, dataset = study.summary(), study.dataset
    return {
        "format": FORMAT,
        "fanin": dataset.attrs.get("fanin"),
        "design": json.loads(study.design.to_json()),
        "notes": study.notes,
        "verdict": summary.sentences,
        "best": summary.best,
        "judged_by": summary.measure,
        "repeats": summary.repeats,
        "steps": summary.steps,
        "target": summary.target,
        "compared_with": summary.reference,
        "baseline_loss": summary.constant_loss,
        "fewest_repeats": summary.fewest,
        "schemes": [dataclasses.asdict(row) for row in summary.rows],
        "components_of": _components_of(summary),
        "comparisons": {
            "loss": [_comparison(pair) for pair in summary.comparisons],
            "accuracy": [_comparison(pair) for pair in summary.by_accuracy],
            "spread": [_comparison(pair) for pair in summary.by_spread],
        },
        "seed": dataset["seed"].values.tolist(),
        "order_seed": dataset["order_seed"].values.tolist() if "order_seed" in dataset else [],
    }


def _components_of(summary: Summary) -> str | None:
    if summary.orders == 1:
        return None
    return "logarithm of the loss" if summary.logarithm else "loss"


def _curves(study: "Study", target: float | None, places: NDArray[np.intp]) -> dict[str, Any]:
    part = study.dataset.isel(epoch=places)
    schemes = [str(scheme) for scheme in part["scheme"].values]
    return {
        "epoch": part["epoch"].values.tolist(),
        "step": part["step"].values.tolist(),
        "curves": {
            name: {
                scheme: _numbers(curves)
                for scheme, curves in zip(schemes, runs_of(part, name), strict=True)
            }
            for name in CURVES
            if name in part
        },
        "not_arrived": _not_arrived(study, target, places),
    }


def _not_arrived(study: "Study", target: float | None, places: NDArray[np.intp]) -> dict[str, Any]:
    if target is None:
        return {}
    return {
        curve.scheme: {
            name: [float(f"{getattr(curve, name)[place]:.6g}") for place in places]
            for name in ("share", "low", "high")
        }
        for curve in study.survival(target).curves
    }


def _comparison(pair: Comparison) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        **dataclasses.asdict(pair.paired),
        "p_adjusted": pair.p_adjusted,
        "real": pair.real,
        "repeats_needed": pair.repeats_needed,
    }


def _numbers(values: NDArray[np.floating]) -> list[list[float]]:
    """Curves are float32; the digits that make them float64 would more than double the file."""
    narrow = values.astype(np.float32)
    return [[float(str(number)) for number in row] for row in narrow]


def _written(content: dict[str, Any]) -> str:
    return json.dumps(jsonable(content), allow_nan=False)
