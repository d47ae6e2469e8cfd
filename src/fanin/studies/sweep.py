"""A study over scale, depth and width: where does a start stop working?

Every depth and width is a study of its own, in which the scales are the schemes compared. A run
that is neither stuck nor diverged has learnt, and a start works where at least half of its runs do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fanin.errors import FaninError, need
from fanin.reports.document import Document
from fanin.reports.terminal import plain
from fanin.studies.grid import Grid
from fanin.studies.statistics import stuck
from fanin.studies.study import Study

if TYPE_CHECKING:
    import altair as alt
    import xarray

Cell = tuple[int, int]
"""Depth and width."""

WORKS = 0.5
"""Share of the runs that must learn for a start to be said to work."""


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Studies of one network over a grid of scales, depths and widths.

    Attributes:
        grid: What was gone through.
        studies: By depth and width, as far as they were trained.
        notes: What the person must know about how the trainings were run.
    """

    grid: Grid
    studies: Mapping[Cell, Study]
    notes: tuple[str, ...] = ()

    @cached_property
    def dataset(self) -> "xarray.Dataset":
        """All curves: dims width, depth, value, repeat and epoch, NaN where nothing was trained."""
        import xarray

        cells = [
            self._placed(study, depth, width) for (depth, width), study in self.studies.items()
        ]
        combined = xarray.combine_by_coords(cells, join="outer", combine_attrs="drop")
        assert isinstance(combined, xarray.Dataset)  # of data sets; of arrays it would be an array
        return combined

    @cached_property
    def learnt(self) -> NDArray[np.float64]:
        """Share of the runs that learnt, of shape (width, depth, value); NaN where none was run."""
        return self._over_cells(_learnt)

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """Median of the final losses, held out where a part is, of shape (width, depth, value)."""
        return self._over_cells(_median)

    @property
    def works(self) -> NDArray[np.bool_]:
        """Where at least half of the runs learnt, of shape (width, depth, value)."""
        return self.learnt >= WORKS

    @property
    def critical(self) -> dict[int, float | None]:
        """Theory's critical value for each width, see `Grid.critical`."""
        return {width: self.grid.critical(width) for width in self.grid.widths}

    @property
    def stopped(self) -> bool:
        """Whether some of the runs were not trained to the end."""
        planned = len(self.grid.depths) * len(self.grid.widths)
        return len(self.studies) < planned or any(own.stopped for own in self.studies.values())

    def document(self) -> Document:
        """Lay the result out for a person: verdict, a table for each width, notes."""
        from fanin.studies.sweep_verdict import document

        return document(self)

    def plot(self) -> "alt.VConcatChart":
        """Draw the heat map of the share of runs that learnt, with theory's critical line.

        Returns:
            An Altair chart; notebooks show it, ``.save("sweep.png")`` writes it.

        Raises:
            MissingExtra: Altair is not installed.
        """
        need("altair", extra="report", purpose="Sweep.plot")
        import altair as alt

        return alt.VConcatChart.from_dict(self._chart(self.document().verdict[0]))

    def save_html(self, path: str | Path) -> None:
        """Write the report as one HTML file that opens without network.

        Args:
            path: The file to write.

        Raises:
            FaninError: The file cannot be written.
            MissingExtra: vl-convert is not installed.
        """
        from fanin.reports.page import page
        from fanin.studies.sweep_verdict import facts

        said = self.document()
        charts = {"Where it trains": self._chart("")}
        text = page(said, charts, (), facts(self), self.to_json(), name="sweep.json")
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as problem:
            raise FaninError(
                f"cannot write the report to {path}: {problem.strerror or problem}"
            ) from None

    def to_json(self) -> str:
        """Write the figures as JSON without NaN or Infinity.

        Returns:
            One object with the keys of `fanin.studies.sweep_verdict.record`.
        """
        from fanin.studies.sweep_verdict import record

        return record(self)

    def __str__(self) -> str:
        return plain(self.document())

    def __repr__(self) -> str:
        return f"<Sweep: {self.document().title}>"

    def _repr_html_(self) -> str:
        from fanin.reports.page import fragment

        return fragment(self.document(), [])

    def _chart(self, title: str) -> dict[str, Any]:
        from fanin.reports.heat import heat_chart

        return heat_chart(
            self.grid.values,
            self.grid.depths,
            self.grid.widths,
            self.learnt,
            self.losses,
            self.critical,
            title=title,
        )

    def _placed(self, study: Study, depth: int, width: int) -> "xarray.Dataset":
        named: Any = study.dataset.rename(scheme="value").drop_attrs()
        named["value"] = list(self.grid.values)
        return named.expand_dims(width=[width], depth=[depth])

    def _over_cells(self, figure: Any) -> NDArray[np.float64]:
        grid = self.grid
        table = np.full((len(grid.widths), len(grid.depths), len(grid.values)), np.nan)
        for (depth, width), study in self.studies.items():
            table[grid.widths.index(width), grid.depths.index(depth)] = figure(study)
        return table


def _learnt(study: Study) -> Sequence[float]:
    dataset = study.dataset
    losses = _by_scheme(study, "loss")
    baseline = float(dataset.attrs["baseline_loss"])
    trained = np.logical_not(np.isnan(losses).any(axis=-1))
    lost = np.logical_not(np.isfinite(losses[..., -1]))
    good = trained & ~lost & ~stuck(losses, dataset["step"].values, baseline)
    with np.errstate(invalid="ignore"):
        shares = good.sum(axis=-1) / trained.sum(axis=-1)
    return [float(share) for share in shares]


def _median(study: Study) -> Sequence[float]:
    held_out = "held_out_loss" in study.dataset
    losses = _by_scheme(study, "held_out_loss" if held_out else "loss")[..., -1]
    lost = np.isinf(_by_scheme(study, "loss")[..., -1])
    final = np.where(lost, np.inf, losses)
    return [
        float(np.median(own[~np.isnan(own)])) if not np.isnan(own).all() else np.nan
        for own in final
    ]


def _by_scheme(study: Study, name: str) -> NDArray[np.float64]:
    """Curves of shape (scheme, run, point)."""
    values = study.dataset[name].transpose("scheme", ..., "epoch").values
    return np.asarray(values, np.float64).reshape(values.shape[0], -1, values.shape[-1])
