"""What comes out of a study: every curve of every run, and what a person can do with them.

The dataset is the truth and everything else is worked out from it when asked: the summary, the
table, the pictures, the page, the JSON. A study that was interrupted is a study with fewer repeats.
"""

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from fanin.calls import split_calls
from fanin.errors import FaninError, need
from fanin.recipes import as_recipe
from fanin.reports.document import Document, counted, figure
from fanin.reports.terminal import plain
from fanin.schemes import Scheme
from fanin.studies.design import Design
from fanin.studies.facts import facts
from fanin.studies.figures import summarise
from fanin.studies.measured import (
    CURVES,
    JUDGED,
    curves_of,
    finished,
    flattened,
    judged_by,
    runs_of,
)
from fanin.studies.origin import Origin
from fanin.studies.summary import Summary
from fanin.studies.survival import Survival, kaplan_meier
from fanin.studies.tables import pair_tables

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd
    import xarray

EMBEDDED = 200_000
"""Characters of data that a page carries beside its pictures; it stays below 1.5 MB with them."""


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Many trainings that differ only in the scheme and in luck.

    Attributes:
        dataset: The curves: dims scheme, repeat and epoch, with order before epoch in a crossed
            design; variables ``loss`` and those measured of
            ``accuracy``, ``held_out_loss`` and ``held_out_accuracy``, float32, NaN for not measured
            and inf for a loss that diverged; coordinates ``step`` on epoch, ``seed`` on repeat and
            ``order_seed`` on order; attributes ``design`` (JSON), ``fanin`` (version), and
            ``baseline_loss`` and ``held_out_baseline_loss``, the losses of the best constant guess.
        design: What was fixed.
        notes: What the person must know about how the trainings were run.
        target: The loss that counts as arriving; None for the one that half of all runs end at.
        reference: The scheme that was named as the baseline of `compare`, which each other is held
            against; None for all pairs. It has nothing to do with ``baseline_loss``.
        failure: The error that ended the study before all runs were trained; None without one.
        origin: Data, network, plans, engine and versions it comes from; None if not known.
    """

    dataset: "xarray.Dataset"
    design: Design
    notes: tuple[str, ...] = ()
    target: float | None = None
    reference: str | None = None
    failure: str | None = None
    origin: Origin | None = None

    @classmethod
    def from_curves(
        cls,
        design: Design,
        curves: Mapping[str, NDArray[np.float32]],
        *,
        baseline: float,
        held_out_baseline: float | None = None,
        notes: Sequence[str] = (),
    ) -> Self:
        """Make a study of what a trainer filled.

        Args:
            design: What was fixed.
            curves: For each metric, ``"loss"`` and perhaps ``"accuracy"``, an array of shape
                (split, scheme, run, point), the training part first.
            baseline: Training loss of the best constant guess, see `statistics.constant_loss`.
            held_out_baseline: The loss of that guess on the held-out part, None without one.
            notes: Sentences for the person.

        Returns:
            The study; the held-out variables are left out where there is no held-out part.

        Raises:
            FaninError: An array does not have the shape of the design.
            MissingExtra: xarray is not installed.
        """
        need("xarray", extra="study", purpose="a study")
        import xarray

        shape = (2, len(design.schemes), len(design.runs), len(design.points))
        crossed = ("order",) if design.orders > 1 else ()
        dims = ("scheme", "repeat", *crossed, "epoch")
        sizes = (len(design.schemes), design.repeats, *([design.orders] if crossed else []), -1)
        variables = dict[str, Any]()
        for metric, array in curves.items():
            if array.shape != shape:
                raise FaninError(
                    f"the curves of {metric} must have the shape (split, scheme, run, point) = "
                    f"{shape}, got {array.shape}"
                )
            for name, part in zip((metric, f"held_out_{metric}"), array, strict=True):
                if not (name.startswith("held_out") and np.isnan(part).all()):
                    variables[name] = (dims, part.reshape(sizes))
        attributes: dict[str, Any] = {
            "design": design.to_json(),
            "fanin": importlib.metadata.version("fanin"),
            "baseline_loss": baseline,
        }
        if held_out_baseline is not None:
            attributes["held_out_baseline_loss"] = held_out_baseline
        coordinates: dict[str, Any] = {
            "scheme": list(design.schemes),
            "repeat": np.arange(design.repeats),
            "epoch": np.asarray(design.epochs),
            "step": ("epoch", np.asarray(design.points)),
            "seed": ("repeat", np.asarray(design.seeds, dtype=np.uint64)),
        }
        if crossed:
            orders = [run.order for run in design.runs[: design.orders]]
            coordinates["order_seed"] = ("order", np.asarray(orders, dtype=np.uint64))
        return cls(xarray.Dataset(variables, coordinates, attributes), design, tuple(notes))

    @property
    def stopped(self) -> bool:
        """Whether some of the runs were not trained to the end."""
        return bool(np.isnan(self.dataset["loss"].values).any())

    def summary(self, target: float | None = None, baseline: str | Scheme | None = None) -> Summary:
        """Work out the figures: medians with intervals, steps to target, ranks, comparisons.

        Args:
            target: The loss that counts as arriving; the study's own by default.
            baseline: The scheme that each other is held against; the study's own by default.

        Returns:
            The summary; print it to read it.

        Raises:
            FaninError: The target is not a finite number, or the baseline is not in the study.
        """
        return summarise(
            self.dataset,
            title=self._title(),
            planned=self.design.repeats,
            planned_steps=self.design.steps,
            target=self.target if target is None else target,
            reference=self.reference if baseline is None else str(as_recipe(baseline)),
        )

    def survival(self, target: float | None = None) -> Survival:
        """Tell for every scheme which share of its runs had not yet arrived after each step.

        Every run that was measured counts, and one that was stopped counts as long as it was
        measured; the summary, which compares, counts only what is finished under every scheme.

        Args:
            target: The loss that counts as arriving; that of the summary by default.

        Returns:
            The curves with their intervals, and the step by which half of the runs have arrived.

        Raises:
            FaninError: There is no target, because nothing was measured or most runs diverged.
        """
        goal = self.target if target is None else target
        if goal is None:
            goal = self.summary().target
        if goal is None:
            raise FaninError(
                "there is no loss to arrive at, as half of the runs or more have none: name one "
                "as target"
            )
        name = judged_by(finished(self.dataset))
        curves, steps = curves_of(self.dataset, name), self.dataset["step"].values
        begun = ~np.isnan(curves[..., 0])
        ended = ~np.isnan(curves[..., -1])
        return Survival(
            target=goal,
            measure=JUDGED[name],
            curves=tuple(
                kaplan_meier(curves[place], steps, goal, scheme)
                for place, scheme in enumerate(self.design.schemes)
                if begun[place].any()
            ),
            cut_short=int(np.sum(begun & ~ended & ~(curves <= goal).any(axis=-1))),
        )

    def to_dataframe(self) -> "pd.DataFrame":
        """Tabulate the median curves.

        Returns:
            Two-level index (scheme, metric), one column per measured point (in epochs), medians
            over the runs of the finished repeats.

        Raises:
            MissingExtra: pandas is not installed.
        """
        need("pandas", extra="study", purpose="Study.to_dataframe")
        import pandas as pd

        kept = finished(self.dataset)
        medians = {
            (str(scheme), name): curve
            for name in CURVES
            if name in kept
            for scheme, curve in zip(
                kept["scheme"].values, np.median(runs_of(kept, name), axis=1), strict=True
            )
        }
        wanted = [(scheme, name) for scheme in self.design.schemes for name in CURVES]
        keys = [key for key in wanted if key in medians]
        return pd.DataFrame(
            [medians[key] for key in keys],
            index=pd.MultiIndex.from_tuples(keys, names=["scheme", "metric"]),
            columns=pd.Index(kept["epoch"].values, name="epoch"),
        )

    def plot(self) -> "alt.VConcatChart":
        """Draw the median curves with the middle half of the runs, loss above accuracy.

        Returns:
            An Altair chart; notebooks show it, ``.save("study.png")`` writes it.

        Raises:
            FaninError: The study was interrupted before anything could be drawn.
            MissingExtra: Altair is not installed.
        """
        need("altair", extra="report", purpose="Study.plot")
        import altair as alt

        summary = self.summary()
        return alt.VConcatChart.from_dict(self._curves(summary, summary.sentences[0]))

    def save(self, path: str | Path) -> None:
        """Write the study to a folder, where `fanin.open_study` and ``xarray.open_zarr`` read it.

        What is written is what ``fanin.compare(..., store=path)`` would have left there; repeats
        that are not finished are left out.

        Args:
            path: The folder, such as ``"banknote.zarr"``; it must not be there yet.

        Raises:
            FaninError: It cannot be written, something is there, or no repeat is finished.
            MissingExtra: zarr is not installed.
        """
        from fanin.studies.store.keeping import save

        save(self, Path(path))

    def save_html(self, path: str | Path) -> None:
        """Write the whole report as one HTML file that opens without network.

        Args:
            path: The file to write.

        Raises:
            FaninError: The file cannot be written, or there is nothing to show.
            MissingExtra: vl-convert is not installed.
        """
        from fanin.reports.page import page
        from fanin.studies.export import to_json

        summary = self.summary()
        charts = {
            "How the schemes train": self._curves(summary, ""),
            "Where every run ends": self._finals(summary),
        }
        if summary.target is not None:
            charts["Which share of the runs has not yet arrived"] = self._survival(summary)
        text = page(
            self.document(),
            charts,
            pair_tables(summary),
            facts(self.design, summary, str(self.dataset.attrs.get("fanin", ""))),
            to_json(self, limit=EMBEDDED),
        )
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as problem:
            raise FaninError(
                f"cannot write the report to {path}: {problem.strerror or problem}"
            ) from None

    def document(self) -> Document:
        """Lay the result out for a person: what was asked, verdict, table, notes.

        Returns:
            What ``str()`` writes as text and `fanin.reports.show` draws on a terminal.
        """
        said = self.summary().document()
        return replace(said, notes=(*said.notes, *self.notes))

    def to_json(self) -> str:
        """Write figures and curves as JSON without NaN or Infinity.

        Returns:
            One object with the keys of `studies.export`.
        """
        from fanin.studies.export import to_json

        return to_json(self)

    def __str__(self) -> str:
        return plain(self.document())

    def __repr__(self) -> str:
        return f"<Study: {self._title()}>"

    def _repr_html_(self) -> str:
        from fanin.reports.page import fragment

        summary = self.summary()
        # A notebook shows something whatever is installed; the picture needs vl-convert.
        drawn = bool(summary.rows) and importlib.util.find_spec("vl_convert") is not None
        charts = [self._curves(summary, "")] if drawn else []
        return fragment(self.document(), charts)

    def _title(self) -> str:
        design = self.design
        return (
            f"{counted(len(design.schemes), 'scheme')} x {_runs_text(design)} of "
            # The first part is the name; how it was split and scaled follows.
            f'"{design.network}" on {split_calls(design.data)[0]}, '
            f"{counted(design.steps, 'step')} of {design.optimizer}"
        )

    def _curves(self, summary: Summary, title: str) -> dict[str, Any]:
        from fanin.reports.charts import curve_chart

        _something(summary)
        attributes = self.dataset.attrs
        names = {"loss": "baseline_loss", "held_out_loss": "held_out_baseline_loss"}
        known = {
            loss: float(attributes[name]) for loss, name in names.items() if name in attributes
        }
        order = [row.scheme for row in summary.rows]
        return curve_chart(flattened(finished(self.dataset)), order, title=title, baselines=known)

    def _finals(self, summary: Summary) -> dict[str, Any]:
        from fanin.reports.charts import final_chart

        kept = finished(self.dataset)
        losses = runs_of(kept, judged_by(kept))[..., -1]
        places = [str(scheme) for scheme in kept["scheme"].values]
        return final_chart(
            {row.scheme: losses[places.index(row.scheme)] for row in summary.rows},
            {row.scheme: (row.loss.value, row.loss.low, row.loss.high) for row in summary.rows},
            summary.measure,
        )

    def _survival(self, summary: Summary) -> dict[str, Any]:
        from fanin.reports.survival import survival_chart

        found = self.survival(summary.target)
        places = {curve.scheme: curve for curve in found.curves}
        notes = ["Line: share of the runs. Band: its interval, for each step by itself."]
        if found.cut_short:
            notes.append("Runs that were stopped count as long as they were measured.")
        return survival_chart(
            {row.scheme: vars(places[row.scheme]) for row in summary.rows},
            f"not yet at a {found.measure} of {figure(found.target)}",
            notes,
        )


def _runs_text(design: Design) -> str:
    repeats = counted(design.repeats, "repeat")
    return repeats if design.orders == 1 else f"{repeats} x {design.orders} data orders"


def _something(summary: Summary) -> None:
    if not summary.rows:
        raise FaninError(f"there is nothing to draw. {summary.sentences[0]}")
