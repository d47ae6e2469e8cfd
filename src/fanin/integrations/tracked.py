"""What a tracker of experiments is told of a study: few runs, one for each scheme.

A person opens a tracker to lay curves over one another. A run for each single training would be a
thousand lines in the picture and minutes of writing, so a scheme is one run, whose curves are the
median and the quartiles of its trainings; the study as a whole, with the verdict, is one more. What
is not finite is left out, as no tracker can draw it: the curve of a scheme ends where half of its
trainings have diverged, and how many have is a figure of its own. Every single curve is in the JSON
of the study, which is stored beside where the tracker keeps files.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fanin.errors import FaninError
from fanin.studies.export import thinned
from fanin.studies.measured import CURVES, finished, runs_of
from fanin.studies.summary import SchemeSummary, Summary

if TYPE_CHECKING:
    from fanin.studies.study import Study

SCHEMES = 50
"""Schemes that get a run of their own, the best ones; nobody reads a list of more."""

POINTS = 200
"""Points of a curve."""

BANDS = {"median": 0.5, "first_quartile": 0.25, "third_quartile": 0.75}
"""The curves of one measure, by the share of the trainings that lies below."""


@dataclass(frozen=True)
class TrackedScheme:
    """One scheme as a run.

    Attributes:
        scheme: The scheme, printed in full.
        steps: The measured steps.
        curves: Per curve, such as ``"held_out_loss/median"``, a value for each step; None where it
            is not finite.
        figures: What it came to: final loss, accuracy, mean rank, runs stuck and diverged; a figure
            that is not finite is left out.
    """

    scheme: str
    steps: tuple[int, ...]
    curves: dict[str, tuple[float | None, ...]]
    figures: dict[str, float]

    def points(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Walk along the curves.

        Yields:
            Each step with what was measured there.
        """
        for place, step in enumerate(self.steps):
            found = {name: values[place] for name, values in self.curves.items()}
            yield step, {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class TrackedStudy:
    """A study as a few runs.

    Attributes:
        title: What was compared, one line.
        verdict: The answer in sentences, and the notes, a line each.
        design: What was held fixed, each as short text or a number.
        schemes: The schemes, the best mean rank first.
        document: The whole study as JSON.
    """

    title: str
    verdict: str
    design: dict[str, str | int | float]
    schemes: tuple[TrackedScheme, ...]
    document: str


def tracked(study: "Study") -> TrackedStudy:
    """Lay a study out for a tracker.

    Args:
        study: The study; of one that was stopped, what is finished.

    Returns:
        The runs.

    Raises:
        FaninError: Nothing is finished.
    """
    summary = study.summary()
    if not summary.rows:
        raise FaninError(f"there is nothing to export. {summary.sentences[0]}")
    notes = [*summary.sentences, *study.notes]
    if len(summary.rows) > SCHEMES:
        notes.append(
            f"The {SCHEMES} best of {len(summary.rows)} schemes have a run of their own; all are "
            "in the JSON of the study."
        )
    return TrackedStudy(
        title=summary.title,
        verdict="\n".join(notes),
        design=_settings(study),
        schemes=tuple(_scheme(study, summary, row) for row in summary.rows[:SCHEMES]),
        document=study.to_json(),
    )


def _settings(study: "Study") -> dict[str, str | int | float]:
    fixed = json.loads(study.design.to_json())
    # The points follow from the steps, and each scheme is a run.
    return {
        name: value if isinstance(value, int | float | str) else json.dumps(value)
        for name, value in fixed.items()
        if name not in {"points", "schemes"}
    } | {"fanin": str(study.dataset.attrs.get("fanin", ""))}


def _scheme(study: "Study", summary: Summary, row: SchemeSummary) -> TrackedScheme:
    kept = finished(study.dataset)
    kept = kept.isel(epoch=thinned(kept.sizes["epoch"], POINTS))
    place = [str(scheme) for scheme in kept["scheme"].values].index(row.scheme)
    curves = dict[str, tuple[float | None, ...]]()
    for name in (name for name in CURVES if name in kept):
        # An order statistic of runs of which some are infinite is one of the runs.
        runs = runs_of(kept, name)[place]
        for band, share in BANDS.items():
            values = np.quantile(runs, share, axis=0, method="inverted_cdf")
            curves[f"{name}/{band}"] = tuple(_finite(value) for value in values.tolist())
    figures = {
        f"final_{summary.measure.replace(' ', '_').replace('-', '_')}": row.loss.value,
        "final_accuracy": None if row.accuracy is None else row.accuracy.value,
        "mean_rank": row.mean_rank,
        "repeats": row.runs,
        "stuck": row.stuck,
        "diverged": row.diverged,
        "arrived": row.arrived,
        "among_the_best": int(row.scheme in summary.best),
    }
    told = {name: float(value) for name, value in figures.items() if value is not None}
    return TrackedScheme(
        scheme=row.scheme,
        steps=tuple(int(step) for step in kept["step"].values),
        curves=curves,
        figures={name: value for name, value in told.items() if math.isfinite(value)},
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
